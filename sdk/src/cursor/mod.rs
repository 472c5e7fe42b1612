//! Detection by a column that grows: what `timestamp` and `id` have in common.
//!
//! The upper bound is read from the server before the rows are; what arrives in the meantime belongs to the
//! next run. The lower bound lies below what has been read, and is itself included: a row can come late with
//! the very value at which the last run stopped, or with a smaller one, because it got its value when it was
//! written and is seen when its transaction commits. A row that was not yet committed at the last run was
//! written, at the earliest, the length of its transaction before that run; so the next one reads again from
//! the mark that had been reached that long before. What the lake has of it already, the host leaves out.

mod marks;
mod shown;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use crate::{
    ColumnId, Error, ExtractionPlan, Outcome, Predicate, Probe, Table, Value, Watermark, Zoned,
    col, lit,
};
use marks::{History, Marks, TICKS_PER_SECOND};
use shown::shown;

/// How long a transaction may take whose rows are found for certain, unless the user says otherwise: seconds.
pub const LOOKBACK_SECONDS: u32 = 60;

/// How far ahead of the server's clock, in UTC, a moment is still taken for one of its clock: a day, for
/// columns in local time.
const AHEAD: i64 = 86_400 * TICKS_PER_SECOND;
/// A lake keeps microseconds.
const TICKS_PER_MICROSECOND: i64 = 10;

crate::choices! {
    /// What happens to rows that have no value in the cursor column.
    pub enum Nulls {
        /// The run ends with an error if there are any.
        Refuse = "refuse",
        /// They are read in every run.
        EveryRun = "every-run",
        /// They are never read.
        Skip = "skip",
    }
}

/// What a cursor knows of the time before its last run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// A mark that is old enough for the lookback: the cursor reads from it, or from what is asked for here
    /// where that is lower.
    Known,
    /// Nothing that is old enough.
    Unknown,
}

/// A column that grows, and how far it has been read.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    table: &'a Table,
    column: ColumnId,
    nulls: Nulls,
    window: i64,
    guards_least: bool,
    begins_at_least: bool,
    /// There has been a run before, though it may have read nothing.
    begun: bool,
    read: Option<Marks>,
}

/// What the probes have read.
struct Readings<'a> {
    largest: &'a Value,
    /// The server's time, in ticks.
    now: i64,
    nulls: Option<i64>,
    least: Option<&'a Value>,
}

impl<'a> Cursor<'a> {
    /// A cursor on `column` that stands where `watermark` says.
    ///
    /// A watermark of another column or kind gives an error of kind stale-watermark.
    pub fn new(
        table: &'a Table,
        column: ColumnId,
        nulls: Nulls,
        watermark: Option<&Watermark>,
    ) -> Result<Self, Error> {
        let read = match watermark {
            Some(watermark) => Marks::of(watermark, table, column)?,
            None => None,
        };
        Ok(Cursor {
            table,
            column,
            nulls,
            window: i64::from(LOOKBACK_SECONDS) * TICKS_PER_SECOND,
            guards_least: false,
            begins_at_least: false,
            begun: watermark.is_some(),
            read,
        })
    }

    /// Reads again what may have been committed so many seconds late; [`LOOKBACK_SECONDS`] unless this is
    /// called.
    #[must_use]
    pub fn lookback(mut self, seconds: u32) -> Self {
        self.window = i64::from(seconds) * TICKS_PER_SECOND;
        self
    }

    /// Ends a run with an error where the smallest value has shrunk and lies below what is read again: the column
    /// counts down.
    #[must_use]
    pub fn guard_least(mut self) -> Self {
        self.guards_least = true;
        self
    }

    /// Reads again from the smallest value on while no mark is old enough: for a column whose values do not tell
    /// how far back a time lies. It guards the smallest value too.
    #[must_use]
    pub fn begin_at_least(mut self) -> Self {
        self.begins_at_least = true;
        self.guard_least()
    }

    /// The largest value, the server's time and, where there may be NULLs, their number.
    pub fn probes(&self) -> Vec<Probe> {
        let mut probes = vec![Probe::max(self.column), Probe::SourceTime];
        if self.nullable() {
            probes.push(Probe::count_null(self.column));
        }
        if self.guards_least {
            probes.push(Probe::min(self.column));
        }
        probes
    }

    /// The rows from somewhat below the last mark up to the largest value that the server had when it was
    /// probed, in the column's order. `back` gives the lower bound from the mark, where it is lower than what
    /// the marks of earlier runs say or these say nothing.
    pub fn plan(
        &self,
        readings: &[Value],
        back: impl Fn(&Value, Past) -> Value,
    ) -> Result<ExtractionPlan, Error> {
        let readings = self.readings(readings)?;
        self.refuse_nulls(&readings)?;
        let cursor = || col(self.column);
        let upper = self.upper(&readings)?;
        let ahead = self.ahead_of(readings.now);
        // Rows ahead of the clock may have been read although nothing else has.
        let whole = self.read.is_none() && !(self.begun && ahead.is_some());
        let range: Option<Predicate> = match (&self.read, upper) {
            // Of a column of moments, all rows that there are lie ahead of the clock.
            (_, None) => ahead.map(|ahead| cursor().gt(lit(ahead))),
            (None, Some(upper)) => Some(match (self.begun, ahead) {
                (true, Some(ahead)) => {
                    let first = first_of(&upper);
                    let range = cursor().ge(lit(first)).and(cursor().le(lit(upper)));
                    range.or(cursor().gt(lit(ahead)))
                }
                _ => cursor().le(lit(upper)),
            }),
            (Some(read), Some(upper)) => {
                self.refuse_ahead(&read.mark, readings.now)?;
                let lower = self.lower(read, &readings, back);
                self.refuse_counting_down(read, &readings, &lower)?;
                let range = cursor().ge(lit(lower)).and(cursor().le(lit(upper)));
                Some(match ahead {
                    // Such a row is none that the clock has dated: it never belongs to what has been read.
                    Some(ahead) => range.or(cursor().gt(lit(ahead))),
                    None => range,
                })
            }
        };
        let with_nulls = self.nullable() && self.nulls == Nulls::EveryRun;
        let wanted: Predicate = match (range, with_nulls) {
            (Some(range), false) => range,
            (Some(range), true) => range.or(cursor().is_null()),
            (None, true) => cursor().is_null(),
            // Nothing has a value: no row is wanted.
            (None, false) => cursor().is_null().and(cursor().is_not_null()),
        };
        let plan = ExtractionPlan::rows(self.table)
            .filter(wanted)
            .order_by(self.column);
        // Rows that are left out must not look deleted.
        let leaves_out = self.nullable() && self.nulls == Nulls::Skip;
        Ok(if whole && !leaves_out {
            plan.full()
        } else {
            plan
        })
    }

    /// The watermark for the next run. It never moves back: where the largest value has shrunk, the old one
    /// stays.
    ///
    /// Rows that are new although the largest value has shrunk give an error of kind stale-watermark: the
    /// column has started over, and there may be others.
    pub fn advance(&self, outcome: &Outcome) -> Result<Watermark, Error> {
        let readings = self.readings(&outcome.readings)?;
        self.refuse_started_over(&readings, outcome.rows)?;
        let upper = match self.is_ahead(readings.largest, readings.now) {
            true => self.read.as_ref().map(|read| read.mark.clone()),
            false => self.upper(&readings)?,
        };
        let marks = upper.map(|upper| {
            let least = readings.least.filter(|least| !least.is_null());
            let before = self.read.as_ref();
            let least = least.or_else(|| before?.least.as_ref()).cloned();
            Marks::advanced(before, upper, readings.now, self.window, least)
        });
        Ok(Marks::watermark(
            marks.as_ref(),
            self.table.get(self.column),
        ))
    }

    fn lower(
        &self,
        read: &Marks,
        readings: &Readings<'_>,
        back: impl Fn(&Value, Past) -> Value,
    ) -> Value {
        let least = readings.least.filter(|_| self.begins_at_least);
        let mut lower = match (read.before(self.window), least) {
            (History::Known(mark), _) => smaller(mark.clone(), back(&read.mark, Past::Known)),
            (History::Unknown, Some(least)) => smaller(read.mark.clone(), least.clone()),
            (History::Unknown, None) => smaller(read.mark.clone(), back(&read.mark, Past::Unknown)),
            (History::Set, _) => read.mark.clone(),
        };
        // Where the newest rows are gone, the ones before them tell whether the column has started over.
        let largest = readings.largest;
        if largest.compare(&read.mark) == Some(Ordering::Less) {
            lower = smaller(lower, back(largest, Past::Unknown));
        }
        whole_microseconds(lower)
    }

    /// The larger of what was read before and what the server has now; `None` if there is neither.
    fn upper(&self, readings: &Readings<'_>) -> Result<Option<Value>, Error> {
        let read = self.read.as_ref().map(|read| &read.mark);
        match (read, readings.largest) {
            (read, Value::Null) => Ok(read.cloned()),
            (None, now) => Ok(Some(now.clone())),
            (Some(read), now) => match read.compare(now) {
                Some(Ordering::Less) => Ok(Some(now.clone())),
                Some(_) => Ok(Some(read.clone())),
                None => Err(self.malformed("it is of another kind")),
            },
        }
    }

    fn readings<'r>(&self, readings: &'r [Value]) -> Result<Readings<'r>, Error> {
        let mut readings = readings.iter();
        let largest = readings
            .next()
            .ok_or_else(|| self.malformed("there is none"))?;
        let Some(Value::Timestamp(now)) = readings.next() else {
            return Err(self.malformed("the server's time is missing"));
        };
        let mut next = |wanted: bool| match wanted {
            true => readings.next(),
            false => None,
        };
        Ok(Readings {
            largest,
            now: *now,
            nulls: next(self.nullable()).and_then(Value::as_integer),
            least: next(self.guards_least),
        })
    }

    fn refuse_nulls(&self, readings: &Readings<'_>) -> Result<(), Error> {
        if !self.nullable() {
            return Ok(());
        }
        match readings.nulls {
            None => Err(self.malformed("the number of NULLs is missing")),
            Some(count) if count > 0 && self.nulls == Nulls::Refuse => Err(Error::bad_data(
                "null-cursor",
                format!(
                    "{count} rows of {} have NULL in '{}' and would never be read; set nulls to \
                     every-run to read them in each run, or to skip to leave them out",
                    self.table.name,
                    self.name()
                ),
            )
            .about(self.column)),
            Some(_) => Ok(()),
        }
    }

    /// A mark that the clock has not reached: rows that came since lie below it.
    fn refuse_ahead(&self, mark: &Value, now: i64) -> Result<(), Error> {
        match self.is_ahead(mark, now) {
            false => Ok(()),
            true => Err(Error::stale_watermark(
                "ahead-of-clock",
                format!(
                    "'{}' of {} has been read up to {}, which lies ahead of the server's clock: rows that \
                     came since may have been missed",
                    self.name(),
                    self.table.name,
                    shown(mark)
                ),
            )
            .about(self.column)),
        }
    }

    /// Rows with smaller numbers than there were, below those that are read: one that was merely committed late, in a
    /// table that has hardly another, lies among them.
    fn refuse_counting_down(
        &self,
        read: &Marks,
        readings: &Readings<'_>,
        lower: &Value,
    ) -> Result<(), Error> {
        let (Some(before), Some(now)) = (&read.least, readings.least) else {
            return Ok(());
        };
        let passed = now.compare(lower) == Some(Ordering::Less);
        match now.compare(before) {
            Some(Ordering::Less) if passed => Err(Error::stale_watermark(
                "counts-down",
                format!(
                    "the smallest value of '{}' in {} was {} at the last run and is {}: rows with smaller \
                     numbers have come, which are not looked for",
                    self.name(),
                    self.table.name,
                    shown(before),
                    shown(now)
                ),
            )
            .about(self.column)),
            _ => Ok(()),
        }
    }

    fn refuse_started_over(&self, readings: &Readings<'_>, rows: u64) -> Result<(), Error> {
        let Some(read) = &self.read else {
            return Ok(());
        };
        let shrunk = readings.largest.compare(&read.mark) == Some(Ordering::Less);
        // Rows without a value are read in every run, and tell nothing.
        let nulls = self.nulls == Nulls::EveryRun && readings.nulls.is_some_and(|nulls| nulls > 0);
        match shrunk && rows > 0 && !nulls {
            false => Ok(()),
            true => Err(Error::stale_watermark(
                "started-over",
                format!(
                    "the largest value of '{}' in {} is {}, though it has been read up to {}, and rows below \
                     that are new: the table was emptied, filled again or restored, or its newest rows are gone \
                     and others came late, and some may have been missed",
                    self.name(),
                    self.table.name,
                    shown(readings.largest),
                    shown(&read.mark)
                ),
            )
            .about(self.column)),
        }
    }

    /// The last moment that may be one of the server's clock, in whole minutes, which every type has, as a value
    /// of the column; `None` for a column that holds no moments, and where the clock itself is at the end of time.
    fn ahead_of(&self, now: i64) -> Option<Value> {
        const LAST: i64 = 2_534_023_007_999_999_999;
        let ahead = now.checked_add(AHEAD).filter(|ticks| *ticks <= LAST)?;
        let minutes = ahead - ahead.rem_euclid(60 * TICKS_PER_SECOND);
        self.table.get(self.column)?.moment(minutes)
    }

    fn is_ahead(&self, value: &Value, now: i64) -> bool {
        self.ahead_of(now)
            .is_some_and(|ahead| value.compare(&ahead) == Some(Ordering::Greater))
    }

    fn malformed(&self, reason: &str) -> Error {
        Error::internal(
            "malformed-reading",
            format!("the reading of '{}' is unusable: {reason}", self.name()),
        )
    }

    fn nullable(&self) -> bool {
        self.table
            .get(self.column)
            .is_some_and(|column| column.nullable)
    }

    fn name(&self) -> &str {
        self.table
            .get(self.column)
            .map_or("", |column| &column.name)
    }
}

fn smaller(one: Value, other: Value) -> Value {
    match other.compare(&one) {
        Some(Ordering::Less) => other,
        _ => one,
    }
}

/// The first moment that SQL Server has (T-SQL reference, "datetime2"), of a value's kind.
fn first_of(value: &Value) -> Value {
    const DAY: i32 = -719_162;
    let ticks = i64::from(DAY) * 86_400 * TICKS_PER_SECOND;
    match value {
        Value::Date(_) => Value::Date(DAY),
        Value::TimestampTz(_) => Value::TimestampTz(Zoned {
            ticks,
            offset_minutes: 0,
        }),
        _ => Value::Timestamp(ticks),
    }
}

/// A lower bound at which no two moments part that the lake holds as one.
fn whole_microseconds(bound: Value) -> Value {
    let whole = |ticks: i64| ticks - ticks.rem_euclid(TICKS_PER_MICROSECOND);
    match bound {
        Value::Timestamp(ticks) => Value::Timestamp(whole(ticks)),
        Value::TimestampTz(zoned) => Value::TimestampTz(Zoned {
            ticks: whole(zoned.ticks),
            ..zoned
        }),
        other => other,
    }
}
