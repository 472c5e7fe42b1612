//! What makes two results the same: the query, its variables' values, the versions of the tables it reads.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};

use crate::ast::Query;
use crate::storage::{Database, TableVersion};
use crate::types::{Datum, SqlType};

/// Functions whose value follows from their arguments alone. Those that a session's settings, the catalog or
/// the clock have a say in are not among them, and neither is what nobody needed yet.
const FUNCTIONS_OF_ARGUMENTS: [&str; 39] = [
    "abs",
    "ascii",
    "ceiling",
    "char",
    "charindex",
    "checksum",
    "choose",
    "coalesce",
    "concat",
    "concat_ws",
    "dateadd",
    "datediff",
    "datediff_big",
    "datalength",
    "day",
    "floor",
    "hashbytes",
    "iif",
    "isnull",
    "left",
    "len",
    "lower",
    "ltrim",
    "month",
    "nchar",
    "nullif",
    "power",
    "replace",
    "replicate",
    "reverse",
    "right",
    "round",
    "rtrim",
    "sign",
    "sqrt",
    "substring",
    "trim",
    "upper",
    "year",
];

/// What a query's result depends on, noted while the query is bound.
#[derive(Debug, Default)]
pub(crate) struct Dependencies {
    /// Kept alive while the query runs, so that their addresses stay theirs.
    versions: Vec<Arc<TableVersion>>,
    variables: Vec<(String, SqlType, Datum)>,
    /// The clock, the session, the catalog: what no identity tells.
    others: bool,
}

impl Dependencies {
    pub(crate) fn table(&mut self, version: &Arc<TableVersion>) {
        self.versions.push(version.clone());
    }

    pub(crate) fn variable(&mut self, name: &str, sql_type: &SqlType, value: &Datum) {
        self.variables
            .push((name.to_owned(), sql_type.clone(), value.clone()));
    }

    pub(crate) fn function(&mut self, name: &str) {
        self.others |= !FUNCTIONS_OF_ARGUMENTS.contains(&name);
    }

    pub(crate) fn other(&mut self) {
        self.others = true;
    }
}

/// Two queries with equal identities have the same result: the same columns and the same rows in the same
/// order. It does not keep the tables' versions in memory.
#[derive(Debug, Clone)]
pub struct ResultIdentity {
    /// Database, syntax and values.
    query: String,
    versions: Vec<Weak<TableVersion>>,
}

impl ResultIdentity {
    /// `None` where the result depends on more than tables and values.
    pub(crate) fn of(
        database: &Database,
        query: &Query,
        dependencies: &Dependencies,
    ) -> Option<Self> {
        if dependencies.others {
            return None;
        }
        let variables = &dependencies.variables;
        Some(Self {
            query: format!("{} {query:?} {variables:?}", database.id),
            versions: dependencies.versions.iter().map(Arc::downgrade).collect(),
        })
    }

    /// Whether a query can still have this identity: all versions of tables that it names are in use.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.versions
            .iter()
            .all(|version| version.strong_count() > 0)
    }
}

impl PartialEq for ResultIdentity {
    fn eq(&self, other: &Self) -> bool {
        // A version that a weak reference points to keeps its address, in use or not, and changes by
        // becoming another one.
        self.query == other.query
            && self.versions.len() == other.versions.len()
            && self
                .versions
                .iter()
                .zip(&other.versions)
                .all(|(mine, theirs)| Weak::ptr_eq(mine, theirs))
    }
}

impl Eq for ResultIdentity {}

impl Hash for ResultIdentity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.query.hash(state);
    }
}
