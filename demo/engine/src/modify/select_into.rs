//! SELECT ... INTO: a new table from a query's columns.

use super::RowChange;
use crate::ast::{ObjectName, Query};
use crate::bind::Binder;
use crate::collation::Collation;
use crate::error::SqlResult;
use crate::exec::{Flow, run_query};
use crate::interpreter::{Batch, OpenTable, command};
use crate::masking::Masks;
use crate::plan::{Body, Expr, From, OutputColumn, QueryPlan, Source};
use crate::session::SqlError;
use crate::storage::{Column, Row, TableDefinition};
use crate::types::SqlType;

fn definition(columns: &[OutputColumn]) -> SqlResult<TableDefinition> {
    let mut definition = TableDefinition::default();
    for (place, column) in columns.iter().enumerate() {
        if column.name.is_empty() {
            return Err(SqlError::new(
                1038,
                15,
                5,
                "An object or column name is missing or empty. For SELECT INTO statements, verify each column has a name. For other statements, look for empty alias names. Aliases defined as \"\" or [] are not allowed. Change the alias to a valid name.",
            )
            .ending_batch());
        }
        if definition.ordinal(&column.name).is_some() {
            return Err(SqlError::new(
                2705,
                16,
                3,
                format!(
                    "Column names in each table must be unique. Column name '{}' in table is specified more than once.",
                    column.name
                ),
            ));
        }
        let sql_type = match &column.sql_type {
            // A rowversion is copied as what it is made of.
            SqlType::RowVersion => SqlType::Binary { length: 8 },
            other => other.clone(),
        };
        definition.columns.push(Column {
            name: column.name.clone(),
            id: place as i32 + 1,
            collation: if sql_type.is_text() {
                Some(
                    column
                        .collation
                        .clone()
                        .unwrap_or_else(Collation::server_default),
                )
            } else {
                None
            },
            sql_type,
            nullable: column.nullable,
            identity: None,
            default: None,
            computed: None,
            rowguidcol: false,
            mask: None,
            generated: None,
            encrypted: None,
        });
    }
    definition.last_column_id = columns.len() as i32;
    Ok(definition)
}

/// A column taken as it is from a single table stays an identity column.
fn inherit_identity(plan: &QueryPlan, definition: &mut TableDefinition) {
    let Body::Select(select) = &plan.body else {
        return;
    };
    let From::Source {
        source: Source::Table(table),
        ..
    } = &select.from
    else {
        return;
    };
    if select.grouping.is_some() || select.distinct.is_some() {
        return;
    }
    for (column, expr) in definition.columns.iter_mut().zip(&select.projection) {
        if let Expr::Column {
            depth: 0,
            source: 0,
            column: ordinal,
        } = expr
        {
            column.identity = table
                .version
                .definition
                .columns
                .get(*ordinal)
                .and_then(|source| source.identity);
        }
    }
}

impl Batch<'_> {
    pub(crate) fn select_into(&mut self, into: &ObjectName, query: &Query) -> SqlResult<()> {
        self.session.ensure_transaction(self.sink);
        self.refuse_if_doomed()?;
        let context = self.context();
        let mut binder = Binder::new(self.session, &self.frame, &context, self.cancel);
        let plan = binder.bind_query(query)?;
        let mut definition = definition(&plan.columns)?;
        inherit_identity(&plan, &mut definition);
        let table = self.create_stored_table(into, definition)?;
        let target = OpenTable {
            version: self.session.visible_version(&table),
            database: self.session.database_of(into)?,
            table,
        };
        let mut changes = Vec::new();
        let masks = Masks::of(&context, &plan);
        run_query(&context, &plan, None, &mut |row| {
            let masked = masks.row(row)?;
            changes.push(RowChange::inserted(Row::from(
                masked.as_deref().unwrap_or(row),
            )));
            Ok(Flow::Continue)
        })?;
        self.finish_modification(
            &context,
            &target,
            changes,
            None,
            (command::SELECT_INTO, &[]),
        )
    }
}
