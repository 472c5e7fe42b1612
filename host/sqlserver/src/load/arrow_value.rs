//! Values as Arrow has them, and as people read them. Slow: for messages only.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use icehost_plan::{SqlType, Value};

const TICKS_PER_MICROSECOND: i64 = 10;

/// A value as Arrow has it.
#[derive(Debug, Clone, Copy)]
pub(super) enum ArrowValue<'a> {
    Boolean(bool),
    Integer(i64),
    Float(f32),
    Double(f64),
    Decimal {
        unscaled: i128,
        scale: u8,
    },
    Text(&'a str),
    Binary(&'a [u8]),
    Date(i32),
    /// Microseconds since midnight
    Time(i64),
    /// Microseconds since 1970
    Timestamp(i64),
}

/// Whether arrays of the type can be loaded.
pub(super) fn is_known(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Boolean
            | DataType::Int32
            | DataType::Int64
            | DataType::Float32
            | DataType::Float64
            | DataType::Decimal128(_, 0..=38)
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_)
            | DataType::Date32
            | DataType::Time64(TimeUnit::Microsecond)
            | DataType::Timestamp(TimeUnit::Microsecond, _)
    )
}

impl<'a> ArrowValue<'a> {
    /// The value of a row; `None` for NULL.
    pub(super) fn of(array: &'a ArrayRef, row: usize) -> Option<ArrowValue<'a>> {
        if array.is_null(row) {
            return None;
        }
        Some(match array.data_type() {
            DataType::Boolean => ArrowValue::Boolean(array.as_boolean().value(row)),
            DataType::Int32 => {
                ArrowValue::Integer(array.as_primitive::<Int32Type>().value(row).into())
            }
            DataType::Int64 => ArrowValue::Integer(array.as_primitive::<Int64Type>().value(row)),
            DataType::Float32 => ArrowValue::Float(array.as_primitive::<Float32Type>().value(row)),
            DataType::Float64 => ArrowValue::Double(array.as_primitive::<Float64Type>().value(row)),
            DataType::Decimal128(_, scale) => ArrowValue::Decimal {
                unscaled: array.as_primitive::<Decimal128Type>().value(row),
                scale: u8::try_from(*scale).ok()?,
            },
            DataType::Utf8 => ArrowValue::Text(array.as_string::<i32>().value(row)),
            DataType::LargeUtf8 => ArrowValue::Text(array.as_string::<i64>().value(row)),
            DataType::Utf8View => ArrowValue::Text(array.as_string_view().value(row)),
            DataType::Binary => ArrowValue::Binary(array.as_binary::<i32>().value(row)),
            DataType::LargeBinary => ArrowValue::Binary(array.as_binary::<i64>().value(row)),
            DataType::BinaryView => ArrowValue::Binary(array.as_binary_view().value(row)),
            DataType::FixedSizeBinary(_) => {
                ArrowValue::Binary(array.as_fixed_size_binary().value(row))
            }
            DataType::Date32 => ArrowValue::Date(array.as_primitive::<Date32Type>().value(row)),
            DataType::Time64(_) => {
                ArrowValue::Time(array.as_primitive::<Time64MicrosecondType>().value(row))
            }
            DataType::Timestamp(_, _) => {
                ArrowValue::Timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row))
            }
            _ => return None,
        })
    }

    /// The value as people read it; `sql_type` is that of its column.
    pub(super) fn shown(self, sql_type: SqlType) -> String {
        let ticks = |microseconds: i64| microseconds.saturating_mul(TICKS_PER_MICROSECOND);
        let value = match self {
            ArrowValue::Boolean(v) => Value::Boolean(v),
            ArrowValue::Integer(v) => Value::Integer(v),
            ArrowValue::Float(v) => Value::Double(v.into()),
            ArrowValue::Double(v) => Value::Double(v),
            ArrowValue::Decimal { unscaled, scale } => Value::Decimal { unscaled, scale },
            ArrowValue::Text(text) => return format!("'{text}'"),
            ArrowValue::Binary(bytes) => match (sql_type, <[u8; 16]>::try_from(bytes)) {
                (SqlType::UniqueIdentifier, Ok(bytes)) => Value::Uuid(bytes),
                _ => Value::Binary(bytes.to_vec()),
            },
            ArrowValue::Date(days) => Value::Date(days),
            ArrowValue::Time(v) => match u64::try_from(ticks(v)) {
                Ok(ticks) => Value::Time(ticks),
                Err(_) => return format!("{v} µs"),
            },
            ArrowValue::Timestamp(v) => Value::Timestamp(ticks(v)),
        };
        value.text()
    }
}
