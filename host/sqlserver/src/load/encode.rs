//! Arrow values as the target's columns take them, checked to be held exactly.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use icehost_plan::{Length, SqlType, Value};

use crate::driver::Cell;
use crate::error::{Result, SqlServerError};
use crate::introspect::SqlTable;
use crate::lower::literal::{digits, rescale};
use crate::lower::staging::{StagedColumn, Staging};
use crate::temporal;

const TICKS_PER_MICROSECOND: i64 = 10;

/// Why a value cannot be loaded.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: String,
    pub(super) hint: &'static str,
}

fn refuse(reason: impl Into<String>, hint: &'static str) -> Refusal {
    Refusal {
        reason: reason.into(),
        hint,
    }
}

const WIDEN: &str = "give the target column a wider type";
const LENGTHEN: &str = "make the target column longer";
const FINER: &str = "give the target column a type with more fractional digits";

/// A batch whose arrays are known to fit the staging table's columns.
pub(super) struct BatchEncoder<'a> {
    columns: Vec<(&'a StagedColumn, &'a ArrayRef)>,
    key: Vec<usize>,
}

/// A value as Arrow has it.
#[derive(Debug, Clone, Copy)]
enum ArrowValue<'a> {
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

impl<'a> BatchEncoder<'a> {
    pub(super) fn new(
        target: &SqlTable,
        staging: &'a Staging,
        batch: &'a RecordBatch,
    ) -> Result<BatchEncoder<'a>> {
        if batch.num_columns() != staging.columns.len() {
            return Err(SqlServerError::protocol(format!(
                "staging rows for {}: a batch of {} columns came for a delta of {}",
                target.name,
                batch.num_columns(),
                staging.columns.len()
            )));
        }
        let columns: Vec<_> = staging.columns.iter().zip(batch.columns()).collect();
        for (column, array) in &columns {
            if !is_known(array.data_type()) {
                return Err(SqlServerError::unsupported(format!(
                    "table {}, column '{}': Arrow values of type {} cannot be loaded",
                    target.name,
                    column.name,
                    array.data_type()
                )));
            }
        }
        let key_ordinals = target.table.key();
        let key = key_ordinals.iter().filter_map(|&ordinal| {
            let is_it = |column: &StagedColumn| column.target == Some(ordinal as usize);
            staging.columns.iter().position(is_it)
        });
        Ok(BatchEncoder {
            key: key.collect(),
            columns,
        })
    }

    /// The delta's name for a column.
    pub(super) fn column_name(&self, position: usize) -> &str {
        self.columns
            .get(position)
            .map_or("", |(column, _)| column.name.as_str())
    }

    /// Whether a column's text is stored in a code page.
    pub(super) fn has_code_page(&self, position: usize) -> bool {
        self.columns.get(position).is_some_and(|(column, _)| {
            matches!(column.sql_type, SqlType::Char(_) | SqlType::VarChar(_))
        })
    }

    /// What a row is called in a message: its key, or its number where it has none.
    pub(super) fn row_key(&self, row: usize, number: u64) -> String {
        let parts: Vec<String> = self
            .key
            .iter()
            .filter_map(|&position| {
                let (column, array) = self.columns.get(position)?;
                let text = match value_at(array, row) {
                    Some(value) => shown(value, column.sql_type),
                    None => "NULL".to_owned(),
                };
                Some(format!("{} = {text}", column.name))
            })
            .collect();
        if parts.is_empty() {
            format!("number {number} of the delta")
        } else {
            parts.join(", ")
        }
    }

    /// A value as the staging table takes it.
    pub(super) fn cell(&self, position: usize, row: usize) -> Result<Cell<'a>, Refusal> {
        let Some((column, array)) = self.columns.get(position) else {
            return Ok(Cell::Null);
        };
        let Some(value) = value_at(array, row) else {
            return Ok(Cell::Null);
        };
        let cell = convert(value, column.sql_type)?;
        Ok(match (cell, column.staged_type) {
            (Cell::Decimal { unscaled, scale }, SqlType::NVarChar(_)) => {
                Cell::Text(Value::Decimal { unscaled, scale }.text().into())
            }
            (Cell::Time(ticks), SqlType::NVarChar(_)) => {
                Cell::Text(Value::Time(ticks).text().into())
            }
            // There is no smalldatetime on the way in.
            (Cell::SmallDateTime { days, minutes }, _) => {
                datetime2(temporal::from_smalldatetime(days, minutes))
            }
            (Cell::DateTime { days, ticks }, SqlType::DateTime2(_)) => {
                datetime2(temporal::from_datetime(days, ticks))
            }
            (cell, _) => cell,
        })
    }
}

/// A moment that `datetime` or `smalldatetime` holds, so that `datetime2` does.
fn datetime2(ticks: i64) -> Cell<'static> {
    match temporal::to_datetime2(ticks) {
        Some((days, ticks)) => Cell::DateTime2 { days, ticks },
        None => Cell::Null,
    }
}

fn is_known(data_type: &DataType) -> bool {
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

/// The value of a row; `None` for NULL.
fn value_at(array: &ArrayRef, row: usize) -> Option<ArrowValue<'_>> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Boolean => ArrowValue::Boolean(array.as_boolean().value(row)),
        DataType::Int32 => ArrowValue::Integer(array.as_primitive::<Int32Type>().value(row).into()),
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
        DataType::FixedSizeBinary(_) => ArrowValue::Binary(array.as_fixed_size_binary().value(row)),
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

/// The value of the target's type that is exactly this one.
fn convert(value: ArrowValue<'_>, sql_type: SqlType) -> Result<Cell<'_>, Refusal> {
    let out_of_range = || {
        refuse(
            format!("{} does not fit {sql_type}", shown(value, sql_type)),
            WIDEN,
        )
    };
    let too_fine = || {
        refuse(
            format!(
                "{} has finer digits than {sql_type}",
                shown(value, sql_type)
            ),
            FINER,
        )
    };
    let exact = |scale: u8| match value {
        ArrowValue::Integer(v) => rescale(v.into(), 0, scale).ok_or_else(out_of_range),
        ArrowValue::Decimal {
            unscaled,
            scale: own,
        } => rescale(unscaled, own, scale).ok_or_else(|| {
            if own > scale && unscaled % 10i128.pow((own - scale).into()) != 0 {
                too_fine()
            } else {
                out_of_range()
            }
        }),
        _ => Err(wrong_kind(value, sql_type)),
    };
    Ok(match (sql_type, value) {
        (SqlType::Bit, ArrowValue::Boolean(v)) => Cell::Bit(v),
        (SqlType::TinyInt, _) => Cell::TinyInt(exact(0)?.try_into().map_err(|_| out_of_range())?),
        (SqlType::SmallInt, _) => Cell::SmallInt(exact(0)?.try_into().map_err(|_| out_of_range())?),
        (SqlType::Int, _) => Cell::Int(exact(0)?.try_into().map_err(|_| out_of_range())?),
        (SqlType::BigInt, _) => Cell::BigInt(exact(0)?.try_into().map_err(|_| out_of_range())?),
        (SqlType::Decimal { precision, scale }, _) => {
            let unscaled = exact(scale)?;
            if digits(unscaled) > precision {
                return Err(out_of_range());
            }
            Cell::Decimal { unscaled, scale }
        }
        (SqlType::Money, _) => Cell::Decimal {
            unscaled: i64::try_from(exact(4)?).map_err(|_| out_of_range())?.into(),
            scale: 4,
        },
        (SqlType::SmallMoney, _) => Cell::Decimal {
            unscaled: i32::try_from(exact(4)?).map_err(|_| out_of_range())?.into(),
            scale: 4,
        },
        (SqlType::Real | SqlType::Float, ArrowValue::Float(v)) if !v.is_finite() => {
            return Err(not_a_number(v.into()));
        }
        (SqlType::Real | SqlType::Float, ArrowValue::Double(v)) if !v.is_finite() => {
            return Err(not_a_number(v));
        }
        (SqlType::Real, ArrowValue::Float(v)) => Cell::Real(v),
        (SqlType::Real, ArrowValue::Double(v)) if f64::from(v as f32) == v => Cell::Real(v as f32),
        (SqlType::Real, ArrowValue::Double(_)) => return Err(out_of_range()),
        (SqlType::Float, ArrowValue::Float(v)) => Cell::Float(v.into()),
        (SqlType::Float, ArrowValue::Double(v)) => Cell::Float(v),
        (
            SqlType::Char(n)
            | SqlType::VarChar(Length::Limited(n))
            | SqlType::NChar(n)
            | SqlType::NVarChar(Length::Limited(n)),
            ArrowValue::Text(text),
        ) => {
            let units = text.encode_utf16().count();
            if units > n.into() {
                return Err(refuse(
                    format!("the text has {units} characters and {sql_type} holds {n}"),
                    LENGTHEN,
                ));
            }
            Cell::Text(text.into())
        }
        (
            SqlType::VarChar(Length::Max) | SqlType::NVarChar(Length::Max),
            ArrowValue::Text(text),
        ) => {
            within_two_gigabytes(text.len().saturating_mul(2))?;
            Cell::Text(text.into())
        }
        (SqlType::Binary(n), ArrowValue::Binary(bytes)) if bytes.len() != usize::from(n) => {
            return Err(refuse(
                format!(
                    "the value has {} bytes and {sql_type} holds exactly {n}",
                    bytes.len()
                ),
                "make the target column varbinary, or binary of the right length",
            ));
        }
        (SqlType::VarBinary(Length::Limited(n)), ArrowValue::Binary(bytes))
            if bytes.len() > usize::from(n) =>
        {
            return Err(refuse(
                format!(
                    "the value has {} bytes and {sql_type} holds {n}",
                    bytes.len()
                ),
                LENGTHEN,
            ));
        }
        (
            SqlType::Binary(_) | SqlType::VarBinary(_) | SqlType::RowVersion,
            ArrowValue::Binary(bytes),
        ) => {
            within_two_gigabytes(bytes.len())?;
            Cell::Binary(bytes.into())
        }
        (SqlType::UniqueIdentifier, ArrowValue::Binary(bytes)) => {
            Cell::Uuid(bytes.try_into().map_err(|_| out_of_range())?)
        }
        (SqlType::Date, ArrowValue::Date(days)) => {
            Cell::Date(temporal::to_date(days).ok_or_else(out_of_range)?)
        }
        (SqlType::Time(scale), ArrowValue::Time(microseconds)) => {
            let ticks = microseconds.saturating_mul(TICKS_PER_MICROSECOND);
            if !(0..icehost_plan::value::TICKS_PER_DAY).contains(&ticks) {
                return Err(out_of_range());
            }
            if !temporal::has_scale(ticks, scale) {
                return Err(too_fine());
            }
            Cell::Time(ticks as u64)
        }
        (
            SqlType::DateTime
            | SqlType::SmallDateTime
            | SqlType::DateTime2(_)
            | SqlType::DateTimeOffset(_),
            ArrowValue::Timestamp(microseconds),
        ) => {
            let ticks = microseconds
                .checked_mul(TICKS_PER_MICROSECOND)
                .ok_or_else(out_of_range)?;
            moment(ticks, sql_type).map_err(|too_fine_for_it| {
                if too_fine_for_it {
                    too_fine()
                } else {
                    out_of_range()
                }
            })?
        }
        _ => return Err(wrong_kind(value, sql_type)),
    })
}

/// The moment as a value of the type; the error says whether it is too fine rather than out of range.
fn moment(ticks: i64, sql_type: SqlType) -> Result<Cell<'static>, bool> {
    let (days, time) = temporal::to_datetime2(ticks).ok_or(false)?;
    let second = ticks - ticks.rem_euclid(icehost_plan::value::TICKS_PER_SECOND);
    let minute = ticks - ticks.rem_euclid(60 * icehost_plan::value::TICKS_PER_SECOND);
    match sql_type {
        SqlType::DateTime => match temporal::to_datetime(ticks) {
            Some((days, ticks)) => Ok(Cell::DateTime { days, ticks }),
            None => Err(temporal::to_datetime(second).is_some()),
        },
        SqlType::SmallDateTime => match temporal::to_smalldatetime(ticks) {
            Some((days, minutes)) => Ok(Cell::SmallDateTime { days, minutes }),
            None => Err(temporal::to_smalldatetime(minute).is_some()),
        },
        SqlType::DateTime2(scale) | SqlType::DateTimeOffset(scale)
            if !temporal::has_scale(ticks, scale) =>
        {
            Err(true)
        }
        SqlType::DateTimeOffset(_) => Ok(Cell::DateTimeOffset {
            days,
            ticks: time,
            offset: 0,
        }),
        _ => Ok(Cell::DateTime2 { days, ticks: time }),
    }
}

fn within_two_gigabytes(bytes: usize) -> Result<(), Refusal> {
    if bytes < i32::MAX as usize {
        return Ok(());
    }
    Err(refuse(
        format!("the value has {bytes} bytes, and SQL Server holds less than 2 GiB"),
        "leave the column out",
    ))
}

fn not_a_number(v: f64) -> Refusal {
    refuse(
        format!("SQL Server has no floating-point value {v}"),
        "make such values NULL in the lake",
    )
}

fn wrong_kind(value: ArrowValue<'_>, sql_type: SqlType) -> Refusal {
    refuse(
        format!("{} is not a value of {sql_type}", shown(value, sql_type)),
        "the lake's column has another type than the delta was described with",
    )
}

/// The value as people read it.
fn shown(value: ArrowValue<'_>, sql_type: SqlType) -> String {
    let ticks = |microseconds: i64| microseconds.saturating_mul(TICKS_PER_MICROSECOND);
    let value = match value {
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
