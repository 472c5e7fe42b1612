//! Rows that a merge without keys would add a second time.

use super::Context;
use super::clauses::{self, Clauses};
use crate::error::Result;
use crate::statement::{Parameters, Statement};

/// One flag: a row of the target has, in every column that the merge copies, what a staged row has. NULL is a value like
/// others (T-SQL reference, "EXCEPT and INTERSECT"). `None` where the merge looks for rows itself, or copies no column.
pub(super) fn statement(context: &Context<'_>, clauses: &Clauses<'_>) -> Result<Option<Statement>> {
    if !context.plan.keys.is_empty() {
        return Ok(None);
    }
    let mut parameters = Parameters::default();
    let effects = clauses::effects(context, &clauses.not_matched, &mut parameters, false)?;
    let Some(insert) = effects.write else {
        return Ok(None);
    };
    // What it makes itself, such as the time of the run, is another value each time.
    let is_copy = |value: &str| {
        let mut staged = context.staging.columns.iter();
        staged.any(|column| column.image() == value || column.staged() == value)
    };
    let copies = insert.assignments.into_iter();
    let (columns, values): (Vec<String>, Vec<String>) = copies
        .filter(|(_, value)| is_copy(value))
        .map(|(column, value)| (format!("T.{column}"), value))
        .unzip();
    if columns.is_empty() {
        return Ok(None);
    }
    let condition = match insert.condition {
        Some(condition) => format!("\n    WHERE {condition}"),
        None => String::new(),
    };
    Ok(Some(parameters.finish(format!(
        "SELECT CASE WHEN EXISTS (
    SELECT {}
    FROM {}{condition}
    INTERSECT
    SELECT {}
    FROM {} AS T
) THEN 1 ELSE 0 END;",
        values.join(", "),
        context.source(),
        columns.join(", "),
        context.target.name.sql(),
    ))))
}
