//! Bytes into values.

use std::sync::Arc;

use icehost_devengine::types::Datum;

use super::encode::mixed_endian;
use super::scalar::Scalar;
use super::type_info::{Length, TypeInfo, time_size};
use super::type_token as token;
use super::variant;
use crate::input::{Input, utf16};
use crate::protocol_error::ProtocolError;

/// The longest `(max)` value taken, in bytes.
pub(crate) const MAX_VALUE: usize = 256 << 20;
/// How much of a value is asked for at a time, so that memory follows what arrives and not what is claimed.
const STEP: usize = 32 << 10;

const TICKS_PER_DAY: u64 = 864_000_000_000;
/// Days from 0001-01-01 to 9999-12-31.
const LAST_DAY: i32 = 3_652_058;

/// Reads a value as ROW and RPC carry it.
///
/// # Errors
/// Lengths and contents that the type cannot have.
pub(crate) fn read_value(info: &TypeInfo, input: &mut Input) -> Result<Datum, ProtocolError> {
    match *info {
        TypeInfo::Null => Ok(Datum::Null),
        TypeInfo::Fixed(kind) => scalar(kind, input.take(kind.size().into(), "a value")?),
        TypeInfo::Nullable(kind) => match input.u8("the length of a value")? {
            0 => Ok(Datum::Null),
            length => scalar(kind, input.take(length.into(), "a value")?),
        },
        TypeInfo::Variant => variant::read(input),
        TypeInfo::Text {
            national,
            length,
            collation,
            ..
        } => {
            let decode = |bytes: &[u8]| -> Result<Datum, ProtocolError> {
                let text = if national {
                    utf16(bytes, "an nvarchar value")?
                } else {
                    collation.decode(bytes)?
                };
                Ok(Datum::Text {
                    value: text.into(),
                    national,
                })
            };
            read_lengthy(length, input, decode)
        }
        TypeInfo::Binary { length, .. } => {
            read_lengthy(length, input, |bytes| Ok(Datum::Binary(Arc::from(bytes))))
        }
        _ => {
            let length = input.u8("the length of a value")?;
            if length == 0 {
                return Ok(Datum::Null);
            }
            let bytes = input.take(length.into(), "a value")?;
            match *info {
                TypeInfo::Decimal {
                    precision, scale, ..
                } => decimal(bytes, precision, scale),
                TypeInfo::Guid => guid(bytes),
                TypeInfo::Date => date(bytes),
                TypeInfo::Time(scale) => time(bytes, scale),
                TypeInfo::DateTime2(scale) => datetime2(bytes, scale),
                TypeInfo::DateTimeOffset(scale) => datetimeoffset(bytes, scale),
                _ => Err(ProtocolError::invalid(format!(
                    "{info:?} has no such value"
                ))),
            }
        }
    }
}

fn read_lengthy(
    length: Length,
    input: &mut Input,
    decode: impl Fn(&[u8]) -> Result<Datum, ProtocolError>,
) -> Result<Datum, ProtocolError> {
    const READING: &str = "a value";
    match length {
        Length::Byte(_) => match input.u8(READING)? {
            0 => Ok(Datum::Null),
            size => decode(input.take(size.into(), READING)?),
        },
        Length::Short(_) => match input.u16(READING)? {
            u16::MAX => Ok(Datum::Null),
            size => decode(input.take(size.into(), READING)?),
        },
        Length::Partial => match read_partial(input)? {
            None => Ok(Datum::Null),
            Some(bytes) => decode(&bytes),
        },
        Length::Pointer => match input.u32(READING)? {
            u32::MAX => Ok(Datum::Null),
            size => {
                let mut bytes = Vec::new();
                read_into(input, size, &mut bytes)?;
                decode(&bytes)
            }
        },
    }
}

/// A partially length-prefixed value (MS-TDS 2.2.5.2.3); `None` is NULL.
fn read_partial(input: &mut Input) -> Result<Option<Vec<u8>>, ProtocolError> {
    const NULL: u64 = u64::MAX;
    const UNKNOWN: u64 = u64::MAX - 1;
    let total = input.u64("the length of a (max) value")?;
    if total == NULL {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    loop {
        match input.u32("the length of a chunk")? {
            0 => break,
            size => read_into(input, size, &mut bytes)?,
        }
    }
    if total != UNKNOWN && total != bytes.len() as u64 {
        return Err(ProtocolError::invalid(format!(
            "a (max) value of {total} bytes arrived as {}",
            bytes.len()
        )));
    }
    Ok(Some(bytes))
}

fn read_into(input: &mut Input, size: u32, bytes: &mut Vec<u8>) -> Result<(), ProtocolError> {
    let mut left = size as usize;
    if bytes.len().saturating_add(left) > MAX_VALUE {
        return Err(ProtocolError::TooLong {
            what: "a (max) value",
            limit: MAX_VALUE,
        });
    }
    while left > 0 {
        let step = left.min(STEP);
        bytes.extend_from_slice(input.take(step, "a value")?);
        left -= step;
    }
    Ok(())
}

fn exactly<const N: usize>(bytes: &[u8], what: &'static str) -> Result<[u8; N], ProtocolError> {
    bytes
        .try_into()
        .map_err(|_| ProtocolError::invalid(format!("{what} cannot be {} bytes long", bytes.len())))
}

fn scalar(kind: Scalar, bytes: &[u8]) -> Result<Datum, ProtocolError> {
    Ok(match kind {
        Scalar::Bit => {
            let [byte] = exactly(bytes, "a bit")?;
            Datum::Bit(byte != 0)
        }
        Scalar::TinyInt => {
            let [byte] = exactly(bytes, "a tinyint")?;
            Datum::TinyInt(byte)
        }
        Scalar::SmallInt => Datum::SmallInt(i16::from_le_bytes(exactly(bytes, "a smallint")?)),
        Scalar::Int => Datum::Int(i32::from_le_bytes(exactly(bytes, "an int")?)),
        Scalar::BigInt => Datum::BigInt(i64::from_le_bytes(exactly(bytes, "a bigint")?)),
        Scalar::Real => Datum::Real(finite(f32::from_le_bytes(exactly(bytes, "a real")?))?),
        Scalar::Float => Datum::Float(finite(f64::from_le_bytes(exactly(bytes, "a float")?))?),
        Scalar::SmallMoney => {
            Datum::SmallMoney(i32::from_le_bytes(exactly(bytes, "a smallmoney")?))
        }
        Scalar::Money => {
            Datum::Money(i64::from_le_bytes(exactly(bytes, "a money")?).rotate_right(32))
        }
        Scalar::DateTime => {
            let [a, b, c, d, ticks @ ..] = exactly::<8>(bytes, "a datetime")?;
            let days = i32::from_le_bytes([a, b, c, d]);
            let ticks = u32::from_le_bytes(ticks);
            if !(-53_690..=2_958_463).contains(&days) || ticks >= 86_400 * 300 {
                return Err(ProtocolError::invalid(format!(
                    "day {days} and tick {ticks} are not a datetime"
                )));
            }
            Datum::DateTime { days, ticks }
        }
        Scalar::SmallDateTime => {
            let [a, b, c, d] = exactly(bytes, "a smalldatetime")?;
            let minutes = u16::from_le_bytes([c, d]);
            if minutes >= 24 * 60 {
                return Err(ProtocolError::invalid(format!(
                    "minute {minutes} is not one of a day"
                )));
            }
            Datum::SmallDateTime {
                days: u16::from_le_bytes([a, b]),
                minutes,
            }
        }
    })
}

/// A floating-point number that SQL Server could store.
fn finite<F: Into<f64> + Copy>(value: F) -> Result<F, ProtocolError> {
    if value.into().is_finite() {
        Ok(value)
    } else {
        Err(ProtocolError::invalid(
            "a floating-point value is infinite or not a number, which SQL Server cannot store",
        ))
    }
}

/// A value of the type that the token of a fixed-length type names.
pub(crate) fn fixed(kind: u8, bytes: &[u8]) -> Result<Datum, ProtocolError> {
    let kind = match kind {
        token::BIT => Scalar::Bit,
        token::INT1 => Scalar::TinyInt,
        token::INT2 => Scalar::SmallInt,
        token::INT4 => Scalar::Int,
        token::INT8 => Scalar::BigInt,
        token::FLT4 => Scalar::Real,
        token::FLT8 => Scalar::Float,
        token::MONEY => Scalar::Money,
        token::MONEY4 => Scalar::SmallMoney,
        token::DATETIME => Scalar::DateTime,
        token::DATETIME4 => Scalar::SmallDateTime,
        _ => {
            return Err(ProtocolError::invalid(format!(
                "a sql_variant cannot hold type 0x{kind:02X}"
            )));
        }
    };
    scalar(kind, bytes)
}

/// Sign and magnitude.
pub(crate) fn decimal(bytes: &[u8], precision: u8, scale: u8) -> Result<Datum, ProtocolError> {
    let (sign, magnitude) = match bytes {
        [sign, magnitude @ ..] if magnitude.len() <= 16 => (*sign, magnitude),
        _ => {
            return Err(ProtocolError::invalid(format!(
                "a decimal cannot be {} bytes long",
                bytes.len()
            )));
        }
    };
    let mut wide = [0; 16];
    for (place, byte) in wide.iter_mut().zip(magnitude) {
        *place = *byte;
    }
    let magnitude = u128::from_le_bytes(wide);
    let limit = 10u128.checked_pow(precision.into());
    match (i128::try_from(magnitude), limit) {
        (Ok(unscaled), Some(limit)) if magnitude < limit => Ok(Datum::Decimal {
            unscaled: if sign == 0 { -unscaled } else { unscaled },
            precision,
            scale,
        }),
        _ => Err(ProtocolError::invalid(format!(
            "a decimal({precision}, {scale}) has more than {precision} digits"
        ))),
    }
}

pub(crate) fn guid(bytes: &[u8]) -> Result<Datum, ProtocolError> {
    Ok(Datum::Guid(mixed_endian(exactly(
        bytes,
        "a uniqueidentifier",
    )?)))
}

pub(crate) fn date(bytes: &[u8]) -> Result<Datum, ProtocolError> {
    days(bytes).map(Datum::Date)
}

fn days(bytes: &[u8]) -> Result<i32, ProtocolError> {
    let [a, b, c] = exactly(bytes, "a date")?;
    match i32::from_le_bytes([a, b, c, 0]) {
        days @ 0..=LAST_DAY => Ok(days),
        days => Err(ProtocolError::invalid(format!(
            "day {days} lies after the year 9999"
        ))),
    }
}

pub(crate) fn time(bytes: &[u8], scale: u8) -> Result<Datum, ProtocolError> {
    Ok(Datum::Time {
        ticks: ticks(bytes, scale)?,
        scale,
    })
}

fn ticks(bytes: &[u8], scale: u8) -> Result<u64, ProtocolError> {
    if bytes.len() != usize::from(time_size(scale)) {
        return Err(ProtocolError::invalid(format!(
            "a time({scale}) cannot be {} bytes long",
            bytes.len()
        )));
    }
    let units = bytes
        .iter()
        .rev()
        .fold(0u64, |units, &byte| (units << 8) | u64::from(byte));
    match units * 10u64.pow(u32::from(7u8.saturating_sub(scale))) {
        ticks @ 0..TICKS_PER_DAY => Ok(ticks),
        ticks => Err(ProtocolError::invalid(format!(
            "tick {ticks} lies after the end of the day"
        ))),
    }
}

fn split_time(bytes: &[u8], scale: u8) -> Result<(&[u8], &[u8]), ProtocolError> {
    bytes
        .split_at_checked(time_size(scale).into())
        .ok_or_else(|| {
            ProtocolError::invalid(format!(
                "a time with scale {scale} cannot be {} bytes long",
                bytes.len()
            ))
        })
}

pub(crate) fn datetime2(bytes: &[u8], scale: u8) -> Result<Datum, ProtocolError> {
    let (time, date) = split_time(bytes, scale)?;
    Ok(Datum::DateTime2 {
        days: days(date)?,
        ticks: ticks(time, scale)?,
        scale,
    })
}

pub(crate) fn datetimeoffset(bytes: &[u8], scale: u8) -> Result<Datum, ProtocolError> {
    let (time, rest) = split_time(bytes, scale)?;
    let [a, b, c, offset @ ..] = exactly::<5>(rest, "a datetimeoffset after its time")?;
    let offset = i16::from_le_bytes(offset);
    if offset.unsigned_abs() > 14 * 60 {
        return Err(ProtocolError::invalid(format!(
            "an offset of {offset} minutes is more than 14 hours"
        )));
    }
    Ok(Datum::DateTimeOffset {
        days: days(&[a, b, c])?,
        ticks: ticks(time, scale)?,
        offset,
        scale,
    })
}
