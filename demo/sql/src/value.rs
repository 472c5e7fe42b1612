//! Values as SQL Server's own tools print them (`sqlcmd`, and `CAST(… AS varchar)` in style 121): moments with the digits of
//! their type, `money` with four decimals, binary as hexadecimal, and NULL as `NULL`.

use std::fmt::Display;

use tiberius::numeric::Numeric;
use tiberius::time::{Date, DateTime, DateTime2, DateTimeOffset, SmallDateTime, Time};
use tiberius::{ColumnData, ColumnType};

/// Up to here a `money` is exact as the number that the driver makes of it: 2^53 ten thousandths.
const EXACT_MONEY: f64 = 900_719_925_474.0;
/// Days from 0001-01-01 to 1900-01-01, where `datetime` and `smalldatetime` begin.
const TO_1900: i64 = 693_595;

/// A value of a column of this type.
///
/// # Errors
/// A `money` that the driver has rounded.
pub(crate) fn text(value: ColumnData<'static>, column: ColumnType) -> Result<String, String> {
    Ok(match value {
        ColumnData::U8(v) => or_null(v),
        ColumnData::I16(v) => or_null(v),
        ColumnData::I32(v) => or_null(v),
        ColumnData::I64(v) => or_null(v),
        ColumnData::F32(v) => or_null(v.map(|v| format!("{v:?}"))),
        ColumnData::F64(Some(v)) if is_money(column) => money(v)?,
        ColumnData::F64(v) => or_null(v.map(|v| format!("{v:?}"))),
        ColumnData::Bit(v) => or_null(v.map(u8::from)),
        ColumnData::String(v) => or_null(v),
        ColumnData::Guid(v) => or_null(v.map(|v| v.to_string().to_uppercase())),
        ColumnData::Binary(v) => or_null(v.map(|v| binary(&v))),
        ColumnData::Numeric(v) => or_null(v.map(decimal)),
        ColumnData::Xml(v) => or_null(v),
        ColumnData::DateTime(v) => or_null(v.map(date_time)),
        ColumnData::SmallDateTime(v) => or_null(v.map(small_date_time)),
        ColumnData::Time(v) => or_null(v.map(time)),
        ColumnData::Date(v) => or_null(v.map(date)),
        ColumnData::DateTime2(v) => or_null(v.map(date_time_2)),
        ColumnData::DateTimeOffset(v) => or_null(v.map(date_time_offset)),
    })
}

fn or_null<T: Display>(value: Option<T>) -> String {
    value.map_or_else(|| "NULL".to_owned(), |value| value.to_string())
}

/// The driver gives `money` as a floating-point number.
fn is_money(column: ColumnType) -> bool {
    matches!(column, ColumnType::Money | ColumnType::Money4)
}

fn money(value: f64) -> Result<String, String> {
    match value.abs() <= EXACT_MONEY {
        true => Ok(format!("{value:.4}")),
        false => Err(
            "a money of more than 900719925474 is not read exactly: cast the column to decimal(19,4)"
                .to_owned(),
        ),
    }
}

fn binary(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("0x{digits}")
}

fn decimal(value: Numeric) -> String {
    let digits = value.value().unsigned_abs().to_string();
    let scale = usize::from(value.scale());
    // One digit at least stands before the point.
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, rest) = digits.split_at(digits.len() - scale);
    let sign = if value.value() < 0 { "-" } else { "" };
    match scale {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{rest}"),
    }
}

/// Days from 0001-01-01 on as a date of the proleptic Gregorian calendar.
fn day(days: i64) -> String {
    // Years begin in March here, so that a leap day is the last one; 400 of them have 146,097 days.
    let days = days + 306;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = match month < 10 {
        true => (month + 3, 0),
        false => (month - 9, 1),
    };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + later)
}

/// Seconds of a day.
fn clock(seconds: u64) -> String {
    let (hour, minute) = (seconds / 3600, seconds / 60 % 60);
    format!("{hour:02}:{minute:02}:{:02}", seconds % 60)
}

/// Seconds in fractions of 10 to the minus `scale`.
fn fractions(increments: u64, scale: u8) -> String {
    let unit = 10u64.pow(u32::from(scale));
    let seconds = clock(increments / unit);
    match scale {
        0 => seconds,
        _ => format!(
            "{seconds}.{:0width$}",
            increments % unit,
            width = usize::from(scale)
        ),
    }
}

fn date(value: Date) -> String {
    day(i64::from(value.days()))
}

fn time(value: Time) -> String {
    fractions(value.increments(), value.scale())
}

fn date_time_2(value: DateTime2) -> String {
    format!("{} {}", date(value.date()), time(value.time()))
}

/// Thirds of a hundredth of a second, which SQL Server shows to the nearest millisecond.
fn date_time(value: DateTime) -> String {
    let milliseconds = (u64::from(value.seconds_fragments()) * 10 + 1) / 3;
    let day = day(TO_1900 + i64::from(value.days()));
    format!("{day} {}", fractions(milliseconds, 3))
}

/// In minutes.
fn small_date_time(value: SmallDateTime) -> String {
    let day = day(TO_1900 + i64::from(value.days()));
    format!("{day} {}", clock(u64::from(value.seconds_fragments()) * 60))
}

/// The moment is in UTC, and is shown in the time of its offset.
fn date_time_offset(value: DateTimeOffset) -> String {
    let (utc, offset) = (value.datetime2(), i64::from(value.offset()));
    let unit = 10i64.pow(u32::from(utc.time().scale()));
    let of_day = 86_400 * unit;
    let local = utc.time().increments() as i64 + offset * 60 * unit;
    let days = i64::from(utc.date().days()) + local.div_euclid(of_day);
    let time = fractions(local.rem_euclid(of_day) as u64, utc.time().scale());
    let sign = if offset < 0 { '-' } else { '+' };
    let (hours, minutes) = (offset.abs() / 60, offset.abs() % 60);
    format!("{} {time} {sign}{hours:02}:{minutes:02}", day(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (days, said) in [
            (0, "0001-01-01"),
            (TO_1900, "1900-01-01"),
            (738_944, "2024-02-29"),
            (738_945, "2024-03-01"),
            (739_616, "2026-01-01"),
            (3_652_058, "9999-12-31"),
        ] {
            assert_eq!(day(days), said);
        }
    }

    #[test]
    fn moments_have_the_digits_of_their_type() {
        let noon = |scale: u8| Time::new(43_200 * 10u64.pow(u32::from(scale)) + 1, scale);
        assert_eq!(time(noon(7)), "12:00:00.0000001");
        assert_eq!(time(noon(0)), "12:00:01");
        let moment = DateTime2::new(Date::new(739_616), noon(3));
        assert_eq!(date_time_2(moment), "2026-01-01 12:00:00.001");
        let there = DateTimeOffset::new(moment, -750);
        assert_eq!(date_time_offset(there), "2025-12-31 23:30:00.001 -12:30");
        let there = DateTimeOffset::new(moment, 840);
        assert_eq!(date_time_offset(there), "2026-01-02 02:00:00.001 +14:00");
        for (fragments, said) in [(0, ".000"), (1, ".003"), (2, ".007"), (299, ".997")] {
            let said = format!("1899-12-31 00:00:00{said}");
            assert_eq!(date_time(DateTime::new(-1, fragments)), said);
        }
        let minute = SmallDateTime::new(1, 61);
        assert_eq!(small_date_time(minute), "1900-01-02 01:01:00");
    }

    #[test]
    fn numbers_are_exact_or_refused() {
        let number = |value, scale| decimal(Numeric::new_with_scale(value, scale));
        assert_eq!(number(-5, 1), "-0.5");
        assert_eq!(number(-12_345, 4), "-1.2345");
        assert_eq!(number(7, 0), "7");
        assert_eq!(number(0, 3), "0.000");
        assert_eq!(money(-0.0001), Ok("-0.0001".to_owned()));
        assert_eq!(money(900_719_925_474.0), Ok("900719925474.0000".to_owned()));
        assert!(money(922_337_203_685_477.5).is_err());
        assert_eq!(binary(&[0, 0xAB]), "0x00AB");
        let float = text(ColumnData::F64(Some(0.1)), ColumnType::Floatn);
        assert_eq!(float, Ok("0.1".to_owned()));
        let bit = text(ColumnData::Bit(Some(true)), ColumnType::Bitn);
        assert_eq!(bit, Ok("1".to_owned()));
        let none = text(ColumnData::F64(None), ColumnType::Money);
        assert_eq!(none, Ok("NULL".to_owned()));
    }
}
