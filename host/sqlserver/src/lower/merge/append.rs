//! A plan without keys: every row of the delta is new.

use super::clauses::{self, Clauses};
use super::{Context, with_identity_insert};
use crate::error::{Result, SqlServerError};
use crate::lower::staging::ARRIVAL;
use crate::name::quote;
use crate::statement::{Parameters, Statement};

pub(super) fn statement(context: &Context<'_>, clauses: &Clauses<'_>) -> Result<Statement> {
    let mut parameters = Parameters::default();
    let effects = clauses::effects(context, &clauses.not_matched, &mut parameters, false)?;
    let Some(insert) = effects.write else {
        return Err(SqlServerError::plan("the plan writes nothing"));
    };
    let (columns, values): (Vec<String>, Vec<String>) = insert.assignments.into_iter().unzip();
    let condition = match insert.condition {
        Some(condition) => format!("\nWHERE {condition}"),
        None => String::new(),
    };
    let text = format!(
        "INSERT INTO {} ({})\nSELECT {}\nFROM {}{condition}\nORDER BY S.{};\nSET @inserted = @@ROWCOUNT;",
        context.target.name.sql(),
        columns.join(", "),
        values.join(", "),
        context.source(),
        quote(ARRIVAL)
    );
    Ok(parameters.finish(format!(
        "DECLARE @inserted bigint;\n{}\nSELECT @inserted, CAST(0 AS bigint), CAST(0 AS bigint);",
        with_identity_insert(context.target, insert.identity, text)
    )))
}
