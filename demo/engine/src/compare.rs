//! Comparison and hashing of values of one type.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use crate::collation::Collation;
use crate::datetime::{EPOCH_1900, from_datetime_ticks};
use crate::decimal::{self, Number};
use crate::types::Datum;

/// The order in which SQL Server compares the bytes of a uniqueidentifier, in textual byte positions.
const GUID_ORDER: [usize; 16] = [10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3];

/// Orders two values that the binder has brought to one type; NULL sorts first. Text compares by
/// `collation`.
pub(crate) fn compare(a: &Datum, b: &Datum, collation: &Collation) -> Ordering {
    use Datum::{
        BigInt, Binary, Bit, Date, DateTime, DateTime2, DateTimeOffset, Decimal, Float, Guid, Int,
        Money, Null, Real, SmallDateTime, SmallInt, SmallMoney, Text, Time, TinyInt,
    };
    match (a, b) {
        (Int(x), Int(y)) => x.cmp(y),
        (BigInt(x), BigInt(y)) => x.cmp(y),
        (
            Text {
                value: x,
                national: one,
            },
            Text {
                value: y,
                national: other,
            },
        ) => collation.compare(x, y, *one || *other),
        (Null, Null) => Ordering::Equal,
        (Null, _) => Ordering::Less,
        (_, Null) => Ordering::Greater,
        (Bit(x), Bit(y)) => x.cmp(y),
        (TinyInt(x), TinyInt(y)) => x.cmp(y),
        (SmallInt(x), SmallInt(y)) => x.cmp(y),
        (Money(x), Money(y)) => x.cmp(y),
        (SmallMoney(x), SmallMoney(y)) => x.cmp(y),
        (
            Decimal {
                unscaled: x,
                scale: s,
                ..
            },
            Decimal {
                unscaled: y,
                scale: t,
                ..
            },
        ) => decimal::compare(
            Number {
                unscaled: *x,
                scale: *s,
            },
            Number {
                unscaled: *y,
                scale: *t,
            },
        ),
        (Real(x), Real(y)) => x.partial_cmp(y).unwrap_or(Ordering::Equal),
        (Float(x), Float(y)) => x.partial_cmp(y).unwrap_or(Ordering::Equal),
        (Binary(x), Binary(y)) => compare_bytes(x, y),
        (Date(x), Date(y)) => x.cmp(y),
        (Time { ticks: x, .. }, Time { ticks: y, .. }) => x.cmp(y),
        (DateTime { days: x, ticks: s }, DateTime { days: y, ticks: t }) => (x, s).cmp(&(y, t)),
        (
            SmallDateTime {
                days: x,
                minutes: s,
            },
            SmallDateTime {
                days: y,
                minutes: t,
            },
        ) => (x, s).cmp(&(y, t)),
        (
            DateTime2 {
                days: x, ticks: s, ..
            },
            DateTime2 {
                days: y, ticks: t, ..
            },
        )
        | (
            DateTimeOffset {
                days: x, ticks: s, ..
            },
            DateTimeOffset {
                days: y, ticks: t, ..
            },
        ) => (x, s).cmp(&(y, t)),
        (Guid(x), Guid(y)) => GUID_ORDER
            .iter()
            .map(|&i| x[i].cmp(&y[i]))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal),
        _ => compare_variants(a, b),
    }
}

/// Binary strings compare as if the shorter were padded with zeros.
fn compare_bytes(a: &[u8], b: &[u8]) -> Ordering {
    let length = a.len().max(b.len());
    let byte = |bytes: &[u8], index: usize| bytes.get(index).copied().unwrap_or(0);
    (0..length)
        .map(|i| byte(a, i).cmp(&byte(b, i)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// `sql_variant` values of different base types: by type family, then by value where families agree.
fn compare_variants(a: &Datum, b: &Datum) -> Ordering {
    if let (Some(x), Some(y)) = (as_number(a), as_number(b)) {
        return decimal::compare(x, y);
    }
    if let (Some(x), Some(y)) = (as_float(a), as_float(b)) {
        return x.partial_cmp(&y).unwrap_or(Ordering::Equal);
    }
    if let (Some(x), Some(y)) = (as_instant(a), as_instant(b)) {
        return x.cmp(&y);
    }
    family(a).cmp(&family(b))
}

fn as_number(value: &Datum) -> Option<Number> {
    let (unscaled, scale) = match value {
        Datum::Bit(v) => (i128::from(*v), 0),
        Datum::TinyInt(v) => (i128::from(*v), 0),
        Datum::SmallInt(v) => (i128::from(*v), 0),
        Datum::Int(v) => (i128::from(*v), 0),
        Datum::BigInt(v) => (i128::from(*v), 0),
        Datum::Decimal {
            unscaled, scale, ..
        } => (*unscaled, *scale),
        Datum::Money(v) => (i128::from(*v), 4),
        Datum::SmallMoney(v) => (i128::from(*v), 4),
        _ => return None,
    };
    Some(Number { unscaled, scale })
}

fn as_float(value: &Datum) -> Option<f64> {
    match value {
        Datum::Real(v) => Some(f64::from(*v)),
        Datum::Float(v) => Some(*v),
        _ => as_number(value)
            .map(|number| number.unscaled as f64 / 10f64.powi(i32::from(number.scale))),
    }
}

fn as_instant(value: &Datum) -> Option<(i32, u64)> {
    match value {
        Datum::Date(days) => Some((*days, 0)),
        Datum::DateTime { days, ticks } => Some((days + EPOCH_1900, from_datetime_ticks(*ticks))),
        Datum::SmallDateTime { days, minutes } => Some((
            i32::from(*days) + EPOCH_1900,
            u64::from(*minutes) * 600_000_000,
        )),
        Datum::DateTime2 { days, ticks, .. } | Datum::DateTimeOffset { days, ticks, .. } => {
            Some((*days, *ticks))
        }
        _ => None,
    }
}

fn family(value: &Datum) -> u8 {
    match value {
        Datum::Null => 0,
        Datum::Binary(_) => 1,
        Datum::Guid(_) => 2,
        Datum::Text { .. } => 3,
        Datum::Time { .. } => 5,
        _ if as_instant(value).is_some() => 6,
        _ => 4,
    }
}

/// Hashes so that values which compare equal hash alike.
pub(crate) fn hash<H: Hasher>(value: &Datum, collation: &Collation, state: &mut H) {
    match value {
        Datum::Null => state.write_u8(0),
        Datum::Text { value, .. } => collation.hash(value, state),
        Datum::Bit(v) => state.write_u8(u8::from(*v)),
        Datum::TinyInt(v) => state.write_u8(*v),
        Datum::SmallInt(v) => v.hash(state),
        Datum::Int(v) => v.hash(state),
        Datum::BigInt(v) => v.hash(state),
        Datum::Money(v) => v.hash(state),
        Datum::SmallMoney(v) => v.hash(state),
        Datum::Decimal {
            unscaled, scale, ..
        } => hash_decimal(*unscaled, *scale, state),
        // -0 equals 0.
        Datum::Real(v) => (v + 0.0).to_bits().hash(state),
        Datum::Float(v) => (v + 0.0).to_bits().hash(state),
        Datum::Binary(bytes) => {
            let end = bytes
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |last| last + 1);
            bytes[..end].hash(state);
        }
        Datum::Date(days) => days.hash(state),
        Datum::Time { ticks, .. } => ticks.hash(state),
        Datum::DateTime { days, ticks } => (days, ticks).hash(state),
        Datum::SmallDateTime { days, minutes } => (days, minutes).hash(state),
        Datum::DateTime2 { days, ticks, .. } | Datum::DateTimeOffset { days, ticks, .. } => {
            (days, ticks).hash(state)
        }
        Datum::Guid(bytes) => bytes.hash(state),
    }
}

fn hash_decimal<H: Hasher>(mut unscaled: i128, mut scale: u8, state: &mut H) {
    while scale > 0 && unscaled % 10 == 0 {
        unscaled /= 10;
        scale -= 1;
    }
    (unscaled, scale).hash(state);
}

/// A row's key: values with the collations that they compare by.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) values: Vec<Datum>,
    pub(crate) collations: std::rc::Rc<[Collation]>,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.values.len() == other.values.len()
            && self
                .values
                .iter()
                .zip(&other.values)
                .zip(self.collations.iter())
                .all(|((a, b), c)| compare(a, b, c).is_eq())
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for (value, collation) in self.values.iter().zip(self.collations.iter()) {
            hash(value, collation, state);
        }
    }
}
