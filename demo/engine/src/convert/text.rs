//! Conversions to text, and text forms of GUID and binary.

use std::sync::Arc;

use super::{Excess, truncation};
use crate::collation::{char_of, to_code_page};
use crate::datetime::{Moment, Parts, datetime_milliseconds, styled};
use crate::error::{SqlResult, arithmetic_overflow, unsupported_type};
use crate::session::SqlError;
use crate::type_rules::type_of;
use crate::types::{Datum, SqlType};

pub(super) fn to_text_type(
    value: &Datum,
    target: &SqlType,
    style: i32,
    excess: Excess,
) -> SqlResult<Datum> {
    let national = target.is_national();
    let text: Arc<str> = match value {
        Datum::Text {
            value,
            national: already,
        } if *already == national || value.is_ascii() => value.clone(),
        Datum::Text { value, .. } if national => value.clone(),
        Datum::Text { value, .. } => Arc::from(to_code_page(value)),
        Datum::Binary(bytes) => Arc::from(binary_to_text(bytes, national, style)?),
        other => Arc::from(to_text(other, style)?),
    };
    fit(text, value, target, national, excess)
}

/// Cuts, refuses or pads to the length of the type.
fn fit(
    text: Arc<str>,
    source: &Datum,
    target: &SqlType,
    national: bool,
    excess: Excess,
) -> SqlResult<Datum> {
    let Some(length) = target.length() else {
        return Ok(Datum::Text {
            value: text,
            national,
        });
    };
    let length = usize::from(length);
    let fixed = matches!(target, SqlType::Char { .. } | SqlType::NChar { .. });
    if text.len() <= length && !fixed {
        return Ok(Datum::Text {
            value: text,
            national,
        });
    }
    let units = if national {
        text.encode_utf16().count()
    } else {
        text.chars().count()
    };
    if units > length {
        return Ok(Datum::Text {
            value: shortened(&text, source, target, national, excess, length)?,
            national,
        });
    }
    if fixed && units < length {
        let mut padded = String::with_capacity(text.len() + length - units);
        padded.push_str(&text);
        padded.extend(std::iter::repeat_n(' ', length - units));
        return Ok(Datum::Text {
            value: Arc::from(padded),
            national,
        });
    }
    Ok(Datum::Text {
        value: text,
        national,
    })
}

fn shortened(
    text: &str,
    source: &Datum,
    target: &SqlType,
    national: bool,
    excess: Excess,
    length: usize,
) -> SqlResult<Arc<str>> {
    let mut units = 0;
    let cut: String = text
        .chars()
        .take_while(|c| {
            units += if national { c.len_utf16() } else { 1 };
            units <= length
        })
        .collect();
    match source {
        Datum::Text { .. } | Datum::Binary(_) => {
            // Trailing blanks that do not fit are no loss.
            if excess == Excess::Refuse && !text[cut.len()..].bytes().all(|byte| byte == b' ') {
                return Err(truncation());
            }
            Ok(Arc::from(cut))
        }
        Datum::Bit(_) | Datum::TinyInt(_) | Datum::SmallInt(_) | Datum::Int(_) if !national => {
            Ok(Arc::from("*"))
        }
        Datum::Guid(_) => Err(SqlError::new(
            8170,
            16,
            2,
            "Insufficient result space to convert uniqueidentifier value to char.",
        )),
        Datum::Decimal { .. }
        | Datum::Money(_)
        | Datum::SmallMoney(_)
        | Datum::Real(_)
        | Datum::Float(_)
        | Datum::BigInt(_)
        | Datum::Int(_)
        | Datum::SmallInt(_)
        | Datum::TinyInt(_) => {
            let name = if matches!(source, Datum::Decimal { .. }) {
                "numeric"
            } else {
                type_of(source).name()
            };
            let target = if target.is_national() {
                "nvarchar"
            } else {
                "varchar"
            };
            let from = if matches!(
                source,
                Datum::Decimal { .. } | Datum::Money(_) | Datum::SmallMoney(_)
            ) {
                name
            } else {
                "expression"
            };
            Err(arithmetic_overflow(from, target))
        }
        _ => Ok(Arc::from(cut)),
    }
}

/// A value's text in a CONVERT style.
pub(crate) fn to_text(value: &Datum, style: i32) -> SqlResult<String> {
    Ok(match value {
        Datum::Null => String::new(),
        Datum::Bit(v) => u8::from(*v).to_string(),
        Datum::TinyInt(v) => v.to_string(),
        Datum::SmallInt(v) => v.to_string(),
        Datum::Int(v) => v.to_string(),
        Datum::BigInt(v) => v.to_string(),
        Datum::Decimal {
            unscaled, scale, ..
        } => crate::decimal::format(*unscaled, *scale),
        Datum::Money(v) => crate::money::format(*v, style),
        Datum::SmallMoney(v) => crate::money::format(i64::from(*v), style),
        Datum::Real(v) => float_text(f64::from(*v), &format!("{v:e}"), style, true),
        Datum::Float(v) => float_text(*v, &format!("{v:e}"), style, false),
        Datum::Text { value, .. } => value.to_string(),
        Datum::Binary(bytes) => binary_to_text(bytes, false, style)?,
        Datum::Guid(bytes) => format_guid(bytes),
        temporal => temporal_text(temporal, style)?,
    })
}

fn temporal_text(value: &Datum, style: i32) -> SqlResult<String> {
    let old = matches!(value, Datum::DateTime { .. } | Datum::SmallDateTime { .. });
    let (moment, parts, scale) = match value {
        Datum::DateTime { days, ticks } => {
            let shown = u64::from(datetime_milliseconds(*ticks)) * 10_000;
            (
                Moment::local(days + crate::datetime::EPOCH_1900, shown),
                Parts::Both,
                3,
            )
        }
        other => {
            let moment = super::temporal::moment_of(other)
                .ok_or_else(|| unsupported_type("text of this value"))?;
            match other {
                Datum::Date(_) => (moment, Parts::Date, 0),
                Datum::Time { scale, .. } => (moment, Parts::Time, *scale),
                Datum::SmallDateTime { .. } => (moment, Parts::Both, 3),
                Datum::DateTime2 { scale, .. } | Datum::DateTimeOffset { scale, .. } => {
                    (moment, Parts::Both, *scale)
                }
                _ => (moment, Parts::Both, 7),
            }
        }
    };
    // The new types show ISO by default, the old ones `Jan  1 1900 12:00AM`.
    let style = if style == 0 && !old { 121 } else { style };
    styled(moment, parts, scale, style).ok_or_else(|| {
        unsupported_type(&format!(
            "{} to text with style {style}",
            type_of(value).name()
        ))
    })
}

/// Style 0: six digits; 1: eight, scientific; 2: sixteen, scientific; 3: all that are needed.
fn float_text(value: f64, shortest: &str, style: i32, real: bool) -> String {
    match style {
        1 => scientific(&format!("{value:.7e}")),
        2 => scientific(&if real {
            format!("{value:.8e}")
        } else {
            format!("{value:.15e}")
        }),
        3 => {
            let exponent = shortest
                .split_once('e')
                .and_then(|(_, e)| e.parse::<i32>().ok())
                .unwrap_or(0);
            if (-5..15).contains(&exponent) {
                plain(value, shortest)
            } else {
                scientific(shortest)
            }
        }
        _ => {
            let text = format!("{value:.5e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let exponent: i32 = exponent.parse().unwrap_or(0);
            if !(-5..=5).contains(&exponent) {
                let mantissa = if mantissa.contains('.') {
                    mantissa.trim_end_matches('0').trim_end_matches('.')
                } else {
                    mantissa
                };
                return scientific(&format!("{mantissa}e{exponent}"));
            }
            let digits = usize::try_from(5 - exponent).unwrap_or(0);
            let fixed = format!("{value:.digits$}");
            if fixed.contains('.') {
                fixed.trim_end_matches('0').trim_end_matches('.').to_owned()
            } else {
                fixed
            }
        }
    }
}

fn plain(value: f64, shortest: &str) -> String {
    let digits = shortest
        .split('e')
        .next()
        .unwrap_or("")
        .chars()
        .filter(char::is_ascii_digit)
        .count();
    let exponent = shortest
        .split_once('e')
        .and_then(|(_, e)| e.parse::<i64>().ok())
        .unwrap_or(0);
    let decimals = usize::try_from(digits as i64 - 1 - exponent).unwrap_or(0);
    format!("{value:.decimals$}")
}

/// `1.5e10` as `1.5e+010`.
fn scientific(text: &str) -> String {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!(
        "{mantissa}e{}{:03}",
        if exponent < 0 { '-' } else { '+' },
        exponent.abs()
    )
}

fn binary_to_text(bytes: &[u8], national: bool, style: i32) -> SqlResult<String> {
    Ok(match style {
        0 if national => {
            let units: Vec<u16> = bytes
                .chunks(2)
                .map(|pair| u16::from_le_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]))
                .collect();
            String::from_utf16(&units)
                .map_err(|_| unsupported_type("half of a surrogate pair as text"))?
        }
        0 => bytes.iter().map(|byte| char_of(*byte)).collect(),
        1 | 2 => {
            let mut text = String::with_capacity(bytes.len() * 2 + 2);
            if style == 1 {
                text.push_str("0x");
            }
            for byte in bytes {
                text.push_str(&format!("{byte:02X}"));
            }
            text
        }
        _ => {
            return Err(unsupported_type(&format!(
                "binary to text with style {style}"
            )));
        }
    })
}

/// `0x0A0B` (style 1) or `0A0B` (style 2).
pub(super) fn parse_hexadecimal(text: &str, prefixed: bool) -> SqlResult<Vec<u8>> {
    let failed = || conversion_error();
    let digits = if prefixed {
        text.strip_prefix("0x")
            .or_else(|| text.strip_prefix("0X"))
            .ok_or_else(failed)?
    } else {
        text
    };
    if digits.len() % 2 == 1 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(failed());
    }
    (0..digits.len() / 2)
        .map(|i| u8::from_str_radix(&digits[i * 2..i * 2 + 2], 16).map_err(|_| failed()))
        .collect()
}

fn conversion_error() -> SqlError {
    crate::error::conversion_failed("varchar", "varbinary")
}

/// `6F9619FF-8B86-D011-B42D-00C04FC964FF`.
pub(crate) fn format_guid(bytes: &[u8; 16]) -> String {
    uuid::Uuid::from_bytes(*bytes)
        .hyphenated()
        .to_string()
        .to_uppercase()
}

/// The canonical form, in braces or not; what follows the 36 characters is ignored, as on SQL Server.
pub(super) fn parse_guid(text: &str) -> Option<[u8; 16]> {
    let inner = text.strip_prefix('{').unwrap_or(text);
    let canonical = inner.get(..36)?;
    uuid::Uuid::try_parse(canonical)
        .ok()
        .map(uuid::Uuid::into_bytes)
}
