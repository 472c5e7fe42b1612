//! What a cursor asks for before it plans, and what came back.

use super::Cursor;
use super::place::Place;
use crate::{Error, Predicate, Probe, Value, col};

/// What the probes have read.
pub(super) struct Readings {
    /// `None` where no row has a value.
    pub(super) largest: Option<Place>,
    /// The server's time, in ticks.
    pub(super) now: i64,
    /// Rows without a value, where there may be any.
    pub(super) nulls: Option<i64>,
    /// Where it was asked for.
    pub(super) least: Option<Place>,
}

impl Cursor<'_> {
    /// The largest value, the server's time and, where there may be NULLs, their number. Of several columns these are
    /// the values of one row, and the number of rows that have NULL in one of them.
    pub fn probes(&self) -> Vec<Probe> {
        // Among the rows of the cursor, and those for which this holds.
        let narrowed = |probe: Probe, to: Option<Predicate>| match (self.among.clone(), to) {
            (Some(among), Some(to)) => probe.filter(among.and(to)),
            (None, None) => probe,
            (Some(filter), None) | (None, Some(filter)) => probe.filter(filter),
        };
        let largest = match self.columns.as_slice() {
            [only] => Probe::max(*only),
            several => Probe::greatest(several.iter().copied()),
        };
        let mut probes = vec![narrowed(largest, None), Probe::SourceTime];
        // Each row without a value is counted once: at its first column that has none.
        let mut before: Option<Predicate> = None;
        for column in self.nullable() {
            probes.push(narrowed(Probe::count_null(column), before.clone()));
            let value = col(column).is_not_null();
            before = Some(match before {
                None => value,
                Some(before) => before.and(value),
            });
        }
        if self.guards_least {
            let least = match self.columns.as_slice() {
                [only] => Probe::min(*only),
                several => Probe::least(several.iter().copied()),
            };
            probes.push(narrowed(least, None));
        }
        probes
    }

    pub(super) fn readings(&self, readings: &[Value]) -> Result<Readings, Error> {
        let columns = self.columns.len();
        let Some((largest, readings)) = readings.split_at_checked(columns) else {
            return Err(self.malformed("there is none"));
        };
        let mut readings = readings.iter();
        let Some(Value::Timestamp(now)) = readings.next() else {
            return Err(self.malformed("the server's time is missing"));
        };
        let mut nulls = None;
        for _ in self.nullable() {
            let counted = readings.next().and_then(Value::as_integer);
            let counted =
                counted.ok_or_else(|| self.malformed("the number of NULLs is missing"))?;
            nulls = Some(nulls.unwrap_or(0) + counted);
        }
        let least = match self.guards_least {
            true => readings.take(columns).cloned().collect(),
            false => Vec::new(),
        };
        Ok(Readings {
            largest: Place::of(largest.to_vec()),
            now: *now,
            nulls,
            least: Place::of(least),
        })
    }
}
