//! Points in the order of a cursor's columns.

use std::cmp::Ordering;

use super::shown::shown;
use crate::{ColumnId, Predicate, Value, Zoned, rows_from, rows_through};

/// A lake keeps microseconds.
const TICKS_PER_MICROSECOND: i64 = 10;

/// Values of a cursor's columns, compared from the left. One that has fewer values than there are columns lies before
/// all that begin with them. It has at least one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place(Vec<Value>);

impl Place {
    /// `None` where there is no value at all, or one of them is NULL: no row was found.
    pub(super) fn of(values: Vec<Value>) -> Option<Place> {
        let usable = !values.is_empty() && !values.iter().any(Value::is_null);
        usable.then_some(Place(values))
    }

    /// Before every row that has this value in the first column.
    pub(super) fn begins(value: Value) -> Place {
        Place(vec![value])
    }

    /// In the first column.
    pub(super) fn first(&self) -> &Value {
        self.0.first().unwrap_or(&Value::Null)
    }

    pub(super) fn values(&self) -> &[Value] {
        &self.0
    }

    /// `None` for values that have no order.
    pub(super) fn compare(&self, other: &Place) -> Option<Ordering> {
        for (a, b) in self.0.iter().zip(&other.0) {
            match a.compare(b)? {
                Ordering::Equal => {}
                order => return Some(order),
            }
        }
        Some(self.0.len().cmp(&other.0.len()))
    }

    /// This one, or the other where that lies before it.
    pub(super) fn or_earlier(self, other: Place) -> Place {
        match other.compare(&self) {
            Some(Ordering::Less) => other,
            _ => self,
        }
    }

    /// Rows that lie here or later.
    pub(super) fn and_later(&self, columns: &[ColumnId]) -> Predicate {
        rows_from(&self.with(columns))
    }

    /// Rows that lie here or before it.
    pub(super) fn and_earlier(&self, columns: &[ColumnId]) -> Predicate {
        rows_through(&self.with(columns))
    }

    fn with(&self, columns: &[ColumnId]) -> Vec<(ColumnId, Value)> {
        columns.iter().copied().zip(self.0.clone()).collect()
    }

    /// A place not behind it, such that no two moments are on either side of it which the lake holds as one.
    pub(super) fn whole_microseconds(self) -> Place {
        let whole = |ticks: i64| ticks - ticks.rem_euclid(TICKS_PER_MICROSECOND);
        let first = match self.first() {
            Value::Timestamp(ticks) => Value::Timestamp(whole(*ticks)),
            Value::TimestampTz(zoned) => Value::TimestampTz(Zoned {
                ticks: whole(zoned.ticks),
                ..*zoned
            }),
            _ => return self,
        };
        match first == *self.first() {
            true => self,
            false => Place::begins(first),
        }
    }
}

impl std::fmt::Display for Place {
    /// As SQL Server shows values.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let texts: Vec<String> = self.0.iter().map(shown).collect();
        match texts.as_slice() {
            [only] => f.write_str(only),
            several => write!(f, "({})", several.join(", ")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn place(values: &[i64]) -> Place {
        Place::of(values.iter().map(|v| Value::Integer(*v)).collect()).unwrap()
    }

    #[test]
    fn places_are_compared_from_the_left() {
        for (a, b, order) in [
            (&[1, 2][..], &[1, 2][..], Ordering::Equal),
            (&[1, 2], &[1, 3], Ordering::Less),
            (&[2, 0], &[1, 3], Ordering::Greater),
            // Before all that begin with it
            (&[1], &[1, -9], Ordering::Less),
            (&[2], &[1, 3], Ordering::Greater),
        ] {
            assert_eq!(place(a).compare(&place(b)), Some(order), "{a:?} {b:?}");
            assert_eq!(place(b).compare(&place(a)), Some(order.reverse()));
        }
        assert_eq!(place(&[1, 2]).or_earlier(place(&[1])), place(&[1]));
        assert_eq!(place(&[1, 2]).or_earlier(place(&[1, 3])), place(&[1, 2]));
    }

    #[test]
    fn a_row_without_a_value_is_no_place() {
        assert_eq!(Place::of(vec![Value::Null, Value::Null]), None);
        assert_eq!(Place::of(vec![]), None);
    }

    #[test]
    fn a_moment_is_cut_to_what_a_lake_holds_and_takes_all_of_its_rows() {
        let at = |ticks| Place::of(vec![Value::Timestamp(ticks), Value::Integer(7)]).unwrap();
        assert_eq!(at(120).whole_microseconds(), at(120));
        let cut = Place::begins(Value::Timestamp(120));
        assert_eq!(at(123).whole_microseconds(), cut);
        assert_eq!(at(123).to_string(), "(1970-01-01 00:00:00.0000123, 7)");
    }
}
