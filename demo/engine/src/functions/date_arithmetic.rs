//! DATEADD, DATEDIFF, DATEPART and DATETRUNC by date part.

use crate::convert::temporal::{build, moment_of};
use crate::datetime::{
    self, DATETIME_TICKS_PER_DAY, Moment, TICKS_PER_DAY, TICKS_PER_SECOND, civil, days,
    days_in_month, weekday,
};
use crate::error::SqlResult;
use crate::session::SqlError;
use crate::type_rules::type_of;
use crate::types::Datum;

/// A date part, numbered so that it can travel as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Year,
    Quarter,
    Month,
    DayOfYear,
    Day,
    Week,
    Weekday,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
    IsoWeek,
    Offset,
}

const PARTS: [(Part, &[&str]); 15] = [
    (Part::Year, &["year", "yy", "yyyy"]),
    (Part::Quarter, &["quarter", "qq", "q"]),
    (Part::Month, &["month", "mm", "m"]),
    (Part::DayOfYear, &["dayofyear", "dy", "y"]),
    (Part::Day, &["day", "dd", "d"]),
    (Part::Week, &["week", "wk", "ww"]),
    (Part::Weekday, &["weekday", "dw", "w"]),
    (Part::Hour, &["hour", "hh"]),
    (Part::Minute, &["minute", "mi", "n"]),
    (Part::Second, &["second", "ss", "s"]),
    (Part::Millisecond, &["millisecond", "ms"]),
    (Part::Microsecond, &["microsecond", "mcs"]),
    (Part::Nanosecond, &["nanosecond", "ns"]),
    (Part::IsoWeek, &["iso_week", "isowk", "isoww"]),
    (Part::Offset, &["tzoffset", "tz"]),
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

impl Part {
    pub(super) fn named(name: &str) -> Option<Self> {
        let folded = name.to_ascii_lowercase();
        PARTS
            .iter()
            .find(|(_, names)| names.contains(&folded.as_str()))
            .map(|(part, _)| *part)
    }

    pub(super) fn numbered(number: i32) -> Option<Self> {
        PARTS
            .iter()
            .map(|(part, _)| *part)
            .find(|part| *part as i32 == number)
    }
}

fn overflow(value: &Datum) -> SqlError {
    SqlError::new(
        517,
        16,
        1,
        format!(
            "Adding a value to a '{}' column caused an overflow.",
            type_of(value).name()
        ),
    )
}

fn not_supported(part: Part, function: &str, value: &Datum) -> SqlError {
    let name = PARTS
        .iter()
        .find(|(known, _)| *known == part)
        .map_or("", |(_, names)| names[0]);
    SqlError::new(
        9810,
        16,
        1,
        format!(
            "The datepart {name} is not supported by date function {function} for data type {}.",
            type_of(value).name()
        ),
    )
}

fn add_months(moment: Moment, months: i64) -> Option<Moment> {
    let date = civil(moment.days);
    let total = i64::from(date.year) * 12 + i64::from(date.month) - 1 + months;
    let year = i32::try_from(total.div_euclid(12)).ok()?;
    let month = total.rem_euclid(12) as u32 + 1;
    let day = date.day.min(days_in_month(year, month));
    Some(Moment {
        days: days(year, month, day)?,
        ..moment
    })
}

/// 100 ns ticks of one unit, for the parts that are times.
fn unit_ticks(part: Part) -> Option<i64> {
    Some(match part {
        Part::Hour => 3600 * TICKS_PER_SECOND as i64,
        Part::Minute => 60 * TICKS_PER_SECOND as i64,
        Part::Second => TICKS_PER_SECOND as i64,
        Part::Millisecond => 10_000,
        Part::Microsecond => 10,
        _ => return None,
    })
}

/// DATEADD: the result has the type of `value`.
pub(super) fn add(part: Part, count: i64, value: &Datum) -> SqlResult<Datum> {
    if *value == Datum::Null {
        return Ok(Datum::Null);
    }
    if matches!(value, Datum::Date(_)) && (unit_ticks(part).is_some() || part == Part::Nanosecond) {
        return Err(not_supported(part, "dateadd", value));
    }
    if matches!(value, Datum::Time { .. }) && unit_ticks(part).is_none() && part != Part::Nanosecond
    {
        return Err(not_supported(part, "dateadd", value));
    }
    if let Datum::DateTime { days, ticks } = value
        && let Some(unit) = unit_ticks(part)
    {
        return add_to_datetime((*days, *ticks), i128::from(count) * i128::from(unit))
            .ok_or_else(|| overflow(value));
    }
    let moment = moment_of(value).ok_or_else(|| overflow(value))?;
    let shifted = match part {
        Part::Year => count
            .checked_mul(12)
            .and_then(|months| add_months(moment, months)),
        Part::Quarter => count
            .checked_mul(3)
            .and_then(|months| add_months(moment, months)),
        Part::Month => add_months(moment, count),
        Part::Day | Part::DayOfYear | Part::Weekday => shift_days(moment, count),
        Part::Week => count
            .checked_mul(7)
            .and_then(|days| shift_days(moment, days)),
        Part::Nanosecond => shift_ticks(
            moment,
            i128::from(count.saturating_add(50 * count.signum()) / 100),
        ),
        Part::IsoWeek | Part::Offset => return Err(not_supported(part, "dateadd", value)),
        _ => unit_ticks(part)
            .and_then(|unit| shift_ticks(moment, i128::from(count) * i128::from(unit))),
    };
    let shifted = shifted.ok_or_else(|| overflow(value))?;
    if let Datum::Time { scale, .. } = value {
        return Ok(Datum::Time {
            ticks: datetime::round_ticks(shifted.ticks, *scale) % TICKS_PER_DAY,
            scale: *scale,
        });
    }
    // A datetime keeps its 1/300 s ticks when only its date moves.
    if let Datum::DateTime { ticks, .. } = value {
        let moved = build(
            Moment {
                ticks: 0,
                ..shifted
            },
            &crate::types::SqlType::DateTime,
            "datetime",
        )
        .map_err(|_| overflow(value))?;
        if let Datum::DateTime { days, .. } = moved {
            return Ok(Datum::DateTime {
                days,
                ticks: *ticks,
            });
        }
    }
    build(shifted, &type_of(value), type_of(value).name()).map_err(|_| overflow(value))
}

/// Adds 100 ns ticks to a datetime on its own grid.
fn add_to_datetime((days, ticks): (i32, u32), added: i128) -> Option<Datum> {
    let total = i128::from(days) * i128::from(DATETIME_TICKS_PER_DAY) + i128::from(ticks);
    let moved = (total * 100_000 + added * 3 + 50_000).div_euclid(100_000);
    let days = i32::try_from(moved.div_euclid(i128::from(DATETIME_TICKS_PER_DAY))).ok()?;
    let in_range = (datetime::MIN_DATETIME_DAY..=datetime::MAX_DATETIME_DAY).contains(&days);
    in_range.then(|| Datum::DateTime {
        days,
        ticks: moved.rem_euclid(i128::from(DATETIME_TICKS_PER_DAY)) as u32,
    })
}

fn shift_days(moment: Moment, count: i64) -> Option<Moment> {
    let days = i32::try_from(i64::from(moment.days).checked_add(count)?).ok()?;
    Some(Moment { days, ..moment })
}

fn shift_ticks(moment: Moment, added: i128) -> Option<Moment> {
    let total =
        i128::from(moment.days) * i128::from(TICKS_PER_DAY) + i128::from(moment.ticks) + added;
    let days = i32::try_from(total.div_euclid(i128::from(TICKS_PER_DAY))).ok()?;
    Some(Moment {
        days,
        ticks: total.rem_euclid(i128::from(TICKS_PER_DAY)) as u64,
        ..moment
    })
}

/// DATEDIFF: how many boundaries of the part lie between.
pub(super) fn difference(part: Part, start: Moment, end: Moment) -> SqlResult<i64> {
    // Boundaries are counted in UTC where offsets are given.
    let utc = |moment: Moment| {
        moment
            .offset
            .map_or(moment, |offset| moment.shifted(-i64::from(offset)))
    };
    let (start, end) = (utc(start), utc(end));
    let (a, b) = (civil(start.days), civil(end.days));
    let months = (i64::from(b.year) * 12 + i64::from(b.month))
        - (i64::from(a.year) * 12 + i64::from(a.month));
    let quarter =
        |date: datetime::Civil| i64::from(date.year) * 4 + i64::from((date.month - 1) / 3);
    // A week begins on Sunday, whatever DATEFIRST says.
    let week = |days: i32| (i64::from(days) + 1).div_euclid(7);
    let ticks = |moment: Moment| {
        i128::from(moment.days) * i128::from(TICKS_PER_DAY) + i128::from(moment.ticks)
    };
    Ok(match part {
        Part::Year => i64::from(b.year - a.year),
        Part::Quarter => quarter(b) - quarter(a),
        Part::Month => months,
        Part::Day | Part::DayOfYear | Part::Weekday => i64::from(end.days - start.days),
        Part::Week => week(end.days) - week(start.days),
        Part::Nanosecond => i64::try_from((ticks(end) - ticks(start)) * 100).map_err(|_| {
            SqlError::new(
                535,
                16,
                0,
                "The datediff_big function resulted in an overflow.",
            )
        })?,
        Part::IsoWeek | Part::Offset => {
            return Err(SqlError::new(
                9806,
                16,
                1,
                "The datepart is not supported by date function datediff.",
            ));
        }
        _ => {
            let unit = i128::from(unit_ticks(part).unwrap_or(1));
            (ticks(end).div_euclid(unit) - ticks(start).div_euclid(unit)) as i64
        }
    })
}

/// DATEPART.
pub(super) fn part_of(part: Part, moment: Moment, first_weekday: i32) -> i32 {
    let date = civil(moment.days);
    let seconds = (moment.ticks / TICKS_PER_SECOND) as i32;
    let fraction = (moment.ticks % TICKS_PER_SECOND) as i32;
    let new_year = days(date.year, 1, 1).unwrap_or(0);
    match part {
        Part::Year => date.year,
        Part::Quarter => (date.month as i32 - 1) / 3 + 1,
        Part::Month => date.month as i32,
        Part::DayOfYear => moment.days - new_year + 1,
        Part::Day => date.day as i32,
        Part::Weekday => (weekday(moment.days) + 1 - first_weekday).rem_euclid(7) + 1,
        Part::Week => {
            let offset = (weekday(new_year) + 1 - first_weekday).rem_euclid(7);
            (moment.days - new_year + offset) / 7 + 1
        }
        Part::Hour => seconds / 3600,
        Part::Minute => seconds / 60 % 60,
        Part::Second => seconds % 60,
        Part::Millisecond => fraction / 10_000,
        Part::Microsecond => fraction / 10,
        Part::Nanosecond => fraction * 100,
        Part::IsoWeek => {
            // The week that holds the Thursday.
            let thursday = moment.days - weekday(moment.days) + 3;
            let first = days(civil(thursday).year, 1, 1).unwrap_or(0);
            (thursday - first) / 7 + 1
        }
        Part::Offset => i32::from(moment.offset.unwrap_or(0)),
    }
}

/// DATENAME.
pub(super) fn name_of(part: Part, moment: Moment, first_weekday: i32) -> String {
    match part {
        Part::Month => MONTHS[civil(moment.days).month as usize - 1].to_owned(),
        Part::Weekday => WEEKDAYS[weekday(moment.days) as usize].to_owned(),
        Part::Offset => datetime::format_offset(moment.offset.unwrap_or(0)),
        other => part_of(other, moment, first_weekday).to_string(),
    }
}

/// DATETRUNC.
pub(super) fn truncate(part: Part, value: &Datum) -> SqlResult<Datum> {
    let Some(moment) = moment_of(value) else {
        return Ok(Datum::Null);
    };
    let date = civil(moment.days);
    let midnight = |days: Option<i32>| Moment {
        days: days.unwrap_or(moment.days),
        ticks: 0,
        ..moment
    };
    let truncated = match part {
        Part::Year => midnight(days(date.year, 1, 1)),
        Part::Quarter => midnight(days(date.year, (date.month - 1) / 3 * 3 + 1, 1)),
        Part::Month => midnight(days(date.year, date.month, 1)),
        Part::Day | Part::DayOfYear => midnight(None),
        Part::Week => midnight(Some(moment.days - (weekday(moment.days) + 1) % 7)),
        Part::IsoWeek => midnight(Some(moment.days - weekday(moment.days))),
        _ => match unit_ticks(part) {
            Some(unit) => Moment {
                ticks: moment.ticks / unit as u64 * unit as u64,
                ..moment
            },
            None => return Err(not_supported(part, "datetrunc", value)),
        },
    };
    build(truncated, &type_of(value), type_of(value).name())
}
