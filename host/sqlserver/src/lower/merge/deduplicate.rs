//! Of several staged rows with one key, one is kept.

use icehost_plan::{Direction, Operation};

use super::Context;
use crate::error::{Result, SqlServerError};
use crate::lower::staging::ARRIVAL;
use crate::name::quote;
use crate::statement::Statement;

/// Deletes all but the first row of each key in the plan's order, where it ties the last that arrived. The
/// server compares the keys, so that what it takes for one key is one key.
///
/// A row that is there comes before one that is gone: a key is gone only if no row has it, and among changes there
/// are both where the lake could not tell that the server takes their keys for one.
pub(super) fn statement(context: &Context<'_>) -> Result<Option<Statement>> {
    let plan = context.plan;
    if plan.keys.is_empty() {
        return Ok(None);
    }
    let mut partition = Vec::with_capacity(plan.keys.len());
    for key in &plan.keys {
        partition.push(column(context, key.source)?);
    }
    Ok(Some(all_but_first(context, &partition, "")?))
}

fn column(context: &Context<'_>, ordinal: u32) -> Result<String> {
    match context.source_operands.get(ordinal as usize) {
        Some(operand) => Ok(operand.sql.clone()),
        None => Err(SqlServerError::plan(format!(
            "column {ordinal} is not in the delta"
        ))),
    }
}

/// Deletes all but the first of the staged rows that have these values in common; `among` is a WHERE clause, or empty.
pub(super) fn all_but_first(
    context: &Context<'_>,
    partition: &[String],
    among: &str,
) -> Result<Statement> {
    let plan = context.plan;
    let column = |ordinal: u32| column(context, ordinal);
    let mut order = Vec::with_capacity(plan.deduplicate.len() + 2);
    if let Some(operation) = context.delta.operation {
        let gone = Operation::Delete as i32;
        let operation = column(operation)?;
        order.push(format!("CASE WHEN {operation} = {gone} THEN 1 ELSE 0 END"));
    }
    for key in &plan.deduplicate {
        let direction = match key.direction {
            Direction::Ascending => "ASC",
            Direction::Descending => "DESC",
        };
        order.push(format!("{} {direction}", column(key.column)?));
    }
    let arrival = quote(ARRIVAL);
    order.push(format!("S.{arrival} DESC"));
    let table = quote(&context.staging.table);
    Ok(Statement::plain(format!(
        "DELETE FROM {table}
WHERE {arrival} IN (
    SELECT D.{arrival}
    FROM (
        SELECT S.{arrival}, ROW_NUMBER() OVER (PARTITION BY {} ORDER BY {}) AS [icehost_rank]
        FROM {}{among}
    ) AS D
    WHERE D.[icehost_rank] > 1
);
SELECT CAST(@@ROWCOUNT AS bigint);",
        partition.join(", "),
        order.join(", "),
        context.source()
    )))
}
