//! Dates and times into text, in the styles of CONVERT.

use super::{Moment, TICKS_PER_SECOND, civil};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `YYYY-MM-DD`.
pub(crate) fn format_date(days: i32) -> String {
    let date = civil(days);
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

/// `hh:mm:ss[.fffffff]` with `scale` digits.
pub(crate) fn format_ticks(ticks: u64, scale: u8) -> String {
    let seconds = ticks / TICKS_PER_SECOND;
    let text = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    if scale == 0 {
        return text;
    }
    let fraction = format!("{:07}", ticks % TICKS_PER_SECOND);
    format!("{text}.{}", &fraction[..usize::from(scale.min(7))])
}

/// `+hh:mm`.
pub(crate) fn format_offset(offset: i16) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    format!(
        "{sign}{:02}:{:02}",
        offset.unsigned_abs() / 60,
        offset.unsigned_abs() % 60
    )
}

/// What of a moment a type has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parts {
    Date,
    Time,
    Both,
}

/// Text in a CONVERT style; `None` where the style is outside the subset. `scale` is the number of
/// fractional digits (3 for `datetime`, 0 for `smalldatetime`).
pub(crate) fn styled(moment: Moment, parts: Parts, scale: u8, style: i32) -> Option<String> {
    let date = civil(moment.days);
    let (y, m, d) = (date.year, date.month, date.day);
    let seconds = moment.ticks / TICKS_PER_SECOND;
    let (hour, minute) = (seconds / 3600, seconds / 60 % 60);
    let time = || format_ticks(moment.ticks, scale);
    let twelve = || {
        let shown = if hour % 12 == 0 { 12 } else { hour % 12 };
        format!(
            "{shown:>2}:{minute:02}{}",
            if hour < 12 { "AM" } else { "PM" }
        )
    };
    let zone = || {
        moment
            .offset
            .map(|offset| format!(" {}", format_offset(offset)))
            .unwrap_or_default()
    };
    let month = MONTHS.get(m as usize - 1).copied().unwrap_or("");
    let both = |date: String, separator: &str, time: String| match parts {
        Parts::Date => date,
        Parts::Time => time,
        Parts::Both => format!("{date}{separator}{time}"),
    };
    Some(match style {
        0 | 100 => both(format!("{month} {d:>2} {y}"), " ", twelve()) + &zone(),
        1 => format!("{m:02}/{d:02}/{:02}", y % 100),
        101 => format!("{m:02}/{d:02}/{y:04}"),
        102 => format!("{y:04}.{m:02}.{d:02}"),
        103 => format!("{d:02}/{m:02}/{y:04}"),
        104 => format!("{d:02}.{m:02}.{y:04}"),
        105 => format!("{d:02}-{m:02}-{y:04}"),
        106 => format!("{d:02} {month} {y:04}"),
        107 => format!("{month} {d:02}, {y:04}"),
        8 | 24 | 108 => format_ticks(moment.ticks, 0),
        10 | 110 => format!("{m:02}-{d:02}-{y:04}"),
        11 | 111 => format!("{y:04}/{m:02}/{d:02}"),
        12 | 112 => format!("{y:04}{m:02}{d:02}"),
        14 | 114 => format_ticks(moment.ticks, scale).replacen('.', ":", 1),
        20 | 120 => both(format_date(moment.days), " ", format_ticks(moment.ticks, 0)) + &zone(),
        21 | 25 | 121 => both(format_date(moment.days), " ", time()) + &zone(),
        23 => format_date(moment.days),
        126 | 127 => {
            // ISO 8601 leaves out a fraction that is zero.
            let whole = moment.ticks.is_multiple_of(TICKS_PER_SECOND);
            let time = format_ticks(moment.ticks, if whole { 0 } else { scale });
            let zone = match moment.offset {
                Some(0) if style == 127 => "Z".to_owned(),
                Some(offset) => format_offset(offset),
                None => String::new(),
            };
            both(format_date(moment.days), "T", time) + &zone
        }
        _ => return None,
    })
}
