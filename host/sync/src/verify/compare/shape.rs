//! What of a row is compared, in a form that source, lake and target share.
//!
//! A row becomes bytes: each value with its kind and, where it varies, its length, so that no two different rows
//! become the same bytes. Numbers are numbers whatever type holds them (an `int` of a target is a `long` of the
//! lake, `1.50` is `1.5`), moments are microseconds, as the lake has them, and text is Unicode. Rows and keys are
//! compared by the first 128 bits of the SHA-256 of those bytes: nobody can choose rows that collide.

use std::iter::repeat_n;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray,
    Float32Array, Float64Array, Int32Array, Int64Array, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DECIMAL128_MAX_PRECISION, DataType, TimeUnit};
use icehost_plan::{SqlType, Value};
use sha2::{Digest, Sha256};

use crate::verify::compare::fold::Fold;

/// 100 ns ticks in a microsecond.
const TICKS_PER_MICROSECOND: i64 = 10;

/// A hash of a row, or of its key.
pub(crate) type Hash = u128;

/// The columns that are compared, and those of them that identify a row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    pub(crate) columns: Vec<ShapeColumn>,
    /// Positions in `columns`, in key order; empty where a row is identified by all that it is.
    pub(crate) key: Vec<usize>,
}

/// A column that is compared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ShapeColumn {
    /// What reports call it.
    pub(crate) name: String,
    /// Trailing blanks that one side adds to what the other has.
    pub(crate) padding: Padding,
    /// Which keys are one.
    pub(crate) fold: Fold,
    /// Which keys are certainly one by the collation that tells rows apart.
    pub(crate) certain: Option<Fold>,
}

/// What a type of fixed length does to text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Padding {
    /// Nothing.
    None,
    /// It fills it up with blanks.
    Blanks,
}

impl Padding {
    /// What a column of the target does to text of the lake.
    pub(crate) fn of(sql_type: SqlType) -> Padding {
        match sql_type.blank_padded() {
            Some(_) => Padding::Blanks,
            None => Padding::None,
        }
    }
}

/// What a row is compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hashed {
    /// The key, folded: rows that have it in common are compared with each other.
    pub(crate) group: Hash,
    /// The key as it is spelled, as far as that may make it another one.
    pub(crate) spelling: Hash,
    /// The whole row.
    pub(crate) row: Hash,
}

impl Shape {
    /// The key alone, which is all of it.
    pub(crate) fn of_key(&self) -> Shape {
        let columns = self.key.iter();
        let columns: Vec<ShapeColumn> = columns
            .filter_map(|&at| self.columns.get(at).cloned())
            .collect();
        Shape {
            key: (0..columns.len()).collect(),
            columns,
        }
    }

    /// The same, with keys brought together in these ways, in the order of the columns.
    pub(crate) fn folded(mut self, folds: &[Fold]) -> Shape {
        for (column, fold) in self.columns.iter_mut().zip(folds) {
            column.fold = *fold;
        }
        self
    }

    /// What each row of a batch is compared by. `arrays` are in the order of the shape's columns.
    ///
    /// # Errors
    /// Names a column whose values are of a type that rows of source, lake and target never have.
    pub(crate) fn hash(&self, arrays: &[ArrayRef]) -> Result<Vec<Hashed>, String> {
        let cells = self.cells(arrays)?;
        let rows = arrays.first().map_or(0, |array| array.len());
        let mut hashed = Vec::with_capacity(rows);
        let mut bytes = Vec::new();
        for row in 0..rows {
            bytes.clear();
            for (column, cells) in self.columns.iter().zip(&cells) {
                cells.append(row, column.padding, None, &mut bytes);
            }
            let whole = digest(&bytes);
            if self.key.is_empty() {
                hashed.push(Hashed {
                    group: whole,
                    spelling: 0,
                    row: whole,
                });
                continue;
            }
            let mut key = |folded: bool| {
                bytes.clear();
                for &at in &self.key {
                    if let (Some(column), Some(cells)) = (self.columns.get(at), cells.get(at)) {
                        let fold = match folded {
                            true => Some(column.fold),
                            false => column.certain,
                        };
                        cells.append(row, column.padding, fold, &mut bytes);
                    }
                }
                digest(&bytes)
            };
            hashed.push(Hashed {
                group: key(true),
                spelling: key(false),
                row: whole,
            });
        }
        Ok(hashed)
    }

    /// A hash of each value of a row.
    pub(crate) fn values(&self, arrays: &[ArrayRef], row: usize) -> Result<Vec<Hash>, String> {
        let cells = self.cells(arrays)?;
        let values = self.columns.iter().zip(&cells).map(|(column, cells)| {
            let mut bytes = Vec::new();
            cells.append(row, column.padding, None, &mut bytes);
            digest(&bytes)
        });
        Ok(values.collect())
    }

    fn cells<'a>(&self, arrays: &'a [ArrayRef]) -> Result<Vec<Cells<'a>>, String> {
        let of = |(array, column): (&'a ArrayRef, &ShapeColumn)| {
            Cells::of(array).ok_or_else(|| {
                format!(
                    "column '{}' has values of type {}, which cannot be compared",
                    column.name,
                    array.data_type()
                )
            })
        };
        arrays.iter().zip(&self.columns).map(of).collect()
    }
}

/// An array that holds this value so many times.
pub(crate) fn constant(value: &Value, rows: usize) -> ArrayRef {
    match value {
        Value::Null => absent(rows),
        Value::Boolean(v) => Arc::new(BooleanArray::from(vec![*v; rows])),
        Value::Integer(v) => Arc::new(Int64Array::from_value(*v, rows)),
        Value::Decimal { unscaled, scale } => {
            let scale = i8::try_from(*scale).unwrap_or(i8::MAX);
            let of_type = DataType::Decimal128(DECIMAL128_MAX_PRECISION, scale);
            Arc::new(Decimal128Array::from_value(*unscaled, rows).with_data_type(of_type))
        }
        Value::Double(v) => Arc::new(Float64Array::from_value(*v, rows)),
        Value::Text(v) => Arc::new(StringArray::from_iter_values(repeat_n(v, rows))),
        Value::Binary(v) => Arc::new(BinaryArray::from_iter_values(repeat_n(v, rows))),
        Value::Uuid(v) => Arc::new(BinaryArray::from_iter_values(repeat_n(v, rows))),
        Value::Date(days) => Arc::new(Date32Array::from_value(*days, rows)),
        Value::Time(ticks) => {
            let micros = i64::try_from(*ticks).unwrap_or(i64::MAX) / TICKS_PER_MICROSECOND;
            Arc::new(Time64MicrosecondArray::from_value(micros, rows))
        }
        Value::Timestamp(ticks) | Value::TimestampTz { ticks, .. } => {
            let micros = ticks.div_euclid(TICKS_PER_MICROSECOND);
            Arc::new(TimestampMicrosecondArray::from_value(micros, rows))
        }
    }
}

/// The bytes of one value of a batch; `None` for a type that rows never have.
pub(crate) fn cell_bytes(array: &ArrayRef, row: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    Cells::of(array)?.append(row, Padding::None, None, &mut out);
    Some(out)
}

/// The bytes of a cell that is NULL.
pub(crate) const NULL_CELL: &[u8] = &[NULL];

const NULL: u8 = 0;
const NUMBER: u8 = 1;
const DOUBLE: u8 = 2;
const DATE: u8 = 3;
const TIME: u8 = 4;
const MOMENT: u8 = 5;
const TEXT: u8 = 6;
const BYTES: u8 = 7;

/// The values of a column, by what they are.
enum Cells<'a> {
    Boolean(&'a BooleanArray),
    Int(&'a Int32Array),
    Long(&'a Int64Array),
    Float(&'a Float32Array),
    Double(&'a Float64Array),
    Decimal(&'a Decimal128Array, i8),
    Date(&'a Date32Array),
    Time(&'a Time64MicrosecondArray),
    Moment(&'a TimestampMicrosecondArray),
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
    Fixed(&'a FixedSizeBinaryArray),
}

impl<'a> Cells<'a> {
    fn of(array: &'a ArrayRef) -> Option<Cells<'a>> {
        let micros = TimeUnit::Microsecond;
        Some(match array.data_type() {
            DataType::Boolean => Cells::Boolean(array.as_boolean()),
            DataType::Int32 => Cells::Int(array.as_primitive::<Int32Type>()),
            DataType::Int64 => Cells::Long(array.as_primitive::<Int64Type>()),
            DataType::Float32 => Cells::Float(array.as_primitive::<Float32Type>()),
            DataType::Float64 => Cells::Double(array.as_primitive::<Float64Type>()),
            DataType::Decimal128(_, scale) => {
                Cells::Decimal(array.as_primitive::<Decimal128Type>(), *scale)
            }
            DataType::Date32 => Cells::Date(array.as_primitive::<Date32Type>()),
            DataType::Time64(unit) if *unit == micros => {
                Cells::Time(array.as_primitive::<Time64MicrosecondType>())
            }
            DataType::Timestamp(unit, _) if *unit == micros => {
                Cells::Moment(array.as_primitive::<TimestampMicrosecondType>())
            }
            DataType::Utf8 => Cells::Text(array.as_string::<i32>()),
            DataType::Binary => Cells::Bytes(array.as_binary::<i32>()),
            DataType::FixedSizeBinary(_) => Cells::Fixed(array.as_fixed_size_binary()),
            _ => return None,
        })
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Cells::Boolean(values) => values.is_null(row),
            Cells::Int(values) => values.is_null(row),
            Cells::Long(values) => values.is_null(row),
            Cells::Float(values) => values.is_null(row),
            Cells::Double(values) => values.is_null(row),
            Cells::Decimal(values, _) => values.is_null(row),
            Cells::Date(values) => values.is_null(row),
            Cells::Time(values) => values.is_null(row),
            Cells::Moment(values) => values.is_null(row),
            Cells::Text(values) => values.is_null(row),
            Cells::Bytes(values) => values.is_null(row),
            Cells::Fixed(values) => values.is_null(row),
        }
    }

    fn append(&self, row: usize, padding: Padding, fold: Option<Fold>, out: &mut Vec<u8>) {
        if self.is_null(row) {
            out.push(NULL);
            return;
        }
        match self {
            Cells::Boolean(values) => number(values.value(row).into(), 0, out),
            Cells::Int(values) => number(values.value(row).into(), 0, out),
            Cells::Long(values) => number(values.value(row).into(), 0, out),
            Cells::Decimal(values, scale) => number(values.value(row), *scale, out),
            Cells::Float(values) => {
                let wide = f64::from(values.value(row));
                fixed(DOUBLE, &wide.to_bits().to_be_bytes(), out);
            }
            Cells::Double(values) => {
                fixed(DOUBLE, &values.value(row).to_bits().to_be_bytes(), out);
            }
            Cells::Date(values) => fixed(DATE, &values.value(row).to_be_bytes(), out),
            Cells::Time(values) => fixed(TIME, &values.value(row).to_be_bytes(), out),
            Cells::Moment(values) => fixed(MOMENT, &values.value(row).to_be_bytes(), out),
            Cells::Text(values) => {
                let text = values.value(row);
                let text = match padding {
                    Padding::Blanks => text.trim_end_matches(' '),
                    Padding::None => text,
                };
                match fold {
                    Some(fold) => variable(TEXT, fold.text(text).as_bytes(), out),
                    None => variable(TEXT, text.as_bytes(), out),
                }
            }
            Cells::Bytes(values) => bytes(values.value(row), fold, out),
            Cells::Fixed(values) => bytes(values.value(row), None, out),
        }
    }
}

fn bytes(value: &[u8], fold: Option<Fold>, out: &mut Vec<u8>) {
    let kept = match fold {
        // 0x01 = 0x0100 (T-SQL reference, "binary and varbinary")
        Some(_) => value
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1),
        None => value.len(),
    };
    variable(BYTES, value.get(..kept).unwrap_or(value), out);
}

/// The number without zeros at the end of its fraction.
fn number(mut unscaled: i128, mut scale: i8, out: &mut Vec<u8>) {
    while scale > 0 && unscaled % 10 == 0 {
        unscaled /= 10;
        scale -= 1;
    }
    fixed(NUMBER, &unscaled.to_be_bytes(), out);
    out.extend_from_slice(&scale.to_be_bytes());
}

fn fixed(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(bytes);
}

fn variable(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// A hash of two.
pub(crate) fn of_both(one: Hash, other: Hash) -> Hash {
    digest(&[one.to_be_bytes(), other.to_be_bytes()].concat())
}

fn digest(bytes: &[u8]) -> Hash {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] =
        <[u8; 32]>::from(Sha256::digest(bytes));
    Hash::from_be_bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
}

/// The array of NULLs that stands for a column that a batch does not have.
pub(crate) fn absent(rows: usize) -> ArrayRef {
    Arc::new(BooleanArray::new_null(rows))
}

/// The names of the key's columns.
pub(crate) fn key_names(shape: &Shape) -> Vec<String> {
    let name = |&at: &usize| Some(shape.columns.get(at)?.name.clone());
    shape.key.iter().filter_map(name).collect()
}

#[cfg(test)]
mod tests;
