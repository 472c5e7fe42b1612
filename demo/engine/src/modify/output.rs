//! OUTPUT, to the client or INTO a table.

use super::RowChange;
use super::row::{Verb, insert_columns};
use crate::ast::{Name, Output};
use crate::bind::{Binder, Scope, ScopeColumn, ScopeSource};
use crate::context::Context;
use crate::error::SqlResult;
use crate::exec::empty_row;
use crate::interpreter::{Access, Batch, OpenTable, result_column};
use crate::plan::{Environment, Expr, OutputColumn};
use crate::session::SqlError;
use crate::storage::Row;
use crate::types::{Datum, SqlType};

/// A bound OUTPUT clause: expressions over the FROM row, then `inserted`, `deleted` and the action.
#[derive(Debug)]
pub(crate) struct OutputPlan {
    columns: Vec<OutputColumn>,
    items: Vec<Expr>,
    into: Option<(OpenTable, Vec<usize>)>,
}

impl Batch<'_> {
    /// Binds OUTPUT; `sources` are those of the statement's FROM row.
    pub(crate) fn bind_output(
        &mut self,
        context: &Context,
        output: Option<&Output>,
        target: &OpenTable,
        sources: &[ScopeSource],
    ) -> SqlResult<Option<OutputPlan>> {
        let Some(output) = output else {
            return Ok(None);
        };
        self.check_output(target, Some(output))?;
        let mut scope_sources = sources.to_vec();
        for source in &mut scope_sources {
            source.qualified_only = true;
        }
        for name in ["inserted", "deleted"] {
            let mut source = crate::bind::table_scope(
                &target.table,
                &target.version,
                Some(&Name(name.to_owned())),
            );
            source.qualified_only = true;
            for column in &mut source.columns {
                column.identity = false;
            }
            scope_sources.push(source);
        }
        scope_sources.push(ScopeSource {
            name: "$action".to_owned(),
            schema: None,
            columns: vec![ScopeColumn {
                name: "$action".to_owned(),
                sql_type: SqlType::NVarChar { length: Some(10) },
                nullable: false,
                collation: None,
                identity: false,
                read_only: true,
                hidden: false,
            }],
            qualified_only: false,
        });
        let mut binder = Binder::new(self.session, &self.frame, context, self.cancel);
        let ((columns, items), _) = binder.in_scope(Scope::of(scope_sources), |binder| {
            binder.bind_output_items(&output.items)
        })?;
        let into = match &output.into {
            None => None,
            Some((into, names)) => {
                let into = self.open_target(into, Access::Rows)?;
                let identity_insert = self.has_identity_insert(&into);
                let ordinals = insert_columns(
                    &into.version.definition,
                    names,
                    identity_insert,
                    &into.table,
                )?;
                if ordinals.len() != items.len() {
                    return Err(SqlError::new(
                        213,
                        16,
                        1,
                        "Column name or number of supplied values does not match table definition.",
                    )
                    .ending_batch());
                }
                Some((into, ordinals))
            }
        };
        Ok(Some(OutputPlan {
            columns,
            items,
            into,
        }))
    }

    pub(crate) fn has_identity_insert(&self, target: &OpenTable) -> bool {
        self.session
            .settings
            .identity_insert
            .as_ref()
            .is_some_and(|(id, _)| *id == target.table.id)
    }

    pub(crate) fn send_output(
        &mut self,
        context: &Context,
        plan: &OutputPlan,
        changes: &[RowChange],
    ) -> SqlResult<()> {
        let rows_of = |change: &RowChange| -> Vec<Row> {
            let mut rows = change.tuple.clone();
            rows.push(change.new.clone().unwrap_or_else(empty_row));
            rows.push(change.old.clone().unwrap_or_else(empty_row));
            rows.push(Row::from([Datum::Text {
                value: change.action().into(),
                national: true,
            }]));
            rows
        };
        let evaluate = |change: &RowChange| -> SqlResult<Vec<Datum>> {
            let rows = rows_of(change);
            let env = Environment {
                rows: &rows,
                outer: None,
            };
            plan.items
                .iter()
                .map(|item| item.eval(context, &env))
                .collect()
        };
        let Some((into, ordinals)) = &plan.into else {
            let columns: Vec<_> = plan.columns.iter().map(result_column).collect();
            self.stop(|sink| sink.columns(&columns))?;
            for change in changes {
                let row = evaluate(change)?;
                self.stop(|sink| sink.row(&row))?;
            }
            return Ok(());
        };
        let mut builder = self.row_builder(context, into, Verb::Insert)?;
        let width = into.version.definition.columns.len();
        let mut list = Vec::with_capacity(changes.len());
        for change in changes {
            let mut given: Vec<Option<Datum>> = vec![None; width];
            for (ordinal, value) in ordinals.iter().zip(evaluate(change)?) {
                given[*ordinal] = Some(value);
            }
            list.push(RowChange::inserted(builder.insert(
                self.session,
                context,
                given,
            )?));
        }
        self.settle(into, &mut list)
    }
}
