//! Conversion of values between types: CAST, CONVERT, and the conversions that assignment does.

mod number;
pub(crate) mod temporal;
mod text;

use std::sync::Arc;

use crate::error::{SqlResult, no_explicit_conversion, type_clash, unsupported_type};
use crate::session::SqlError;
use crate::type_rules::type_of;
use crate::types::{Datum, SqlType};

pub(crate) use text::to_text;

/// Whether text and binary that is too long is cut (CAST) or refused (assignment to a column).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    Cut,
    Refuse,
}

/// Whether a conversion from type to type exists, and whether it may go unsaid
/// (T-SQL reference, "CAST and CONVERT", conversion matrix).
pub(crate) fn check(from: &SqlType, to: &SqlType, explicit: bool) -> SqlResult<()> {
    use SqlType::{RowVersion, SqlVariant, UniqueIdentifier, Xml};
    let exists = match (from, to) {
        (SqlVariant, Xml) | (Xml, SqlVariant) => false,
        (SqlVariant, _) | (_, SqlVariant) => true,
        (Xml, _) => to.is_text() || to.is_binary() || *to == Xml,
        (_, Xml) => from.is_text() || from.is_binary(),
        _ if from.is_text() => true,
        _ if to.is_text() => true,
        (UniqueIdentifier, _) => *to == UniqueIdentifier || to.is_binary() && *to != RowVersion,
        (_, UniqueIdentifier) => from.is_binary() && *from != RowVersion,
        _ if from.is_binary() => {
            to.is_binary()
                || to.is_exact_number()
                || to.is_old_temporal()
                || !matches!(from, RowVersion) && to.is_temporal()
        }
        _ if to.is_binary() => {
            *to != RowVersion || from.is_exact_number() || from.is_old_temporal()
        }
        _ if from.is_number() => to.is_number() || to.is_old_temporal(),
        _ if to.is_number() => from.is_old_temporal(),
        (SqlType::Date, SqlType::Time { .. }) | (SqlType::Time { .. }, SqlType::Date) => false,
        _ => true,
    };
    if !exists {
        return Err(if explicit {
            no_explicit_conversion(from.name(), to.name())
        } else {
            type_clash(from.name(), to.name())
        });
    }
    let needs_saying = match (from, to) {
        (SqlVariant, to) => *to != SqlVariant,
        _ if from.is_text() => to.is_binary(),
        _ if to.is_text() => from.is_binary() && *from == RowVersion,
        _ if from.is_temporal() => to.is_binary() || to.is_number(),
        _ if from.is_binary() => to.is_temporal() && !to.is_old_temporal(),
        _ => matches!(from, SqlType::Float | SqlType::Real) && to.is_binary(),
    };
    if needs_saying && !explicit {
        return Err(SqlError::new(
            257,
            16,
            3,
            format!(
                "Implicit conversion from data type {} to {} is not allowed. Use the CONVERT function to run this query.",
                from.name(),
                to.name()
            ),
        ));
    }
    Ok(())
}

/// Converts a value. `style` is CONVERT's third argument, 0 by default.
///
/// # Errors
/// 220, 241, 242, 244, 245, 248, 8114, 8115 and their kin, as SQL Server raises them;
/// 8152 where text is too long and `excess` refuses it (the caller, who knows the column, makes it 2628).
pub(crate) fn convert(
    value: &Datum,
    target: &SqlType,
    style: i32,
    excess: Excess,
) -> SqlResult<Datum> {
    match (value, target) {
        (Datum::Null, _) => Ok(Datum::Null),
        (Datum::Int(_), SqlType::Int)
        | (Datum::BigInt(_), SqlType::BigInt)
        | (Datum::Bit(_), SqlType::Bit)
        | (Datum::TinyInt(_), SqlType::TinyInt)
        | (Datum::SmallInt(_), SqlType::SmallInt)
        | (Datum::Money(_), SqlType::Money)
        | (Datum::SmallMoney(_), SqlType::SmallMoney)
        | (Datum::Real(_), SqlType::Real)
        | (Datum::Float(_), SqlType::Float)
        | (Datum::Date(_), SqlType::Date)
        | (Datum::DateTime { .. }, SqlType::DateTime)
        | (Datum::SmallDateTime { .. }, SqlType::SmallDateTime)
        | (Datum::Guid(_), SqlType::UniqueIdentifier)
        | (_, SqlType::SqlVariant) => Ok(value.clone()),
        _ if target.is_text() => text::to_text_type(value, target, style, excess),
        _ if target.is_binary() => to_binary(value, target, style, excess),
        _ if target.is_number() => number::to_number(value, target),
        _ if target.is_temporal() => temporal::to_temporal(value, target, style),
        (_, SqlType::UniqueIdentifier) => to_guid(value),
        (_, SqlType::Xml) => Err(unsupported_type("xml")),
        _ => Err(no_explicit_conversion(type_of(value).name(), target.name())),
    }
}

fn to_guid(value: &Datum) -> SqlResult<Datum> {
    match value {
        Datum::Text { value, .. } => text::parse_guid(value).map(Datum::Guid).ok_or_else(|| {
            SqlError::new(
                8169,
                16,
                2,
                "Conversion failed when converting from a character string to uniqueidentifier.",
            )
        }),
        Datum::Binary(bytes) => {
            let mut stored = [0u8; 16];
            for (slot, byte) in stored.iter_mut().zip(bytes.iter()) {
                *slot = *byte;
            }
            Ok(Datum::Guid(mixed_endian(stored)))
        }
        other => Err(no_explicit_conversion(
            type_of(other).name(),
            "uniqueidentifier",
        )),
    }
}

/// Textual byte order to stored byte order and back: the first three groups are little-endian as stored.
pub(crate) fn mixed_endian(bytes: [u8; 16]) -> [u8; 16] {
    let mut swapped = bytes;
    swapped[0..4].reverse();
    swapped[4..6].reverse();
    swapped[6..8].reverse();
    swapped
}

fn to_binary(value: &Datum, target: &SqlType, style: i32, excess: Excess) -> SqlResult<Datum> {
    let mut from_number = false;
    let mut bytes: Vec<u8> = match value {
        Datum::Binary(bytes) => bytes.to_vec(),
        Datum::Guid(bytes) => mixed_endian(*bytes).to_vec(),
        Datum::Text { value, national } => match style {
            1 | 2 => text::parse_hexadecimal(value, style == 1)?,
            _ if *national => value.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            _ => value
                .chars()
                .map(|c| crate::collation::code_of(c).unwrap_or(b'?'))
                .collect(),
        },
        _ => {
            from_number = true;
            let bytes = number_bytes(value)?;
            // How these are cut or filled up is not documented.
            let cut = target.length().is_some_and(|length| {
                let length = usize::from(length);
                bytes.len() > length
                    || bytes.len() < length && matches!(target, SqlType::Binary { .. })
            });
            if cut
                && matches!(
                    value,
                    Datum::Time { .. }
                        | Datum::DateTime2 { .. }
                        | Datum::DateTimeOffset { .. }
                        | Datum::Decimal { .. }
                )
            {
                return Err(unsupported_type(&format!(
                    "{} to a binary of another length",
                    type_of(value).name()
                )));
            }
            bytes
        }
    };
    if let Some(length) = target.length() {
        let length = usize::from(length);
        let fixed = matches!(target, SqlType::Binary { .. } | SqlType::RowVersion);
        if bytes.len() > length {
            if from_number {
                // Numbers keep their low bytes.
                bytes.drain(..bytes.len() - length);
            } else if excess == Excess::Refuse {
                return Err(truncation());
            } else {
                bytes.truncate(length);
            }
        } else if fixed && from_number {
            let mut padded = vec![0; length - bytes.len()];
            padded.append(&mut bytes);
            bytes = padded;
        } else if fixed {
            bytes.resize(length, 0);
        }
    }
    Ok(Datum::Binary(Arc::from(bytes)))
}

fn number_bytes(value: &Datum) -> SqlResult<Vec<u8>> {
    Ok(match value {
        Datum::Bit(v) => vec![u8::from(*v)],
        Datum::TinyInt(v) => vec![*v],
        Datum::SmallInt(v) => v.to_be_bytes().to_vec(),
        Datum::Int(v) => v.to_be_bytes().to_vec(),
        Datum::BigInt(v) => v.to_be_bytes().to_vec(),
        Datum::Money(v) => v.to_be_bytes().to_vec(),
        Datum::SmallMoney(v) => v.to_be_bytes().to_vec(),
        Datum::Real(v) => v.to_be_bytes().to_vec(),
        Datum::Float(v) => v.to_be_bytes().to_vec(),
        Datum::Decimal {
            unscaled,
            precision,
            scale,
        } => {
            let mut bytes = vec![*precision, *scale, 0, u8::from(*unscaled >= 0)];
            let words = match precision {
                0..=9 => 4,
                10..=19 => 8,
                20..=28 => 12,
                _ => 16,
            };
            bytes.extend_from_slice(&unscaled.unsigned_abs().to_le_bytes()[..words]);
            bytes
        }
        Datum::DateTime { days, ticks } => [days.to_be_bytes(), ticks.to_be_bytes()].concat(),
        Datum::SmallDateTime { days, minutes } => {
            [days.to_be_bytes(), minutes.to_be_bytes()].concat()
        }
        Datum::Date(days) => days.to_le_bytes()[..3].to_vec(),
        Datum::Time { ticks, scale } => time_bytes(*ticks, *scale),
        Datum::DateTime2 { days, ticks, scale } => {
            let mut bytes = time_bytes(*ticks, *scale);
            bytes.extend_from_slice(&days.to_le_bytes()[..3]);
            bytes
        }
        // Date and time in UTC, then the offset in minutes.
        Datum::DateTimeOffset {
            days,
            ticks,
            offset,
            scale,
        } => {
            let mut bytes = time_bytes(*ticks, *scale);
            bytes.extend_from_slice(&days.to_le_bytes()[..3]);
            bytes.extend_from_slice(&offset.to_le_bytes());
            bytes
        }
        other => {
            return Err(unsupported_type(&format!(
                "{} to binary",
                type_of(other).name()
            )));
        }
    })
}

/// The scale, then as many units of it as lie since midnight, as they are stored: in 3, 4 or 5 bytes.
fn time_bytes(ticks: u64, scale: u8) -> Vec<u8> {
    let units = ticks / 10u64.pow(7 - u32::from(scale.min(7)));
    let length = match scale {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    };
    let mut bytes = vec![scale];
    bytes.extend_from_slice(&units.to_le_bytes()[..length]);
    bytes
}

/// 8152, which names no column.
pub(crate) fn truncation() -> SqlError {
    SqlError::new(8152, 16, 30, "String or binary data would be truncated.")
}
