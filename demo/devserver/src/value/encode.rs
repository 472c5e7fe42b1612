//! Values into bytes.

use icehost_devengine::types::Datum;

use super::scalar::Scalar;
use super::type_info::{Length, TypeInfo, decimal_size, time_size};
use super::variant;

/// A value that its column's type cannot carry: an engine that contradicts itself, which must not reach a
/// client as bytes out of step.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the engine produced the value {value} for a column described as {described}")]
pub(crate) struct Mismatch {
    value: String,
    described: String,
}

impl Mismatch {
    pub(crate) fn new(info: &TypeInfo, value: &Datum) -> Self {
        let mut value = format!("{value:?}");
        if let Some((end, _)) = value.char_indices().nth(200) {
            value.truncate(end);
        }
        Self {
            value,
            described: format!("{info:?}"),
        }
    }
}

/// Terminates the chunks of a `(max)` value.
const LAST_CHUNK: [u8; 4] = [0; 4];

/// Bytes that a NULL takes in a ROW token; `None` where the type has no NULL.
pub(crate) fn null_size(info: &TypeInfo) -> Option<usize> {
    match info {
        TypeInfo::Fixed(_) => None,
        TypeInfo::Null => Some(0),
        TypeInfo::Text { length, .. } | TypeInfo::Binary { length, .. } => Some(match length {
            Length::Byte(_) | Length::Pointer => 1,
            Length::Short(_) => 2,
            Length::Partial => 8,
        }),
        TypeInfo::Variant => Some(4),
        _ => Some(1),
    }
}

/// Appends NULL, or reports that the type has none.
fn write_null(info: &TypeInfo, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    match null_size(info) {
        None => return Err(Mismatch::new(info, &Datum::Null)),
        Some(0) => {}
        Some(2) => out.extend_from_slice(&[0xFF; 2]),
        Some(8) => out.extend_from_slice(&[0xFF; 8]),
        Some(size) => out.resize(out.len() + size, 0),
    }
    Ok(())
}

/// Appends a value as ROW carries it.
///
/// # Errors
/// The value is not of the described type; `out` then holds no part of it.
#[inline]
pub(crate) fn write_value(
    info: &TypeInfo,
    value: &Datum,
    out: &mut Vec<u8>,
) -> Result<(), Mismatch> {
    if matches!(value, Datum::Null) {
        return write_null(info, out);
    }
    match *info {
        TypeInfo::Fixed(scalar) => {
            if !write_scalar(scalar, value, None, out) {
                return Err(Mismatch::new(info, value));
            }
        }
        TypeInfo::Nullable(scalar) => {
            if !write_scalar(scalar, value, Some(scalar.size()), out) {
                return Err(Mismatch::new(info, value));
            }
        }
        TypeInfo::Text {
            national,
            length,
            collation,
            ..
        } => {
            let Datum::Text { value: text, .. } = value else {
                return Err(Mismatch::new(info, value));
            };
            if !national && !collation.has(text) {
                return Err(Mismatch::new(info, value));
            }
            write_lengthy(length, out, |out| {
                if national {
                    write_utf16(text, out);
                } else {
                    collation.encode(text, out);
                }
            })
            .map_err(|TooLong| Mismatch::new(info, value))?;
        }
        TypeInfo::Binary { length, .. } => {
            let Datum::Binary(bytes) = value else {
                return Err(Mismatch::new(info, value));
            };
            write_lengthy(length, out, |out| out.extend_from_slice(bytes))
                .map_err(|TooLong| Mismatch::new(info, value))?;
        }
        TypeInfo::Decimal {
            precision, scale, ..
        } => match *value {
            Datum::Decimal {
                unscaled,
                scale: actual,
                ..
            } if actual == scale => {
                out.push(decimal_size(precision));
                if !write_decimal(unscaled, decimal_size(precision), out) {
                    out.pop();
                    return Err(Mismatch::new(info, value));
                }
            }
            _ => return Err(Mismatch::new(info, value)),
        },
        TypeInfo::Guid => match value {
            Datum::Guid(bytes) => {
                out.push(16);
                out.extend_from_slice(&mixed_endian(*bytes));
            }
            _ => return Err(Mismatch::new(info, value)),
        },
        TypeInfo::Date => match *value {
            Datum::Date(days) => {
                out.push(3);
                write_days(days, out);
            }
            _ => return Err(Mismatch::new(info, value)),
        },
        TypeInfo::Time(scale) => match *value {
            Datum::Time { ticks, .. } => {
                out.push(time_size(scale));
                write_ticks(ticks, scale, out);
            }
            _ => return Err(Mismatch::new(info, value)),
        },
        TypeInfo::DateTime2(scale) => match *value {
            Datum::DateTime2 { days, ticks, .. } => {
                out.push(time_size(scale) + 3);
                write_ticks(ticks, scale, out);
                write_days(days, out);
            }
            _ => return Err(Mismatch::new(info, value)),
        },
        TypeInfo::DateTimeOffset(scale) => match *value {
            Datum::DateTimeOffset {
                days,
                ticks,
                offset,
                ..
            } => {
                out.push(time_size(scale) + 5);
                write_ticks(ticks, scale, out);
                write_days(days, out);
                out.extend_from_slice(&offset.to_le_bytes());
            }
            _ => return Err(Mismatch::new(info, value)),
        },
        TypeInfo::Variant => {
            if !variant::write(value, out) {
                return Err(Mismatch::new(info, value));
            }
        }
        TypeInfo::Null => return Err(Mismatch::new(info, value)),
    }
    Ok(())
}

/// Appends a scalar, after its length where it has one; false if the value is of another type.
pub(crate) fn write_scalar(
    scalar: Scalar,
    value: &Datum,
    length: Option<u8>,
    out: &mut Vec<u8>,
) -> bool {
    /// A length and a value in one append: rows consist of little else.
    fn put<const N: usize>(length: Option<u8>, bytes: [u8; N], out: &mut Vec<u8>) {
        if let Some(length) = length {
            out.push(length);
        }
        out.extend_from_slice(&bytes);
    }
    match (scalar, value) {
        (Scalar::Bit, Datum::Bit(value)) => put(length, [u8::from(*value)], out),
        (Scalar::TinyInt, Datum::TinyInt(value)) => put(length, [*value], out),
        (Scalar::SmallInt, Datum::SmallInt(value)) => put(length, value.to_le_bytes(), out),
        (Scalar::Int, Datum::Int(value)) => put(length, value.to_le_bytes(), out),
        (Scalar::BigInt, Datum::BigInt(value)) => put(length, value.to_le_bytes(), out),
        (Scalar::Real, Datum::Real(value)) => put(length, value.to_le_bytes(), out),
        (Scalar::Float, Datum::Float(value)) => put(length, value.to_le_bytes(), out),
        (Scalar::SmallMoney, Datum::SmallMoney(value)) => put(length, value.to_le_bytes(), out),
        // The high half goes first.
        (Scalar::Money, Datum::Money(value)) => {
            put(length, value.rotate_left(32).to_le_bytes(), out)
        }
        (Scalar::DateTime, Datum::DateTime { days, ticks }) => {
            put(length, days.to_le_bytes(), out);
            put(None, ticks.to_le_bytes(), out);
        }
        (Scalar::SmallDateTime, Datum::SmallDateTime { days, minutes }) => {
            put(length, days.to_le_bytes(), out);
            put(None, minutes.to_le_bytes(), out);
        }
        _ => return false,
    }
    true
}

/// The value is longer than its length field can say.
struct TooLong;

fn write_lengthy(
    length: Length,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>),
) -> Result<(), TooLong> {
    let start = out.len();
    let prefix = match length {
        Length::Byte(_) => 1,
        Length::Short(_) => 2,
        Length::Partial => 12,
        Length::Pointer => return Err(TooLong),
    };
    out.resize(start + prefix, 0);
    write(out);
    let size = out.len() - start - prefix;
    let fits = match length {
        Length::Byte(_) => u8::try_from(size).is_ok_and(|size| patch(out, start, &[size])),
        Length::Short(_) => u16::try_from(size)
            .is_ok_and(|size| size < u16::MAX && patch(out, start, &size.to_le_bytes())),
        Length::Partial => u32::try_from(size).is_ok_and(|chunk| {
            if size == 0 {
                out.truncate(start + 8);
            } else {
                patch(out, start, &u64::from(chunk).to_le_bytes());
                patch(out, start + 8, &chunk.to_le_bytes());
            }
            out.extend_from_slice(&LAST_CHUNK);
            true
        }),
        Length::Pointer => false,
    };
    if fits {
        Ok(())
    } else {
        out.truncate(start);
        Err(TooLong)
    }
}

fn patch(out: &mut [u8], at: usize, bytes: &[u8]) -> bool {
    match out.get_mut(at..at + bytes.len()) {
        Some(place) => {
            place.copy_from_slice(bytes);
            true
        }
        None => false,
    }
}

/// Appends UTF-16LE.
pub(crate) fn write_utf16(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() * 2);
    if text.is_ascii() {
        out.extend(text.bytes().flat_map(|byte| [byte, 0]));
    } else {
        out.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    }
}

/// Appends sign and magnitude in `size` bytes; false, and nothing appended, if they do not suffice.
pub(crate) fn write_decimal(unscaled: i128, size: u8, out: &mut Vec<u8>) -> bool {
    let magnitude = unscaled.unsigned_abs().to_le_bytes();
    let (kept, cut) = magnitude.split_at(usize::from(size.saturating_sub(1)).min(magnitude.len()));
    if cut.iter().any(|&byte| byte != 0) {
        return false;
    }
    out.push(u8::from(unscaled >= 0));
    out.extend_from_slice(kept);
    true
}

/// Appends days since 0001-01-01 in three bytes.
pub(crate) fn write_days(days: i32, out: &mut Vec<u8>) {
    let [a, b, c, _] = days.to_le_bytes();
    out.extend_from_slice(&[a, b, c]);
}

/// Appends 100 ns ticks in units of the scale.
pub(crate) fn write_ticks(ticks: u64, scale: u8, out: &mut Vec<u8>) {
    let units = ticks / 10u64.pow(u32::from(7u8.saturating_sub(scale)));
    out.extend(
        units
            .to_le_bytes()
            .into_iter()
            .take(usize::from(time_size(scale))),
    );
}

/// Between the textual order of a GUID's bytes and the wire's, which reverses its first three groups.
pub(crate) fn mixed_endian(bytes: [u8; 16]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
    let [i, j, k, l, m, n, o, p] = rest;
    [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p]
}
