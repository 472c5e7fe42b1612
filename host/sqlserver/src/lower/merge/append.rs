//! A plan without keys: every row of the delta is new.

use super::Context;
use super::clauses::{self, Clauses};
use crate::error::{Result, SqlServerError};
use crate::lower::staging::ARRIVAL;
use crate::name::quote;
use crate::statement::{Parameters, Statement};

pub(super) fn statement(context: &Context<'_>, clauses: &Clauses<'_>) -> Result<(Statement, bool)> {
    let mut parameters = Parameters::default();
    let effects = clauses::effects(context, &clauses.not_matched, &mut parameters, false)?;
    let Some(insert) = effects.write else {
        return Err(SqlServerError::plan("the plan writes nothing"));
    };
    let identity = insert.identity;
    let (columns, values): (Vec<String>, Vec<String>) = insert.assignments.into_iter().unzip();
    let condition = match insert.condition {
        Some(condition) => format!("\nWHERE {condition}"),
        None => String::new(),
    };
    let statement = parameters.finish(format!(
        "DECLARE @inserted bigint;
INSERT INTO {} ({})
SELECT {}
FROM {}{condition}
ORDER BY S.{};
SET @inserted = @@ROWCOUNT;
SELECT @inserted, CAST(0 AS bigint), CAST(0 AS bigint);",
        context.target.name.sql(),
        columns.join(", "),
        values.join(", "),
        context.source(),
        quote(ARRIVAL)
    ));
    Ok((statement, identity))
}
