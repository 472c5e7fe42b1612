//! Change detectors: which rows changed?

use crate::expression::Predicate;
use crate::{
    AggregateFunction, ChangeSource, ColumnId, Coverage, Direction, Error, ExtractionPlan, Extreme,
    FilteredAggregate, Options, Outcome, Probe, SortKey, Table, Value, Watermark,
};

/// Decides which rows changed since the last run.
///
/// The host calls the functions in the order in which they stand here, each in a fresh sandbox: nothing but
/// the watermark is remembered from one call to the next.
pub trait ChangeDetector {
    /// What users call the strategy, for example `timestamp`.
    const NAME: &'static str;
    /// Usually `env!("CARGO_PKG_VERSION")`.
    const VERSION: &'static str;
    /// What it does, in one line.
    const SUMMARY: &'static str;
    /// What users may set.
    type Options: Options;

    /// What the host is to read from the source before planning, all at once.
    fn probes(context: &Context<Self::Options>) -> Result<Vec<Probe>, Error> {
        let _ = context;
        Ok(Vec::new())
    }

    /// Which rows to read. `readings` are those of the probes, one after the other: one value for each, and of
    /// [`Probe::greatest`] and [`Probe::least`] one for each column.
    fn plan(context: &Context<Self::Options>, readings: &[Value]) -> Result<ExtractionPlan, Error>;

    /// The next watermark. It is called once the rows are staged, and the host commits the result
    /// atomically with them; if anything fails, the old watermark stays.
    fn advance(context: &Context<Self::Options>, outcome: &Outcome) -> Result<Watermark, Error>;
}

/// What a change detector is shown.
#[derive(Debug, Clone)]
pub struct Context<O> {
    /// The table to be read.
    pub table: Table,
    /// What the user set.
    pub options: O,
    /// What [`ChangeDetector::advance`] gave last time; `None` on the first run.
    pub watermark: Option<Watermark>,
}

impl<O> Context<O> {
    /// A mark of the watermark, where there is one.
    pub fn mark(&self, name: &str) -> Option<&Value> {
        self.watermark.as_ref()?.mark(name)
    }
}

impl Probe {
    /// The largest value of a column, NULL for a table without one.
    pub fn max(column: ColumnId) -> Self {
        Probe::of(AggregateFunction::Max, column)
    }

    /// The smallest value of a column, NULL for a table without one.
    pub fn min(column: ColumnId) -> Self {
        Probe::of(AggregateFunction::Min, column)
    }

    /// The number of values in a column that are not NULL.
    pub fn count(column: ColumnId) -> Self {
        Probe::of(AggregateFunction::Count, column)
    }

    /// The number of NULLs in a column.
    pub fn count_null(column: ColumnId) -> Self {
        Probe::of(AggregateFunction::CountNull, column)
    }

    /// An aggregate over a column of all rows.
    pub fn of(function: AggregateFunction, column: ColumnId) -> Self {
        Probe::Aggregate(FilteredAggregate {
            function,
            column,
            filter: None,
        })
    }

    /// The values that the row has in these columns which is last by them, compared from the left: one reading for
    /// each, all of one row. Rows that have NULL in one of them are not looked at; all readings are NULL where there
    /// is no other.
    pub fn greatest(columns: impl IntoIterator<Item = ColumnId>) -> Self {
        Probe::Greatest(Extreme {
            columns: columns.into_iter().collect(),
            filter: None,
        })
    }

    /// The same of the row that is first.
    pub fn least(columns: impl IntoIterator<Item = ColumnId>) -> Self {
        Probe::Least(Extreme {
            columns: columns.into_iter().collect(),
            filter: None,
        })
    }

    /// The same probe, over the rows for which the predicate is true. What is not read from rows stays as it is.
    ///
    /// A bound that was read so says nothing of the other rows: a plan that is bounded by it and says that it reads
    /// everything is not believed where rows that are missing would be taken for deleted.
    pub fn filter(mut self, predicate: Predicate) -> Self {
        let filter = match &mut self {
            Probe::Aggregate(over) => &mut over.filter,
            Probe::Greatest(row) | Probe::Least(row) => &mut row.filter,
            _ => return self,
        };
        *filter = Some(predicate.into());
        self
    }

    /// How many readings it has.
    pub fn readings(&self) -> usize {
        match self {
            Probe::Greatest(row) | Probe::Least(row) => row.columns.len(),
            _ => 1,
        }
    }
}

impl ExtractionPlan {
    /// All columns of the table's rows that changed; add a filter, or it is all rows.
    pub fn rows(table: &Table) -> Self {
        ExtractionPlan {
            source: ChangeSource::Rows,
            coverage: Coverage::Incremental,
            columns: table.all(),
            filter: None,
            order_by: Vec::new(),
            split_on: None,
            observe: Vec::new(),
        }
    }

    /// The same plan, said to read every row that there is.
    pub fn full(mut self) -> Self {
        self.coverage = Coverage::Full;
        self
    }

    /// The same plan, for the rows for which the predicate is true.
    pub fn filter(mut self, predicate: Predicate) -> Self {
        self.filter = Some(predicate.into());
        self
    }

    /// The same plan, in ascending order of one more column.
    pub fn order_by(mut self, column: ColumnId) -> Self {
        self.order_by.push(SortKey {
            column,
            direction: Direction::Ascending,
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Expression, col, lit};

    #[test]
    fn a_probe_looks_at_the_rows_that_it_is_given() {
        let of_tenant = || col(2).eq(lit(7));
        let filter = Some(Expression::from(of_tenant()));
        for probe in [
            Probe::max(1),
            Probe::count_null(1),
            Probe::greatest([0, 1]),
            Probe::least([0, 1]),
        ] {
            let found = match probe.filter(of_tenant()) {
                Probe::Aggregate(over) => over.filter,
                Probe::Greatest(row) | Probe::Least(row) => row.filter,
                _ => None,
            };
            assert_eq!(found, filter);
        }
        assert_eq!(Probe::SourceTime.filter(of_tenant()), Probe::SourceTime);
    }

    #[test]
    fn a_row_has_a_reading_for_each_column() {
        let probes = [Probe::max(1), Probe::greatest([0, 1]), Probe::SourceTime];
        assert_eq!(probes.map(|probe| probe.readings()), [1, 2, 1]);
    }
}
