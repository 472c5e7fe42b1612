//! Numeric functions.

use super::{Call, call, integer, text, volatile};
use crate::bind::{Binder, Typed};
use crate::context::Context;
use crate::decimal;
use crate::error::{SqlResult, arithmetic_overflow};
use crate::eval::negate;
use crate::plan::{Evaluator, Expr};
use crate::session::SqlError;
use crate::type_rules::type_of;
use crate::types::{Datum, SqlType};

fn is_negative(value: &Datum) -> bool {
    match value {
        Datum::Decimal { unscaled, .. } => *unscaled < 0,
        Datum::Money(v) => *v < 0,
        Datum::SmallMoney(v) => *v < 0,
        Datum::Real(v) => *v < 0.0,
        Datum::Float(v) => *v < 0.0,
        other => integer(other).is_some_and(|v| v < 0),
    }
}

fn abs(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let value = &arguments[0];
    if is_negative(value) {
        negate(value, &type_of(value))
    } else {
        Ok(value.clone())
    }
}

fn sign(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let signum = |v: i128| v.signum();
    Ok(match &arguments[0] {
        Datum::Decimal {
            unscaled,
            precision,
            scale,
        } => Datum::Decimal {
            unscaled: signum(*unscaled) * decimal::power_of_ten(u32::from(*scale)) as i128,
            precision: *precision,
            scale: *scale,
        },
        Datum::Money(v) => Datum::Money(v.signum() * 10_000),
        Datum::Float(v) => Datum::Float(if *v == 0.0 { 0.0 } else { v.signum() }),
        Datum::Int(v) => Datum::Int(v.signum()),
        Datum::BigInt(v) => Datum::BigInt(v.signum()),
        _ => Datum::Null,
    })
}

fn to_scale_zero(value: &Datum, up: bool) -> Datum {
    let step = |unscaled: i128, unit: i128| {
        let whole = unscaled.div_euclid(unit);
        if up && unscaled.rem_euclid(unit) != 0 {
            whole + 1
        } else {
            whole
        }
    };
    match value {
        Datum::Decimal {
            unscaled,
            precision,
            scale,
        } => Datum::Decimal {
            unscaled: step(*unscaled, decimal::power_of_ten(u32::from(*scale)) as i128),
            precision: *precision,
            scale: 0,
        },
        Datum::Money(v) => Datum::Money((step(i128::from(*v), 10_000) * 10_000) as i64),
        Datum::Float(v) => Datum::Float(if up { v.ceil() } else { v.floor() }),
        other => other.clone(),
    }
}

fn floor(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    Ok(to_scale_zero(&arguments[0], false))
}

fn ceiling(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    Ok(to_scale_zero(&arguments[0], true))
}

fn round_exact(unscaled: i128, scale: i64, length: i64, cut: bool) -> Option<i128> {
    if length >= scale {
        return Some(unscaled);
    }
    let drop = u32::try_from(scale - length).ok()?;
    if drop > 38 {
        return Some(0);
    }
    let unit = i128::try_from(decimal::power_of_ten(drop)).ok()?;
    let remainder = unscaled % unit;
    let base = unscaled - remainder;
    if cut || remainder.unsigned_abs() * 2 < unit.unsigned_abs() {
        return Some(base);
    }
    base.checked_add(unit * unscaled.signum())
}

fn round(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let Some(length) = integer(&arguments[1]) else {
        return Ok(Datum::Null);
    };
    let Some(cut) = integer(&arguments[2]).map(|cut| cut != 0) else {
        return Ok(Datum::Null);
    };
    let overflow = |name: &str| arithmetic_overflow("expression", name);
    Ok(match &arguments[0] {
        Datum::Null => Datum::Null,
        Datum::Decimal {
            unscaled,
            precision,
            scale,
        } => {
            let value = round_exact(*unscaled, i64::from(*scale), length, cut)
                .and_then(|value| decimal::fitting(value, *precision))
                .ok_or_else(|| overflow("numeric"))?;
            Datum::Decimal {
                unscaled: value,
                precision: *precision,
                scale: *scale,
            }
        }
        Datum::Money(v) => {
            let value =
                round_exact(i128::from(*v), 4, length, cut).ok_or_else(|| overflow("money"))?;
            Datum::Money(i64::try_from(value).map_err(|_| overflow("money"))?)
        }
        Datum::Float(v) => {
            let factor = 10f64.powi(length.clamp(-308, 308) as i32);
            let scaled = v * factor;
            let rounded = if cut { scaled.trunc() } else { scaled.round() };
            Datum::Float(rounded / factor)
        }
        Datum::Int(v) => {
            let value =
                round_exact(i128::from(*v), 0, length, cut).ok_or_else(|| overflow("int"))?;
            Datum::Int(i32::try_from(value).map_err(|_| overflow("int"))?)
        }
        Datum::BigInt(v) => {
            let value =
                round_exact(i128::from(*v), 0, length, cut).ok_or_else(|| overflow("bigint"))?;
            Datum::BigInt(i64::try_from(value).map_err(|_| overflow("bigint"))?)
        }
        other => other.clone(),
    })
}

fn float(value: &Datum) -> Option<f64> {
    if let Datum::Float(v) = value {
        Some(*v)
    } else {
        None
    }
}

fn power(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let (Some(base), Some(exponent)) = (float(&arguments[0]), float(&arguments[1])) else {
        return Ok(Datum::Null);
    };
    let value = base.powf(exponent);
    if value.is_finite() {
        Ok(Datum::Float(value))
    } else {
        Err(domain_error())
    }
}

fn domain_error() -> SqlError {
    SqlError::new(3623, 16, 1, "An invalid floating point operation occurred.")
}

fn checked(value: Option<f64>, compute: fn(f64) -> f64) -> SqlResult<Datum> {
    let Some(value) = value else {
        return Ok(Datum::Null);
    };
    let result = compute(value);
    if result.is_finite() {
        Ok(Datum::Float(result))
    } else {
        Err(domain_error())
    }
}

fn sqrt(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    checked(float(&arguments[0]), f64::sqrt)
}

fn exp(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    checked(float(&arguments[0]), f64::exp)
}

fn log(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    checked(float(&arguments[0]), f64::ln)
}

fn log10(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    checked(float(&arguments[0]), f64::log10)
}

fn square(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    checked(float(&arguments[0]), |value| value * value)
}

fn sin(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    checked(float(&arguments[0]), f64::sin)
}

fn cos(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    checked(float(&arguments[0]), f64::cos)
}

fn rand(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    if let Some(seed) = arguments.first().and_then(integer) {
        context
            .random
            .set((seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    }
    Ok(Datum::Float(
        (context.next_random() >> 11) as f64 / (1u64 << 53) as f64,
    ))
}

fn isnumeric(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let numeric = match &arguments[0] {
        Datum::Null => false,
        value => match text(value) {
            Some(source) => {
                let source = source.trim();
                !source.is_empty()
                    && (source.parse::<f64>().is_ok_and(f64::is_finite)
                        || crate::money::parse(source).is_some())
            }
            None => {
                integer(value).is_some()
                    || matches!(
                        value,
                        Datum::Decimal { .. }
                            | Datum::Money(_)
                            | Datum::SmallMoney(_)
                            | Datum::Real(_)
                            | Datum::Float(_)
                    )
            }
        },
    };
    Ok(Datum::Int(i32::from(numeric)))
}

/// The type that a numeric argument is computed in: integers widen to int, the rest stay.
fn computed_in(sql_type: &SqlType) -> SqlType {
    match sql_type {
        SqlType::Bit | SqlType::TinyInt | SqlType::SmallInt => SqlType::Int,
        SqlType::SmallMoney => SqlType::Money,
        SqlType::Real => SqlType::Float,
        other if other.is_number() => other.clone(),
        _ => SqlType::Float,
    }
}

pub(super) fn bind(binder: &mut Binder<'_>, of: &mut Call<'_>) -> SqlResult<Option<Typed>> {
    let first = of
        .arguments
        .first()
        .map(|first| computed_in(&first.sql_type))
        .unwrap_or(SqlType::Float);
    let nullable = of.nullable();
    let of_float: Option<Evaluator> = match of.name {
        "sqrt" => Some(sqrt),
        "exp" => Some(exp),
        "log" => Some(log),
        "log10" => Some(log10),
        "square" => Some(square),
        "sin" => Some(sin),
        "cos" => Some(cos),
        _ => None,
    };
    if let Some(evaluator) = of_float {
        of.takes(1, 1)?;
        let arguments = of.converted(&[SqlType::Float])?;
        return Ok(Some(call(
            binder,
            evaluator,
            arguments,
            SqlType::Float,
            nullable,
        )));
    }
    Ok(Some(match of.name {
        "abs" | "sign" => {
            of.takes(1, 1)?;
            let evaluator: Evaluator = if of.name == "abs" { abs } else { sign };
            let arguments = of.converted(std::slice::from_ref(&first))?;
            call(binder, evaluator, arguments, first, nullable)
        }
        "floor" | "ceiling" => {
            of.takes(1, 1)?;
            let evaluator: Evaluator = if of.name == "floor" { floor } else { ceiling };
            let result = match &first {
                SqlType::Decimal { precision, .. } => SqlType::Decimal {
                    precision: *precision,
                    scale: 0,
                    numeric: true,
                },
                other => other.clone(),
            };
            let arguments = of.converted(&[first])?;
            call(binder, evaluator, arguments, result, nullable)
        }
        "round" => {
            of.takes(2, 3)?;
            if of.arguments.len() == 2 {
                of.arguments
                    .push(Typed::constant(Datum::Int(0), SqlType::Int));
            }
            let arguments = of.converted(&[first.clone(), SqlType::Int, SqlType::Int])?;
            call(binder, round, arguments, first, nullable)
        }
        "power" => {
            of.takes(2, 2)?;
            let arguments = of.converted(&[SqlType::Float, SqlType::Float])?;
            let typed = call(binder, power, arguments, SqlType::Float, nullable);
            // The result has the type of the first argument.
            typed.convert_to(&first)?
        }
        "pi" => {
            of.takes(0, 0)?;
            Typed::constant(Datum::Float(std::f64::consts::PI), SqlType::Float)
        }
        "rand" => {
            of.takes(0, 1)?;
            let arguments = of.converted(&[SqlType::Int])?;
            // One value for the whole statement, as on SQL Server.
            let expr = Expr::Call {
                evaluator: rand,
                arguments,
            };
            let value = expr.eval(binder.context, &crate::plan::Environment::EMPTY)?;
            Typed::constant(value, SqlType::Float)
        }
        "isnumeric" => {
            of.takes(1, 1)?;
            let arguments = of.converted(&[])?;
            call(binder, isnumeric, arguments, SqlType::Int, false)
        }
        "newid" => {
            of.takes(0, 0)?;
            volatile(newid, Vec::new(), SqlType::UniqueIdentifier)
        }
        "newsequentialid" => {
            of.takes(0, 0)?;
            volatile(newsequentialid, Vec::new(), SqlType::UniqueIdentifier)
        }
        _ => return Ok(None),
    }))
}

fn newid(_: &Context, _: &[Datum]) -> SqlResult<Datum> {
    Ok(Datum::Guid(uuid::Uuid::new_v4().into_bytes()))
}

/// Grows in SQL Server's order of uniqueidentifiers: the last six bytes count first.
fn newsequentialid(context: &Context, _: &[Datum]) -> SqlResult<Datum> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (days, ticks) = context.server.clock().utc();
    let start = (days as u64)
        .wrapping_mul(crate::datetime::TICKS_PER_DAY)
        .wrapping_add(ticks);
    let _ = NEXT.compare_exchange(0, start, Ordering::Relaxed, Ordering::Relaxed);
    let value = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut bytes = [0u8; 16];
    bytes[8..16].copy_from_slice(&value.rotate_left(48).to_be_bytes());
    Ok(Datum::Guid(bytes))
}
