//! `decimal` arithmetic to 38 digits with T-SQL's result precision and scale
//! (T-SQL reference, "Precision, scale, and length").

use crate::error::{SqlResult, arithmetic_overflow, division_by_zero};

/// The largest number of digits.
pub(crate) const MAX_PRECISION: u8 = 38;

/// 10^`exponent`, for exponents up to 38.
pub(crate) fn power_of_ten(exponent: u32) -> u128 {
    10u128.pow(exponent.min(38))
}

/// A decimal number: `unscaled` × 10^-`scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) unscaled: i128,
    pub(crate) scale: u8,
}

/// Precision and scale of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) precision: u8,
    pub(crate) scale: u8,
}

/// Whole digits come first: the scale gives way, down to six digits, where precision would pass 38.
fn reduced(precision: u32, scale: u32) -> Shape {
    let scale = if precision <= 38 {
        scale
    } else {
        let whole = precision - scale;
        if whole <= 32 {
            scale.min(38 - whole)
        } else {
            scale.min(6)
        }
    };
    Shape {
        precision: precision.min(38) as u8,
        scale: scale as u8,
    }
}

/// The shape of `a + b` and `a - b`.
pub(crate) fn sum_shape(a: Shape, b: Shape) -> Shape {
    let scale = u32::from(a.scale.max(b.scale));
    let whole = u32::from((a.precision - a.scale).max(b.precision - b.scale));
    let precision = whole + scale + 1;
    let scale = if precision > 38 {
        scale.min(38u32.saturating_sub(whole))
    } else {
        scale
    };
    Shape {
        precision: precision.min(38) as u8,
        scale: scale as u8,
    }
}

/// The shape of `a * b`.
pub(crate) fn product_shape(a: Shape, b: Shape) -> Shape {
    reduced(
        u32::from(a.precision) + u32::from(b.precision) + 1,
        u32::from(a.scale) + u32::from(b.scale),
    )
}

/// The shape of `a / b`.
pub(crate) fn quotient_shape(a: Shape, b: Shape) -> Shape {
    let scale = (u32::from(a.scale) + u32::from(b.precision) + 1).max(6);
    reduced(
        u32::from(a.precision) - u32::from(a.scale) + u32::from(b.scale) + scale,
        scale,
    )
}

/// The shape of `a % b`.
pub(crate) fn remainder_shape(a: Shape, b: Shape) -> Shape {
    let scale = a.scale.max(b.scale);
    let whole = (a.precision - a.scale).min(b.precision - b.scale);
    Shape {
        precision: (whole + scale).clamp(1, MAX_PRECISION),
        scale,
    }
}

/// The shape that holds both, as UNION, CASE and COALESCE need it.
pub(crate) fn common_shape(a: Shape, b: Shape) -> Shape {
    let whole = (a.precision - a.scale).max(b.precision - b.scale);
    let scale = a.scale.max(b.scale).min(MAX_PRECISION - whole);
    Shape {
        precision: (whole + scale).max(1),
        scale,
    }
}

fn overflow() -> crate::session::SqlError {
    arithmetic_overflow("expression", "numeric")
}

/// The value if it fits `precision` digits.
pub(crate) fn fitting(unscaled: i128, precision: u8) -> Option<i128> {
    (unscaled.unsigned_abs() < power_of_ten(u32::from(precision))).then_some(unscaled)
}

/// Changes the scale, rounding half away from zero; `None` on overflow of 38 digits.
pub(crate) fn rescale(unscaled: i128, from: u8, to: u8) -> Option<i128> {
    if to >= from {
        let factor = i128::try_from(power_of_ten(u32::from(to - from))).ok()?;
        return unscaled
            .checked_mul(factor)
            .and_then(|value| fitting(value, MAX_PRECISION));
    }
    let divisor = power_of_ten(u32::from(from - to)) as i128;
    let (quotient, remainder) = (unscaled / divisor, unscaled % divisor);
    let round = remainder.unsigned_abs() >= divisor.unsigned_abs().div_ceil(2);
    Some(if round {
        quotient + unscaled.signum()
    } else {
        quotient
    })
}

/// An unsigned 256-bit number, wide enough for a product of two decimals and for a scaled dividend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wide {
    high: u128,
    low: u128,
}

impl Wide {
    fn product(a: u128, b: u128) -> Self {
        const MASK: u128 = u64::MAX as u128;
        let (a1, a0, b1, b0) = (a >> 64, a & MASK, b >> 64, b & MASK);
        let low = a0 * b0;
        let (middle, carry) = (a1 * b0).overflowing_add(a0 * b1);
        let (low, overflowed) = low.overflowing_add(middle << 64);
        let high = a1 * b1 + (middle >> 64) + (u128::from(carry) << 64) + u128::from(overflowed);
        Self { high, low }
    }

    fn checked_add(self, other: Self) -> Option<Self> {
        let (low, carry) = self.low.overflowing_add(other.low);
        let high = self
            .high
            .checked_add(other.high)?
            .checked_add(u128::from(carry))?;
        Some(Self { high, low })
    }

    fn subtract(self, other: Self) -> Self {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        Self {
            high: self
                .high
                .wrapping_sub(other.high)
                .wrapping_sub(u128::from(borrow)),
            low,
        }
    }

    fn checked_multiply(self, factor: u128) -> Option<Self> {
        let low = Self::product(self.low, factor);
        let high = Self::product(self.high, factor);
        if high.high != 0 {
            return None;
        }
        Some(Self {
            high: low.high.checked_add(high.low)?,
            low: low.low,
        })
    }

    /// Times 10^`exponent`, for any exponent up to 76.
    fn scaled_up(self, exponent: u32) -> Option<Self> {
        let first = exponent.min(38);
        self.checked_multiply(power_of_ten(first))?
            .checked_multiply(power_of_ten(exponent - first))
    }

    fn divide(self, divisor: u128) -> (Self, u128) {
        if self.high == 0 {
            return (
                Self {
                    high: 0,
                    low: self.low / divisor,
                },
                self.low % divisor,
            );
        }
        let (mut quotient, mut remainder) = (Self { high: 0, low: 0 }, 0u128);
        for bit in (0..256).rev() {
            let carried = remainder >> 127;
            let next = if bit >= 128 {
                (self.high >> (bit - 128)) & 1
            } else {
                (self.low >> bit) & 1
            };
            remainder = (remainder << 1) | next;
            if carried == 1 || remainder >= divisor {
                remainder = remainder.wrapping_sub(divisor);
                if bit >= 128 {
                    quotient.high |= 1 << (bit - 128);
                } else {
                    quotient.low |= 1 << bit;
                }
            }
        }
        (quotient, remainder)
    }

    /// Divides by 10^`exponent`, rounding half up.
    fn scaled_down(self, exponent: u32) -> Self {
        if exponent == 0 {
            return self;
        }
        let first = exponent.min(38);
        // Dropping digits in two steps must not round twice: only the last step rounds.
        let upper = if exponent > first {
            self.divide(power_of_ten(exponent - first)).0
        } else {
            self
        };
        let divisor = power_of_ten(first);
        let (quotient, remainder) = upper.divide(divisor);
        if remainder >= divisor.div_ceil(2) {
            quotient
                .checked_add(Self { high: 0, low: 1 })
                .unwrap_or(quotient)
        } else {
            quotient
        }
    }

    /// As a decimal of the given precision and sign.
    fn narrowed(self, negative: bool, precision: u8) -> SqlResult<i128> {
        if self.high != 0 || self.low >= power_of_ten(u32::from(precision)) {
            return Err(overflow());
        }
        let value = self.low as i128;
        Ok(if negative { -value } else { value })
    }
}

/// `a + b` in the given shape.
pub(crate) fn add(a: Number, b: Number, shape: Shape) -> SqlResult<i128> {
    let scale = a.scale.max(b.scale);
    let wide = |number: Number| {
        Wide {
            high: 0,
            low: number.unscaled.unsigned_abs(),
        }
        .scaled_up(u32::from(scale - number.scale))
        .ok_or_else(overflow)
    };
    let (left, right) = (wide(a)?, wide(b)?);
    let (negative, sum) = if (a.unscaled < 0) == (b.unscaled < 0) {
        (
            a.unscaled < 0,
            left.checked_add(right).ok_or_else(overflow)?,
        )
    } else if left >= right {
        (a.unscaled < 0, left.subtract(right))
    } else {
        (b.unscaled < 0, right.subtract(left))
    };
    sum.scaled_down(u32::from(scale.saturating_sub(shape.scale)))
        .narrowed(negative, MAX_PRECISION)
}

/// `a * b` in the given shape.
pub(crate) fn multiply(a: Number, b: Number, shape: Shape) -> SqlResult<i128> {
    let product = Wide::product(a.unscaled.unsigned_abs(), b.unscaled.unsigned_abs());
    let excess = u32::from(a.scale) + u32::from(b.scale) - u32::from(shape.scale);
    product
        .scaled_down(excess)
        .narrowed((a.unscaled < 0) != (b.unscaled < 0), MAX_PRECISION)
}

/// `a / b` in the given shape; digits beyond the scale are cut, not rounded.
pub(crate) fn divide(a: Number, b: Number, shape: Shape) -> SqlResult<i128> {
    if b.unscaled == 0 {
        return Err(division_by_zero());
    }
    let negative = (a.unscaled < 0) != (b.unscaled < 0);
    let exponent = i32::from(shape.scale) + i32::from(b.scale) - i32::from(a.scale);
    let dividend = Wide {
        high: 0,
        low: a.unscaled.unsigned_abs(),
    };
    let quotient = if exponent >= 0 {
        dividend
            .scaled_up(exponent as u32)
            .ok_or_else(overflow)?
            .divide(b.unscaled.unsigned_abs())
            .0
    } else {
        dividend
            .divide(b.unscaled.unsigned_abs())
            .0
            .divide(power_of_ten(exponent.unsigned_abs()))
            .0
    };
    quotient.narrowed(negative, MAX_PRECISION)
}

/// `a % b`, with the sign of `a`.
pub(crate) fn remainder(a: Number, b: Number) -> SqlResult<i128> {
    if b.unscaled == 0 {
        return Err(division_by_zero());
    }
    let scale = a.scale.max(b.scale);
    let left = rescale(a.unscaled, a.scale, scale).ok_or_else(overflow)?;
    let right = rescale(b.unscaled, b.scale, scale).ok_or_else(overflow)?;
    Ok(left % right)
}

/// Orders two decimals of any scales.
pub(crate) fn compare(a: Number, b: Number) -> std::cmp::Ordering {
    if a.scale == b.scale {
        return a.unscaled.cmp(&b.unscaled);
    }
    let by_sign = a.unscaled.signum().cmp(&b.unscaled.signum());
    if by_sign.is_ne() {
        return by_sign;
    }
    let scale = a.scale.max(b.scale);
    let widened = |number: Number| {
        Wide::product(
            number.unscaled.unsigned_abs(),
            power_of_ten(u32::from(scale - number.scale)),
        )
    };
    let order = widened(a).cmp(&widened(b));
    if a.unscaled < 0 {
        order.reverse()
    } else {
        order
    }
}

/// Reads `[+-]digits[.digits]` into the scale, rounding half away from zero.
///
/// `None` where the text is no number; `Some(None)` where it needs more than `precision` digits.
pub(crate) fn parse(text: &str, precision: u8, scale: u8) -> Option<Option<i128>> {
    let text = text.trim();
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let digits = digits.trim_start();
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty())
        || !whole
            .bytes()
            .chain(fraction.bytes())
            .all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let kept = &fraction[..fraction.len().min(usize::from(scale))];
    let mut value: u128 = 0;
    for byte in whole
        .bytes()
        .chain(kept.bytes())
        .chain(std::iter::repeat_n(b'0', usize::from(scale) - kept.len()))
    {
        match value
            .checked_mul(10)
            .and_then(|value| value.checked_add(u128::from(byte - b'0')))
        {
            Some(next) => value = next,
            None => return Some(None),
        }
    }
    if fraction
        .as_bytes()
        .get(usize::from(scale))
        .is_some_and(|&digit| digit >= b'5')
    {
        value += 1;
    }
    if value >= power_of_ten(u32::from(precision)) {
        return Some(None);
    }
    Some(Some(if negative {
        -(value as i128)
    } else {
        value as i128
    }))
}

/// The text of a decimal: all digits of its scale.
pub(crate) fn format(unscaled: i128, scale: u8) -> String {
    let digits = unscaled.unsigned_abs().to_string();
    let scale = usize::from(scale);
    let padded = if digits.len() <= scale {
        format!("{}{digits}", "0".repeat(scale + 1 - digits.len()))
    } else {
        digits
    };
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    if scale == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}
