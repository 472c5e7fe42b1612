//! Moments as values of columns.

use crate::{Column, LogicalType, Value, Zoned};

const SECOND: i64 = 10_000_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 24 * 60 * MINUTE;

impl Column {
    /// A moment in UTC, in ticks of 100 ns since 1970, as a value that this column holds exactly: without the
    /// digits that its type lacks, so that what is written is what was compared. `None` for a column that holds no
    /// moments.
    ///
    /// ```
    /// use icehost_sdk::prelude::*;
    ///
    /// let column = Column::new("ValidFrom", LogicalType::Timestamp, "datetime2(3)");
    /// assert_eq!(column.moment(12_345_678), Some(Value::Timestamp(12_340_000)));
    /// ```
    pub fn moment(&self, ticks: i64) -> Option<Value> {
        let whole = self.whole(ticks);
        match self.kind {
            LogicalType::Date => i32::try_from(ticks.div_euclid(DAY)).ok().map(Value::Date),
            LogicalType::Timestamp => Some(Value::Timestamp(whole)),
            LogicalType::TimestampTz => Some(Value::TimestampTz(Zoned {
                ticks: whole,
                offset_minutes: 0,
            })),
            _ => None,
        }
    }

    /// The last moment up to this one that the column's type has.
    fn whole(&self, ticks: i64) -> i64 {
        let native = self.native_type.as_str();
        let digits = match native.split_once('(') {
            Some((_, digits)) => digits.trim_end_matches(')').parse().unwrap_or(7),
            None if native == "smalldatetime" => return ticks - ticks.rem_euclid(MINUTE),
            None if native == "datetime" => {
                // Thirds of 10 ms, which are shown as 0, 3 and 7 ms
                let past = ticks.rem_euclid(SECOND / 100);
                let third = match past {
                    70_000.. => 70_000,
                    30_000.. => 30_000,
                    _ => 0,
                };
                return ticks - past + third;
            }
            None if native.starts_with("datetime") => 7,
            // Iceberg's
            None => 6,
        };
        let step = match 10_i64.checked_pow(digits) {
            Some(parts) if parts < SECOND => SECOND / parts,
            _ => 1,
        };
        ticks - ticks.rem_euclid(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_that_the_type_lacks_are_left_out() {
        let moment = |native: &str, ticks| {
            Column::new("x", LogicalType::Timestamp, native)
                .moment(ticks)
                .map(|value| match value {
                    Value::Timestamp(ticks) => ticks,
                    _ => i64::MIN,
                })
        };
        for (native, ticks, wanted) in [
            ("datetime2(7)", 12_345_678, 12_345_678),
            ("datetime2(0)", 12_345_678, 10_000_000),
            ("datetime2(0)", -1, -10_000_000),
            ("datetime2(4)", 12_345_678, 12_345_000),
            ("timestamp", 12_345_678, 12_345_670),
            ("smalldatetime", 700_000_001, 600_000_000),
            ("datetime", 12_309_999, 12_300_000),
            ("datetime", 12_330_000, 12_330_000),
            ("datetime", 12_369_999, 12_330_000),
            ("datetime", 12_399_999, 12_370_000),
        ] {
            assert_eq!(moment(native, ticks), Some(wanted), "{native} {ticks}");
        }
    }

    #[test]
    fn a_moment_is_of_its_columns_kind() {
        let of = |kind, native: &str| Column::new("x", kind, native).moment(DAY + 5);
        assert_eq!(of(LogicalType::Date, "date"), Some(Value::Date(1)));
        let zoned = Zoned {
            ticks: DAY,
            offset_minutes: 0,
        };
        assert_eq!(
            of(LogicalType::TimestampTz, "datetimeoffset(3)"),
            Some(Value::TimestampTz(zoned))
        );
        assert_eq!(of(LogicalType::Integer, "int"), None);
    }
}
