//! From syntax to plans: names to slots, types, implicit conversions.

mod aggregate;
mod column;
mod described;
mod expr;
mod from;
mod predicate;
mod pushdown;
mod query;
mod rowset;
mod scope;
mod select_list;
mod system_table;
mod typed;
mod view;

use std::rc::Rc;

use crate::ast::CommonTable;
use crate::collation::Collation;
use crate::context::Context;
use crate::error::SqlResult;
use crate::frame::Frame;
use crate::interpreter::Session;
use crate::result_identity::Dependencies;
use crate::session::Cancel;

pub(crate) use described::Origin;
pub(crate) use from::{cross, table_scope};
pub(crate) use predicate::comparison;
pub(crate) use pushdown::{add_seeks, push_filter};
pub(crate) use query::distribute;
pub(crate) use scope::{Scope, ScopeColumn, ScopeSource};
pub(crate) use typed::{TextCollation, Typed};

/// Binds the parts of one statement. Tables are opened, and locked, as their names are met.
pub(crate) struct Binder<'a> {
    pub(crate) session: &'a mut Session,
    pub(crate) frame: &'a Frame,
    pub(crate) context: &'a Context,
    pub(crate) cancel: &'a Cancel,
    pub(crate) scopes: Vec<Scope>,
    /// CTEs in reach, innermost last; a CTE sees those before it.
    pub(crate) common_tables: Vec<Rc<CommonTable>>,
    /// Variables stand for their values, unless the statement itself assigns them.
    pub(crate) fold_variables: bool,
    pub(crate) dependencies: Dependencies,
}

impl<'a> Binder<'a> {
    pub(crate) fn new(
        session: &'a mut Session,
        frame: &'a Frame,
        context: &'a Context,
        cancel: &'a Cancel,
    ) -> Self {
        Self {
            session,
            frame,
            context,
            cancel,
            scopes: Vec::new(),
            common_tables: Vec::new(),
            fold_variables: true,
            dependencies: Dependencies::default(),
        }
    }

    /// Runs `bind` with a scope of its own around it, and returns the scope as well.
    pub(crate) fn in_scope<T>(
        &mut self,
        scope: Scope,
        bind: impl FnOnce(&mut Self) -> SqlResult<T>,
    ) -> SqlResult<(T, Scope)> {
        self.scopes.push(scope);
        let result = bind(self);
        let scope = self.scopes.pop().unwrap_or_default();
        Ok((result?, scope))
    }

    /// Makes CTEs known.
    pub(crate) fn add_common_tables(&mut self, with: &[CommonTable]) {
        self.common_tables.extend(with.iter().cloned().map(Rc::new));
    }
}

/// The collations of a list of result columns, the default standing for what is no text.
pub(crate) fn collations_of<'c>(
    columns: impl Iterator<Item = Option<&'c Collation>>,
) -> Rc<[Collation]> {
    columns
        .map(|collation| collation.cloned().unwrap_or_else(Collation::server_default))
        .collect()
}
