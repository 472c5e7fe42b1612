//! Conversions to dates and times.

use crate::datetime::{
    self, DATETIME_TICKS_PER_DAY, EPOCH_1900, MAX_DATETIME_DAY, MAX_DAY, MIN_DATETIME_DAY, Moment,
    TICKS_PER_DAY, from_datetime_ticks, to_datetime_ticks,
};
use crate::error::{SqlResult, arithmetic_overflow, no_explicit_conversion};
use crate::session::SqlError;
use crate::type_rules::type_of;
use crate::types::{Datum, SqlType};

/// The moment that a value of a date or time type stands for, in its own offset.
pub(crate) fn moment_of(value: &Datum) -> Option<Moment> {
    Some(match value {
        Datum::Date(days) => Moment::local(*days, 0),
        Datum::Time { ticks, .. } => Moment::local(EPOCH_1900, *ticks),
        Datum::DateTime { days, ticks } => {
            Moment::local(days + EPOCH_1900, from_datetime_ticks(*ticks))
        }
        Datum::SmallDateTime { days, minutes } => Moment::local(
            i32::from(*days) + EPOCH_1900,
            u64::from(*minutes) * 600_000_000,
        ),
        Datum::DateTime2 { days, ticks, .. } => Moment::local(*days, *ticks),
        Datum::DateTimeOffset {
            days,
            ticks,
            offset,
            ..
        } => Moment {
            offset: Some(*offset),
            ..Moment::local(*days, *ticks).shifted(i64::from(*offset))
        },
        _ => return None,
    })
}

fn out_of_range(source: &str, target: &SqlType) -> SqlError {
    SqlError::new(
        242,
        16,
        3,
        format!(
            "The conversion of a {source} data type to a {} data type resulted in an out-of-range value.",
            target.name()
        ),
    )
}

pub(super) fn to_temporal(value: &Datum, target: &SqlType, style: i32) -> SqlResult<Datum> {
    if let Datum::Text {
        value: text,
        national,
    } = value
    {
        return from_text(text, *national, target, style);
    }
    if let Some(moment) = moment_of(value) {
        let source = type_of(value);
        // Between datetimes the 1/300 s ticks must survive unrounded.
        if let (
            Datum::DateTime { days, ticks },
            SqlType::DateTime2 { scale }
            | SqlType::DateTimeOffset { scale }
            | SqlType::Time { scale },
        ) = (value, target)
            && *scale < 7
        {
            // Lower scales round from the milliseconds as shown.
            let shown = Moment::local(
                days + EPOCH_1900,
                u64::from(datetime::datetime_milliseconds(*ticks)) * 10_000,
            );
            return build(shown, target, source.name());
        }
        return build(moment, target, source.name());
    }
    if target.is_old_temporal() {
        return from_number(value, target);
    }
    Err(no_explicit_conversion(type_of(value).name(), target.name()))
}

/// Days since 1900 as a number.
fn from_number(value: &Datum, target: &SqlType) -> SqlResult<Datum> {
    let overflow = || arithmetic_overflow("expression", target.name());
    if let Datum::Binary(bytes) = value {
        let mut stored = [0u8; 8];
        let taken = bytes.len().min(8);
        stored[8 - taken..].copy_from_slice(&bytes[bytes.len() - taken..]);
        let days = i32::from_be_bytes([stored[0], stored[1], stored[2], stored[3]]);
        let ticks = u32::from_be_bytes([stored[4], stored[5], stored[6], stored[7]]);
        if ticks >= DATETIME_TICKS_PER_DAY || !(MIN_DATETIME_DAY..=MAX_DATETIME_DAY).contains(&days)
        {
            return Err(overflow());
        }
        return super::convert(
            &Datum::DateTime { days, ticks },
            target,
            0,
            super::Excess::Cut,
        );
    }
    let Datum::Float(days) = super::convert(value, &SqlType::Float, 0, super::Excess::Cut)? else {
        return Err(no_explicit_conversion(type_of(value).name(), target.name()));
    };
    if !(f64::from(MIN_DATETIME_DAY)..f64::from(MAX_DATETIME_DAY) + 1.0).contains(&days) {
        return Err(overflow());
    }
    let whole = days.floor();
    let ticks = ((days - whole) * f64::from(DATETIME_TICKS_PER_DAY)).round() as u32;
    let (whole, ticks) = if ticks >= DATETIME_TICKS_PER_DAY {
        (whole + 1.0, 0)
    } else {
        (whole, ticks)
    };
    let exact = Datum::DateTime {
        days: whole as i32,
        ticks,
    };
    if *target == SqlType::DateTime {
        Ok(exact)
    } else {
        super::convert(&exact, target, 0, super::Excess::Cut)
    }
}

/// Puts a moment onto the grid of the target type.
pub(crate) fn build(moment: Moment, target: &SqlType, source: &str) -> SqlResult<Datum> {
    let range = || out_of_range(source, target);
    let in_calendar = |moment: Moment| {
        if (0..=MAX_DAY).contains(&moment.days) {
            Ok(moment)
        } else {
            Err(range())
        }
    };
    Ok(match target {
        SqlType::Date => Datum::Date(in_calendar(moment)?.days),
        SqlType::Time { scale } => Datum::Time {
            ticks: datetime::round_ticks(moment.ticks, *scale) % TICKS_PER_DAY,
            scale: *scale,
        },
        SqlType::DateTime => {
            let ticks = to_datetime_ticks(moment.ticks);
            let carry = ticks >= DATETIME_TICKS_PER_DAY;
            let days = moment.days - EPOCH_1900 + i32::from(carry);
            if !(MIN_DATETIME_DAY..=MAX_DATETIME_DAY).contains(&days) {
                return Err(range());
            }
            Datum::DateTime {
                days,
                ticks: if carry { 0 } else { ticks },
            }
        }
        SqlType::SmallDateTime => {
            // 29.998 s rounds down, 29.999 s up: seconds are rounded to milliseconds first.
            let milliseconds = moment.ticks / 10_000;
            let minutes = (milliseconds + 30_001) / 60_000;
            let days = moment.days - EPOCH_1900 + (minutes / 1440) as i32;
            let days = u16::try_from(days).map_err(|_| range())?;
            Datum::SmallDateTime {
                days,
                minutes: (minutes % 1440) as u16,
            }
        }
        SqlType::DateTime2 { scale } => {
            let rounded = clamp_last_day(moment, *scale);
            Datum::DateTime2 {
                days: in_calendar(rounded)?.days,
                ticks: rounded.ticks,
                scale: *scale,
            }
        }
        SqlType::DateTimeOffset { scale } => {
            let offset = moment.offset.unwrap_or(0);
            let rounded = clamp_last_day(moment, *scale);
            let utc = in_calendar(rounded.shifted(-i64::from(offset)))?;
            Datum::DateTimeOffset {
                days: utc.days,
                ticks: utc.ticks,
                offset,
                scale: *scale,
            }
        }
        _ => return Err(no_explicit_conversion(source, target.name())),
    })
}

/// Rounding up on 9999-12-31 stops at the last value of the day instead of leaving the calendar.
fn clamp_last_day(moment: Moment, scale: u8) -> Moment {
    let rounded = moment.rounded(scale);
    if rounded.days > MAX_DAY && moment.days == MAX_DAY {
        let unit = 10u64.pow(7 - u32::from(scale.min(7)));
        return Moment {
            ticks: moment.ticks / unit * unit,
            ..moment
        };
    }
    rounded
}

fn from_text(text: &str, national: bool, target: &SqlType, style: i32) -> SqlResult<Datum> {
    if !matches!(
        style,
        0 | 20 | 21 | 23 | 25 | 100 | 101 | 102 | 110 | 111 | 112 | 120 | 121 | 126 | 127
    ) {
        return Err(crate::error::unsupported_type(&format!(
            "text to {} with style {style}",
            target.name()
        )));
    }
    let failed = || {
        SqlError::new(
            241,
            16,
            1,
            "Conversion failed when converting date and/or time from character string.",
        )
    };
    let parsed = datetime::parse(text).ok_or_else(failed)?;
    // The old types read no more than milliseconds and no offset.
    if target.is_old_temporal()
        && (parsed.fraction_digits > 3 || parsed.moment.offset.is_some_and(|_| style != 127))
    {
        return Err(failed());
    }
    let source = if national { "nvarchar" } else { "varchar" };
    build(parsed.moment, target, source)
}
