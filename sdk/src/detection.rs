//! Change detectors: which rows changed?

use crate::expression::Predicate;
use crate::{
    Aggregate, AggregateFunction, ChangeSource, ColumnId, Coverage, Direction, Error,
    ExtractionPlan, Options, Outcome, Probe, SortKey, Table, Value, Watermark,
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

    /// Scalars that the host is to read from the source before planning, all at once.
    fn probes(context: &Context<Self::Options>) -> Result<Vec<Probe>, Error> {
        let _ = context;
        Ok(Vec::new())
    }

    /// Which rows to read. `readings` has one value per probe, in order.
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
        Probe::Aggregate(Aggregate {
            function: AggregateFunction::Max,
            column,
        })
    }

    /// The number of NULLs in a column.
    pub fn count_null(column: ColumnId) -> Self {
        Probe::Aggregate(Aggregate {
            function: AggregateFunction::CountNull,
            column,
        })
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
