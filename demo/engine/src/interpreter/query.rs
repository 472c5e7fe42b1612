//! SELECT as a statement: to the client, into variables, into a new table.

use super::Batch;
use super::batch::command;
use crate::ast::{Query, QueryBody};
use crate::bind::Binder;
use crate::error::SqlResult;
use crate::exec::{Flow, run_query};
use crate::locks::cancelled;
use crate::plan::{Body, OutputColumn};
use crate::result_identity::ResultIdentity;
use crate::session::{ResultColumn, Stop};

pub(crate) fn result_column(column: &OutputColumn) -> ResultColumn {
    ResultColumn {
        name: column.name.clone(),
        sql_type: column.sql_type.clone(),
        nullable: column.nullable,
        identity: column.identity,
        read_only: column.read_only,
    }
}

impl Batch<'_> {
    pub(super) fn query(&mut self, query: &Query) -> SqlResult<()> {
        if let QueryBody::Select(select) = &query.body
            && let Some(into) = &select.into
        {
            let mut inner = query.clone();
            if let QueryBody::Select(select) = &mut inner.body {
                select.into = None;
            }
            return self.select_into(into, &inner);
        }
        self.session.ensure_transaction(self.sink);
        let context = self.context();
        let mut binder = Binder::new(self.session, &self.frame, &context, self.cancel);
        binder.fold_variables = !assigns(query);
        let plan = binder.bind_query(query)?;
        let assigning =
            matches!(&plan.body, Body::Select(select) if !select.assignments.is_empty());
        let dependencies = std::mem::take(&mut binder.dependencies);
        let repeatable = !assigning && !self.session.settings.format_only;
        let identity = if repeatable && self.sink.knows_results() {
            ResultIdentity::of(&self.session.database, query, &dependencies)
        } else {
            None
        };
        let announced = identity.is_some();
        if let Some(identity) = identity
            && let Some(rows) = self
                .sink
                .known_result(identity)
                .map_err(|Stop| cancelled())?
        {
            self.set_row_count(rows);
            return self.done(command::SELECT, Some(rows));
        }
        if !assigning {
            let columns: Vec<ResultColumn> = plan.columns.iter().map(result_column).collect();
            self.stop(|sink| sink.columns(&columns))?;
        }
        let mut rows = 0u64;
        if !self.session.settings.format_only {
            let sink = &mut *self.sink;
            run_query(&context, &plan, None, &mut |row| {
                rows += 1;
                if !assigning {
                    sink.row(row).map_err(|_| cancelled())?;
                }
                Ok(Flow::Continue)
            })?;
        }
        if assigning {
            for (variable, (value, _)) in self
                .frame
                .variables
                .iter_mut()
                .zip(context.variables.into_inner())
            {
                variable.value = value;
            }
        }
        if announced {
            self.stop(|sink| sink.result_complete())?;
        }
        self.set_row_count(rows);
        self.done(command::SELECT, Some(rows))
    }
}

/// Whether a SELECT assigns variables.
fn assigns(query: &Query) -> bool {
    match &query.body {
        QueryBody::Select(select) => select
            .items
            .iter()
            .any(|item| matches!(item, crate::ast::SelectItem::Assign { .. })),
        _ => false,
    }
}
