//! One Arrow column under construction: from the wire's values to the lake's.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, FixedSizeBinaryBuilder,
    Float32Builder, Float64Builder, Int32Builder, Int64Builder, StringBuilder,
    Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
};
use icehost_plan::{LakeType, SqlType};

use super::TimePrecision;
use crate::driver::Cell;
use crate::error::{Result, SqlServerError};
use crate::temporal;

/// 100 ns ticks in a microsecond.
const TICKS_PER_MICROSECOND: i64 = 10;
/// What an Arrow array of 32-bit offsets holds.
const MAX_ARRAY_BYTES: usize = i32::MAX as usize;

/// Why a value was not taken.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: String,
    pub(super) hint: Option<&'static str>,
}

/// Collects the values of one column.
pub(super) struct ColumnBuilder {
    name: String,
    values: Values,
    time_precision: TimePrecision,
    /// Blanks to fill a `char(n)` up to, where the server does not.
    pad_to: usize,
    payload: usize,
    rows: usize,
    truncated: bool,
    offset_lost: bool,
}

/// A builder for each lake type that SQL Server's types map to.
enum Values {
    Boolean(BooleanBuilder),
    Int(Int32Builder),
    Long(Int64Builder),
    Float(Float32Builder),
    Double(Float64Builder),
    Decimal {
        builder: Decimal128Builder,
        precision: u8,
        scale: u8,
    },
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    TimestampTz(TimestampMicrosecondBuilder),
    Text(StringBuilder),
    Uuid(FixedSizeBinaryBuilder),
    Binary(BinaryBuilder),
}

impl Values {
    fn new(lake: LakeType) -> Values {
        match lake {
            LakeType::Boolean => Values::Boolean(BooleanBuilder::new()),
            LakeType::Int => Values::Int(Int32Builder::new()),
            LakeType::Long => Values::Long(Int64Builder::new()),
            LakeType::Float => Values::Float(Float32Builder::new()),
            LakeType::Double => Values::Double(Float64Builder::new()),
            LakeType::Decimal { precision, scale } => Values::Decimal {
                builder: Decimal128Builder::new().with_data_type(lake.arrow()),
                precision,
                scale,
            },
            LakeType::Date => Values::Date(Date32Builder::new()),
            LakeType::Time => Values::Time(Time64MicrosecondBuilder::new()),
            LakeType::Timestamp => Values::Timestamp(TimestampMicrosecondBuilder::new()),
            LakeType::TimestampTz => {
                Values::TimestampTz(TimestampMicrosecondBuilder::new().with_data_type(lake.arrow()))
            }
            LakeType::String => Values::Text(StringBuilder::new()),
            LakeType::Uuid => Values::Uuid(FixedSizeBinaryBuilder::new(16)),
            LakeType::Fixed(_) | LakeType::Binary => Values::Binary(BinaryBuilder::new()),
        }
    }

    /// Bytes of a value beside its payload, with its share of offsets and validity.
    fn width(&self) -> usize {
        match self {
            Values::Boolean(_) => 1,
            Values::Int(_) | Values::Float(_) | Values::Date(_) => 4,
            Values::Long(_)
            | Values::Double(_)
            | Values::Time(_)
            | Values::Timestamp(_)
            | Values::TimestampTz(_) => 8,
            Values::Decimal { .. } | Values::Uuid(_) => 16,
            Values::Text(_) | Values::Binary(_) => 4,
        }
    }
}

impl ColumnBuilder {
    pub(super) fn new(
        name: &str,
        sql_type: SqlType,
        time_precision: TimePrecision,
        unpadded: bool,
    ) -> ColumnBuilder {
        let pad_to = match sql_type {
            SqlType::Char(n) | SqlType::NChar(n) if unpadded => n.into(),
            _ => 0,
        };
        ColumnBuilder {
            name: name.to_owned(),
            values: Values::new(sql_type.lake()),
            time_precision,
            pad_to,
            payload: 0,
            rows: 0,
            truncated: false,
            offset_lost: false,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Rows since the last [`ColumnBuilder::finish`].
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// Bytes of the values since then.
    pub(super) fn bytes(&self) -> usize {
        self.rows * self.values.width() + self.payload
    }

    pub(super) fn was_truncated(&self) -> bool {
        self.truncated
    }

    pub(super) fn lost_offset(&self) -> bool {
        self.offset_lost
    }

    pub(super) fn push(&mut self, cell: &Cell<'static>) -> Result<(), Refusal> {
        self.rows += 1;
        match (&mut self.values, cell) {
            (values, Cell::Null) => values.append_null(),
            (Values::Boolean(builder), Cell::Bit(v)) => builder.append_value(*v),
            (Values::Int(builder), Cell::TinyInt(v)) => builder.append_value((*v).into()),
            (Values::Int(builder), Cell::SmallInt(v)) => builder.append_value((*v).into()),
            (Values::Int(builder), Cell::Int(v)) => builder.append_value(*v),
            (Values::Long(builder), Cell::BigInt(v)) => builder.append_value(*v),
            (Values::Float(builder), Cell::Real(v)) => builder.append_value(*v),
            (Values::Double(builder), Cell::Float(v)) => builder.append_value(*v),
            (
                Values::Decimal { builder, scale, .. },
                Cell::Decimal {
                    unscaled,
                    scale: own,
                },
            ) if scale == own => builder.append_value(*unscaled),
            (Values::Text(builder), Cell::Text(text)) => {
                self.payload += fitting(text.len())?;
                let blanks = match self.pad_to {
                    0 => 0,
                    length => length.saturating_sub(text.encode_utf16().count()),
                };
                match blanks {
                    0 => builder.append_value(text),
                    blanks => builder.append_value(format!("{text}{:blanks$}", "")),
                }
                self.payload += blanks;
            }
            (Values::Binary(builder), Cell::Binary(bytes)) => {
                self.payload += fitting(bytes.len())?;
                builder.append_value(bytes);
            }
            (Values::Uuid(builder), Cell::Uuid(bytes)) => {
                if let Err(error) = builder.append_value(bytes) {
                    return Err(Refusal {
                        reason: error.to_string(),
                        hint: None,
                    });
                }
            }
            (Values::Date(builder), Cell::Date(days)) => {
                builder.append_value(temporal::from_date(*days));
            }
            (Values::Time(builder), Cell::Time(ticks)) => {
                let ticks = *ticks as i64;
                builder.append_value(microseconds(
                    ticks,
                    self.time_precision,
                    &mut self.truncated,
                )?);
            }
            (Values::Timestamp(builder), Cell::DateTime { days, ticks }) => {
                builder.append_value(temporal::from_datetime(*days, *ticks) / TICKS_PER_MICROSECOND)
            }
            (Values::Timestamp(builder), Cell::SmallDateTime { days, minutes }) => builder
                .append_value(
                    temporal::from_smalldatetime(*days, *minutes) / TICKS_PER_MICROSECOND,
                ),
            (Values::Timestamp(builder), Cell::DateTime2 { days, ticks }) => {
                let ticks = temporal::from_datetime2(*days, *ticks);
                builder.append_value(microseconds(
                    ticks,
                    self.time_precision,
                    &mut self.truncated,
                )?);
            }
            (
                Values::TimestampTz(builder),
                Cell::DateTimeOffset {
                    days,
                    ticks,
                    offset,
                },
            ) => {
                let ticks = temporal::from_datetime2(*days, *ticks);
                builder.append_value(microseconds(
                    ticks,
                    self.time_precision,
                    &mut self.truncated,
                )?);
                self.offset_lost |= *offset != 0;
            }
            (_, other) => {
                return Err(Refusal {
                    reason: format!("the server sent {other:?}, which is not of the column's type"),
                    hint: Some("the table was changed while it was read; run again"),
                });
            }
        }
        Ok(())
    }

    /// The values since the last call, as an array.
    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        self.rows = 0;
        self.payload = 0;
        Ok(match &mut self.values {
            Values::Boolean(builder) => Arc::new(builder.finish()),
            Values::Int(builder) => Arc::new(builder.finish()),
            Values::Long(builder) => Arc::new(builder.finish()),
            Values::Float(builder) => Arc::new(builder.finish()),
            Values::Double(builder) => Arc::new(builder.finish()),
            Values::Decimal {
                builder,
                precision,
                scale,
            } => {
                let array = builder
                    .finish()
                    .with_precision_and_scale(*precision, *scale as i8);
                Arc::new(array.map_err(|error| {
                    SqlServerError::protocol(format!("column '{}': {error}", self.name))
                })?)
            }
            Values::Date(builder) => Arc::new(builder.finish()),
            Values::Time(builder) => Arc::new(builder.finish()),
            Values::Timestamp(builder) | Values::TimestampTz(builder) => Arc::new(builder.finish()),
            Values::Text(builder) => Arc::new(builder.finish()),
            Values::Uuid(builder) => Arc::new(builder.finish()),
            Values::Binary(builder) => Arc::new(builder.finish()),
        })
    }
}

impl Values {
    fn append_null(&mut self) {
        match self {
            Values::Boolean(builder) => builder.append_null(),
            Values::Int(builder) => builder.append_null(),
            Values::Long(builder) => builder.append_null(),
            Values::Float(builder) => builder.append_null(),
            Values::Double(builder) => builder.append_null(),
            Values::Decimal { builder, .. } => builder.append_null(),
            Values::Date(builder) => builder.append_null(),
            Values::Time(builder) => builder.append_null(),
            Values::Timestamp(builder) | Values::TimestampTz(builder) => builder.append_null(),
            Values::Text(builder) => builder.append_null(),
            Values::Uuid(builder) => builder.append_null(),
            Values::Binary(builder) => builder.append_null(),
        }
    }
}

/// The length of a text or binary value, if an array can hold it at all.
fn fitting(bytes: usize) -> Result<usize, Refusal> {
    if bytes < MAX_ARRAY_BYTES {
        return Ok(bytes);
    }
    Err(Refusal {
        reason: format!("the value has {bytes} bytes, and 2 GiB is the most that is carried"),
        hint: Some("leave the column out with --exclude-columns"),
    })
}

/// Microseconds of 100 ns ticks.
fn microseconds(
    ticks: i64,
    precision: TimePrecision,
    truncated: &mut bool,
) -> Result<i64, Refusal> {
    if ticks % TICKS_PER_MICROSECOND != 0 {
        match precision {
            TimePrecision::Truncate => *truncated = true,
            TimePrecision::Error => {
                return Err(Refusal {
                    reason: format!(
                        "the 100 ns digit {} does not fit the lake's microseconds",
                        ticks.rem_euclid(TICKS_PER_MICROSECOND)
                    ),
                    hint: Some("--time-precision truncate cuts the digit off"),
                });
            }
        }
    }
    Ok(ticks.div_euclid(TICKS_PER_MICROSECOND))
}
