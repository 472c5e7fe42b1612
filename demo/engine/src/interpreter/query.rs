//! SELECT as a statement: to the client, into variables, into a new table.

use std::sync::Arc;

use super::Batch;
use super::batch::command;
use crate::ast::{Query, QueryBody};
use crate::bind::Binder;
use crate::collation::Collation;
use crate::context::Context;
use crate::error::{SqlResult, unsupported_clause};
use crate::exec::{Flow, run_query};
use crate::locks::{Mode, cancelled};
use crate::masking::Masks;
use crate::modify::Sought;
use crate::plan::{Body, OutputColumn, QueryPlan};
use crate::result_identity::{Dependencies, ResultIdentity};
use crate::session::{ResultColumn, Stop};
use crate::storage::Table;

pub(crate) fn result_column(column: &OutputColumn) -> ResultColumn {
    ResultColumn {
        name: column.name.clone(),
        sql_type: column.sql_type.clone(),
        nullable: column.nullable,
        identity: column.identity,
        read_only: column.read_only,
        collation: column
            .collation
            .as_ref()
            .filter(|collation| collation.other_page(&column.sql_type).is_some())
            .map(Collation::wire),
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
        self.session.scans = Some(Vec::new());
        let bound = self.bind_for_client(&context, query);
        let scans = self.session.scans.take().unwrap_or_default();
        let (mut plan, mut dependencies) = bound?;
        if self.wait_to_read(&context, &plan, &scans)? {
            self.session.scans = Some(Vec::new());
            let bound = self.bind_for_client(&context, query);
            self.session.scans = None;
            (plan, dependencies) = bound?;
        }
        let assigning =
            matches!(&plan.body, Body::Select(select) if !select.assignments.is_empty());
        let repeatable =
            !assigning && !context.facts.reads_only && !self.session.settings.format_only;
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
        let masks = Masks::of(&context, &plan);
        if assigning && !masks.is_empty() {
            return Err(unsupported_clause("masked columns assigned to variables"));
        }
        let mut rows = 0u64;
        if !self.session.settings.format_only {
            let sink = &mut *self.sink;
            run_query(&context, &plan, None, &mut |row| {
                rows += 1;
                if !assigning {
                    let masked = masks.row(row)?;
                    let row = masked.as_deref().unwrap_or(row);
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

impl Batch<'_> {
    fn bind_for_client(
        &mut self,
        context: &Context,
        query: &Query,
    ) -> SqlResult<(QueryPlan, Dependencies)> {
        let mut binder = Binder::new(self.session, &self.frame, context, self.cancel);
        binder.fold_variables = !assigns(query);
        let plan = binder.bind_query(query)?;
        Ok((plan, std::mem::take(&mut binder.dependencies)))
    }

    /// What a READ COMMITTED reader waits for: writers of the row that it names by a unique key, or of any row
    /// of the tables that it scans. Returns whether there was anything to wait for.
    fn wait_to_read(
        &mut self,
        context: &Context,
        plan: &QueryPlan,
        scans: &[Arc<Table>],
    ) -> SqlResult<bool> {
        let waiter = self.session.waiter(self.cancel);
        if let ([table], Body::Select(select)) = (scans, &plan.body)
            && let Some(sought) = Sought::by(context, table, &select.from)
        {
            let locks = &self.session.server.locks;
            let mut waited = locks.wait_until_free(waiter, sought.key)?;
            if let Some(row) = sought.row {
                waited |= locks.wait_until_free(waiter, row)?;
            }
            return Ok(waited);
        }
        let mut waited = false;
        for table in scans {
            waited |= self
                .session
                .wait_to_scan(table, Mode::Shared, self.cancel)?;
        }
        Ok(waited)
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
