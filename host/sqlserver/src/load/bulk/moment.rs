//! Dates, times and moments on the wire (MS-TDS 2.2.5.5.1.8 and following).

use icehost_plan::value::{TICKS_PER_DAY, TICKS_PER_SECOND};
use icehost_plan::{SqlType, Value};

use super::super::misfit::Misfit;
use super::type_info::time_size;
use crate::temporal;

const TICKS_PER_MICROSECOND: i64 = 10;
const TICKS_PER_MINUTE: i64 = 60 * TICKS_PER_SECOND;

/// How times of day become those of a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeForm {
    scale: Scale,
    /// For servers that misread times.
    as_text: bool,
}

/// How moments become those of a column.
#[derive(Debug, Clone, Copy)]
pub(super) enum MomentForm {
    DateTime,
    SmallDateTime,
    DateTime2(Scale),
    /// In UTC
    DateTimeOffset(Scale),
    /// What `datetime` and `smalldatetime` hold, as a `datetime2`.
    DateTimeAsDateTime2(Scale),
    SmallDateTimeAsDateTime2(Scale),
}

/// The digits behind the point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// Ticks of 100 ns in a unit of the last digit
    unit: i64,
    /// Bytes of a time of day
    size: u8,
}

impl Scale {
    fn new(scale: u8) -> Scale {
        Scale {
            unit: 10i64.pow(7u8.saturating_sub(scale).into()),
            size: time_size(scale),
        }
    }

    /// Appends a time of day, which has no finer digits.
    #[inline]
    fn append(self, ticks: i64, out: &mut Vec<u8>) {
        let [a, b, c, d, e, ..] = (ticks / self.unit).to_le_bytes();
        match self.size {
            3 => out.extend_from_slice(&[a, b, c]),
            4 => out.extend_from_slice(&[a, b, c, d]),
            _ => out.extend_from_slice(&[a, b, c, d, e]),
        }
    }
}

impl TimeForm {
    pub(super) fn new(scale: u8, staged: SqlType) -> TimeForm {
        TimeForm {
            scale: Scale::new(scale),
            as_text: !matches!(staged, SqlType::Time(_)),
        }
    }

    #[inline]
    pub(super) fn append(self, microseconds: i64, out: &mut Vec<u8>) -> Result<(), Misfit> {
        let ticks = microseconds.saturating_mul(TICKS_PER_MICROSECOND);
        if !(0..TICKS_PER_DAY).contains(&ticks) {
            return Err(Misfit::OutOfRange);
        }
        if ticks % self.scale.unit != 0 {
            return Err(Misfit::TooFine);
        }
        if self.as_text {
            let text = Value::Time(ticks as u64).text();
            super::text::append_text(&text, out);
        } else {
            out.push(self.scale.size);
            self.scale.append(ticks, out);
        }
        Ok(())
    }
}

impl MomentForm {
    /// `None` where the types are not those of moments.
    pub(super) fn new(sql_type: SqlType, staged: SqlType) -> Option<MomentForm> {
        // Digits are those of datetime2, where it stands for them.
        let digits = staged.fractional_digits().map(Scale::new);
        Some(match sql_type {
            SqlType::DateTime => {
                digits.map_or(MomentForm::DateTime, MomentForm::DateTimeAsDateTime2)
            }
            SqlType::SmallDateTime => digits.map_or(
                MomentForm::SmallDateTime,
                MomentForm::SmallDateTimeAsDateTime2,
            ),
            SqlType::DateTime2(scale) => MomentForm::DateTime2(Scale::new(scale)),
            SqlType::DateTimeOffset(scale) => MomentForm::DateTimeOffset(Scale::new(scale)),
            SqlType::Bit
            | SqlType::TinyInt
            | SqlType::SmallInt
            | SqlType::Int
            | SqlType::BigInt
            | SqlType::Decimal { .. }
            | SqlType::Money
            | SqlType::SmallMoney
            | SqlType::Real
            | SqlType::Float
            | SqlType::Char(_)
            | SqlType::VarChar(_)
            | SqlType::NChar(_)
            | SqlType::NVarChar(_)
            | SqlType::Binary(_)
            | SqlType::VarBinary(_)
            | SqlType::Date
            | SqlType::Time(_)
            | SqlType::UniqueIdentifier
            | SqlType::RowVersion => return None,
        })
    }

    /// Appends a moment, given in microseconds since 1970.
    #[inline]
    pub(super) fn append(self, microseconds: i64, out: &mut Vec<u8>) -> Result<(), Misfit> {
        let ticks = microseconds
            .checked_mul(TICKS_PER_MICROSECOND)
            .ok_or(Misfit::OutOfRange)?;
        let (days, time) = temporal::to_datetime2(ticks).ok_or(Misfit::OutOfRange)?;
        let time = time as i64;
        match self {
            MomentForm::DateTime2(scale) => append_datetime2(days, time, scale, out)?,
            MomentForm::DateTimeOffset(scale) => {
                if time % scale.unit != 0 {
                    return Err(Misfit::TooFine);
                }
                out.push(scale.size + 5);
                scale.append(time, out);
                append_days(days, out);
                // Minutes east of UTC
                out.extend_from_slice(&[0, 0]);
            }
            MomentForm::DateTime => {
                let (days, fragments) = datetime(ticks)?;
                out.push(8);
                out.extend_from_slice(&days.to_le_bytes());
                out.extend_from_slice(&fragments.to_le_bytes());
            }
            MomentForm::DateTimeAsDateTime2(scale) => {
                datetime(ticks)?;
                append_datetime2(days, time, scale, out)?;
            }
            MomentForm::SmallDateTime => {
                let (days, minutes) = smalldatetime(ticks)?;
                out.push(4);
                out.extend_from_slice(&days.to_le_bytes());
                out.extend_from_slice(&minutes.to_le_bytes());
            }
            MomentForm::SmallDateTimeAsDateTime2(scale) => {
                smalldatetime(ticks)?;
                append_datetime2(days, time, scale, out)?;
            }
        }
        Ok(())
    }
}

#[inline]
fn append_datetime2(days: u32, time: i64, scale: Scale, out: &mut Vec<u8>) -> Result<(), Misfit> {
    if time % scale.unit != 0 {
        return Err(Misfit::TooFine);
    }
    out.push(scale.size + 3);
    scale.append(time, out);
    append_days(days, out);
    Ok(())
}

/// Days since 0001 in three bytes; the year 9999 ends far below their limit.
#[inline]
fn append_days(days: u32, out: &mut Vec<u8>) {
    let [a, b, c, _] = days.to_le_bytes();
    out.extend_from_slice(&[a, b, c]);
}

/// Days since 1900 and 1/300 s since midnight.
fn datetime(ticks: i64) -> Result<(i32, u32), Misfit> {
    let second = ticks - ticks.rem_euclid(TICKS_PER_SECOND);
    temporal::to_datetime(ticks).ok_or(match temporal::to_datetime(second) {
        Some(_) => Misfit::TooFine,
        None => Misfit::OutOfRange,
    })
}

/// Days since 1900 and minutes since midnight.
fn smalldatetime(ticks: i64) -> Result<(u16, u16), Misfit> {
    let minute = ticks - ticks.rem_euclid(TICKS_PER_MINUTE);
    temporal::to_smalldatetime(ticks).ok_or(match temporal::to_smalldatetime(minute) {
        Some(_) => Misfit::TooFine,
        None => Misfit::OutOfRange,
    })
}

/// Appends a `date`, given in days since 1970.
#[inline]
pub(super) fn append_date(days: i32, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let days = temporal::to_date(days).ok_or(Misfit::OutOfRange)?;
    out.push(3);
    append_days(days, out);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::lower::staging::staged_type;

    /// 2000-01-01T00:00:01.000 in microseconds
    const MOMENT: i64 = 946_684_801_000_000;

    fn moment(sql_type: &str) -> Result<Vec<u8>, Misfit> {
        let sql_type = sql_type.parse().unwrap();
        let mut out = Vec::new();
        MomentForm::new(sql_type, sql_type)
            .unwrap()
            .append(MOMENT, &mut out)
            .map(|()| out)
    }

    #[test]
    fn a_moment_takes_the_bytes_of_its_scale() {
        // Day 730119 is 0x0B2407.
        assert_eq!(moment("datetime2(0)").unwrap(), [6, 1, 0, 0, 7, 0x24, 0x0B]);
        assert_eq!(
            moment("datetime2(3)").unwrap(),
            [7, 0xE8, 3, 0, 0, 7, 0x24, 0x0B]
        );
        assert_eq!(
            moment("datetimeoffset(7)").unwrap(),
            [10, 0x80, 0x96, 0x98, 0, 0, 7, 0x24, 0x0B, 0, 0]
        );
        // Day 36524 since 1900 is 0x8EAC.
        assert_eq!(
            moment("datetime").unwrap(),
            [8, 0xAC, 0x8E, 0, 0, 0x2C, 1, 0, 0]
        );
        assert_eq!(moment("smalldatetime"), Err(Misfit::TooFine));
    }

    #[test]
    fn a_moment_is_written_at_the_scale_that_is_announced() {
        let scales = || (0..=7).flat_map(|s| [SqlType::DateTime2(s), SqlType::DateTimeOffset(s)]);
        for sql_type in scales().chain([SqlType::DateTime, SqlType::SmallDateTime]) {
            for misreads in [false, true] {
                let staged = staged_type(sql_type, misreads);
                let length = match staged {
                    SqlType::DateTime2(scale) => time_size(scale) + 3,
                    SqlType::DateTimeOffset(scale) => time_size(scale) + 5,
                    SqlType::DateTime => 8,
                    _ => 4,
                };
                let mut out = Vec::new();
                let form = MomentForm::new(sql_type, staged).unwrap();
                form.append(946_684_800_000_000, &mut out).unwrap();
                assert_eq!(out[0], length, "{sql_type:?} as {staged:?}");
                assert_eq!(
                    out.len(),
                    1 + usize::from(length),
                    "{sql_type:?} as {staged:?}"
                );
            }
        }
    }
}
