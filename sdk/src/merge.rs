//! Mergers: how does a delta land in the target?

use crate::expression::Predicate;
use crate::{Action, Clause, Delta, Error, MergePlan, Occasion, Options, Table};

/// Decides how a delta lands in a target, which is a SQL Server or an Iceberg table.
pub trait Merger {
    /// What users call the strategy, for example `upsert`.
    const NAME: &'static str;
    /// Usually `env!("CARGO_PKG_VERSION")`.
    const VERSION: &'static str;
    /// What it does, in one line.
    const SUMMARY: &'static str;
    /// What users may set.
    type Options: Options;

    /// What to do with rows that match, that do not, and that are gone.
    fn plan(context: &MergeContext<Self::Options>) -> Result<MergePlan, Error>;
}

/// What a merger is shown.
#[derive(Debug, Clone)]
pub struct MergeContext<O> {
    /// The table to be changed.
    pub target: Table,
    /// The rows to be merged, without the rows.
    pub delta: Delta,
    /// What the user set.
    pub options: O,
}

impl Clause {
    /// For rows whose key stands in both.
    pub fn matched(action: Action) -> Self {
        Clause::on(Occasion::Matched, action)
    }

    /// For rows whose key stands in the delta only.
    pub fn not_matched(action: Action) -> Self {
        Clause::on(Occasion::NotMatched, action)
    }

    /// For rows whose key stands in the target only.
    pub fn not_matched_by_source(action: Action) -> Self {
        Clause::on(Occasion::NotMatchedBySource, action)
    }

    fn on(occasion: Occasion, action: Action) -> Self {
        Clause {
            occasion,
            condition: None,
            action,
        }
    }

    /// The same clause, where the predicate is true.
    pub fn when(mut self, condition: Predicate) -> Self {
        self.condition = Some(condition.into());
        self
    }
}
