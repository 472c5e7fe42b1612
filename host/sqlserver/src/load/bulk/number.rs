//! Numbers on the wire.

use std::ops::RangeInclusive;

use icehost_plan::{SqlType, Value};

use super::super::misfit::Misfit;
use super::type_info::decimal_size;

/// How exact numbers become those of a column: brought to its scale, checked against its range, written.
#[derive(Debug, Clone)]
pub(super) struct ExactForm {
    scaling: Scaling,
    range: RangeInclusive<i128>,
    layout: Layout,
}

#[derive(Debug, Clone, Copy)]
enum Scaling {
    Same,
    Multiply(i128),
    Divide(i128),
}

#[derive(Debug, Clone, Copy)]
enum Layout {
    /// So many bytes.
    Integer(u8),
    /// Sign and magnitude, so many bytes (MS-TDS 2.2.5.5.1.6).
    Decimal(u8),
    /// 64 bits, the upper half first (MS-TDS 2.2.5.5.1.2).
    Money,
    /// Text in UTF-16, for servers that misread decimals; with so many digits behind the point.
    Text(u8),
}

impl ExactForm {
    /// From numbers with `scale` digits behind the point to `sql_type`, staged as `staged`. `None` where
    /// that is no type of exact numbers.
    pub(super) fn new(scale: u8, sql_type: SqlType, staged: SqlType) -> Option<ExactForm> {
        let (to, range) = match sql_type {
            SqlType::TinyInt => (0, 0..=u8::MAX.into()),
            SqlType::SmallInt => (0, i16::MIN.into()..=i16::MAX.into()),
            SqlType::Int => (0, i32::MIN.into()..=i32::MAX.into()),
            SqlType::BigInt => (0, i64::MIN.into()..=i64::MAX.into()),
            SqlType::Money => (4, i64::MIN.into()..=i64::MAX.into()),
            SqlType::SmallMoney => (4, i32::MIN.into()..=i32::MAX.into()),
            SqlType::Decimal { precision, scale } => {
                let limit = 10i128.checked_pow(precision.into())? - 1;
                (scale, -limit..=limit)
            }
            SqlType::Bit
            | SqlType::Real
            | SqlType::Float
            | SqlType::Char(_)
            | SqlType::VarChar(_)
            | SqlType::NChar(_)
            | SqlType::NVarChar(_)
            | SqlType::Binary(_)
            | SqlType::VarBinary(_)
            | SqlType::Date
            | SqlType::Time(_)
            | SqlType::DateTime
            | SqlType::SmallDateTime
            | SqlType::DateTime2(_)
            | SqlType::DateTimeOffset(_)
            | SqlType::UniqueIdentifier
            | SqlType::RowVersion => return None,
        };
        let layout = match staged {
            SqlType::TinyInt => Layout::Integer(1),
            SqlType::SmallInt => Layout::Integer(2),
            SqlType::Int | SqlType::SmallMoney => Layout::Integer(4),
            SqlType::BigInt => Layout::Integer(8),
            SqlType::Money => Layout::Money,
            SqlType::Decimal { precision, .. } => Layout::Decimal(decimal_size(precision)),
            SqlType::Bit
            | SqlType::Real
            | SqlType::Float
            | SqlType::Char(_)
            | SqlType::VarChar(_)
            | SqlType::NChar(_)
            | SqlType::NVarChar(_)
            | SqlType::Binary(_)
            | SqlType::VarBinary(_)
            | SqlType::Date
            | SqlType::Time(_)
            | SqlType::DateTime
            | SqlType::SmallDateTime
            | SqlType::DateTime2(_)
            | SqlType::DateTimeOffset(_)
            | SqlType::UniqueIdentifier
            | SqlType::RowVersion => Layout::Text(to),
        };
        let scaling = match i16::from(to) - i16::from(scale) {
            0 => Scaling::Same,
            up @ 1.. => Scaling::Multiply(10i128.checked_pow(up.unsigned_abs().into())?),
            down => Scaling::Divide(10i128.checked_pow(down.unsigned_abs().into())?),
        };
        Some(ExactForm {
            scaling,
            range,
            layout,
        })
    }

    #[inline]
    pub(super) fn append(&self, number: i128, out: &mut Vec<u8>) -> Result<(), Misfit> {
        let number = match self.scaling {
            Scaling::Same => number,
            Scaling::Multiply(factor) => number.checked_mul(factor).ok_or(Misfit::OutOfRange)?,
            Scaling::Divide(divisor) if number % divisor != 0 => return Err(Misfit::TooFine),
            Scaling::Divide(divisor) => number / divisor,
        };
        if !self.range.contains(&number) {
            return Err(Misfit::OutOfRange);
        }
        match self.layout {
            // In range, so the bytes that are left out say nothing.
            Layout::Integer(size) => append_integer(number as i64, size, out),
            Layout::Decimal(size) => {
                let mut bytes = [0; 18];
                let [length, sign, magnitude @ ..] = &mut bytes;
                *length = size;
                *sign = u8::from(number >= 0);
                *magnitude = number.unsigned_abs().to_le_bytes();
                out.extend_from_slice(bytes.get(..=usize::from(size)).unwrap_or_default());
            }
            Layout::Money => {
                out.push(8);
                out.extend_from_slice(&(number as i64).rotate_left(32).to_le_bytes());
            }
            Layout::Text(scale) => {
                let text = Value::Decimal {
                    unscaled: number,
                    scale,
                }
                .text();
                super::text::append_text(&text, out);
            }
        }
        Ok(())
    }
}

/// How integers become those of a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct IntegerForm {
    min: i64,
    max: i64,
    size: u8,
}

impl IntegerForm {
    /// `None` where `sql_type` is no type of integers.
    pub(super) fn new(sql_type: SqlType) -> Option<IntegerForm> {
        let (min, max, size) = match sql_type {
            SqlType::TinyInt => (0, u8::MAX.into(), 1),
            SqlType::SmallInt => (i16::MIN.into(), i16::MAX.into(), 2),
            SqlType::Int => (i32::MIN.into(), i32::MAX.into(), 4),
            SqlType::BigInt => (i64::MIN, i64::MAX, 8),
            SqlType::Decimal { .. }
            | SqlType::Money
            | SqlType::SmallMoney
            | SqlType::Bit
            | SqlType::Real
            | SqlType::Float
            | SqlType::Char(_)
            | SqlType::VarChar(_)
            | SqlType::NChar(_)
            | SqlType::NVarChar(_)
            | SqlType::Binary(_)
            | SqlType::VarBinary(_)
            | SqlType::Date
            | SqlType::Time(_)
            | SqlType::DateTime
            | SqlType::SmallDateTime
            | SqlType::DateTime2(_)
            | SqlType::DateTimeOffset(_)
            | SqlType::UniqueIdentifier
            | SqlType::RowVersion => return None,
        };
        Some(IntegerForm { min, max, size })
    }

    #[inline]
    pub(super) fn append(self, number: i64, out: &mut Vec<u8>) -> Result<(), Misfit> {
        if !(self.min..=self.max).contains(&number) {
            return Err(Misfit::OutOfRange);
        }
        append_integer(number, self.size, out);
        Ok(())
    }
}

/// Appends the lowest `size` bytes with their number in front (MS-TDS 2.2.5.5.1.1, INTNTYPE).
#[inline]
fn append_integer(number: i64, size: u8, out: &mut Vec<u8>) {
    let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
    match size {
        1 => out.extend_from_slice(&[1, a]),
        2 => out.extend_from_slice(&[2, a, b]),
        4 => out.extend_from_slice(&[4, a, b, c, d]),
        _ => out.extend_from_slice(&[8, a, b, c, d, e, f, g, h]),
    }
}

#[inline]
pub(super) fn append_real(number: f32, out: &mut Vec<u8>) -> Result<(), Misfit> {
    if !number.is_finite() {
        return Err(Misfit::NotANumber);
    }
    let [a, b, c, d] = number.to_le_bytes();
    out.extend_from_slice(&[4, a, b, c, d]);
    Ok(())
}

#[inline]
pub(super) fn append_float(number: f64, out: &mut Vec<u8>) -> Result<(), Misfit> {
    if !number.is_finite() {
        return Err(Misfit::NotANumber);
    }
    append_integer(number.to_bits() as i64, 8, out);
    Ok(())
}

/// A double as a `real`, if that is the same number.
#[inline]
pub(super) fn append_double_as_real(number: f64, out: &mut Vec<u8>) -> Result<(), Misfit> {
    if !number.is_finite() {
        return Err(Misfit::NotANumber);
    }
    if f64::from(number as f32) != number {
        return Err(Misfit::OutOfRange);
    }
    append_real(number as f32, out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::lower::literal::{digits, rescale};

    fn form(scale: u8, sql_type: SqlType) -> ExactForm {
        ExactForm::new(scale, sql_type, sql_type).unwrap()
    }

    #[test]
    fn money_has_its_upper_half_first() {
        let mut out = Vec::new();
        form(4, SqlType::Money)
            .append(0x0102_0304_0506_0708, &mut out)
            .unwrap();
        assert_eq!(out, [8, 4, 3, 2, 1, 8, 7, 6, 5]);
    }

    #[test]
    fn a_decimal_is_its_sign_and_as_many_bytes_as_its_precision_takes() {
        for (precision, size) in [
            (9, 5),
            (10, 9),
            (19, 9),
            (20, 13),
            (28, 13),
            (29, 17),
            (38, 17),
        ] {
            let sql_type = SqlType::Decimal {
                precision,
                scale: 0,
            };
            for (number, sign) in [(-258, 0), (258, 1), (0, 1)] {
                let mut out = Vec::new();
                form(0, sql_type).append(number, &mut out).unwrap();
                assert_eq!(out.len(), size + 1);
                let low = if number == 0 { [0, 0] } else { [2, 1] };
                assert_eq!(out[..4], [size as u8, sign, low[0], low[1]]);
            }
        }
    }

    proptest! {
        /// By the arithmetic that literals are bound with.
        #[test]
        fn a_number_is_taken_exactly_or_not_at_all(
            number in any::<i128>(),
            shift in 0u32..127,
            from in 0u8..=38,
            precision in 1u8..=38,
            scale in 0u8..=38,
        ) {
            let (number, scale) = (number >> shift, scale.min(precision));
            let sql_type = SqlType::Decimal { precision, scale };
            let mut out = Vec::new();
            let result = form(from, sql_type).append(number, &mut out);
            match rescale(number, from, scale).filter(|&exact| digits(exact) <= precision) {
                Some(exact) => {
                    prop_assert_eq!(result, Ok(()));
                    let mut magnitude = [0; 16];
                    magnitude[..out.len() - 2].copy_from_slice(&out[2..]);
                    prop_assert_eq!(u128::from_le_bytes(magnitude), exact.unsigned_abs());
                    prop_assert_eq!(out[1], u8::from(exact >= 0));
                }
                None => {
                    let too_fine = from > scale && number % 10i128.pow((from - scale).into()) != 0;
                    let misfit = if too_fine { Misfit::TooFine } else { Misfit::OutOfRange };
                    prop_assert_eq!(result, Err(misfit));
                    prop_assert!(out.is_empty());
                }
            }
        }
    }
}
