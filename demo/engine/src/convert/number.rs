//! Conversions to numbers.

use crate::datetime::DATETIME_TICKS_PER_DAY;
use crate::decimal::{self, fitting, rescale};
use crate::error::{
    SqlResult, arithmetic_overflow, conversion_failed, conversion_of_value_failed,
    no_explicit_conversion,
};
use crate::session::SqlError;
use crate::type_rules::type_of;
use crate::types::{Datum, SqlType};

/// A number on its way from one type to another.
enum Intermediate {
    Exact { unscaled: i128, scale: u8 },
    Approximate(f64),
}

pub(super) fn to_number(value: &Datum, target: &SqlType) -> SqlResult<Datum> {
    if let Datum::Text {
        value: text,
        national,
    } = value
    {
        return from_text(text, *national, target);
    }
    if let Datum::Binary(bytes) = value {
        return from_binary(bytes, target);
    }
    let number = match value {
        Datum::Bit(v) => Intermediate::Exact {
            unscaled: i128::from(*v),
            scale: 0,
        },
        Datum::TinyInt(v) => Intermediate::Exact {
            unscaled: i128::from(*v),
            scale: 0,
        },
        Datum::SmallInt(v) => Intermediate::Exact {
            unscaled: i128::from(*v),
            scale: 0,
        },
        Datum::Int(v) => Intermediate::Exact {
            unscaled: i128::from(*v),
            scale: 0,
        },
        Datum::BigInt(v) => Intermediate::Exact {
            unscaled: i128::from(*v),
            scale: 0,
        },
        Datum::Money(v) => Intermediate::Exact {
            unscaled: i128::from(*v),
            scale: 4,
        },
        Datum::SmallMoney(v) => Intermediate::Exact {
            unscaled: i128::from(*v),
            scale: 4,
        },
        Datum::Decimal {
            unscaled, scale, ..
        } => Intermediate::Exact {
            unscaled: *unscaled,
            scale: *scale,
        },
        Datum::Real(v) => Intermediate::Approximate(f64::from(*v)),
        Datum::Float(v) => Intermediate::Approximate(*v),
        Datum::DateTime { days, ticks } => Intermediate::Approximate(
            f64::from(*days) + f64::from(*ticks) / f64::from(DATETIME_TICKS_PER_DAY),
        ),
        Datum::SmallDateTime { days, minutes } => {
            Intermediate::Approximate(f64::from(*days) + f64::from(*minutes) / 1440.0)
        }
        other => return Err(no_explicit_conversion(type_of(other).name(), target.name())),
    };
    let rounds = matches!(
        value,
        Datum::Money(_)
            | Datum::SmallMoney(_)
            | Datum::DateTime { .. }
            | Datum::SmallDateTime { .. }
    );
    from_number(number, rounds, value, target)
}

fn from_number(
    number: Intermediate,
    rounds: bool,
    source: &Datum,
    target: &SqlType,
) -> SqlResult<Datum> {
    if *target == SqlType::Bit {
        return Ok(Datum::Bit(match number {
            Intermediate::Exact { unscaled, .. } => unscaled != 0,
            Intermediate::Approximate(v) => v != 0.0,
        }));
    }
    if matches!(target, SqlType::Float | SqlType::Real) {
        let float = match number {
            Intermediate::Exact { unscaled, scale: 0 } => unscaled as f64,
            // Through text, so that 0.1 becomes the nearest float and not a quotient's rounding.
            Intermediate::Exact { unscaled, scale } => {
                decimal::format(unscaled, scale).parse().unwrap_or(f64::NAN)
            }
            Intermediate::Approximate(v) => v,
        };
        return if *target == SqlType::Float {
            Ok(Datum::Float(float))
        } else {
            to_real(float)
        };
    }
    let overflow = || overflow_error(source, target);
    let (unscaled, scale) = match number {
        Intermediate::Exact { unscaled, scale } => (unscaled, scale),
        Intermediate::Approximate(v) if target.is_integer() => {
            let whole = if rounds { v.round() } else { v.trunc() };
            if whole.abs() >= 1e37 {
                return Err(overflow());
            }
            (whole as i128, 0)
        }
        Intermediate::Approximate(v) => {
            let digits = target.shape().map_or(0, |shape| shape.scale);
            if !v.is_finite() || v.abs() >= 1e38 {
                return Err(overflow());
            }
            let text = format!("{v:.*}", usize::from(digits));
            (
                decimal::parse(&text, 38, digits)
                    .flatten()
                    .ok_or_else(overflow)?,
                digits,
            )
        }
    };
    if target.is_integer() {
        // Decimals are cut on the way to integers, money is rounded.
        let whole = if rounds {
            rescale(unscaled, scale, 0).ok_or_else(overflow)?
        } else {
            unscaled / decimal::power_of_ten(u32::from(scale)) as i128
        };
        return to_integer(whole, target).ok_or_else(overflow);
    }
    to_exact(unscaled, scale, target).ok_or_else(overflow)
}

fn to_real(float: f64) -> SqlResult<Datum> {
    let narrowed = float as f32;
    if narrowed.is_infinite() && float.is_finite() {
        return Err(SqlError::new(
            232,
            16,
            2,
            format!("Arithmetic overflow error for type real, value = {float:.6}."),
        ));
    }
    Ok(Datum::Real(narrowed))
}

fn to_integer(whole: i128, target: &SqlType) -> Option<Datum> {
    Some(match target {
        SqlType::TinyInt => Datum::TinyInt(u8::try_from(whole).ok()?),
        SqlType::SmallInt => Datum::SmallInt(i16::try_from(whole).ok()?),
        SqlType::Int => Datum::Int(i32::try_from(whole).ok()?),
        SqlType::BigInt => Datum::BigInt(i64::try_from(whole).ok()?),
        SqlType::Bit => Datum::Bit(whole != 0),
        _ => return None,
    })
}

/// To decimal, money or smallmoney.
fn to_exact(unscaled: i128, scale: u8, target: &SqlType) -> Option<Datum> {
    Some(match target {
        SqlType::Decimal {
            precision,
            scale: to,
            ..
        } => {
            let value = fitting(rescale(unscaled, scale, *to)?, *precision)?;
            Datum::Decimal {
                unscaled: value,
                precision: *precision,
                scale: *to,
            }
        }
        SqlType::Money => Datum::Money(i64::try_from(rescale(unscaled, scale, 4)?).ok()?),
        SqlType::SmallMoney => Datum::SmallMoney(i32::try_from(rescale(unscaled, scale, 4)?).ok()?),
        _ => return None,
    })
}

/// The name that overflow messages give the source.
fn source_name(source: &Datum) -> &'static str {
    match source {
        Datum::Decimal { .. } => "numeric",
        Datum::Float(_) => "float",
        Datum::Real(_) => "real",
        Datum::Money(_) => "money",
        Datum::SmallMoney(_) => "smallmoney",
        Datum::DateTime { .. } => "datetime",
        Datum::Text { national: true, .. } => "nvarchar",
        Datum::Text { .. } => "varchar",
        Datum::Int(_) => "int",
        Datum::BigInt(_) => "bigint",
        Datum::SmallInt(_) => "smallint",
        Datum::TinyInt(_) => "tinyint",
        _ => "expression",
    }
}

fn overflow_error(source: &Datum, target: &SqlType) -> SqlError {
    let small = matches!(target, SqlType::TinyInt | SqlType::SmallInt);
    let value = match source {
        Datum::SmallInt(v) => Some(i64::from(*v)),
        Datum::Int(v) => Some(i64::from(*v)),
        Datum::BigInt(v) => i32::try_from(*v).ok().map(i64::from),
        _ => None,
    };
    if let (true, Some(value)) = (small, value) {
        return SqlError::new(
            220,
            16,
            if *target == SqlType::TinyInt { 2 } else { 1 },
            format!(
                "Arithmetic overflow error for data type {}, value = {value}.",
                target.name()
            ),
        );
    }
    let name = match (source, target) {
        (Datum::BigInt(_), _) if target.is_integer() => "expression",
        _ => source_name(source),
    };
    let target_name = if matches!(target, SqlType::Decimal { .. }) {
        "numeric"
    } else {
        target.name()
    };
    let mut error = arithmetic_overflow(name, target_name);
    if matches!(source, Datum::Decimal { .. } | Datum::Int(_))
        && matches!(target, SqlType::Decimal { .. })
    {
        error.state = 8;
    }
    error
}

fn from_text(text: &str, national: bool, target: &SqlType) -> SqlResult<Datum> {
    let source = if national { "nvarchar" } else { "varchar" };
    let trimmed = text.trim_matches([' ', '\t', '\r', '\n']);
    match target {
        SqlType::Bit => match trimmed.to_ascii_lowercase().as_str() {
            "true" => Ok(Datum::Bit(true)),
            "false" | "" => Ok(Datum::Bit(false)),
            other => other
                .parse::<i64>()
                .map(|v| Datum::Bit(v != 0))
                .map_err(|_| conversion_of_value_failed(source, text, "bit")),
        },
        _ if target.is_integer() => integer_from_text(text, trimmed, source, target),
        SqlType::Decimal {
            precision, scale, ..
        } => match decimal::parse(trimmed, *precision, *scale) {
            None => Err(conversion_failed(source, "numeric")),
            Some(None) => Err(arithmetic_overflow(source, "numeric")),
            Some(Some(unscaled)) => Ok(Datum::Decimal {
                unscaled,
                precision: *precision,
                scale: *scale,
            }),
        },
        SqlType::Money | SqlType::SmallMoney => {
            let failed = || {
                SqlError::new(
                    235,
                    16,
                    0,
                    "Cannot convert a char value to money. The char value has incorrect syntax.",
                )
            };
            let value = crate::money::parse(trimmed).ok_or_else(failed)?;
            to_exact(i128::from(value), 4, target)
                .ok_or_else(|| arithmetic_overflow(source, target.name()))
        }
        _ => {
            let plausible = trimmed.bytes().all(|byte| {
                byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-')
            });
            let parsed = if trimmed.is_empty() {
                Some(0.0)
            } else {
                trimmed.parse::<f64>().ok()
            };
            match parsed {
                Some(float) if plausible && float.is_finite() => {
                    if *target == SqlType::Float {
                        Ok(Datum::Float(float))
                    } else {
                        to_real(float)
                    }
                }
                _ => Err(conversion_failed(source, target.name())),
            }
        }
    }
}

fn integer_from_text(
    text: &str,
    trimmed: &str,
    source: &str,
    target: &SqlType,
) -> SqlResult<Datum> {
    let (negative, digits) = match trimmed.as_bytes().first() {
        Some(b'-') => (true, trimmed[1..].trim_start()),
        Some(b'+') => (false, trimmed[1..].trim_start()),
        _ => (false, trimmed),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit())
        || (digits.is_empty() && !trimmed.is_empty())
    {
        return Err(if *target == SqlType::BigInt {
            conversion_failed(source, "bigint")
        } else {
            conversion_of_value_failed(source, text, target.name())
        });
    }
    let value = if digits.is_empty() {
        Some(0)
    } else {
        digits.parse::<i128>().ok()
    };
    let signed = value.map(|v| if negative { -v } else { v });
    signed.and_then(|v| to_integer(v, target)).ok_or_else(|| match target {
        SqlType::Int => SqlError::new(248, 16, 1, format!("The conversion of the {source} value '{text}' overflowed an int column.")),
        SqlType::TinyInt | SqlType::SmallInt => SqlError::new(
            244,
            16,
            1,
            format!(
                "The conversion of the {source} value '{text}' overflowed an INT{} column. Use a larger integer column.",
                if *target == SqlType::TinyInt { 1 } else { 2 }
            ),
        ),
        _ => arithmetic_overflow(source, target.name()),
    })
}

/// Binary converts by its low bytes, sign bit and all.
fn from_binary(bytes: &[u8], target: &SqlType) -> SqlResult<Datum> {
    let low = |count: usize| -> u64 {
        bytes
            .iter()
            .rev()
            .take(count)
            .rev()
            .fold(0u64, |value, byte| (value << 8) | u64::from(*byte))
    };
    Ok(match target {
        SqlType::Bit => Datum::Bit(bytes.iter().any(|byte| *byte != 0)),
        SqlType::TinyInt => Datum::TinyInt(low(1) as u8),
        SqlType::SmallInt => Datum::SmallInt(low(2) as u16 as i16),
        SqlType::Int => Datum::Int(low(4) as u32 as i32),
        SqlType::BigInt => Datum::BigInt(low(8) as i64),
        SqlType::Money => Datum::Money(low(8) as i64),
        SqlType::SmallMoney => Datum::SmallMoney(low(4) as u32 as i32),
        SqlType::Decimal { .. } => {
            return Err(crate::error::unsupported_type("varbinary to decimal"));
        }
        _ => return Err(no_explicit_conversion("varbinary", target.name())),
    })
}
