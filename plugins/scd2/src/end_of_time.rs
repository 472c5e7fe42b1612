//! What the current version has for an end.

use icehost_sdk::prelude::*;

const SECOND: i64 = 10_000_000;

/// NULL, or the moment that the option names, as the column holds it.
pub(crate) fn of(column: &Column, named: Option<&str>) -> Result<Value, Error> {
    let Some(text) = named else {
        return match column.nullable {
            true => Ok(Value::Null),
            false => Err(Error::unsupported_table(
                "not-nullable",
                format!(
                    "'{}' cannot be NULL, which the current version has there; make it nullable, or set end-of-time, \
                     for example to 9999-12-31",
                    column.name
                ),
            )),
        };
    };
    let ticks = ticks(text).ok_or_else(|| {
        Error::invalid_options(
            "malformed-options",
            format!(
                "end-of-time is '{text}', which is no day such as 9999-12-31 and no moment such as 9999-12-31T23:59:59"
            ),
        )
    })?;
    match column.moment(ticks) {
        Some(value) if exactly(&value, ticks) => Ok(value),
        _ => Err(Error::invalid_options(
            "wrong-type",
            format!(
                "end-of-time is '{text}', which '{}' of type {} does not hold exactly",
                column.name, column.native_type
            ),
        )),
    }
}

/// From when on an end is none: the last year that the column's type has. Ends of time are there, whatever the settings of
/// the run were that wrote them.
pub(crate) fn far(column: &Column) -> Option<Value> {
    column.moment(ticks(match column.native_type.as_str() {
        "smalldatetime" => "2079-01-01",
        _ => "9999-01-01",
    })?)
}

fn exactly(value: &Value, ticks: i64) -> bool {
    match value {
        Value::Date(days) => i64::from(*days) * 86_400 * SECOND == ticks,
        Value::Timestamp(held) => *held == ticks,
        Value::TimestampTz(zoned) => zoned.ticks == ticks,
        _ => false,
    }
}

/// `YYYY-MM-DD`, or with `Thh:mm:ss` and up to seven digits of a second behind it, in ticks since 1970.
fn ticks(text: &str) -> Option<i64> {
    let (day, time) = match text.split_once(['T', ' ']) {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let [year, month, day] = numbers(day, '-', [4, 2, 2])?;
    let length = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1 || !(1..=length).contains(&day) {
        return None;
    }
    let whole = days(year, month, day) * 86_400 * SECOND;
    let Some(time) = time else {
        return Some(whole);
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    if hour > 23 || minute > 59 || second > 59 || !(1..=7).contains(&fraction.len()) {
        return None;
    }
    let [fraction] = numbers(&format!("{fraction:0<7}"), ' ', [7])?;
    Some(whole + ((hour * 60 + minute) * 60 + second) * SECOND + fraction)
}

/// Digits in groups of these lengths.
fn numbers<const N: usize>(text: &str, separator: char, lengths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, length) in numbers.iter_mut().zip(lengths) {
        let part = parts.next()?;
        if part.len() != length || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Days since 1970 of a date of the Gregorian calendar, whose years are counted from March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = match month {
        3.. => (year, month - 3),
        _ => (year - 1, month + 9),
    };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leaps + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_are_read() {
        for (text, wanted) in [
            ("1970-01-01", 0),
            ("1969-12-31T23:59:59.9999999", -1),
            ("2000-02-29", 951_782_400 * SECOND),
            ("2026-03-01 00:00:01.5", 1_772_323_201 * SECOND + 5_000_000),
            ("9999-12-31", 253_402_214_400 * SECOND),
        ] {
            assert_eq!(ticks(text), Some(wanted), "{text}");
        }
        for text in [
            "",
            "9999",
            "9999-13-01",
            "2001-02-29",
            "1900-02-29",
            "0000-01-01",
            "9999-12-31T24:00:00",
            "9999-12-31T00:00",
            "9999-12-31T00:00:00.",
            "9999-12-31T00:00:00.12345678",
            "+999-12-31",
            "9999-12-3a",
        ] {
            assert_eq!(ticks(text), None, "{text}");
        }
    }

    #[test]
    fn a_moment_is_one_that_the_column_has() {
        let column = |native: &str| Column::new("ValidTo", LogicalType::Timestamp, native);
        let end = Some("9999-12-31T23:59:59.9999999");
        assert!(of(&column("datetime2(7)"), end).is_ok());
        let error = of(&column("datetime2(3)"), end).unwrap_err();
        assert_eq!(error.code, "wrong-type");
        let date = Column::new("ValidTo", LogicalType::Date, "date");
        assert_eq!(
            of(&date, Some("9999-12-31")).unwrap(),
            Value::Date(2_932_896)
        );
        assert_eq!(of(&date, end).unwrap_err().code, "wrong-type");
        assert_eq!(of(&date, None).unwrap_err().code, "not-nullable");
        assert_eq!(of(&date.nullable(), None).unwrap(), Value::Null);
    }
}
