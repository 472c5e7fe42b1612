//! Every row of the delta is new: a plan without keys, or a target without rows.

use super::Context;
use super::clauses::{self, Clauses};
use crate::error::{Result, SqlServerError};
use crate::lower::staging::ARRIVAL;
use crate::name::quote;
use crate::statement::{Parameters, Statement};

/// For a plan without keys: the rows in the order in which they arrived, so that an identity column that the
/// server fills counts them in that order.
pub(super) fn statement(context: &Context<'_>, clauses: &Clauses<'_>) -> Result<(Statement, bool)> {
    let order = format!("\nORDER BY S.{}", quote(ARRIVAL));
    insert(context, clauses, "", &order)?
        .ok_or_else(|| SqlServerError::plan("the plan writes nothing"))
}

/// What a plan with keys comes to where the target has no row: none is matched, and there are none without a
/// counterpart. `TABLOCK` lets SQL Server log pages instead of rows where the database's recovery model
/// allows that (T-SQL reference, "INSERT").
pub(super) fn into_empty(
    context: &Context<'_>,
    clauses: &Clauses<'_>,
) -> Result<Option<Statement>> {
    let insert = insert(context, clauses, " WITH (TABLOCK)", "")?;
    Ok(insert.map(|(statement, _)| statement))
}

/// `None` where no row is written.
fn insert(
    context: &Context<'_>,
    clauses: &Clauses<'_>,
    hint: &str,
    order: &str,
) -> Result<Option<(Statement, bool)>> {
    let mut parameters = Parameters::default();
    let effects = clauses::effects(context, &clauses.not_matched, &mut parameters, false)?;
    let Some(insert) = effects.write else {
        return Ok(None);
    };
    let identity = insert.identity;
    let (columns, values): (Vec<String>, Vec<String>) = insert.assignments.into_iter().unzip();
    let condition = match insert.condition {
        Some(condition) => format!("\nWHERE {condition}"),
        None => String::new(),
    };
    let statement = parameters.finish(format!(
        "DECLARE @inserted bigint;
INSERT INTO {}{hint} ({})
SELECT {}
FROM {}{condition}{order};
SET @inserted = @@ROWCOUNT;
SELECT @inserted, CAST(0 AS bigint), CAST(0 AS bigint);",
        context.target.name.sql(),
        columns.join(", "),
        values.join(", "),
        context.source(),
    ));
    Ok(Some((statement, identity)))
}
