//! Calendar arithmetic and the grids of SQL Server's date and time types.
//!
//! Days count from 0001-01-01 (day 0) in the proleptic Gregorian calendar, ticks are 100 ns.

mod format;
mod parse;

pub(crate) use format::{Parts, format_offset, styled};
pub(crate) use parse::parse;

/// Days from 0001-01-01 to 1900-01-01, the epoch of `datetime`.
pub(crate) const EPOCH_1900: i32 = 693_595;
/// 9999-12-31.
pub(crate) const MAX_DAY: i32 = 3_652_058;
/// 1753-01-01 as `datetime` counts: the first day that it holds.
pub(crate) const MIN_DATETIME_DAY: i32 = -53_690;
/// 9999-12-31 as `datetime` counts.
pub(crate) const MAX_DATETIME_DAY: i32 = MAX_DAY - EPOCH_1900;
/// 100 ns ticks of a day.
pub(crate) const TICKS_PER_DAY: u64 = 864_000_000_000;
pub(crate) const TICKS_PER_SECOND: u64 = 10_000_000;
/// 1/300 s ticks of a day.
pub(crate) const DATETIME_TICKS_PER_DAY: u32 = 300 * 86_400;

/// A calendar date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i32,
    pub(crate) month: u32,
    pub(crate) day: u32,
}

/// The day number of a date, `None` where there is no such date in years 1 to 9999.
pub(crate) fn days(year: i32, month: u32, day: u32) -> Option<i32> {
    if !(1..=9999).contains(&year)
        || !(1..=12).contains(&month)
        || day < 1
        || day > days_in_month(year, month)
    {
        return None;
    }
    // March-based years put the leap day last.
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let shifted = (month as i32 + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day as i32 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 306)
}

/// The date of a day number.
pub(crate) fn civil(days: i32) -> Civil {
    let z = days + 306;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted + 2) / 5 + 1) as u32;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    } as u32;
    let year = year_of_era + era * 400 + i32::from(month <= 2);
    Civil { year, month, day }
}

pub(crate) fn is_leap(year: i32) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

pub(crate) fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(is_leap(year)),
        _ => 31,
    }
}

/// Rounds ticks to `scale` fractional digits, half up; the result may be a whole day.
pub(crate) fn round_ticks(ticks: u64, scale: u8) -> u64 {
    let unit = 10u64.pow(7 - u32::from(scale.min(7)));
    (ticks + unit / 2) / unit * unit
}

/// 100 ns ticks to 1/300 s ticks, rounded to the nearest; the result may be a whole day.
pub(crate) fn to_datetime_ticks(ticks: u64) -> u32 {
    ((ticks * 3 + 50_000) / 100_000) as u32
}

/// 1/300 s ticks to 100 ns ticks, rounded to the nearest, as the conversion to `datetime2(7)` does since
/// compatibility level 130 (.003 is really .0033333).
pub(crate) fn from_datetime_ticks(ticks: u32) -> u64 {
    (u64::from(ticks) * 100_000 + 1) / 3
}

/// 1/300 s ticks to whole milliseconds as they are shown: .000, .003, .007.
pub(crate) fn datetime_milliseconds(ticks: u32) -> u32 {
    ((u64::from(ticks) * 10 + 1) / 3) as u32
}

/// Day of the week, 0 for Monday.
pub(crate) fn weekday(days: i32) -> i32 {
    days.rem_euclid(7)
}

/// A point in time that every date type converts through: local days and ticks, and the offset if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) days: i32,
    pub(crate) ticks: u64,
    pub(crate) offset: Option<i16>,
}

impl Moment {
    pub(crate) fn local(days: i32, ticks: u64) -> Self {
        Self {
            days,
            ticks,
            offset: None,
        }
    }

    /// Shifts by minutes; the day may leave the calendar.
    pub(crate) fn shifted(self, minutes: i64) -> Self {
        let total = self.ticks as i64 + minutes * 60 * TICKS_PER_SECOND as i64;
        let day = TICKS_PER_DAY as i64;
        Self {
            days: self.days + total.div_euclid(day) as i32,
            ticks: total.rem_euclid(day) as u64,
            offset: self.offset,
        }
    }

    /// Rounds the time of day; midnight carries into the next day.
    pub(crate) fn rounded(self, scale: u8) -> Self {
        let ticks = round_ticks(self.ticks, scale);
        if ticks >= TICKS_PER_DAY {
            Self {
                days: self.days + 1,
                ticks: 0,
                offset: self.offset,
            }
        } else {
            Self { ticks, ..self }
        }
    }
}
