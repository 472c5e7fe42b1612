//! The values that a type has.

use crate::value::{TICKS_PER_DAY, TICKS_PER_SECOND};
use crate::{ColumnType, LakeType, Length, SqlType};

const MICROSECONDS_PER_SECOND: i64 = 1_000_000;
/// Microseconds in a day.
const DAY: i64 = TICKS_PER_DAY / (TICKS_PER_SECOND / MICROSECONDS_PER_SECOND);
const MINUTE: i64 = 60 * MICROSECONDS_PER_SECOND;

/// 0001-01-01, the first day of `date`, `datetime2` and `datetimeoffset`, from 1970-01-01.
const FIRST_DAY: i32 = -719_162;
/// 9999-12-31, their last one and that of `datetime`.
const LAST_DAY: i32 = 2_932_896;
/// 1753-01-01, the first day of `datetime`.
const FIRST_DATETIME_DAY: i32 = -79_257;
/// 1900-01-01 and 2079-06-06, the first and the last day of `smalldatetime`.
const SMALLDATETIME_DAYS: (i32, i32) = (-25_567, 39_968);

/// The values that a column may have, as the lake's Arrow type carries them (T-SQL reference, "Data types").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// Whatever the Arrow type has.
    Any,
    /// Whole numbers.
    Integers {
        /// The smallest.
        least: i64,
        /// The largest.
        most: i64,
    },
    /// Unscaled values.
    Decimals {
        /// The smallest.
        least: i128,
        /// The largest.
        most: i128,
    },
    /// Numbers, not infinite: SQL Server has no NaN either.
    Finite,
    /// Days since 1970-01-01.
    Days {
        /// The first.
        least: i32,
        /// The last.
        most: i32,
    },
    /// Microseconds since midnight, or since 1970-01-01T00:00.
    Microseconds {
        /// The first.
        least: i64,
        /// The last.
        most: i64,
        /// Which of those between.
        grid: Grid,
    },
    /// Texts of at most so many UTF-16 units. Of `varchar(n)`, whose length counts bytes of its code page, this
    /// is what holds for any code page: a unit takes a byte or more.
    Units(u32),
    /// Values of so many bytes.
    Bytes {
        /// The shortest.
        least: u32,
        /// The longest.
        most: u32,
    },
}

/// Which moments a type tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grid {
    /// Multiples of so many microseconds.
    Steps(i64),
    /// The milliseconds that `datetime` shows: its 1/300 s are .000, .003 and .007.
    Datetime,
}

impl Grid {
    /// Of a type with so many fractional digits.
    fn of_scale(scale: u8) -> Grid {
        Grid::Steps(10i64.pow(u32::from(6u8.saturating_sub(scale))))
    }

    /// Whether a moment is one of them.
    pub fn has(self, microseconds: i64) -> bool {
        match self {
            Grid::Steps(1) => true,
            Grid::Steps(step) => microseconds % step == 0,
            Grid::Datetime => {
                let milliseconds = microseconds.div_euclid(1000);
                microseconds.rem_euclid(1000) == 0
                    && matches!(milliseconds.rem_euclid(10), 0 | 3 | 7)
            }
        }
    }
}

impl Domain {
    /// The values of a column's type.
    pub fn of(column_type: ColumnType) -> Domain {
        match column_type {
            ColumnType::Sql(sql) => Domain::of_sql(sql),
            ColumnType::Lake(lake) => Domain::of_lake(lake),
        }
    }

    fn of_sql(sql_type: SqlType) -> Domain {
        let integers = |least, most| Domain::Integers { least, most };
        let bytes = |least, most| Domain::Bytes { least, most };
        match sql_type {
            SqlType::TinyInt => integers(0, u8::MAX.into()),
            SqlType::SmallInt => integers(i16::MIN.into(), i16::MAX.into()),
            SqlType::Bit | SqlType::Int | SqlType::BigInt | SqlType::UniqueIdentifier => {
                Domain::Any
            }
            SqlType::Decimal { precision, .. } => Domain::of_digits(precision),
            // 64 and 32 bits, whose decimals have a larger range.
            SqlType::Money => Domain::Decimals {
                least: i64::MIN.into(),
                most: i64::MAX.into(),
            },
            SqlType::SmallMoney => Domain::Decimals {
                least: i32::MIN.into(),
                most: i32::MAX.into(),
            },
            SqlType::Real | SqlType::Float => Domain::Finite,
            SqlType::Char(n) | SqlType::VarChar(Length::Limited(n)) => Domain::Units(n.into()),
            SqlType::NChar(n) | SqlType::NVarChar(Length::Limited(n)) => Domain::Units(n.into()),
            // 2^31 - 1 bytes
            SqlType::VarChar(Length::Max) => Domain::Units(i32::MAX as u32),
            SqlType::NVarChar(Length::Max) => Domain::Units(i32::MAX as u32 / 2),
            SqlType::Binary(n) => bytes(n.into(), n.into()),
            SqlType::VarBinary(Length::Limited(n)) => bytes(0, n.into()),
            SqlType::VarBinary(Length::Max) => bytes(0, i32::MAX as u32),
            SqlType::RowVersion => bytes(8, 8),
            SqlType::Date => Domain::Days {
                least: FIRST_DAY,
                most: LAST_DAY,
            },
            SqlType::Time(scale) => Domain::Microseconds {
                least: 0,
                most: DAY - 1,
                grid: Grid::of_scale(scale),
            },
            SqlType::DateTime => moments(FIRST_DATETIME_DAY, LAST_DAY, Grid::Datetime),
            SqlType::SmallDateTime => {
                let (first, last) = SMALLDATETIME_DAYS;
                moments(first, last, Grid::Steps(MINUTE))
            }
            SqlType::DateTime2(scale) | SqlType::DateTimeOffset(scale) => {
                moments(FIRST_DAY, LAST_DAY, Grid::of_scale(scale))
            }
        }
    }

    /// Iceberg's own types, where Arrow's have more (Iceberg table spec, "Primitive types").
    fn of_lake(lake_type: LakeType) -> Domain {
        match lake_type {
            LakeType::Decimal { precision, .. } => Domain::of_digits(precision),
            LakeType::Time => Domain::Microseconds {
                least: 0,
                most: DAY - 1,
                grid: Grid::Steps(1),
            },
            _ => Domain::Any,
        }
    }

    fn of_digits(precision: u8) -> Domain {
        match 10i128.checked_pow(precision.into()) {
            Some(above) => Domain::Decimals {
                least: 1 - above,
                most: above - 1,
            },
            None => Domain::Any,
        }
    }
}

/// All moments of these days.
fn moments(first: i32, last: i32, grid: Grid) -> Domain {
    Domain::Microseconds {
        least: i64::from(first) * DAY,
        most: (i64::from(last) + 1) * DAY - 1,
        grid,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::Value;

    fn microseconds(text: &str) -> i64 {
        match format!("timestamp:{text}").parse().unwrap() {
            Value::Timestamp(ticks) => ticks / 10,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn moments_begin_and_end_where_sql_server_says() {
        for (sql_type, first, last) in [
            (
                "datetime2(6)",
                "0001-01-01T00:00:00",
                "9999-12-31T23:59:59.999999",
            ),
            (
                "datetimeoffset(7)",
                "0001-01-01T00:00:00",
                "9999-12-31T23:59:59.999999",
            ),
            ("datetime", "1753-01-01T00:00:00", "9999-12-31T23:59:59.997"),
            (
                "smalldatetime",
                "1900-01-01T00:00:00",
                "2079-06-06T23:59:00",
            ),
        ] {
            let sql_type: SqlType = sql_type.parse().unwrap();
            let Domain::Microseconds { least, most, grid } = Domain::of_sql(sql_type) else {
                panic!("{sql_type}");
            };
            assert_eq!(least, microseconds(first), "{sql_type}");
            let last = microseconds(last);
            assert!(last <= most && grid.has(last), "{sql_type}");
            assert!((last + 1..=most).all(|between| !grid.has(between)) || most - last > 1 << 20);
        }
        let day = |date: &str| match format!("date:{date}").parse().unwrap() {
            Value::Date(days) => days,
            other => panic!("{other}"),
        };
        assert_eq!(FIRST_DAY, day("0001-01-01"));
        assert_eq!(LAST_DAY, day("9999-12-31"));
        assert_eq!(FIRST_DATETIME_DAY, day("1753-01-01"));
        assert_eq!(SMALLDATETIME_DAYS, (day("1900-01-01"), day("2079-06-06")));
    }

    #[test]
    fn datetime_has_three_moments_in_ten_milliseconds() {
        let shown: Vec<i64> = (-20_000..20_000)
            .filter(|&us| Grid::Datetime.has(us))
            .collect();
        assert_eq!(
            shown,
            [
                -20_000, -17_000, -13_000, -10_000, -7_000, -3_000, 0, 3_000, 7_000, 10_000,
                13_000, 17_000
            ]
        );
    }
}
