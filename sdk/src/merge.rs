//! Mergers: how does a delta land in the target?

use crate::expression::Predicate;
use crate::{
    Action, Clause, Column, ColumnId, Delta, Error, KeyPair, MergePlan, Occasion, Options, SortKey,
    Table, WriteMode, warn,
};

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

impl<O> MergeContext<O> {
    /// The key columns on both sides, which have equal names: those that are named, else the target's key,
    /// else the delta's.
    ///
    /// # Errors
    /// `no-key` where there is none, `no-column` and `repeated-key` for names that are wrong.
    pub fn keys(&self, named: Option<&[String]>) -> Result<Vec<KeyPair>, Error> {
        let (target, delta) = (&self.target, &self.delta);
        let names_of = |columns: &[Column], key: Vec<ColumnId>| -> Vec<String> {
            key.iter()
                .filter_map(|&id| Some(columns.get(id as usize)?.name.clone()))
                .collect()
        };
        let names = match named {
            Some(names) => names.to_vec(),
            None if target.key().is_empty() => names_of(&delta.columns, delta.key()),
            None => names_of(&target.columns, target.key()),
        };
        if names.is_empty() {
            return Err(Error::invalid_options(
                "no-key",
                format!(
                    "neither {} nor the source has a key; set keys to one or more of {}",
                    target.name,
                    delta.names()
                ),
            ));
        }
        let mut pairs: Vec<KeyPair> = Vec::new();
        for name in &names {
            let target_column = target.require(name)?;
            let source_column = delta.find(name).ok_or_else(|| {
                Error::invalid_options(
                    "no-column",
                    format!(
                        "the rows to merge have no column '{name}'; they have {}",
                        delta.names()
                    ),
                )
            })?;
            if pairs.iter().any(|pair| pair.target == target_column) {
                return Err(Error::invalid_options(
                    "repeated-key",
                    format!("keys names '{name}' twice"),
                ));
            }
            let nullable = |column: Option<&Column>| column.is_some_and(|column| column.nullable);
            if nullable(target.get(target_column))
                && nullable(delta.columns.get(source_column as usize))
            {
                warn!(
                    "key column '{name}' may be NULL: a row with NULL in its key never matches another"
                );
            }
            pairs.push(KeyPair {
                source: source_column,
                target: target_column,
            });
        }
        Ok(pairs)
    }
}

impl MergePlan {
    /// A plan that matches rows by these keys; in an Iceberg table, rows that go are marked by position deletes.
    pub fn new(keys: Vec<KeyPair>, clauses: Vec<Clause>) -> Self {
        MergePlan {
            keys,
            among: None,
            deduplicate: Vec::new(),
            clauses,
            mode: WriteMode::MergeOnRead,
        }
    }

    /// A plan that matches no row: every row of the delta is new.
    pub fn append(clauses: Vec<Clause>) -> Self {
        MergePlan {
            mode: WriteMode::Append,
            ..MergePlan::new(Vec::new(), clauses)
        }
    }

    /// The same plan, in which only those rows of the target take part for which the predicate is true.
    pub fn among(mut self, rows: Predicate) -> Self {
        self.among = Some(rows.into());
        self
    }

    /// The same plan, which keeps the first row in this order where several of the delta have one key.
    pub fn deduplicate(mut self, order: Vec<SortKey>) -> Self {
        self.deduplicate = order;
        self
    }
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
