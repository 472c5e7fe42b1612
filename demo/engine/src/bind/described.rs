//! `sys.dm_exec_describe_first_result_set` with browse information: which base table each column of a view is of.
//!
//! "If set to 1, each query is analyzed as if it includes a FOR BROWSE option on the query. This returns base table
//! names as the source column information." (T-SQL reference, "sp_describe_first_result_set"). Only `SELECT *` of one
//! table or view is described, and of the function's columns those that say where a column comes from.

use std::rc::Rc;

use super::from::FromBuilder;
use super::{Binder, ScopeColumn, ScopeSource, Typed};
use crate::ast::{
    Expr as Ast, Name, ObjectName, Query, QueryBody, SelectItem, StatementKind, TableRef,
};
use crate::error::{SqlResult, invalid_object, unsupported_function};
use crate::parser::parse;
use crate::plan::{Expr, Source};
use crate::storage::Row;
use crate::types::{Datum, SqlType};

/// A column of a stored table.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) database: String,
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) column: String,
}

impl Binder<'_> {
    pub(super) fn bind_described(
        &mut self,
        scope_name: String,
        arguments: &[Typed],
    ) -> SqlResult<FromBuilder> {
        let refuse = || unsupported_function("sys.dm_exec_describe_first_result_set of this");
        let [sql, parameters, browse] = arguments else {
            return Err(refuse());
        };
        let text = match (&sql.expr, &parameters.expr, &browse.expr) {
            (
                Expr::Const(Datum::Text { value, .. }),
                Expr::Const(Datum::Null),
                Expr::Const(Datum::Int(1)),
            ) => value.to_string(),
            _ => return Err(refuse()),
        };
        let name = star_of(&text)?.ok_or_else(refuse)?;
        let origins = self.origins(&name)?;
        let words = SqlType::SysName;
        let columns = [
            ("is_hidden", SqlType::Bit),
            ("column_ordinal", SqlType::Int),
            ("name", words.clone()),
            ("source_server", words.clone()),
            ("source_database", words.clone()),
            ("source_schema", words.clone()),
            ("source_table", words.clone()),
            ("source_column", words),
        ];
        let text = |value: &str| Datum::Text {
            value: value.into(),
            national: true,
        };
        let rows = origins.iter().zip(1..).map(|((name, origin), place)| {
            Row::from(vec![
                Datum::Bit(false),
                Datum::Int(place),
                text(name),
                Datum::Null,
                text(&origin.database),
                text(&origin.schema),
                text(&origin.table),
                text(&origin.column),
            ])
        });
        let scope = ScopeSource {
            name: scope_name,
            schema: None,
            columns: columns
                .into_iter()
                .map(|(name, sql_type)| ScopeColumn {
                    name: name.to_owned(),
                    collation: sql_type
                        .is_text()
                        .then(crate::collation::Collation::server_default),
                    sql_type,
                    nullable: true,
                    identity: false,
                    read_only: true,
                    hidden: false,
                })
                .collect(),
            qualified_only: false,
        };
        self.add_source(scope, Source::Rows(Rc::new(rows.collect())))
    }

    /// The columns of a table or view, each with where it comes from.
    fn origins(&mut self, name: &ObjectName) -> SqlResult<Vec<(String, Origin)>> {
        let name = &self
            .session
            .behind_synonym(name)?
            .unwrap_or_else(|| name.clone());
        let table = self
            .session
            .find_table(name)?
            .ok_or_else(|| invalid_object(&name.to_string()))?;
        let database = self.session.database_of(name)?;
        let definition = table.latest_definition();
        let Some(view) = &definition.view else {
            let columns = definition.columns.iter().map(|column| {
                let origin = Origin {
                    database: database.name.clone(),
                    schema: table.schema.clone(),
                    table: table.name.clone(),
                    column: column.name.clone(),
                };
                (column.name.clone(), origin)
            });
            return Ok(columns.collect());
        };
        let before = std::mem::replace(&mut self.session.database, database);
        let found = self.origins_of_view(&view.query);
        self.session.database = before;
        let names = definition.columns.iter().map(|column| column.name.clone());
        Ok(names.zip(found?).collect())
    }

    /// Where the columns of a view's query come from.
    pub(crate) fn origins_of_view(&mut self, query: &Query) -> SqlResult<Vec<Origin>> {
        let refuse =
            || unsupported_function("sys.dm_exec_describe_first_result_set of such a view");
        let QueryBody::Select(select) = &query.body else {
            return Err(refuse());
        };
        let mut named = Vec::new();
        select.from.iter().for_each(|item| tables(item, &mut named));
        let mut sources = Vec::new();
        for (known_as, name) in named {
            sources.push((known_as, self.origins(&name)?));
        }
        let mut origins = Vec::new();
        for item in &select.items {
            let SelectItem::Expr {
                expr: Ast::Column { qualifier, name },
                ..
            } = item
            else {
                return Err(refuse());
            };
            let fits = |(known_as, _): &&(Name, Vec<(String, Origin)>)| {
                qualifier.last().is_none_or(|last| last == known_as)
            };
            let mut columns = sources.iter().filter(fits).flat_map(|(_, columns)| columns);
            let found = columns.find(|(column, _)| name.is(column));
            origins.push(found.ok_or_else(refuse)?.1.clone());
        }
        Ok(origins)
    }
}

/// The name of `SELECT * FROM name`.
fn star_of(sql: &str) -> SqlResult<Option<ObjectName>> {
    let statements = parse(sql)?;
    let [only] = statements.as_slice() else {
        return Ok(None);
    };
    let StatementKind::Query(query) = &only.kind else {
        return Ok(None);
    };
    let QueryBody::Select(select) = &query.body else {
        return Ok(None);
    };
    let star = matches!(select.items.as_slice(), [SelectItem::Star(of)] if of.is_empty());
    Ok(match select.from.as_slice() {
        [TableRef::Table { name, .. }] if star => Some(name.clone()),
        _ => None,
    })
}

/// The tables of a FROM clause under the names that they are known by.
fn tables(item: &TableRef, found: &mut Vec<(Name, ObjectName)>) {
    match item {
        TableRef::Table { name, alias, .. } => {
            let known_as = alias.clone().unwrap_or_else(|| name.name.clone());
            found.push((known_as, name.clone()));
        }
        TableRef::Join { left, right, .. } => {
            tables(left, found);
            tables(right, found);
        }
        _ => {}
    }
}
