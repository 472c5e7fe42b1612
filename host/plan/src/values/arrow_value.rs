//! Values as Arrow has them, and as people read them. Slow: for messages only.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};

use crate::value::{TICKS_PER_DAY, shown_bytes, shown_text};
use crate::{ColumnType, LakeType, Value};

const TICKS_PER_MICROSECOND: i64 = 10;

/// A value as Arrow has it.
#[derive(Debug, Clone, Copy)]
pub enum ArrowValue<'a> {
    /// True or false
    Boolean(bool),
    /// Of 32 or 64 bits
    Integer(i64),
    /// Of 32 bits
    Float(f32),
    /// Of 64 bits
    Double(f64),
    /// `unscaled ÷ 10^scale`
    Decimal {
        /// Of 128 bits
        unscaled: i128,
        /// Digits behind the point
        scale: u8,
    },
    /// Text
    Text(&'a str),
    /// Bytes, a UUID's in the order of its text
    Binary(&'a [u8]),
    /// Days since 1970-01-01
    Date(i32),
    /// Microseconds since midnight
    Time(i64),
    /// Microseconds since 1970
    Timestamp(i64),
}

/// Whether arrays of the type can be loaded.
pub fn is_known(data_type: &DataType) -> bool {
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
    pub fn of(array: &'a ArrayRef, row: usize) -> Option<ArrowValue<'a>> {
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

    /// The value as people read it, in a message; `column_type` is that of its column.
    pub fn shown(self, column_type: ColumnType) -> String {
        let ticks = |microseconds: i64| microseconds.saturating_mul(TICKS_PER_MICROSECOND);
        let value = match self {
            ArrowValue::Boolean(v) => Value::Boolean(v),
            ArrowValue::Integer(v) => Value::Integer(v),
            ArrowValue::Float(v) => Value::Double(v.into()),
            ArrowValue::Double(v) => Value::Double(v),
            ArrowValue::Decimal { unscaled, scale } => Value::Decimal { unscaled, scale },
            ArrowValue::Text(text) => return shown_text(text),
            ArrowValue::Binary(bytes) => match (column_type.lake(), <[u8; 16]>::try_from(bytes)) {
                (LakeType::Uuid, Ok(bytes)) => Value::Uuid(bytes),
                _ => return shown_bytes(bytes),
            },
            ArrowValue::Date(days) => Value::Date(days),
            ArrowValue::Time(v) => match u64::try_from(ticks(v)) {
                Ok(ticks) if ticks <= TICKS_PER_DAY as u64 => Value::Time(ticks),
                _ => return format!("{v} µs"),
            },
            ArrowValue::Timestamp(v) => Value::Timestamp(ticks(v)),
        };
        value.shown()
    }
}
