//! Which type a literal is bound with, and its value on the wire.

use icehost_plan::{Length, SqlType, Value};

use crate::driver::Cell;
use crate::error::{Result, SqlServerError};
use crate::temporal;

/// Longest `nvarchar(n)` in UTF-16 units and `varbinary(n)` in bytes.
const MAX_NVARCHAR: usize = 4000;
const MAX_VARBINARY: usize = 8000;

/// The type to bind `value` with where it meets a column of type `near`: the column's own if that holds the
/// value exactly, so that the server converts no column and can use its indexes; the value's own otherwise.
pub(crate) fn bind_type(value: &Value, near: Option<SqlType>) -> SqlType {
    if let Some(near) = near
        && fits(value, near)
    {
        return near;
    }
    match value {
        Value::Null | Value::Integer(_) if in_range(value, i32::MIN.into(), i32::MAX.into()) => {
            SqlType::Int
        }
        Value::Null | Value::Integer(_) => SqlType::BigInt,
        Value::Boolean(_) => SqlType::Bit,
        Value::Double(_) => SqlType::Float,
        Value::Decimal { unscaled, scale } => SqlType::Decimal {
            precision: digits(*unscaled).max(*scale).max(1),
            scale: *scale,
        },
        Value::Text(text) if text.encode_utf16().count() <= MAX_NVARCHAR => {
            SqlType::NVarChar(Length::Limited(MAX_NVARCHAR as u16))
        }
        Value::Text(_) => SqlType::NVarChar(Length::Max),
        Value::Binary(bytes) if bytes.len() <= MAX_VARBINARY => {
            SqlType::VarBinary(Length::Limited(MAX_VARBINARY as u16))
        }
        Value::Binary(_) => SqlType::VarBinary(Length::Max),
        Value::Date(_) => SqlType::Date,
        Value::Time(_) => SqlType::Time(7),
        Value::Timestamp(_) => SqlType::DateTime2(7),
        Value::TimestampTz { .. } => SqlType::DateTimeOffset(7),
        Value::Uuid(_) => SqlType::UniqueIdentifier,
    }
}

/// Whether a parameter of type `sql_type` holds `value` exactly. Text is left to [`bind_type`]'s second half
/// and to the expression around it, since its length must not be cut to the column's.
fn fits(value: &Value, sql_type: SqlType) -> bool {
    match (sql_type, value) {
        (SqlType::Bit, Value::Boolean(_)) => true,
        (SqlType::TinyInt, _) => in_range(value, 0, 255),
        (SqlType::SmallInt, _) => in_range(value, i16::MIN.into(), i16::MAX.into()),
        (SqlType::Int, _) => in_range(value, i32::MIN.into(), i32::MAX.into()),
        (SqlType::BigInt, _) => in_range(value, i64::MIN, i64::MAX),
        (SqlType::Decimal { precision, scale }, _) => {
            unscaled(value, scale).is_some_and(|unscaled| digits(unscaled) <= precision)
        }
        (SqlType::Money, _) => {
            unscaled(value, 4).is_some_and(|unscaled| i64::try_from(unscaled).is_ok())
        }
        (SqlType::SmallMoney, _) => {
            unscaled(value, 4).is_some_and(|unscaled| i32::try_from(unscaled).is_ok())
        }
        (SqlType::Real, Value::Double(v)) => f64::from(*v as f32) == *v,
        (SqlType::Float, Value::Double(_))
        | (SqlType::Date, Value::Date(_))
        | (SqlType::UniqueIdentifier, Value::Uuid(_)) => true,
        (SqlType::RowVersion, Value::Binary(bytes)) => bytes.len() == 8,
        (SqlType::Time(scale), Value::Time(ticks)) => {
            i64::try_from(*ticks).is_ok_and(|ticks| temporal::has_scale(ticks, scale))
        }
        (SqlType::DateTime, Value::Timestamp(ticks)) => temporal::to_datetime(*ticks).is_some(),
        (SqlType::SmallDateTime, Value::Timestamp(ticks)) => {
            temporal::to_smalldatetime(*ticks).is_some()
        }
        (SqlType::DateTime2(scale), Value::Timestamp(ticks))
        | (SqlType::DateTimeOffset(scale), Value::TimestampTz { ticks, .. }) => {
            temporal::has_scale(*ticks, scale)
        }
        (
            SqlType::Bit
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
            | SqlType::DateTime
            | SqlType::SmallDateTime
            | SqlType::DateTime2(_)
            | SqlType::DateTimeOffset(_)
            | SqlType::UniqueIdentifier
            | SqlType::RowVersion,
            _,
        ) => false,
    }
}

fn in_range(value: &Value, low: i64, high: i64) -> bool {
    unscaled(value, 0).is_some_and(|v| v >= low.into() && v <= high.into())
}

/// An exact number in units of 10^-scale; `None` for one that has finer digits, and for other kinds.
pub(crate) fn unscaled(value: &Value, scale: u8) -> Option<i128> {
    match value {
        Value::Integer(v) => rescale((*v).into(), 0, scale),
        Value::Decimal {
            unscaled,
            scale: own,
        } => rescale(*unscaled, *own, scale),
        _ => None,
    }
}

/// `unscaled ÷ 10^from` in units of 10^-to; `None` where digits would be lost or there are too many.
pub(crate) fn rescale(unscaled: i128, from: u8, to: u8) -> Option<i128> {
    if to >= from {
        unscaled.checked_mul(10i128.checked_pow(u32::from(to - from))?)
    } else {
        let divisor = 10i128.checked_pow(u32::from(from - to))?;
        (unscaled % divisor == 0).then(|| unscaled / divisor)
    }
}

/// Decimal digits of a number; 0 has none.
pub(crate) fn digits(unscaled: i128) -> u8 {
    match unscaled.unsigned_abs().checked_ilog10() {
        Some(log) => log as u8 + 1,
        None => 0,
    }
}

/// The value as a parameter of type `sql_type`, which [`bind_type`] chose for it.
pub(crate) fn cell(sql_type: SqlType, value: &Value) -> Result<Cell<'_>> {
    let misfit = || {
        SqlServerError::plan(format!(
            "the literal {value} does not fit a parameter of type {sql_type}"
        ))
    };
    let exact = |scale| unscaled(value, scale).ok_or_else(misfit);
    Ok(match (sql_type, value) {
        (_, Value::Null) => Cell::Null,
        (SqlType::Bit, Value::Boolean(v)) => Cell::Bit(*v),
        (SqlType::TinyInt, _) => Cell::TinyInt(exact(0)?.try_into().map_err(|_| misfit())?),
        (SqlType::SmallInt, _) => Cell::SmallInt(exact(0)?.try_into().map_err(|_| misfit())?),
        (SqlType::Int, _) => Cell::Int(exact(0)?.try_into().map_err(|_| misfit())?),
        (SqlType::BigInt, _) => Cell::BigInt(exact(0)?.try_into().map_err(|_| misfit())?),
        (SqlType::Decimal { scale, .. }, _) => Cell::Decimal {
            unscaled: exact(scale)?,
            scale,
        },
        (SqlType::Money | SqlType::SmallMoney, _) => Cell::Decimal {
            unscaled: exact(4)?,
            scale: 4,
        },
        (SqlType::Real, Value::Double(v)) => Cell::Real(*v as f32),
        (SqlType::Float, Value::Double(v)) => Cell::Float(*v),
        (
            SqlType::Char(_) | SqlType::VarChar(_) | SqlType::NChar(_) | SqlType::NVarChar(_),
            Value::Text(text),
        ) => Cell::Text(text.as_str().into()),
        (
            SqlType::Binary(_) | SqlType::VarBinary(_) | SqlType::RowVersion,
            Value::Binary(bytes),
        ) => Cell::Binary(bytes.as_slice().into()),
        (SqlType::Date, Value::Date(days)) => {
            Cell::Date(temporal::to_date(*days).ok_or_else(misfit)?)
        }
        (SqlType::Time(_), Value::Time(ticks)) => Cell::Time(*ticks),
        (SqlType::DateTime, Value::Timestamp(ticks)) => {
            let (days, ticks) = temporal::to_datetime(*ticks).ok_or_else(misfit)?;
            Cell::DateTime { days, ticks }
        }
        (SqlType::SmallDateTime, Value::Timestamp(ticks)) => {
            let (days, minutes) = temporal::to_smalldatetime(*ticks).ok_or_else(misfit)?;
            Cell::SmallDateTime { days, minutes }
        }
        (SqlType::DateTime2(_), Value::Timestamp(ticks)) => {
            let (days, ticks) = temporal::to_datetime2(*ticks).ok_or_else(misfit)?;
            Cell::DateTime2 { days, ticks }
        }
        (
            SqlType::DateTimeOffset(_),
            Value::TimestampTz {
                ticks,
                offset_minutes,
            },
        ) => {
            let (days, ticks) = temporal::to_datetime2(*ticks).ok_or_else(misfit)?;
            Cell::DateTimeOffset {
                days,
                ticks,
                offset: *offset_minutes,
            }
        }
        (SqlType::UniqueIdentifier, Value::Uuid(bytes)) => Cell::Uuid(*bytes),
        (
            SqlType::Bit
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
            | SqlType::DateTime
            | SqlType::SmallDateTime
            | SqlType::DateTime2(_)
            | SqlType::DateTimeOffset(_)
            | SqlType::UniqueIdentifier
            | SqlType::RowVersion,
            _,
        ) => return Err(misfit()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn value(text: &str) -> Value {
        text.parse().unwrap()
    }

    #[test]
    fn a_literal_takes_the_columns_type_where_that_holds_it() {
        for (text, near, bound) in [
            ("integer:7", "tinyint", "tinyint"),
            ("integer:256", "tinyint", "int"),
            ("integer:-1", "tinyint", "int"),
            ("integer:5000000000", "int", "bigint"),
            ("integer:7", "decimal(10,2)", "decimal(10,2)"),
            ("decimal:1.50", "decimal(10,2)", "decimal(10,2)"),
            ("decimal:1.500", "decimal(10,2)", "decimal(10,2)"),
            ("decimal:1.501", "decimal(10,2)", "decimal(4,3)"),
            ("decimal:0.001", "decimal(10,2)", "decimal(3,3)"),
            ("decimal:922337203685477.5807", "money", "money"),
            ("decimal:922337203685477.5808", "money", "decimal(19,4)"),
            ("decimal:3.0", "int", "int"),
            ("decimal:3.5", "int", "decimal(2,1)"),
            ("double:0.5", "real", "real"),
            ("double:0.1", "real", "float"),
            ("timestamp:2026-01-31T12:00:00.003", "datetime", "datetime"),
            (
                "timestamp:2026-01-31T12:00:00.004",
                "datetime",
                "datetime2(7)",
            ),
            (
                "timestamp:2026-01-31T12:00:00.0000001",
                "datetime2(7)",
                "datetime2(7)",
            ),
            (
                "timestamp:2026-01-31T12:00:00.5",
                "datetime2(0)",
                "datetime2(7)",
            ),
            (
                "timestamp:2026-01-31T12:01:00",
                "smalldatetime",
                "smalldatetime",
            ),
            (
                "timestamp:2026-01-31T12:01:01",
                "smalldatetime",
                "datetime2(7)",
            ),
            ("time:12:00:00.1234567", "time(7)", "time(7)"),
            ("time:12:00:00.1234567", "time(3)", "time(7)"),
            ("binary:0x0000000000000001", "rowversion", "rowversion"),
            ("binary:0x01", "rowversion", "varbinary(8000)"),
            ("text:abc", "varchar(3)", "nvarchar(4000)"),
        ] {
            let near: SqlType = near.parse().unwrap();
            assert_eq!(
                bind_type(&value(text), Some(near)).to_string(),
                bound,
                "{text} near {near}"
            );
        }
    }

    #[test]
    fn every_bound_literal_has_a_cell() {
        for text in [
            "null",
            "boolean:true",
            "integer:1",
            "double:1.5",
            "decimal:1.5",
            "text:a",
            "binary:0x00",
            "date:2026-01-31",
            "time:01:02:03",
            "timestamp:2026-01-31T00:00:00",
            "timestamp-tz:2026-01-31T00:00:00+01:00",
            "uuid:6f9619ff-8b86-d011-b42d-00c04fc964ff",
        ] {
            let value = value(text);
            cell(bind_type(&value, None), &value).unwrap();
        }
    }
}
