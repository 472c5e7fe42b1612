//! Whether an array holds nothing but values of its column's type.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, BooleanArray, OffsetSizeTrait};
use arrow_schema::DataType;

use super::{ArrowValue, Domain, Grid};
use crate::Column;

/// A value that its column's type does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Its row, from 0.
    pub row: usize,
    /// The value, escaped and cut, and why it cannot be: `512 is no value of tinyint`.
    pub reason: String,
}

impl Column {
    /// The first value of an array that the column cannot have, among the rows that `counts` names or all.
    ///
    /// Where there is none, the cost is a pass over the values that compilers make vector instructions of.
    pub fn misfit(&self, array: &ArrayRef, counts: Option<&BooleanArray>) -> Option<Misfit> {
        let counts =
            |row: usize| counts.is_none_or(|counts| counts.is_valid(row) && counts.value(row));
        if !self.nullable && array.null_count() > 0 {
            let null = (0..array.len()).find(|&row| array.is_null(row) && counts(row));
            if let Some(row) = null {
                let reason = "NULL stands in a column that is NOT NULL".to_owned();
                return Some(Misfit { row, reason });
            }
        }
        let domain = Domain::of(self.column_type);
        if domain.has_all(array) {
            return None;
        }
        let outside = |row: &usize| counts(*row) && !domain.has(array, *row);
        let row = (0..array.len()).find(outside)?;
        let shown = match ArrowValue::of(array, row) {
            Some(value) => value.shown(self.column_type),
            None => "a value of another type".to_owned(),
        };
        let reason = format!("{shown} is no value of {}", self.column_type);
        Some(Misfit { row, reason })
    }
}

impl Domain {
    /// Whether every value is one of these, those behind NULLs too: `false` may come of one of those.
    fn has_all(self, array: &ArrayRef) -> bool {
        match (self, array.data_type()) {
            (Domain::Any, _) => true,
            (Domain::Integers { least, most }, DataType::Int32) => {
                // A bound that no 32-bit number can break bounds nothing.
                let least = i32::try_from(least).unwrap_or(i32::MIN);
                let most = i32::try_from(most).unwrap_or(i32::MAX);
                within::<Int32Type>(array, least, most)
            }
            (Domain::Integers { least, most }, DataType::Int64) => {
                within::<Int64Type>(array, least, most)
            }
            (Domain::Decimals { least, most }, DataType::Decimal128(_, _)) => {
                within::<Decimal128Type>(array, least, most)
            }
            (Domain::Finite, DataType::Float32) => {
                let values = array.as_primitive::<Float32Type>().values().iter();
                values.fold(true, |all, value| all & value.is_finite())
            }
            (Domain::Finite, DataType::Float64) => {
                let values = array.as_primitive::<Float64Type>().values().iter();
                values.fold(true, |all, value| all & value.is_finite())
            }
            (Domain::Days { least, most }, DataType::Date32) => {
                within::<Date32Type>(array, least, most)
            }
            (Domain::Microseconds { least, most, grid }, DataType::Time64(_)) => {
                within::<Time64MicrosecondType>(array, least, most)
                    && on_grid::<Time64MicrosecondType>(array, grid)
            }
            (Domain::Microseconds { least, most, grid }, DataType::Timestamp(_, _)) => {
                within::<TimestampMicrosecondType>(array, least, most)
                    && on_grid::<TimestampMicrosecondType>(array, grid)
            }
            // Text has no more UTF-16 units than bytes of UTF-8.
            (Domain::Units(most), DataType::Utf8) => {
                lengths_within(array.as_string::<i32>().value_offsets(), 0, most)
            }
            (Domain::Units(most), DataType::LargeUtf8) => {
                lengths_within(array.as_string::<i64>().value_offsets(), 0, most)
            }
            // Where the shortest is not empty, a NULL is not one of them.
            (Domain::Bytes { least, most }, DataType::Binary) => {
                lengths_within(array.as_binary::<i32>().value_offsets(), least, most)
            }
            (Domain::Bytes { least, most }, DataType::LargeBinary) => {
                lengths_within(array.as_binary::<i64>().value_offsets(), least, most)
            }
            _ => false,
        }
    }

    /// Whether the value of a row is one of these; NULL is.
    fn has(self, array: &ArrayRef, row: usize) -> bool {
        if array.is_null(row) {
            return true;
        }
        match (self, ArrowValue::of(array, row)) {
            (Domain::Any, _) => true,
            (Domain::Integers { least, most }, Some(ArrowValue::Integer(value))) => {
                (least..=most).contains(&value)
            }
            (Domain::Decimals { least, most }, Some(ArrowValue::Decimal { unscaled, .. })) => {
                (least..=most).contains(&unscaled)
            }
            (Domain::Finite, Some(ArrowValue::Float(value))) => value.is_finite(),
            (Domain::Finite, Some(ArrowValue::Double(value))) => value.is_finite(),
            (Domain::Days { least, most }, Some(ArrowValue::Date(days))) => {
                (least..=most).contains(&days)
            }
            (
                Domain::Microseconds { least, most, grid },
                Some(ArrowValue::Time(value) | ArrowValue::Timestamp(value)),
            ) => (least..=most).contains(&value) && grid.has(value),
            (Domain::Units(most), Some(ArrowValue::Text(text))) => {
                text.len() <= most as usize || text.encode_utf16().count() <= most as usize
            }
            (Domain::Bytes { least, most }, Some(ArrowValue::Binary(bytes))) => {
                (least as usize..=most as usize).contains(&bytes.len())
            }
            _ => false,
        }
    }
}

/// Whether all values lie between two. Without a branch, so that it is done with vector instructions.
fn within<T: ArrowPrimitiveType>(array: &ArrayRef, least: T::Native, most: T::Native) -> bool
where
    T::Native: PartialOrd,
{
    let values = array.as_primitive::<T>().values().iter();
    values.fold(true, |all, &value| all & (least <= value) & (value <= most))
}

fn on_grid<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef, grid: Grid) -> bool {
    let mut values = array.as_primitive::<T>().values().iter();
    grid == Grid::Steps(1) || values.all(|&value| grid.has(value))
}

fn lengths_within<O: OffsetSizeTrait>(offsets: &[O], least: u32, most: u32) -> bool {
    let lengths = offsets.windows(2).map(|pair| match pair {
        [start, end] => end.as_usize().wrapping_sub(start.as_usize()),
        _ => 0,
    });
    let (least, most) = (least as usize, most as usize);
    lengths.fold(true, |all, length| {
        all & (least <= length) & (length <= most)
    })
}

#[cfg(test)]
mod tests;
