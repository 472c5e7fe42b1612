//! Values of cursor columns, for people.

use crate::{Decimal, Value};

const SECONDS_PER_DAY: i64 = 86_400;
const TICKS_PER_SECOND: i64 = 10_000_000;

/// A value as SQL Server shows it; only kinds that a cursor can have.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Integer(value) => value.to_string(),
        Value::Decimal(value) => decimal(value),
        Value::Date(day) => date(i64::from(*day)),
        Value::Timestamp(ticks) => moment(*ticks),
        Value::TimestampTz(zoned) => format!("{}Z", moment(zoned.ticks)),
        other => format!("{other:?}"),
    }
}

fn decimal(value: &Decimal) -> String {
    let (unscaled, scale) = (value.unscaled(), usize::from(value.scale));
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    match fraction {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

fn moment(ticks: i64) -> String {
    let seconds = ticks.div_euclid(TICKS_PER_SECOND);
    let (day, second) = (
        seconds.div_euclid(SECONDS_PER_DAY),
        seconds.rem_euclid(SECONDS_PER_DAY),
    );
    let fraction = ticks.rem_euclid(TICKS_PER_SECOND);
    let fraction = match fraction {
        0 => String::new(),
        fraction => format!(".{fraction:07}").trim_end_matches('0').to_owned(),
    };
    format!(
        "{} {:02}:{:02}:{:02}{fraction}",
        date(day),
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// The Gregorian date of a day from 1970-01-01, by counting in eras of 400 years that begin in March.
fn date(day: i64) -> String {
    const DAYS_PER_ERA: i64 = 146_097;
    let from_march = day + 719_468;
    let era = from_march.div_euclid(DAYS_PER_ERA);
    let of_era = from_march.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_sql_server_shows_them() {
        for (value, wanted) in [
            (Value::Integer(-7), "-7"),
            (Value::Decimal(Decimal::new(-5, 2)), "-0.05"),
            (Value::Date(0), "1970-01-01"),
            (Value::Date(-719_162), "0001-01-01"),
            (Value::Date(2_932_896), "9999-12-31"),
            (Value::Date(11_016), "2000-02-29"),
            (Value::Timestamp(1_234_567), "1970-01-01 00:00:00.1234567"),
            (Value::Timestamp(-5_000_000), "1969-12-31 23:59:59.5"),
        ] {
            assert_eq!(shown(&value), wanted);
        }
    }
}
