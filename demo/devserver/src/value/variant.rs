//! `sql_variant` values (MS-TDS 2.2.5.5.4): each carries its own type.

use icehost_devengine::types::Datum;

use super::collation::{self, Collation, encode_1252};
use super::encode::{
    mixed_endian, write_days, write_decimal, write_scalar, write_ticks, write_utf16,
};
use super::scalar::Scalar;
use super::type_info::decimal_size;
use super::type_token as token;
use crate::input::{Input, utf16};
use crate::protocol_error::ProtocolError;
use crate::value::decode;

/// Appends total length, base type, its properties and the value; false, and nothing appended, for a value
/// that no variant can hold.
pub(crate) fn write(value: &Datum, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let written = write_body(value, out);
    let size = out.len() - start - 4;
    match (written, u32::try_from(size), out.get_mut(start..start + 4)) {
        (true, Ok(size), Some(place)) => {
            place.copy_from_slice(&size.to_le_bytes());
            true
        }
        _ => {
            out.truncate(start);
            false
        }
    }
}

fn write_body(value: &Datum, out: &mut Vec<u8>) -> bool {
    let scalar = |token: u8, scalar, out: &mut Vec<u8>| {
        out.extend_from_slice(&[token, 0]);
        write_scalar(scalar, value, None, out)
    };
    match value {
        Datum::Null => return false,
        Datum::Bit(_) => return scalar(token::BIT, Scalar::Bit, out),
        Datum::TinyInt(_) => return scalar(token::INT1, Scalar::TinyInt, out),
        Datum::SmallInt(_) => return scalar(token::INT2, Scalar::SmallInt, out),
        Datum::Int(_) => return scalar(token::INT4, Scalar::Int, out),
        Datum::BigInt(_) => return scalar(token::INT8, Scalar::BigInt, out),
        Datum::Real(_) => return scalar(token::FLT4, Scalar::Real, out),
        Datum::Float(_) => return scalar(token::FLT8, Scalar::Float, out),
        Datum::Money(_) => return scalar(token::MONEY, Scalar::Money, out),
        Datum::SmallMoney(_) => return scalar(token::MONEY4, Scalar::SmallMoney, out),
        Datum::DateTime { .. } => return scalar(token::DATETIME, Scalar::DateTime, out),
        Datum::SmallDateTime { .. } => return scalar(token::DATETIME4, Scalar::SmallDateTime, out),
        Datum::Decimal {
            unscaled,
            precision,
            scale,
        } => {
            out.extend_from_slice(&[token::NUMERICN, 2, *precision, *scale]);
            return write_decimal(*unscaled, decimal_size(*precision), out);
        }
        Datum::Text { value, national } => {
            out.extend_from_slice(&[
                if *national {
                    token::NVARCHAR
                } else {
                    token::BIGVARCHAR
                },
                7,
            ]);
            out.extend_from_slice(&collation::DEFAULT.0);
            out.extend_from_slice(&8000u16.to_le_bytes());
            let start = out.len();
            if *national {
                write_utf16(value, out);
            } else {
                encode_1252(value, out);
            }
            return out.len() - start <= 8000;
        }
        Datum::Binary(bytes) => {
            out.extend_from_slice(&[token::BIGVARBINARY, 2]);
            out.extend_from_slice(&8000u16.to_le_bytes());
            out.extend_from_slice(bytes);
            return bytes.len() <= 8000;
        }
        Datum::Date(days) => {
            out.extend_from_slice(&[token::DATEN, 0]);
            write_days(*days, out);
        }
        Datum::Time { ticks, scale } => {
            out.extend_from_slice(&[token::TIMEN, 1, *scale]);
            write_ticks(*ticks, *scale, out);
        }
        Datum::DateTime2 { days, ticks, scale } => {
            out.extend_from_slice(&[token::DATETIME2N, 1, *scale]);
            write_ticks(*ticks, *scale, out);
            write_days(*days, out);
        }
        Datum::DateTimeOffset {
            days,
            ticks,
            offset,
            scale,
        } => {
            out.extend_from_slice(&[token::DATETIMEOFFSETN, 1, *scale]);
            write_ticks(*ticks, *scale, out);
            write_days(*days, out);
            out.extend_from_slice(&offset.to_le_bytes());
        }
        Datum::Guid(bytes) => {
            out.extend_from_slice(&[token::GUID, 0]);
            out.extend_from_slice(&mixed_endian(*bytes));
        }
    }
    true
}

/// Reads a variant.
///
/// # Errors
/// Lengths that contradict each other and base types that a variant cannot have.
pub(crate) fn read(input: &mut Input) -> Result<Datum, ProtocolError> {
    const READING: &str = "a sql_variant";
    let total = input.u32(READING)? as usize;
    if total == 0 {
        return Ok(Datum::Null);
    }
    // The largest variant: 8000 bytes of text or binary and at most nine of type.
    if total > 8016 {
        return Err(ProtocolError::TooLong {
            what: READING,
            limit: 8016,
        });
    }
    let mut body = Input::complete(input.take(total, READING)?);
    let [base, properties] = body.array(READING)?;
    let mut properties = Input::complete(body.take(properties.into(), READING)?);
    let value = body.rest();
    match base {
        token::BIGCHAR | token::BIGVARCHAR => {
            let collation = Collation(properties.array(READING)?);
            Ok(Datum::Text {
                value: collation.decode(value)?.into(),
                national: false,
            })
        }
        token::NCHAR | token::NVARCHAR => Ok(Datum::Text {
            value: utf16(value, READING)?.into(),
            national: true,
        }),
        token::BIGBINARY | token::BIGVARBINARY => Ok(Datum::Binary(value.into())),
        token::DECIMALN | token::NUMERICN => {
            let [precision, scale] = properties.array(READING)?;
            decode::decimal(value, precision, scale)
        }
        token::GUID => decode::guid(value),
        token::DATEN => decode::date(value),
        token::TIMEN => decode::time(value, scale(&mut properties)?),
        token::DATETIME2N => decode::datetime2(value, scale(&mut properties)?),
        token::DATETIMEOFFSETN => decode::datetimeoffset(value, scale(&mut properties)?),
        _ => decode::fixed(base, value),
    }
}

fn scale(properties: &mut Input) -> Result<u8, ProtocolError> {
    match properties.u8("a sql_variant")? {
        scale @ 0..=7 => Ok(scale),
        scale => Err(ProtocolError::invalid(format!(
            "a time cannot have {scale} fractional digits"
        ))),
    }
}
