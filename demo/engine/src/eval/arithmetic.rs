//! Arithmetic, concatenation and bit operations.

use std::sync::Arc;

use crate::ast::BinaryOperator;
use crate::datetime::{DATETIME_TICKS_PER_DAY, MAX_DATETIME_DAY, MIN_DATETIME_DAY};
use crate::decimal::{self, Number, Shape};
use crate::error::{SqlResult, arithmetic_overflow, division_by_zero};
use crate::plan::Arithmetic;
use crate::types::{Datum, SqlType};

pub(super) fn binary(
    operator: BinaryOperator,
    kind: Arithmetic,
    result: &SqlType,
    left: &Datum,
    right: &Datum,
) -> SqlResult<Datum> {
    if *left == Datum::Null || *right == Datum::Null {
        return Ok(Datum::Null);
    }
    match kind {
        Arithmetic::Integer => integer(operator, result, left, right),
        Arithmetic::Decimal(shape) => decimal_operation(operator, shape, left, right),
        Arithmetic::Money => money(operator, result, left, right),
        Arithmetic::Float | Arithmetic::Real => float(operator, result, left, right),
        Arithmetic::DateTime => datetime(operator, left, right),
        Arithmetic::Text => Ok(concatenate(left, right)),
        Arithmetic::Binary => {
            let (Datum::Binary(a), Datum::Binary(b)) = (left, right) else {
                return Ok(Datum::Null);
            };
            Ok(Datum::Binary([a.as_ref(), b.as_ref()].concat().into()))
        }
    }
}

fn concatenate(left: &Datum, right: &Datum) -> Datum {
    let (
        Datum::Text {
            value: a,
            national: x,
        },
        Datum::Text {
            value: b,
            national: y,
        },
    ) = (left, right)
    else {
        return Datum::Null;
    };
    let mut text = String::with_capacity(a.len() + b.len());
    text.push_str(a);
    text.push_str(b);
    Datum::Text {
        value: Arc::from(text),
        national: *x || *y,
    }
}

fn as_integer(value: &Datum) -> i64 {
    match value {
        Datum::Bit(v) => i64::from(*v),
        Datum::TinyInt(v) => i64::from(*v),
        Datum::SmallInt(v) => i64::from(*v),
        Datum::Int(v) => i64::from(*v),
        Datum::BigInt(v) => *v,
        _ => 0,
    }
}

fn to_integer(value: i128, result: &SqlType) -> SqlResult<Datum> {
    let overflow = || arithmetic_overflow("expression", result.name());
    Ok(match result {
        SqlType::Bit => Datum::Bit(value != 0),
        SqlType::TinyInt => Datum::TinyInt(u8::try_from(value).map_err(|_| overflow())?),
        SqlType::SmallInt => Datum::SmallInt(i16::try_from(value).map_err(|_| overflow())?),
        SqlType::Int => Datum::Int(i32::try_from(value).map_err(|_| overflow())?),
        _ => Datum::BigInt(i64::try_from(value).map_err(|_| overflow())?),
    })
}

/// `a + b` of one integer type, for running sums.
pub(crate) fn add_integers(a: &Datum, b: &Datum, result: &SqlType) -> SqlResult<Datum> {
    integer(BinaryOperator::Add, result, a, b)
}

fn integer(
    operator: BinaryOperator,
    result: &SqlType,
    left: &Datum,
    right: &Datum,
) -> SqlResult<Datum> {
    let (a, b) = (i128::from(as_integer(left)), i128::from(as_integer(right)));
    let value = match operator {
        BinaryOperator::Add => a + b,
        BinaryOperator::Subtract => a - b,
        BinaryOperator::Multiply => a * b,
        BinaryOperator::Divide | BinaryOperator::Modulo if b == 0 => return Err(division_by_zero()),
        BinaryOperator::Divide => a / b,
        BinaryOperator::Modulo => a % b,
        BinaryOperator::BitAnd => a & b,
        BinaryOperator::BitOr => a | b,
        BinaryOperator::BitXor => a ^ b,
    };
    to_integer(value, result)
}

fn number(value: &Datum) -> Number {
    match value {
        Datum::Decimal {
            unscaled, scale, ..
        } => Number {
            unscaled: *unscaled,
            scale: *scale,
        },
        Datum::Money(v) => Number {
            unscaled: i128::from(*v),
            scale: 4,
        },
        Datum::SmallMoney(v) => Number {
            unscaled: i128::from(*v),
            scale: 4,
        },
        other => Number {
            unscaled: i128::from(as_integer(other)),
            scale: 0,
        },
    }
}

fn decimal_operation(
    operator: BinaryOperator,
    shape: Shape,
    left: &Datum,
    right: &Datum,
) -> SqlResult<Datum> {
    let (a, b) = (number(left), number(right));
    let unscaled = match operator {
        BinaryOperator::Add => decimal::add(a, b, shape)?,
        BinaryOperator::Subtract => decimal::add(
            a,
            Number {
                unscaled: -b.unscaled,
                ..b
            },
            shape,
        )?,
        BinaryOperator::Multiply => decimal::multiply(a, b, shape)?,
        BinaryOperator::Divide => decimal::divide(a, b, shape)?,
        _ => {
            let value = decimal::remainder(a, b)?;
            decimal::rescale(value, a.scale.max(b.scale), shape.scale)
                .ok_or_else(|| arithmetic_overflow("expression", "numeric"))?
        }
    };
    if decimal::fitting(unscaled, shape.precision).is_none() {
        return Err(arithmetic_overflow("expression", "numeric"));
    }
    Ok(Datum::Decimal {
        unscaled,
        precision: shape.precision,
        scale: shape.scale,
    })
}

fn money(
    operator: BinaryOperator,
    result: &SqlType,
    left: &Datum,
    right: &Datum,
) -> SqlResult<Datum> {
    let (a, b) = (number(left).unscaled, number(right).unscaled);
    let value = match operator {
        BinaryOperator::Add => a + b,
        BinaryOperator::Subtract => a - b,
        // Money keeps four digits: products round, quotients are cut.
        BinaryOperator::Multiply => decimal::rescale(a * b, 8, 4).unwrap_or(i128::MAX),
        BinaryOperator::Divide | BinaryOperator::Modulo if b == 0 => return Err(division_by_zero()),
        BinaryOperator::Divide => a * 10_000 / b,
        _ => a % b,
    };
    let overflow = || arithmetic_overflow("expression", result.name());
    if *result == SqlType::SmallMoney {
        return i32::try_from(value)
            .map(Datum::SmallMoney)
            .map_err(|_| overflow());
    }
    i64::try_from(value)
        .map(Datum::Money)
        .map_err(|_| overflow())
}

fn float(
    operator: BinaryOperator,
    result: &SqlType,
    left: &Datum,
    right: &Datum,
) -> SqlResult<Datum> {
    let value = |datum: &Datum| match datum {
        Datum::Real(v) => f64::from(*v),
        Datum::Float(v) => *v,
        _ => 0.0,
    };
    let (a, b) = (value(left), value(right));
    let computed = match operator {
        BinaryOperator::Add => a + b,
        BinaryOperator::Subtract => a - b,
        BinaryOperator::Multiply => a * b,
        _ if b == 0.0 => return Err(division_by_zero()),
        _ => a / b,
    };
    let overflow = || arithmetic_overflow("expression", result.name());
    if *result == SqlType::Real {
        let narrowed = computed as f32;
        return if narrowed.is_finite() {
            Ok(Datum::Real(narrowed))
        } else {
            Err(overflow())
        };
    }
    if computed.is_finite() {
        Ok(Datum::Float(computed))
    } else {
        Err(overflow())
    }
}

fn datetime(operator: BinaryOperator, left: &Datum, right: &Datum) -> SqlResult<Datum> {
    let (Datum::DateTime { days: a, ticks: s }, Datum::DateTime { days: b, ticks: t }) =
        (left, right)
    else {
        return Ok(Datum::Null);
    };
    let day = i64::from(DATETIME_TICKS_PER_DAY);
    let (a, b) = (
        i64::from(*a) * day + i64::from(*s),
        i64::from(*b) * day + i64::from(*t),
    );
    let total = if operator == BinaryOperator::Subtract {
        a - b
    } else {
        a + b
    };
    let days = total.div_euclid(day);
    if !(i64::from(MIN_DATETIME_DAY)..=i64::from(MAX_DATETIME_DAY)).contains(&days) {
        return Err(arithmetic_overflow("expression", "datetime"));
    }
    Ok(Datum::DateTime {
        days: days as i32,
        ticks: total.rem_euclid(day) as u32,
    })
}

/// Unary minus.
pub(crate) fn negate(value: &Datum, result: &SqlType) -> SqlResult<Datum> {
    let overflow = || arithmetic_overflow("expression", result.name());
    Ok(match value {
        Datum::Null => Datum::Null,
        Datum::Decimal {
            unscaled,
            precision,
            scale,
        } => Datum::Decimal {
            unscaled: -unscaled,
            precision: *precision,
            scale: *scale,
        },
        Datum::Money(v) => Datum::Money(v.checked_neg().ok_or_else(overflow)?),
        Datum::SmallMoney(v) => Datum::SmallMoney(v.checked_neg().ok_or_else(overflow)?),
        Datum::Real(v) => Datum::Real(-v),
        Datum::Float(v) => Datum::Float(-v),
        other => to_integer(-i128::from(as_integer(other)), result)?,
    })
}

/// `~`.
pub(super) fn bit_not(value: &Datum) -> Datum {
    match value {
        Datum::Bit(v) => Datum::Bit(!v),
        Datum::TinyInt(v) => Datum::TinyInt(!v),
        Datum::SmallInt(v) => Datum::SmallInt(!v),
        Datum::Int(v) => Datum::Int(!v),
        Datum::BigInt(v) => Datum::BigInt(!v),
        _ => Datum::Null,
    }
}
