//! One Arrow column under construction: from the wire's values to the lake's.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Decimal128Builder, FixedSizeBinaryBuilder, Float32Builder,
    Float64Builder, Int32Builder, Int64Builder, PrimitiveBuilder, Time64MicrosecondBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::types::ArrowPrimitiveType;
use icehost_plan::{LakeType, SqlType};

use super::variable::{TooLarge, Variable};
use crate::driver::{Block, Field, Kind, wire};
use crate::error::{Result, SqlServerError};
use crate::temporal;

/// 100 ns ticks in a microsecond.
const TICKS_PER_MICROSECOND: i64 = 10;

/// What to do with a 100 ns digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeventhDigit {
    /// Cut it off.
    Cut,
    /// Refuse the value.
    Refuse,
    /// Refuse the value, which is part of a key.
    OfAKey,
}

/// Why a value was not taken.
#[derive(Debug)]
pub(super) struct Refusal {
    /// Its row in the block, from 0.
    pub(super) row: usize,
    pub(super) reason: String,
    pub(super) hint: Option<&'static str>,
}

/// Collects the values of one column.
pub(super) struct ColumnBuilder {
    name: String,
    values: Values,
    digit: SeventhDigit,
    /// Blanks to fill a `char(n)` up to, where the server does not.
    pad_to: usize,
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
    Text(Variable),
    Uuid(FixedSizeBinaryBuilder),
    Binary(Variable),
}

impl Values {
    /// For batches of about so many bytes.
    fn new(lake: LakeType, batch_bytes: usize) -> Values {
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
            LakeType::String => Values::Text(Variable::new(batch_bytes)),
            LakeType::Uuid => Values::Uuid(FixedSizeBinaryBuilder::new(16)),
            LakeType::Fixed(_) | LakeType::Binary => Values::Binary(Variable::new(batch_bytes)),
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
        digit: SeventhDigit,
        unpadded: bool,
        batch_bytes: usize,
    ) -> ColumnBuilder {
        let pad_to = sql_type.blank_padded().filter(|_| unpadded);
        let pad_to = pad_to.map_or(0, usize::from);
        ColumnBuilder {
            name: name.to_owned(),
            values: Values::new(sql_type.lake(), batch_bytes),
            digit,
            pad_to,
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
        let payload = match &self.values {
            Values::Text(values) | Values::Binary(values) => values.len(),
            _ => 0,
        };
        self.rows * self.values.width() + payload
    }

    pub(super) fn was_truncated(&self) -> bool {
        self.truncated
    }

    pub(super) fn lost_offset(&self) -> bool {
        self.offset_lost
    }

    /// Takes a block's values of the column at `position`. After a refusal, the builder is of no more use.
    pub(super) fn append(&mut self, block: &Block<'_>, position: usize) -> Result<(), Refusal> {
        let Some(kind) = block.columns.get(position).map(|column| column.kind) else {
            return Err(malformed(0));
        };
        self.rows += block.rows;
        let (digit, truncated) = (self.digit, &mut self.truncated);
        match (&mut self.values, kind) {
            (Values::Boolean(builder), Kind::Bit) => {
                for (row, bytes) in block.values(position).enumerate() {
                    match bytes {
                        None => builder.append_null(),
                        Some([bit]) => builder.append_value(*bit != 0),
                        Some(_) => return Err(malformed(row)),
                    }
                }
                Ok(())
            }
            (Values::Int(builder), Kind::TinyInt) => {
                fill(builder, block, position, |b| Some((*b.first()?).into()))
            }
            (Values::Int(builder), Kind::SmallInt) => fill(builder, block, position, |b| {
                Some(i16::from_le_bytes(b.try_into().ok()?).into())
            }),
            (Values::Int(builder), Kind::Int) => fill(builder, block, position, |b| {
                Some(i32::from_le_bytes(b.try_into().ok()?))
            }),
            (Values::Long(builder), Kind::BigInt) => fill(builder, block, position, |b| {
                Some(i64::from_le_bytes(b.try_into().ok()?))
            }),
            (Values::Float(builder), Kind::Real) => fill(builder, block, position, |b| {
                Some(f32::from_le_bytes(b.try_into().ok()?))
            }),
            (Values::Double(builder), Kind::Float) => fill(builder, block, position, |b| {
                Some(f64::from_le_bytes(b.try_into().ok()?))
            }),
            (
                Values::Decimal {
                    builder, scale: 4, ..
                },
                Kind::Money,
            ) => fill(builder, block, position, |b| Some(wire::money(b)?.into())),
            (
                Values::Decimal {
                    builder, scale: 4, ..
                },
                Kind::SmallMoney,
            ) => fill(builder, block, position, |b| {
                Some(i32::from_le_bytes(b.try_into().ok()?).into())
            }),
            (Values::Decimal { builder, scale, .. }, Kind::Decimal { scale: own })
                if *scale == own =>
            {
                fill(builder, block, position, wire::decimal)
            }
            (Values::Date(builder), Kind::Date) => fill(builder, block, position, |b| {
                Some(temporal::from_date(wire::date(b)?))
            }),
            (Values::Time(builder), Kind::Time { scale }) => {
                let read = |b: &[u8]| i64::try_from(wire::ticks(b, scale)?).ok();
                fill_moments(builder, block, position, digit, truncated, read)
            }
            (Values::Timestamp(builder), Kind::DateTime) => fill(builder, block, position, |b| {
                let (days, ticks) = wire::datetime(b)?;
                Some(temporal::from_datetime(days, ticks) / TICKS_PER_MICROSECOND)
            }),
            (Values::Timestamp(builder), Kind::SmallDateTime) => {
                fill(builder, block, position, |b| {
                    let (days, minutes) = wire::smalldatetime(b)?;
                    Some(temporal::from_smalldatetime(days, minutes) / TICKS_PER_MICROSECOND)
                })
            }
            (Values::Timestamp(builder), Kind::DateTime2 { scale }) => {
                let read = |b: &[u8]| {
                    let (days, ticks) = wire::moment(b, scale)?;
                    Some(temporal::from_datetime2(days, ticks))
                };
                fill_moments(builder, block, position, digit, truncated, read)
            }
            (Values::TimestampTz(builder), Kind::DateTimeOffset { scale }) => {
                let offset_lost = &mut self.offset_lost;
                let read = |b: &[u8]| {
                    let (days, ticks, offset) = wire::moment_with_offset(b, scale)?;
                    *offset_lost |= offset != 0;
                    Some(temporal::from_datetime2(days, ticks))
                };
                fill_moments(builder, block, position, digit, truncated, read)
            }
            (Values::Uuid(builder), Kind::Uuid) => {
                for (row, bytes) in block.values(position).enumerate() {
                    match bytes {
                        None => builder.append_null(),
                        Some(bytes) => wire::uuid(bytes)
                            .and_then(|bytes| builder.append_value(bytes).ok())
                            .ok_or_else(|| malformed(row))?,
                    }
                }
                Ok(())
            }
            (Values::Text(values), Kind::Utf16) => {
                let text = (wire::Encoding::Utf16, self.pad_to);
                fill_text(values, block, position, text, not_unicode)
            }
            (Values::Text(values), Kind::CodePage { utf8 }) => {
                let text = (wire::Encoding::CodePage { utf8 }, self.pad_to);
                fill_text(values, block, position, text, not_utf8)
            }
            (Values::Binary(values), Kind::Binary) => {
                fill_variable(values, block, position, |field, out| {
                    match field {
                        Field::Null => {}
                        Field::Whole(bytes) => out.extend_from_slice(bytes),
                        Field::Chunks(chunks) => {
                            out.reserve(chunks.bytes());
                            chunks.for_each(|chunk| out.extend_from_slice(chunk));
                        }
                    }
                    Ok(())
                })
            }
            (_, other) => Err(Refusal {
                row: 0,
                reason: format!("the server sent {other:?}, which is not of the column's type"),
                hint: Some("the table was changed while it was read; run again"),
            }),
        }
    }

    /// The values since the last call, as an array.
    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        self.rows = 0;
        let misfit = |error| SqlServerError::protocol(format!("column '{}': {error}", self.name));
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
                Arc::new(array.map_err(misfit)?)
            }
            Values::Date(builder) => Arc::new(builder.finish()),
            Values::Time(builder) => Arc::new(builder.finish()),
            Values::Timestamp(builder) | Values::TimestampTz(builder) => Arc::new(builder.finish()),
            Values::Text(values) => values.finish_text().map_err(misfit)?,
            Values::Uuid(builder) => Arc::new(builder.finish()),
            Values::Binary(values) => values.finish_binary().map_err(misfit)?,
        })
    }
}

/// Values of a fixed size.
#[inline]
fn fill<T: ArrowPrimitiveType>(
    builder: &mut PrimitiveBuilder<T>,
    block: &Block<'_>,
    position: usize,
    read: impl Fn(&[u8]) -> Option<T::Native>,
) -> Result<(), Refusal> {
    for (row, bytes) in block.values(position).enumerate() {
        match bytes {
            None => builder.append_null(),
            Some(bytes) => builder.append_value(read(bytes).ok_or_else(|| malformed(row))?),
        }
    }
    Ok(())
}

/// Moments and times, which `read` gives in ticks of 100 ns.
#[inline]
fn fill_moments<T: ArrowPrimitiveType<Native = i64>>(
    builder: &mut PrimitiveBuilder<T>,
    block: &Block<'_>,
    position: usize,
    digit: SeventhDigit,
    truncated: &mut bool,
    mut read: impl FnMut(&[u8]) -> Option<i64>,
) -> Result<(), Refusal> {
    for (row, bytes) in block.values(position).enumerate() {
        match bytes {
            None => builder.append_null(),
            Some(bytes) => {
                let ticks = read(bytes).ok_or_else(|| malformed(row))?;
                builder.append_value(microseconds(ticks, digit, truncated, row)?);
            }
        }
    }
    Ok(())
}

/// Why a value of varying length was not taken, and what can be done.
type Refused = (String, &'static str);

/// Text in an encoding, each value filled up to so many characters.
#[inline]
fn fill_text(
    values: &mut Variable,
    block: &Block<'_>,
    position: usize,
    (encoding, pad_to): (wire::Encoding, usize),
    refused: fn() -> Refused,
) -> Result<(), Refusal> {
    fill_variable(values, block, position, |field, out| {
        let before = out.len();
        match field {
            Field::Null => Ok(()),
            Field::Whole(bytes) => encoding.append(bytes, out),
            Field::Chunks(chunks) => {
                out.reserve(chunks.bytes() / 2);
                encoding.append_pieces(chunks, out)
            }
        }
        .map_err(|wire::NotUnicode| refused())?;
        pad(out, before, pad_to);
        Ok(())
    })
}

/// Values of varying length, which `append` puts behind those before. Long ones are nowhere else in between.
#[inline]
fn fill_variable(
    values: &mut Variable,
    block: &Block<'_>,
    position: usize,
    append: impl Fn(Field<'_>, &mut Vec<u8>) -> Result<(), Refused>,
) -> Result<(), Refusal> {
    for (row, field) in block.column(position).enumerate() {
        if matches!(field, Field::Null) {
            values.append_null();
            continue;
        }
        let taken = append(field, values.bytes());
        let ended = taken.and_then(|()| {
            values.end_value().map_err(|TooLarge| {
                (
                    "the value makes a batch of more than 2 GiB, which is the most that is carried"
                        .to_owned(),
                    "leave the column out with --exclude-columns",
                )
            })
        });
        ended.map_err(|(reason, hint)| Refusal {
            row,
            reason,
            hint: Some(hint),
        })?;
    }
    Ok(())
}

/// Fills a `char(n)` up with blanks; `before` is where its text begins.
fn pad(out: &mut Vec<u8>, before: usize, pad_to: usize) {
    if pad_to > 0 {
        let text = String::from_utf8_lossy(out.get(before..).unwrap_or_default());
        let blanks = pad_to.saturating_sub(text.encode_utf16().count());
        let length = out.len() + blanks;
        out.resize(length, b' ');
    }
}

fn malformed(row: usize) -> Refusal {
    Refusal {
        row,
        reason: "the server sent bytes that are no value of the column's type".to_owned(),
        hint: None,
    }
}

fn not_unicode() -> Refused {
    (
        "the value is not valid Unicode: half of a surrogate pair stands alone".to_owned(),
        "repair the value, or leave its column out with --exclude-columns",
    )
}

fn not_utf8() -> Refused {
    (
        "the value is not valid UTF-8, as its collation says that it is".to_owned(),
        "repair the value, or leave its column out with --exclude-columns",
    )
}

/// Microseconds of 100 ns ticks.
fn microseconds(
    ticks: i64,
    digit: SeventhDigit,
    truncated: &mut bool,
    row: usize,
) -> Result<i64, Refusal> {
    if ticks % TICKS_PER_MICROSECOND != 0 {
        let hint = match digit {
            SeventhDigit::Cut => None,
            SeventhDigit::Refuse => Some("--time-precision truncate cuts the digit off"),
            SeventhDigit::OfAKey => Some(
                "two keys that differ in it would become one: give the column six digits at the source, as \
                 datetime2(6) has them, or choose another key in a view of the table",
            ),
        };
        match hint {
            None => *truncated = true,
            Some(hint) => {
                return Err(Refusal {
                    row,
                    reason: format!(
                        "the 100 ns digit {} does not fit the lake's microseconds",
                        ticks.rem_euclid(TICKS_PER_MICROSECOND)
                    ),
                    hint: Some(hint),
                });
            }
        }
    }
    Ok(ticks.div_euclid(TICKS_PER_MICROSECOND))
}
