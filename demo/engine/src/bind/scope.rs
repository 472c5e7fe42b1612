//! The names that an expression can see.

use crate::collation::Collation;
use crate::plan::{Aggregate, Expr, WindowPlan};
use crate::types::SqlType;

use super::typed::Typed;
use crate::ast;

#[derive(Debug, Clone)]
pub(crate) struct ScopeColumn {
    pub(crate) name: String,
    pub(crate) sql_type: SqlType,
    pub(crate) nullable: bool,
    pub(crate) collation: Option<Collation>,
    pub(crate) identity: bool,
    pub(crate) read_only: bool,
    /// Not in `*`.
    pub(crate) hidden: bool,
}

/// One table, derived table or pseudo table of a FROM clause.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScopeSource {
    /// Alias, or the table's own name.
    pub(crate) name: String,
    /// The schema, where there is no alias: `dbo.t.c` then names the column too.
    pub(crate) schema: Option<String>,
    pub(crate) columns: Vec<ScopeColumn>,
    /// Takes part only when named with its qualifier, and not in `*`: the target of MERGE in OUTPUT.
    pub(crate) qualified_only: bool,
}

/// The grouping of a query, while expressions above GROUP BY are bound.
#[derive(Debug, Default)]
pub(crate) struct GroupScope {
    /// Off while an aggregate's argument is bound.
    pub(crate) active: bool,
    pub(crate) keys: Vec<(ast::Expr, Typed)>,
    pub(crate) aggregates: Vec<(ast::Call, Aggregate, Typed)>,
}

/// One query level.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(crate) sources: Vec<ScopeSource>,
    /// Whether something in it refers to a level further out.
    pub(crate) correlated: bool,
    pub(crate) grouping: Option<GroupScope>,
    /// Window functions met in the select list; `None` where they may not stand.
    pub(crate) windows: Option<Vec<WindowPlan>>,
    /// The source slot that window values appear in.
    pub(crate) window_source: usize,
}

impl Scope {
    pub(crate) fn of(sources: Vec<ScopeSource>) -> Self {
        Self {
            sources,
            ..Self::default()
        }
    }
}

impl GroupScope {
    /// The group row's slot for a column of the FROM row, if the column is a key.
    pub(crate) fn key_of(&self, source: usize, column: usize) -> Option<usize> {
        self.keys.iter().position(|(_, key)| {
            matches!(key.expr, Expr::Column { depth: 0, source: s, column: c } if s == source && c == column)
        })
    }
}
