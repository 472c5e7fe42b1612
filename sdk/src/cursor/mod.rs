//! Detection by a column that grows: what `timestamp` and `id` have in common. Or by several columns, compared from
//! the left, such as a time and a number that tells rows of one time apart.
//!
//! The upper bound is read from the server before the rows are; what arrives in the meantime belongs to the
//! next run. The lower bound lies below what has been read, and is itself included: a row can come late with
//! the very value at which the last run stopped, or with a smaller one, because it got its value when it was
//! written and is seen when its transaction commits. A row that was not yet committed at the last run was
//! written, at the earliest, the length of its transaction before that run; so the next one reads again from
//! the mark that had been reached that long before. What the lake has of it already, the host leaves out.

mod marks;
mod place;
mod readings;
mod refusals;
#[cfg(test)]
mod several_columns;
mod shown;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use crate::{
    ColumnId, Error, ExtractionPlan, Outcome, Predicate, Table, Value, Watermark, Zoned, col, lit,
};
use marks::{History, Marks, TICKS_PER_SECOND};
use place::Place;
use readings::Readings;

/// How long a transaction may take whose rows are found for certain, unless the user says otherwise: seconds.
pub const LOOKBACK_SECONDS: u32 = 60;

/// How far ahead of the server's clock, in UTC, a moment is still taken for one of its clock: a day, for
/// columns in local time.
const AHEAD: i64 = 86_400 * TICKS_PER_SECOND;

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

/// Columns that grow, and how far they have been read.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    table: &'a Table,
    /// Compared from the left.
    columns: Vec<ColumnId>,
    nulls: Nulls,
    window: i64,
    guards_least: bool,
    begins_at_least: bool,
    /// Which rows it is about; all where there is none.
    among: Option<Predicate>,
    /// There has been a run before, though it may have read nothing.
    begun: bool,
    read: Option<Marks>,
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
        Cursor::of_columns(table, &[column], nulls, watermark)
    }

    /// A cursor on several columns, at most four, that are compared from the left: the first that differ decide. An
    /// index over them in this order makes it cheap.
    ///
    /// Only the first may be one of moments, or have NULL where these rows are read in every run; the others hold
    /// numbers or bytes. A watermark of the first column alone is taken over.
    pub fn of_columns(
        table: &'a Table,
        columns: &[ColumnId],
        nulls: Nulls,
        watermark: Option<&Watermark>,
    ) -> Result<Self, Error> {
        let mut cursor = Cursor {
            table,
            columns: columns.to_vec(),
            nulls,
            window: i64::from(LOOKBACK_SECONDS) * TICKS_PER_SECOND,
            guards_least: false,
            begins_at_least: false,
            among: None,
            begun: watermark.is_some(),
            read: None,
        };
        cursor.refuse_columns()?;
        if let Some(watermark) = watermark {
            cursor.read = Marks::of(watermark, table, columns)?;
        }
        Ok(cursor)
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

    /// Reads only rows for which the predicate is true, and probes no others. No plan then says that it reads
    /// everything.
    #[must_use]
    pub fn among(mut self, predicate: Predicate) -> Self {
        self.among = Some(predicate);
        self
    }

    /// The rows from somewhat below the last mark up to the largest value that the server had when it was
    /// probed, in the columns' order. `back` gives the lower bound from the mark, in the first column, where it is
    /// lower than what the marks of earlier runs say or these say nothing.
    pub fn plan(
        &self,
        readings: &[Value],
        back: impl Fn(&Value, Past) -> Value,
    ) -> Result<ExtractionPlan, Error> {
        let readings = self.readings(readings)?;
        self.refuse_nulls(&readings)?;
        let (columns, leading) = (self.columns.as_slice(), || col(self.leading()));
        let upper = self.upper(&readings)?;
        let ahead = self.ahead_of(readings.now);
        // Rows ahead of the clock may have been read although nothing else has.
        let whole = self.read.is_none() && !(self.begun && ahead.is_some());
        let range: Option<Predicate> = match (&self.read, upper) {
            // Of a column of moments, all rows that there are lie ahead of the clock.
            (_, None) => ahead.map(|ahead| leading().gt(lit(ahead))),
            (None, Some(upper)) => Some(match (self.begun, ahead) {
                (true, Some(ahead)) => {
                    let first = first_of(upper.first());
                    let range = leading().ge(lit(first)).and(upper.and_earlier(columns));
                    range.or(leading().gt(lit(ahead)))
                }
                _ => upper.and_earlier(columns),
            }),
            (Some(read), Some(upper)) => {
                self.refuse_ahead(&read.mark, readings.now)?;
                let lower = self.lower(read, &readings, back);
                self.refuse_counting_down(read, &readings, &lower)?;
                let range = lower.and_later(columns).and(upper.and_earlier(columns));
                Some(match ahead {
                    // Such a row is none that the clock has dated: it never belongs to what has been read.
                    Some(ahead) => range.or(leading().gt(lit(ahead))),
                    None => range,
                })
            }
        };
        let leaves_out = self.nulls == Nulls::Skip && !self.nullable().is_empty();
        let plan = ExtractionPlan::rows(self.table).filter(self.wanted(range));
        let plan = columns
            .iter()
            .fold(plan, |plan, column| plan.order_by(*column));
        // Rows that are left out must not look deleted.
        Ok(match whole && !leaves_out && self.among.is_none() {
            true => plan.full(),
            false => plan,
        })
    }

    /// The range, the rows without a value where these are read, and no others.
    fn wanted(&self, range: Option<Predicate>) -> Predicate {
        let leading = || col(self.leading());
        let nullable = self.nullable();
        let with_nulls = self.nulls == Nulls::EveryRun && !nullable.is_empty();
        let mut wanted = match (range, with_nulls) {
            (Some(range), false) => range,
            (Some(range), true) => range.or(leading().is_null()),
            (None, true) => leading().is_null(),
            // Nothing has a value: no row is wanted.
            (None, false) => leading().is_null().and(leading().is_not_null()),
        };
        // A row is in a range by its first columns already, whatever the others hold.
        if self.nulls == Nulls::Skip {
            let others = nullable
                .into_iter()
                .filter(|column| *column != self.leading());
            wanted = others.fold(wanted, |wanted, column| {
                wanted.and(col(column).is_not_null())
            });
        }
        match &self.among {
            Some(among) => wanted.and(among.clone()),
            None => wanted,
        }
    }

    /// The watermark for the next run. It never moves back: where the largest value has shrunk, the old one
    /// stays.
    ///
    /// Rows that are new although the largest value has shrunk give an error of kind stale-watermark: the
    /// column has started over, and there may be others.
    pub fn advance(&self, outcome: &Outcome) -> Result<Watermark, Error> {
        let readings = self.readings(&outcome.readings)?;
        self.refuse_started_over(&readings, outcome.rows)?;
        let largest = readings.largest.as_ref();
        let upper = match largest.is_some_and(|largest| self.is_ahead(largest, readings.now)) {
            true => self.read.as_ref().map(|read| read.mark.clone()),
            false => self.upper(&readings)?,
        };
        let marks = upper.map(|upper| {
            let before = self.read.as_ref();
            let least = readings.least.as_ref();
            let least = least.or_else(|| before?.least.as_ref()).cloned();
            Marks::advanced(before, upper, readings.now, self.window, least)
        });
        Ok(Marks::watermark(marks.as_ref(), self.table, &self.columns))
    }

    fn lower(
        &self,
        read: &Marks,
        readings: &Readings,
        back: impl Fn(&Value, Past) -> Value,
    ) -> Place {
        // What the caller leaves as it is, is the place itself and not all that begins with it.
        let back = |place: &Place, past| {
            let first = back(place.first(), past);
            match first == *place.first() {
                true => place.clone(),
                false => Place::begins(first),
            }
        };
        let (mark, least) = (read.mark.clone(), readings.least.clone());
        let mut lower = match (read.before(self.window), least) {
            (History::Known(known), _) => known.clone().or_earlier(back(&mark, Past::Known)),
            (History::Unknown, Some(least)) if self.begins_at_least => mark.or_earlier(least),
            (History::Unknown, _) => {
                let earlier = back(&mark, Past::Unknown);
                mark.or_earlier(earlier)
            }
            (History::Set, _) => mark,
        };
        // Where the newest rows are gone, the ones before them tell whether the column has started over.
        if let Some(largest) = &readings.largest
            && largest.compare(&read.mark) == Some(Ordering::Less)
        {
            lower = lower.or_earlier(back(largest, Past::Unknown));
        }
        lower.whole_microseconds()
    }

    /// The larger of what was read before and what the server has now; `None` if there is neither.
    fn upper(&self, readings: &Readings) -> Result<Option<Place>, Error> {
        let read = self.read.as_ref().map(|read| &read.mark);
        let larger = match (read, &readings.largest) {
            (read, None) => read,
            (None, Some(now)) => Some(now),
            (Some(read), Some(now)) => match read.compare(now) {
                Some(Ordering::Less) => Some(now),
                Some(_) => Some(read),
                None => return Err(self.malformed("it is of another kind")),
            },
        };
        Ok(larger.cloned())
    }

    /// The last moment that may be one of the server's clock, in whole minutes, which every type has, as a value
    /// of the first column; `None` for a column that holds no moments, and where the clock itself is at the end of
    /// time.
    fn ahead_of(&self, now: i64) -> Option<Value> {
        const LAST: i64 = 2_534_023_007_999_999_999;
        let ahead = now.checked_add(AHEAD).filter(|ticks| *ticks <= LAST)?;
        let minutes = ahead - ahead.rem_euclid(60 * TICKS_PER_SECOND);
        self.table.get(self.leading())?.moment(minutes)
    }

    fn is_ahead(&self, place: &Place, now: i64) -> bool {
        self.ahead_of(now)
            .is_some_and(|ahead| place.first().compare(&ahead) == Some(Ordering::Greater))
    }

    /// Those of its columns that may be NULL.
    fn nullable(&self) -> Vec<ColumnId> {
        let nullable = |column: &ColumnId| {
            let column = self.table.get(*column);
            column.is_some_and(|column| column.nullable)
        };
        self.columns.iter().copied().filter(nullable).collect()
    }

    fn leading(&self) -> ColumnId {
        self.columns.first().copied().unwrap_or_default()
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
