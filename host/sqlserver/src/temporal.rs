//! SQL Server's clocks and calendars, and the ticks that everything else counts in.
//!
//! A tick is 100 ns. Everywhere outside of the wire, moments are ticks since 1970-01-01T00:00 and dates are
//! days since 1970-01-01.

use icehost_plan::value::{TICKS_PER_DAY, TICKS_PER_SECOND};

/// Days from 0001-01-01, where `date` and `datetime2` start, to 1970-01-01.
pub(crate) const DAYS_0001_TO_1970: i64 = 719_162;
/// Days from 1900-01-01, where `datetime` starts, to 1970-01-01.
pub(crate) const DAYS_1900_TO_1970: i64 = 25_567;
/// Last day of `date`, 9999-12-31, from 1970-01-01.
const LAST_DAY: i64 = 2_932_896;
/// 1753-01-01, the first day of `datetime`, from 1900-01-01.
const FIRST_DATETIME_DAY: i64 = -53_690;
/// `datetime` counts three hundredths of a second.
const DATETIME_TICKS_PER_SECOND: i64 = 300;
const TICKS_PER_MILLISECOND: i64 = TICKS_PER_SECOND / 1000;
const TICKS_PER_MINUTE: i64 = TICKS_PER_SECOND * 60;

/// Ticks since 1970 of a `datetime2`: days since 0001 and ticks since midnight. A day that is far outside of the
/// type's range gives a moment that is, too.
pub(crate) fn from_datetime2(days: u32, ticks: u64) -> i64 {
    (i64::from(days) - DAYS_0001_TO_1970)
        .saturating_mul(TICKS_PER_DAY)
        .saturating_add_unsigned(ticks)
}

/// Days since 0001 and ticks since midnight; `None` outside the years 1 to 9999.
pub(crate) fn to_datetime2(ticks: i64) -> Option<(u32, u64)> {
    let days = ticks.div_euclid(TICKS_PER_DAY);
    if days > LAST_DAY {
        return None;
    }
    let days = u32::try_from(days + DAYS_0001_TO_1970).ok()?;
    Some((days, ticks.rem_euclid(TICKS_PER_DAY) as u64))
}

/// Days since 1970 of a `date`.
pub(crate) fn from_date(days: u32) -> i32 {
    (i64::from(days) - DAYS_0001_TO_1970) as i32
}

/// Days since 0001; `None` outside the years 1 to 9999.
pub(crate) fn to_date(days: i32) -> Option<u32> {
    let days = i64::from(days);
    if days > LAST_DAY {
        return None;
    }
    u32::try_from(days + DAYS_0001_TO_1970).ok()
}

/// Ticks since 1970 of a `datetime`, as SQL Server shows it: 1/300 s counts become .000, .003 and .007
/// (T-SQL reference, "datetime").
pub(crate) fn from_datetime(days: i32, ticks: u32) -> i64 {
    let milliseconds =
        (i64::from(ticks) * 1000 + DATETIME_TICKS_PER_SECOND / 2) / DATETIME_TICKS_PER_SECOND;
    (i64::from(days) - DAYS_1900_TO_1970)
        .saturating_mul(TICKS_PER_DAY)
        .saturating_add(milliseconds * TICKS_PER_MILLISECOND)
}

/// The `datetime` that SQL Server shows as exactly this moment; `None` where there is none.
pub(crate) fn to_datetime(ticks: i64) -> Option<(i32, u32)> {
    let days = ticks.div_euclid(TICKS_PER_DAY) + DAYS_1900_TO_1970;
    let time = ticks.rem_euclid(TICKS_PER_DAY);
    if !(FIRST_DATETIME_DAY..=LAST_DAY + DAYS_1900_TO_1970).contains(&days) {
        return None;
    }
    let nearest = (time * DATETIME_TICKS_PER_SECOND + TICKS_PER_SECOND / 2) / TICKS_PER_SECOND;
    let (days, nearest) = (i32::try_from(days).ok()?, u32::try_from(nearest).ok()?);
    (from_datetime(days, nearest) == ticks).then_some((days, nearest))
}

/// Ticks since 1970 of a `smalldatetime`.
pub(crate) fn from_smalldatetime(days: u16, minutes: u16) -> i64 {
    (i64::from(days) - DAYS_1900_TO_1970) * TICKS_PER_DAY + i64::from(minutes) * TICKS_PER_MINUTE
}

/// The `smalldatetime` of exactly this moment; `None` where there is none.
pub(crate) fn to_smalldatetime(ticks: i64) -> Option<(u16, u16)> {
    let days = u16::try_from(ticks.div_euclid(TICKS_PER_DAY) + DAYS_1900_TO_1970).ok()?;
    let time = ticks.rem_euclid(TICKS_PER_DAY);
    if time % TICKS_PER_MINUTE != 0 {
        return None;
    }
    Some((days, u16::try_from(time / TICKS_PER_MINUTE).ok()?))
}

/// Whether a type with `scale` fractional digits holds the ticks exactly.
pub(crate) fn has_scale(ticks: i64, scale: u8) -> bool {
    ticks % 10i64.pow(u32::from(7u8.saturating_sub(scale))) == 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use icehost_plan::Value;
    use proptest::prelude::*;

    use super::*;

    fn ticks(text: &str) -> i64 {
        match format!("timestamp:{text}").parse().unwrap() {
            Value::Timestamp(ticks) => ticks,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn epochs_are_where_sql_server_has_them() {
        assert_eq!(from_datetime2(0, 0), ticks("0001-01-01T00:00:00"));
        assert_eq!(from_datetime(0, 0), ticks("1900-01-01T00:00:00"));
        assert_eq!(
            to_datetime(ticks("1753-01-01T00:00:00")),
            Some((-53_690, 0))
        );
        assert_eq!(to_datetime(ticks("1752-12-31T23:59:59.997")), None);
        assert_eq!(
            to_datetime2(ticks("9999-12-31T23:59:59.9999999")),
            Some((3_652_058, 863_999_999_999))
        );
        assert_eq!(to_date(2_932_896), Some(3_652_058));
        assert_eq!(to_date(2_932_897), None);
        assert_eq!(to_date(-719_163), None);
        assert_eq!(
            to_smalldatetime(ticks("2079-06-06T23:59:00")),
            Some((65_535, 1439))
        );
        assert_eq!(to_smalldatetime(ticks("2079-06-07T00:00:00")), None);
    }

    #[test]
    fn datetime_shows_three_hundredths_as_sql_server_does() {
        for (fragment, shown) in [
            (0, ".000"),
            (1, ".003"),
            (2, ".007"),
            (3, ".010"),
            (299, ".997"),
        ] {
            assert_eq!(
                from_datetime(45_000, fragment) % TICKS_PER_SECOND,
                ticks(&format!("1970-01-01T00:00:00{shown}")),
                "{fragment}"
            );
        }
        assert_eq!(to_datetime(ticks("2026-01-31T12:00:00.005")), None);
        assert_eq!(to_datetime(ticks("2026-01-31T12:00:00.0033333")), None);
    }

    proptest! {
        #[test]
        fn datetime_survives_both_ways(days in -53_690i32..2_958_464, fragment in 0u32..25_920_000) {
            prop_assert_eq!(to_datetime(from_datetime(days, fragment)), Some((days, fragment)));
        }

        #[test]
        fn datetime2_survives_both_ways(days in 0u32..3_652_059, time in 0u64..864_000_000_000) {
            prop_assert_eq!(to_datetime2(from_datetime2(days, time)), Some((days, time)));
        }

        #[test]
        fn smalldatetime_survives_both_ways(days in 0u16.., minutes in 0u16..1440) {
            prop_assert_eq!(to_smalldatetime(from_smalldatetime(days, minutes)), Some((days, minutes)));
        }
    }
}
