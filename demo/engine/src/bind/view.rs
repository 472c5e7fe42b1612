//! Views and synonyms as sources.

use super::Binder;
use super::from::{FromBuilder, derived};
use crate::ast::{Name, ObjectName};
use crate::error::{SqlResult, unsupported_clause};
use crate::storage::{Column, Table};

impl Binder<'_> {
    /// A view is its query, bound in its own database and without anything around it.
    pub(super) fn bind_view(
        &mut self,
        name: &ObjectName,
        view: &Table,
        alias: Option<&Name>,
        hints: &[String],
    ) -> SqlResult<FromBuilder> {
        if let Some(hint) = hints.first() {
            return Err(unsupported_clause(&format!(
                "the table hint {hint} on a view"
            )));
        }
        let definition = view.latest_definition();
        let Some(body) = &definition.view else {
            return Err(unsupported_clause("a table as a view"));
        };
        let database = self.session.database_of(name)?;
        let database = std::mem::replace(&mut self.session.database, database);
        let scopes = std::mem::take(&mut self.scopes);
        let common_tables = std::mem::take(&mut self.common_tables);
        let bound = self.bind_query(&body.query);
        self.session.database = database;
        self.scopes = scopes;
        self.common_tables = common_tables;
        let plan = bound?;
        let same = |(column, now): (&Column, &crate::plan::OutputColumn)| {
            column.sql_type == now.sql_type
                && column.nullable == now.nullable
                && column.collation == now.collation
        };
        let columns = &definition.columns;
        if columns.len() != plan.columns.len() || !columns.iter().zip(&plan.columns).all(same) {
            return Err(unsupported_clause("a view whose tables have changed"));
        }
        let names: Vec<Name> = columns
            .iter()
            .map(|column| Name(column.name.clone()))
            .collect();
        let known_as = alias.cloned().unwrap_or_else(|| Name(view.name.clone()));
        let (mut scope, source) = derived(plan, &known_as, &names)?;
        if alias.is_none() {
            scope.schema = Some(view.schema.clone());
        }
        self.add_source(scope, source)
    }

    /// "The name of the base object is replaced by the synonym's": what is not named otherwise is known under it.
    pub(super) fn bind_synonym(
        &mut self,
        name: &ObjectName,
        base: &ObjectName,
        alias: Option<&Name>,
        hints: &[String],
    ) -> SqlResult<FromBuilder> {
        // A base without a database is of the synonym's.
        let database = self.session.database_of(name)?;
        let database = std::mem::replace(&mut self.session.database, database);
        let chained = self.session.behind_synonym(base);
        let bound = match chained {
            Ok(None) => {
                let known_as = alias.unwrap_or(&name.name);
                self.bind_named(base, Some(known_as), hints)
            }
            Ok(Some(_)) => Err(unsupported_clause("a synonym of a synonym")),
            Err(error) => Err(error),
        };
        self.session.database = database;
        bound
    }
}
