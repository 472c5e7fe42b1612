//! One column of a batch: where its values come from and how they are written, chosen once.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeBinaryArray,
    LargeBinaryArray, LargeStringArray, StringArray, StringViewArray,
};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use icehost_plan::{Length, SqlType};

use super::super::misfit::Misfit;
use super::moment::{self, MomentForm, TimeForm};
use super::number::{self, ExactForm, IntegerForm};
use super::text::{self, TextForm};
use crate::driver::tds::{NULL_CHUNKS, NULL_LENGTH};
use crate::lower::staging::StagedColumn;

/// Writes the values of one column.
pub(super) struct ColumnEncoder<'a> {
    nulls: Option<&'a NullBuffer>,
    null: &'static [u8],
    values: Values<'a>,
    /// Text beyond ASCII was written.
    pub(super) beyond_ascii: bool,
}

/// Values and the form that they get.
enum Values<'a> {
    Bit(&'a BooleanArray),
    Int32(&'a [i32], IntegerForm),
    Int64(&'a [i64], IntegerForm),
    Exact(ExactNumbers<'a>, ExactForm),
    Real(&'a [f32]),
    DoubleAsReal(&'a [f64]),
    RealAsFloat(&'a [f32]),
    Float(&'a [f64]),
    Text(Texts<'a>, TextForm),
    Binary(Bytes<'a>, Length),
    /// Of this length exactly
    FixedBinary(Bytes<'a>, u16),
    Uuid(Bytes<'a>),
    Date(&'a [i32]),
    Time(&'a [i64], TimeForm),
    Moment(&'a [i64], MomentForm),
    /// None of them is a value of the column's type.
    Foreign,
}

enum ExactNumbers<'a> {
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Decimal(&'a [i128]),
}

enum Texts<'a> {
    Small(&'a StringArray),
    Large(&'a LargeStringArray),
    View(&'a StringViewArray),
}

enum Bytes<'a> {
    Small(&'a BinaryArray),
    Large(&'a LargeBinaryArray),
    View(&'a BinaryViewArray),
    Fixed(&'a FixedSizeBinaryArray),
}

impl<'a> ColumnEncoder<'a> {
    pub(super) fn new(column: &StagedColumn, array: &'a ArrayRef) -> ColumnEncoder<'a> {
        ColumnEncoder {
            nulls: array.nulls().filter(|nulls| nulls.null_count() > 0),
            null: null(column.staged_type),
            values: Values::new(column.sql_type, column.staged_type, array)
                .unwrap_or(Values::Foreign),
            beyond_ascii: false,
        }
    }

    /// Appends the value of a row. Where that is refused, a part of it may have been appended.
    #[inline]
    pub(super) fn append(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), Misfit> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            out.extend_from_slice(self.null);
            return Ok(());
        }
        // The arrays of a batch are of one length; a row beyond it is none of the column's values.
        fn at<T: Copy>(values: &[T], row: usize) -> Result<T, Misfit> {
            values.get(row).copied().ok_or(Misfit::WrongKind)
        }
        match &self.values {
            Values::Bit(values) => {
                out.extend_from_slice(&[1, u8::from(values.value(row))]);
                Ok(())
            }
            Values::Int32(values, form) => form.append(at(values, row)?.into(), out),
            Values::Int64(values, form) => form.append(at(values, row)?, out),
            Values::Exact(ExactNumbers::Int32(values), form) => {
                form.append(at(values, row)?.into(), out)
            }
            Values::Exact(ExactNumbers::Int64(values), form) => {
                form.append(at(values, row)?.into(), out)
            }
            Values::Exact(ExactNumbers::Decimal(values), form) => {
                form.append(at(values, row)?, out)
            }
            Values::Real(values) => number::append_real(at(values, row)?, out),
            Values::DoubleAsReal(values) => number::append_double_as_real(at(values, row)?, out),
            Values::RealAsFloat(values) => number::append_float(at(values, row)?.into(), out),
            Values::Float(values) => number::append_float(at(values, row)?, out),
            Values::Text(values, form) => {
                self.beyond_ascii |= !form.append(values.at(row), out)?;
                Ok(())
            }
            Values::Binary(values, Length::Limited(limit)) => {
                text::append_bytes(values.at(row), *limit, out)
            }
            Values::Binary(values, Length::Max) => text::append_bytes_max(values.at(row), out),
            Values::FixedBinary(values, length) => {
                let value = values.at(row);
                if value.len() != usize::from(*length) {
                    return Err(Misfit::WrongLength);
                }
                text::append_bytes(value, *length, out)
            }
            Values::Uuid(values) => {
                let bytes: [u8; 16] = values.at(row).try_into().map_err(|_| Misfit::OutOfRange)?;
                // The first three groups are little-endian (MS-TDS 2.2.5.5.1.5).
                let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
                out.extend_from_slice(&[16, d, c, b, a, f, e, h, g]);
                out.extend_from_slice(&rest);
                Ok(())
            }
            Values::Date(values) => moment::append_date(at(values, row)?, out),
            Values::Time(values, form) => form.append(at(values, row)?, out),
            Values::Moment(values, form) => form.append(at(values, row)?, out),
            Values::Foreign => Err(Misfit::WrongKind),
        }
    }
}

impl<'a> Values<'a> {
    /// `None` where values of the array are none of the type's.
    fn new(sql_type: SqlType, staged: SqlType, array: &'a ArrayRef) -> Option<Values<'a>> {
        let kind = array.data_type();
        Some(match sql_type {
            SqlType::Bit => Values::Bit(array.as_boolean_opt()?),
            SqlType::TinyInt
            | SqlType::SmallInt
            | SqlType::Int
            | SqlType::BigInt
            | SqlType::Decimal { .. }
            | SqlType::Money
            | SqlType::SmallMoney => Values::exact(sql_type, staged, array)?,
            SqlType::Real => match kind {
                DataType::Float32 => Values::Real(array.as_primitive::<Float32Type>().values()),
                DataType::Float64 => {
                    Values::DoubleAsReal(array.as_primitive::<Float64Type>().values())
                }
                _ => return None,
            },
            SqlType::Float => match kind {
                DataType::Float32 => {
                    Values::RealAsFloat(array.as_primitive::<Float32Type>().values())
                }
                DataType::Float64 => Values::Float(array.as_primitive::<Float64Type>().values()),
                _ => return None,
            },
            SqlType::Char(_) | SqlType::VarChar(_) | SqlType::NChar(_) | SqlType::NVarChar(_) => {
                Values::Text(Texts::new(array)?, TextForm::new(sql_type, staged)?)
            }
            SqlType::Binary(length) => Values::FixedBinary(Bytes::new(array)?, length),
            SqlType::VarBinary(length) => Values::Binary(Bytes::new(array)?, length),
            SqlType::RowVersion => Values::Binary(Bytes::new(array)?, Length::Limited(8)),
            SqlType::UniqueIdentifier => Values::Uuid(Bytes::new(array)?),
            SqlType::Date => Values::Date(array.as_primitive_opt::<Date32Type>()?.values()),
            SqlType::Time(scale) => Values::Time(
                array.as_primitive_opt::<Time64MicrosecondType>()?.values(),
                TimeForm::new(scale, staged),
            ),
            SqlType::DateTime
            | SqlType::SmallDateTime
            | SqlType::DateTime2(_)
            | SqlType::DateTimeOffset(_) => Values::Moment(
                array
                    .as_primitive_opt::<TimestampMicrosecondType>()?
                    .values(),
                MomentForm::new(sql_type, staged)?,
            ),
        })
    }

    /// Exact numbers of the array for a column of them.
    fn exact(sql_type: SqlType, staged: SqlType, array: &'a ArrayRef) -> Option<Values<'a>> {
        let form = |scale| ExactForm::new(scale, sql_type, staged);
        Some(match array.data_type() {
            DataType::Int32 => {
                let values = array.as_primitive::<Int32Type>().values();
                match IntegerForm::new(sql_type) {
                    Some(form) => Values::Int32(values, form),
                    None => Values::Exact(ExactNumbers::Int32(values), form(0)?),
                }
            }
            DataType::Int64 => {
                let values = array.as_primitive::<Int64Type>().values();
                match IntegerForm::new(sql_type) {
                    Some(form) => Values::Int64(values, form),
                    None => Values::Exact(ExactNumbers::Int64(values), form(0)?),
                }
            }
            DataType::Decimal128(_, scale) => Values::Exact(
                ExactNumbers::Decimal(array.as_primitive::<Decimal128Type>().values()),
                form(u8::try_from(*scale).ok()?)?,
            ),
            _ => return None,
        })
    }
}

impl<'a> Texts<'a> {
    fn new(array: &'a ArrayRef) -> Option<Texts<'a>> {
        Some(match array.data_type() {
            DataType::Utf8 => Texts::Small(array.as_string()),
            DataType::LargeUtf8 => Texts::Large(array.as_string()),
            DataType::Utf8View => Texts::View(array.as_string_view()),
            _ => return None,
        })
    }

    #[inline]
    fn at(&self, row: usize) -> &'a str {
        match self {
            Texts::Small(array) => array.value(row),
            Texts::Large(array) => array.value(row),
            Texts::View(array) => array.value(row),
        }
    }
}

impl<'a> Bytes<'a> {
    fn new(array: &'a ArrayRef) -> Option<Bytes<'a>> {
        Some(match array.data_type() {
            DataType::Binary => Bytes::Small(array.as_binary()),
            DataType::LargeBinary => Bytes::Large(array.as_binary()),
            DataType::BinaryView => Bytes::View(array.as_binary_view()),
            DataType::FixedSizeBinary(_) => Bytes::Fixed(array.as_fixed_size_binary()),
            _ => return None,
        })
    }

    #[inline]
    fn at(&self, row: usize) -> &'a [u8] {
        match self {
            Bytes::Small(array) => array.value(row),
            Bytes::Large(array) => array.value(row),
            Bytes::View(array) => array.value(row),
            Bytes::Fixed(array) => array.value(row),
        }
    }
}

/// NULL of a nullable column: no bytes, the longest length, or the longest length of a `(max)` value
/// (MS-TDS 2.2.5.2.3 and 2.2.5.4).
fn null(staged: SqlType) -> &'static [u8] {
    const CHUNKS: [u8; 8] = NULL_CHUNKS.to_le_bytes();
    const LENGTH: [u8; 2] = NULL_LENGTH.to_le_bytes();
    match staged {
        SqlType::VarChar(Length::Max)
        | SqlType::NVarChar(Length::Max)
        | SqlType::VarBinary(Length::Max) => &CHUNKS,
        SqlType::Char(_)
        | SqlType::VarChar(Length::Limited(_))
        | SqlType::NChar(_)
        | SqlType::NVarChar(Length::Limited(_))
        | SqlType::Binary(_)
        | SqlType::VarBinary(Length::Limited(_))
        | SqlType::RowVersion => &LENGTH,
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
        | SqlType::Date
        | SqlType::Time(_)
        | SqlType::DateTime
        | SqlType::SmallDateTime
        | SqlType::DateTime2(_)
        | SqlType::DateTimeOffset(_)
        | SqlType::UniqueIdentifier => &[0],
    }
}
