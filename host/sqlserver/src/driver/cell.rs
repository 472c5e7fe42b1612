//! One value on the wire, at full precision.

use std::borrow::Cow;
use std::cmp::Ordering;

use icehost_plan::{SqlType, Value};
use tiberius::ColumnData;
use tiberius::numeric::Numeric;
use tiberius::time::{Date, DateTime, DateTime2, DateTimeOffset, SmallDateTime, Time};
use uuid::Uuid;

use crate::error::{Result, SqlServerError};

/// A SQL Server value as TDS carries it (MS-TDS 2.2.5.5).
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Bit(bool),
    TinyInt(u8),
    SmallInt(i16),
    Int(i32),
    BigInt(i64),
    Real(f32),
    Float(f64),
    /// `unscaled ÷ 10^scale`
    Decimal {
        unscaled: i128,
        scale: u8,
    },
    Text(Cow<'a, str>),
    Binary(Cow<'a, [u8]>),
    /// Textual byte order
    Uuid([u8; 16]),
    /// Days since 0001-01-01
    Date(u32),
    /// 100 ns ticks since midnight
    Time(u64),
    /// Days since 1900-01-01 and 1/300 s since midnight
    DateTime {
        days: i32,
        ticks: u32,
    },
    /// Days since 1900-01-01 and minutes since midnight
    SmallDateTime {
        days: u16,
        minutes: u16,
    },
    /// Days since 0001-01-01 and 100 ns ticks since midnight
    DateTime2 {
        days: u32,
        ticks: u64,
    },
    /// The same in UTC, and the minutes east of it that the value is shown with
    DateTimeOffset {
        days: u32,
        ticks: u64,
        offset: i16,
    },
}

/// 100 ns ticks of a time of day in 10^-scale seconds.
fn to_ticks(time: Time) -> Result<u64> {
    let digits = 7u8.checked_sub(time.scale()).ok_or_else(|| {
        SqlServerError::protocol(format!("the server sent a time of scale {}", time.scale()))
    })?;
    Ok(time.increments() * 10u64.pow(digits.into()))
}

/// A time of day with `scale` digits; the ticks have no finer ones.
fn from_ticks(ticks: u64, scale: u8) -> Time {
    let digits = 7u8.saturating_sub(scale);
    Time::new(ticks / 10u64.pow(digits.into()), 7 - digits)
}

impl Cell<'_> {
    /// Bytes of a value beside the cell itself.
    pub(super) fn heap(&self) -> usize {
        match self {
            Cell::Text(text) => text.len(),
            Cell::Binary(bytes) => bytes.len(),
            _ => 0,
        }
    }
}

impl Cell<'static> {
    /// What the driver decoded.
    pub(super) fn decode(data: ColumnData<'static>) -> Result<Cell<'static>> {
        let cell = match data {
            ColumnData::U8(v) => v.map(Cell::TinyInt),
            ColumnData::I16(v) => v.map(Cell::SmallInt),
            ColumnData::I32(v) => v.map(Cell::Int),
            ColumnData::I64(v) => v.map(Cell::BigInt),
            ColumnData::F32(v) => v.map(Cell::Real),
            ColumnData::F64(v) => v.map(Cell::Float),
            ColumnData::Bit(v) => v.map(Cell::Bit),
            ColumnData::String(v) => v.map(Cell::Text),
            ColumnData::Binary(v) => v.map(Cell::Binary),
            ColumnData::Guid(v) => v.map(|v| Cell::Uuid(*v.as_bytes())),
            ColumnData::Numeric(v) => v.map(|v| Cell::Decimal {
                unscaled: v.value(),
                scale: v.scale(),
            }),
            ColumnData::Date(v) => v.map(|v| Cell::Date(v.days())),
            ColumnData::Time(v) => v.map(to_ticks).transpose()?.map(Cell::Time),
            ColumnData::DateTime(v) => v.map(|v| Cell::DateTime {
                days: v.days(),
                ticks: v.seconds_fragments(),
            }),
            ColumnData::SmallDateTime(v) => v.map(|v| Cell::SmallDateTime {
                days: v.days(),
                // MS-TDS 2.2.5.5.1.8: minutes, whatever the driver calls them
                minutes: v.seconds_fragments(),
            }),
            ColumnData::DateTime2(Some(v)) => Some(Cell::DateTime2 {
                days: v.date().days(),
                ticks: to_ticks(v.time())?,
            }),
            ColumnData::DateTimeOffset(Some(v)) => Some(Cell::DateTimeOffset {
                days: v.datetime2().date().days(),
                ticks: to_ticks(v.datetime2().time())?,
                offset: v.offset(),
            }),
            ColumnData::DateTime2(None) | ColumnData::DateTimeOffset(None) => None,
            ColumnData::Xml(_) => {
                return Err(SqlServerError::protocol(
                    "the server sent xml, which was not asked for",
                ));
            }
        };
        Ok(cell.unwrap_or(Cell::Null))
    }
}

impl<'a> Cell<'a> {
    /// The same value, which borrows nothing.
    pub(crate) fn into_owned(self) -> Cell<'static> {
        match self {
            Cell::Text(text) => Cell::Text(text.into_owned().into()),
            Cell::Binary(bytes) => Cell::Binary(bytes.into_owned().into()),
            Cell::Null => Cell::Null,
            Cell::Bit(v) => Cell::Bit(v),
            Cell::TinyInt(v) => Cell::TinyInt(v),
            Cell::SmallInt(v) => Cell::SmallInt(v),
            Cell::Int(v) => Cell::Int(v),
            Cell::BigInt(v) => Cell::BigInt(v),
            Cell::Real(v) => Cell::Real(v),
            Cell::Float(v) => Cell::Float(v),
            Cell::Decimal { unscaled, scale } => Cell::Decimal { unscaled, scale },
            Cell::Uuid(v) => Cell::Uuid(v),
            Cell::Date(days) => Cell::Date(days),
            Cell::Time(ticks) => Cell::Time(ticks),
            Cell::DateTime { days, ticks } => Cell::DateTime { days, ticks },
            Cell::SmallDateTime { days, minutes } => Cell::SmallDateTime { days, minutes },
            Cell::DateTime2 { days, ticks } => Cell::DateTime2 { days, ticks },
            Cell::DateTimeOffset {
                days,
                ticks,
                offset,
            } => Cell::DateTimeOffset {
                days,
                ticks,
                offset,
            },
        }
    }

    /// As a parameter of type `sql_type`, which the value must fit.
    pub(super) fn encode(self, sql_type: SqlType) -> Result<ColumnData<'a>> {
        let scale = sql_type.fractional_digits().unwrap_or(7);
        // The driver panics on a day of more than three bytes.
        let date = |days: u32| match days >> 24 {
            0 => Ok(Date::new(days)),
            _ => Err(SqlServerError::protocol(format!(
                "day {days} is outside the years 1 to 9999"
            ))),
        };
        Ok(match self {
            Cell::Null => null(sql_type),
            Cell::Bit(v) => ColumnData::Bit(Some(v)),
            Cell::TinyInt(v) => ColumnData::U8(Some(v)),
            Cell::SmallInt(v) => ColumnData::I16(Some(v)),
            Cell::Int(v) => ColumnData::I32(Some(v)),
            Cell::BigInt(v) => ColumnData::I64(Some(v)),
            Cell::Real(v) => ColumnData::F32(Some(v)),
            Cell::Float(v) => ColumnData::F64(Some(v)),
            Cell::Text(v) => ColumnData::String(Some(v)),
            Cell::Binary(v) => ColumnData::Binary(Some(v)),
            Cell::Uuid(v) => ColumnData::Guid(Some(Uuid::from_bytes(v))),
            Cell::Decimal { unscaled, scale } => decimal(unscaled, scale)?,
            Cell::Date(days) => ColumnData::Date(Some(date(days)?)),
            Cell::Time(ticks) => ColumnData::Time(Some(from_ticks(ticks, scale))),
            Cell::DateTime { days, ticks } => {
                ColumnData::DateTime(Some(DateTime::new(days, ticks)))
            }
            Cell::SmallDateTime { days, minutes } => {
                ColumnData::SmallDateTime(Some(SmallDateTime::new(days, minutes)))
            }
            Cell::DateTime2 { days, ticks } => {
                ColumnData::DateTime2(Some(DateTime2::new(date(days)?, from_ticks(ticks, scale))))
            }
            Cell::DateTimeOffset {
                days,
                ticks,
                offset,
            } => ColumnData::DateTimeOffset(Some(DateTimeOffset::new(
                DateTime2::new(date(days)?, from_ticks(ticks, scale)),
                offset,
            ))),
        })
    }
}

/// A decimal as a parameter. The driver counts a digit before the point even where there is none, so that one of
/// 38 digits behind it would be sent as `decimal(39,38)`, which there is not: that one goes as text, and the server
/// makes the declared type of it.
fn decimal(unscaled: i128, scale: u8) -> Result<ColumnData<'static>> {
    match scale.cmp(&Numeric::MAX_NUMERIC_SCALE) {
        Ordering::Less => Ok(ColumnData::Numeric(Some(Numeric::new_with_scale(
            unscaled, scale,
        )))),
        Ordering::Equal => {
            let text = Value::Decimal { unscaled, scale }.text();
            Ok(ColumnData::String(Some(text.into())))
        }
        Ordering::Greater => Err(SqlServerError::protocol(format!(
            "a decimal has at most 38 digits, not scale {scale}"
        ))),
    }
}

/// NULL of a type: the driver wants to know which.
fn null(sql_type: SqlType) -> ColumnData<'static> {
    match sql_type {
        SqlType::Bit => ColumnData::Bit(None),
        SqlType::TinyInt => ColumnData::U8(None),
        SqlType::SmallInt => ColumnData::I16(None),
        SqlType::Int => ColumnData::I32(None),
        SqlType::BigInt => ColumnData::I64(None),
        SqlType::Decimal { .. } | SqlType::Money | SqlType::SmallMoney => ColumnData::Numeric(None),
        SqlType::Real => ColumnData::F32(None),
        SqlType::Float => ColumnData::F64(None),
        SqlType::Char(_) | SqlType::VarChar(_) | SqlType::NChar(_) | SqlType::NVarChar(_) => {
            ColumnData::String(None)
        }
        SqlType::Binary(_) | SqlType::VarBinary(_) | SqlType::RowVersion => {
            ColumnData::Binary(None)
        }
        SqlType::Date => ColumnData::Date(None),
        SqlType::Time(_) => ColumnData::Time(None),
        SqlType::DateTime => ColumnData::DateTime(None),
        SqlType::SmallDateTime => ColumnData::SmallDateTime(None),
        SqlType::DateTime2(_) => ColumnData::DateTime2(None),
        SqlType::DateTimeOffset(_) => ColumnData::DateTimeOffset(None),
        SqlType::UniqueIdentifier => ColumnData::Guid(None),
    }
}
