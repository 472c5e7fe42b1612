//! INSERT.

use super::RowChange;
use super::row::{Verb, check_writable, insert_columns};
use crate::ast::{Expr as Ast, Insert, InsertSource};
use crate::bind::{Binder, Scope};
use crate::convert;
use crate::error::{SqlResult, unsupported_clause};
use crate::exec::{Flow, run_query};
use crate::interpreter::{Access, Batch, OpenTable, command};
use crate::masking::Masks;
use crate::plan::{Environment, Expr};
use crate::session::SqlError;
use crate::types::Datum;

/// Where an inserted value comes from; `None` is the column's default.
type Values = Vec<Option<Expr>>;

impl Batch<'_> {
    pub(crate) fn insert(&mut self, insert: &Insert) -> SqlResult<()> {
        if insert.top.is_some() {
            return Err(unsupported_clause("INSERT TOP"));
        }
        let target = self.open_target(&insert.target, Access::Rows)?;
        self.refuse_if_history(&target, "INSERT")?;
        let definition = target.version.definition.clone();
        let identity_insert = self.has_identity_insert(&target);
        let ordinals =
            insert_columns(&definition, &insert.columns, identity_insert, &target.table)?;
        if let (true, Some(ordinal)) = (identity_insert, definition.identity_ordinal())
            && !ordinals.contains(&ordinal)
            && !insert.columns.is_empty()
        {
            return Err(SqlError::new(
                545,
                16,
                1,
                format!(
                    "Explicit value must be specified for identity column in table '{}' either when IDENTITY_INSERT is set to ON or when a replication user is inserting into a NOT FOR REPLICATION identity column.",
                    target.table.name
                ),
            ));
        }
        let context = self.context();
        let output = self.bind_output(&context, insert.output.as_ref(), &target, &[])?;
        let mut builder = self.row_builder(&context, &target, Verb::Insert)?;
        let width = definition.columns.len();
        let mut rows = Vec::new();
        match &insert.source {
            InsertSource::DefaultValues => {
                rows.push(builder.insert(self.session, &context, vec![None; width])?)
            }
            InsertSource::Values(list) => {
                let bound = self.bind_insert_values(&context, insert, &target, &ordinals, list)?;
                for values in bound {
                    let mut given: Vec<Option<Datum>> = vec![None; width];
                    for (ordinal, value) in ordinals.iter().zip(values) {
                        given[*ordinal] = match value {
                            Some(expr) => Some(expr.eval(&context, &Environment::EMPTY)?),
                            None => None,
                        };
                    }
                    rows.push(builder.insert(self.session, &context, given)?);
                }
            }
            InsertSource::Query(query) => {
                let mut binder = Binder::new(self.session, &self.frame, &context, self.cancel);
                binder.add_common_tables(&insert.with);
                let plan = binder.bind_query(query)?;
                if plan.columns.len() != ordinals.len() {
                    return Err(count_mismatch(
                        plan.columns.len(),
                        ordinals.len(),
                        !insert.columns.is_empty(),
                        false,
                    ));
                }
                for (column, ordinal) in plan.columns.iter().zip(&ordinals) {
                    check_writable(&definition, *ordinal, Verb::Insert)?;
                    if !is_null_column(&plan, *ordinal, &ordinals) {
                        convert::check(
                            &column.sql_type,
                            &definition.columns[*ordinal].sql_type,
                            false,
                        )?;
                    }
                }
                let session = &mut *self.session;
                let masks = Masks::of(&context, &plan);
                run_query(&context, &plan, None, &mut |row| {
                    let masked = masks.row(row)?;
                    let row = masked.as_deref().unwrap_or(row);
                    let mut given: Vec<Option<Datum>> = vec![None; width];
                    for (ordinal, value) in ordinals.iter().zip(row) {
                        given[*ordinal] = Some(value.clone());
                    }
                    rows.push(builder.insert(session, &context, given)?);
                    Ok(Flow::Continue)
                })?;
            }
        }
        if let Some(identity) = builder.last_identity {
            self.session.last.identity = Some(identity);
            self.session.last.scope_identity = Some(identity);
        }
        let changes = rows.into_iter().map(RowChange::inserted).collect();
        self.finish_modification(
            &context,
            &target,
            changes,
            output.as_ref(),
            (command::INSERT, &[]),
        )
    }

    fn bind_insert_values(
        &mut self,
        context: &crate::context::Context,
        insert: &Insert,
        target: &OpenTable,
        ordinals: &[usize],
        list: &[Vec<Ast>],
    ) -> SqlResult<Vec<Values>> {
        let definition = target.version.definition.clone();
        let mut binder = Binder::new(self.session, &self.frame, context, self.cancel);
        let mut rows = Vec::with_capacity(list.len());
        for values in list {
            if values.len() != ordinals.len() {
                return Err(count_mismatch(
                    values.len(),
                    ordinals.len(),
                    !insert.columns.is_empty(),
                    true,
                ));
            }
            let mut row = Vec::with_capacity(values.len());
            for (value, ordinal) in values.iter().zip(ordinals) {
                if *value == Ast::Default {
                    row.push(None);
                    continue;
                }
                check_writable(&definition, *ordinal, Verb::Insert)?;
                let (typed, _) =
                    binder.in_scope(Scope::default(), |binder| binder.bind_scalar(value))?;
                if !typed.untyped_null {
                    convert::check(
                        &typed.sql_type,
                        &definition.columns[*ordinal].sql_type,
                        false,
                    )?;
                }
                row.push(Some(typed.expr));
            }
            rows.push(row);
        }
        Ok(rows)
    }
}

/// Whether a query's column for this target column is the literal NULL, which fits any type.
fn is_null_column(plan: &crate::plan::QueryPlan, ordinal: usize, ordinals: &[usize]) -> bool {
    let Some(place) = ordinals.iter().position(|known| *known == ordinal) else {
        return false;
    };
    match &plan.body {
        crate::plan::Body::Select(select) => {
            matches!(select.projection.get(place), Some(Expr::Const(Datum::Null)))
        }
        crate::plan::Body::Set { .. } => false,
    }
}

fn count_mismatch(given: usize, wanted: usize, listed: bool, values: bool) -> SqlError {
    let error = match (listed, values, given < wanted) {
        (false, ..) => SqlError::new(
            213,
            16,
            1,
            "Column name or number of supplied values does not match table definition.",
        ),
        (true, true, true) => SqlError::new(
            109,
            15,
            1,
            "There are more columns in the INSERT statement than values specified in the VALUES clause. The number of values in the VALUES clause must match the number of columns specified in the INSERT statement.",
        ),
        (true, true, false) => SqlError::new(
            110,
            15,
            1,
            "There are fewer columns in the INSERT statement than values specified in the VALUES clause. The number of values in the VALUES clause must match the number of columns specified in the INSERT statement.",
        ),
        (true, false, true) => SqlError::new(
            120,
            15,
            1,
            "The select list for the INSERT statement contains fewer items than the insert list. The number of SELECT values must match the number of INSERT columns.",
        ),
        (true, false, false) => SqlError::new(
            121,
            15,
            1,
            "The select list for the INSERT statement contains more items than the insert list. The number of SELECT values must match the number of INSERT columns.",
        ),
    };
    error.ending_batch()
}
