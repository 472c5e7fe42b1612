//! Values: constructors and order.

use std::cmp::Ordering;

use crate::{Decimal, LogicalType, Value, Zoned};

impl Value {
    /// The kind of the value; `None` for NULL, which has none.
    pub fn kind(&self) -> Option<LogicalType> {
        Some(match self {
            Value::Null => return None,
            Value::Boolean(_) => LogicalType::Boolean,
            Value::Integer(_) => LogicalType::Integer,
            Value::Double(_) => LogicalType::Double,
            Value::Decimal(_) => LogicalType::Decimal,
            Value::Text(_) => LogicalType::Text,
            Value::Binary(_) => LogicalType::Binary,
            Value::Date(_) => LogicalType::Date,
            Value::Time(_) => LogicalType::Time,
            Value::Timestamp(_) => LogicalType::Timestamp,
            Value::TimestampTz(_) => LogicalType::TimestampTz,
            Value::Uuid(_) => LogicalType::Uuid,
        })
    }

    /// Whether this is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The integer, where it is one.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Value::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The order of two values, where all servers agree on one: numbers, days, times and moments of the
    /// same kind. Text has no such order, since each collation has its own; nor has NULL.
    pub fn compare(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Value::Integer(a), Value::Integer(b)) => Some(a.cmp(b)),
            (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
            (Value::Decimal(a), Value::Decimal(b)) => Some(a.compare(b)),
            (Value::Binary(a), Value::Binary(b)) => Some(a.cmp(b)),
            (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
            (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
            (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
            (Value::TimestampTz(a), Value::TimestampTz(b)) => Some(a.ticks.cmp(&b.ticks)),
            _ => None,
        }
    }
}

impl Decimal {
    /// `unscaled ÷ 10^scale`.
    pub fn new(unscaled: i128, scale: u8) -> Self {
        Decimal {
            high: (unscaled >> 64) as i64,
            low: unscaled as u64,
            scale,
        }
    }

    /// The value times 10^scale.
    pub fn unscaled(&self) -> i128 {
        (i128::from(self.high) << 64) | i128::from(self.low)
    }

    /// The numerical order, whatever the scales.
    pub fn compare(&self, other: &Decimal) -> Ordering {
        // Whole parts first: bringing both to one scale could overflow.
        let split = |d: &Decimal| {
            let unit = 10i128.checked_pow(u32::from(d.scale)).unwrap_or(i128::MAX);
            let (whole, rest) = (d.unscaled().div_euclid(unit), d.unscaled().rem_euclid(unit));
            (whole, rest, d.scale)
        };
        let ((whole_a, rest_a, scale_a), (whole_b, rest_b, scale_b)) = (split(self), split(other));
        let fraction = |rest: i128, scale: u8| {
            let missing = u32::from(scale_a.max(scale_b) - scale);
            rest.saturating_mul(10i128.checked_pow(missing).unwrap_or(i128::MAX))
        };
        whole_a
            .cmp(&whole_b)
            .then_with(|| fraction(rest_a, scale_a).cmp(&fraction(rest_b, scale_b)))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Boolean(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Integer(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Value::Integer(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::Text(value)
    }
}

impl From<Decimal> for Value {
    fn from(value: Decimal) -> Self {
        Value::Decimal(value)
    }
}

impl From<Zoned> for Value {
    fn from(value: Zoned) -> Self {
        Value::TimestampTz(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_all_128_bits() {
        for unscaled in [0, 1, -1, i128::MAX, i128::MIN, -(1 << 64), (1 << 64) - 1] {
            assert_eq!(Decimal::new(unscaled, 3).unscaled(), unscaled);
        }
    }

    #[test]
    fn decimals_compare_across_scales() {
        let decimal = |unscaled, scale| Decimal::new(unscaled, scale);
        assert_eq!(decimal(10, 1).compare(&decimal(1, 0)), Ordering::Equal);
        assert_eq!(decimal(-15, 1).compare(&decimal(-1, 0)), Ordering::Less);
        assert_eq!(decimal(-15, 1).compare(&decimal(-150, 2)), Ordering::Equal);
        let widest = 10i128.pow(38) - 1;
        assert_eq!(
            decimal(widest, 0).compare(&decimal(widest, 38)),
            Ordering::Greater
        );
        assert_eq!(decimal(widest, 38).compare(&decimal(1, 0)), Ordering::Less);
    }

    #[test]
    fn values_of_different_kinds_have_no_order() {
        assert_eq!(Value::Integer(1).compare(&Value::Date(1)), None);
        assert_eq!(Value::Null.compare(&Value::Null), None);
        assert_eq!(Value::from("a").compare(&Value::from("b")), None);
    }

    #[test]
    fn zoned_values_compare_as_moments() {
        let zoned = |ticks, offset_minutes| {
            Value::TimestampTz(Zoned {
                ticks,
                offset_minutes,
            })
        };
        assert_eq!(zoned(5, 60).compare(&zoned(5, -60)), Some(Ordering::Equal));
    }
}
