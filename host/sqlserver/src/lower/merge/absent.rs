//! Rows of the target that a complete delivery does not have.
//!
//! Only the server knows which keys are one, so it finds them. A merger that takes changes is given them as
//! deletions, in the staging table, and does with them what it does with any: delete, mark, close or leave. One
//! that has clauses for rows without a counterpart sees them there.

use icehost_plan::{Action, Clause, Operation, SqlType};

use super::clauses::Clauses;
use super::matching::Matching;
use super::{Context, choice};
use crate::error::Result;
use crate::lower::staging::{ARRIVAL, StagedColumn};
use crate::name::quote;
use crate::statement::{Parameters, Statement};

/// What adds deletions of absent rows to the staging table, and counts what they will do.
#[derive(Debug, Clone, PartialEq)]
pub struct AbsentStatements {
    /// Adds a row with the operation `delete` and the target's own values for each key that is not staged.
    pub stage: Statement,
    /// One row: how many rows of the target these deletions change, and of how many.
    pub count: Statement,
}

/// For a delta of changes; `None` for one without an operation column, and for a plan without keys.
pub(super) fn as_deletions(
    context: &Context<'_>,
    clauses: &Clauses<'_>,
) -> Result<Option<AbsentStatements>> {
    let operation = context.delta.operation.map(|ordinal| ordinal as usize);
    let Some(operation) = operation.and_then(|at| context.staging.columns.get(at)) else {
        return Ok(None);
    };
    if context.plan.keys.is_empty() {
        return Ok(None);
    }
    Ok(Some(AbsentStatements {
        stage: stage(context, operation, "")?,
        count: count_deletions(context, clauses, operation)?,
    }))
}

/// How many rows of the target the plan's clauses for rows without a counterpart change, and of how many; `None`
/// where there are no such clauses.
pub(super) fn count_unmatched(
    context: &Context<'_>,
    clauses: &Clauses<'_>,
) -> Result<Option<Statement>> {
    if clauses.not_matched_by_source.is_empty() {
        return Ok(None);
    }
    let mut parameters = Parameters::default();
    let matching = Matching::new(context, &mut parameters)?;
    let effect = effect(context, &clauses.not_matched_by_source, &mut parameters)?;
    let target = context.target.name.sql();
    let (keys, among, source) = (&matching.keys, &matching.among, context.source());
    Ok(Some(parameters.finish(format!(
        "SELECT (SELECT COUNT_BIG(*) FROM {target} AS T
        WHERE NOT EXISTS (SELECT 1 FROM {source} WHERE {keys}){among}{effect}),
       (SELECT COUNT_BIG(*) FROM {target} AS T WHERE 1 = 1{among});"
    ))))
}

fn count_deletions(
    context: &Context<'_>,
    clauses: &Clauses<'_>,
    operation: &StagedColumn,
) -> Result<Statement> {
    let mut parameters = Parameters::default();
    let matching = Matching::new(context, &mut parameters)?;
    let target = context.target.name.sql();
    let among = &matching.among;
    let of = format!("(SELECT COUNT_BIG(*) FROM {target} AS T WHERE 1 = 1{among})");
    if clauses.matched.is_empty() {
        return Ok(parameters.finish(format!("SELECT CAST(0 AS bigint), {of};")));
    }
    let effect = effect(context, &clauses.matched, &mut parameters)?;
    Ok(parameters.finish(format!(
        "SELECT (SELECT COUNT_BIG(*) FROM {target} AS T
        INNER JOIN {} ON {}
        WHERE {} = {}{effect}),
       {of};",
        context.source(),
        matching.on(),
        operation.staged(),
        Operation::Delete as i32,
    )))
}

/// ` AND …`, for the rows to which a clause applies that does something; empty for all.
fn effect(
    context: &Context<'_>,
    clauses: &[&Clause],
    parameters: &mut Parameters,
) -> Result<String> {
    let conditions = choice::conditions(context, clauses, parameters)?;
    if let [only] = conditions.as_slice() {
        return Ok(match only {
            Some(condition) => format!(" AND ({condition})"),
            None => String::new(),
        });
    }
    let acts: Vec<String> = (1..)
        .zip(clauses)
        .filter(|(_, clause)| clause.action != Action::Skip)
        .map(|(number, _): (usize, _)| number.to_string())
        .collect();
    Ok(format!(
        " AND {} IN ({})",
        choice::first((1..).zip(&conditions), 0),
        acts.join(", ")
    ))
}

/// Rows whose key is NULL match nothing, so nothing can be said of them here. Of several rows with one key, one
/// stands for all: the merge matches them all with it. `further` is a condition about `T`, ready to be joined on.
pub(super) fn stage(
    context: &Context<'_>,
    operation: &StagedColumn,
    further: &str,
) -> Result<Statement> {
    let mut parameters = Parameters::default();
    let matching = Matching::new(context, &mut parameters)?;
    let mut keys = Vec::with_capacity(context.plan.keys.len());
    let mut not_null = String::new();
    for key in &context.plan.keys {
        let column = context.target.column(key.target)?;
        let name = format!("T.{}", quote(&column.name));
        if column.nullable {
            not_null.push_str(&format!(" AND {name} IS NOT NULL"));
        }
        keys.push(name);
    }
    let (mut names, mut inner, mut outer) = (Vec::new(), Vec::new(), Vec::new());
    for (position, staged) in context.staging.columns.iter().enumerate() {
        let column = staged.target.and_then(|at| context.target.columns.get(at));
        if let Some(column) = column {
            let alias = quote(&format!("c{position}"));
            names.push(quote(&staged.staged_name));
            inner.push(format!(
                "{} AS {alias}",
                as_staged(&format!("T.{}", quote(&column.name)), staged)
            ));
            outer.push(format!("D.{alias}"));
        }
    }
    let keys = keys.join(", ");
    let (arrival, table) = (quote(ARRIVAL), quote(&context.staging.table));
    Ok(parameters.finish(format!(
        "INSERT INTO {table} ({arrival}, {}, {})
SELECT (SELECT COALESCE(MAX(M.{arrival}), 0) FROM {table} AS M) + D.[number], {}, {}
FROM (
    SELECT {},
        ROW_NUMBER() OVER (ORDER BY {keys}) AS [number], ROW_NUMBER() OVER (PARTITION BY {keys} ORDER BY {keys}) AS [rank]
    FROM {} AS T
    WHERE NOT EXISTS (SELECT 1 FROM {} WHERE {}){}{not_null}{further}
) AS D
WHERE D.[rank] = 1;",
        names.join(", "),
        quote(&operation.staged_name),
        outer.join(", "),
        Operation::Delete as i32,
        inner.join(",\n        "),
        context.target.name.sql(),
        context.source(),
        matching.keys,
        matching.among,
    )))
}

/// A value of the target as the staging table has it.
fn as_staged(value: &str, column: &StagedColumn) -> String {
    let (from, to) = (column.sql_type, column.staged_type);
    // Text of money has two digits behind the point (T-SQL reference, "CAST and CONVERT").
    let is_money = [SqlType::Money, SqlType::SmallMoney].contains(&from);
    match is_money {
        _ if from == to => value.to_owned(),
        true => format!("CAST(CAST({value} AS decimal(19,4)) AS {to})"),
        false => format!("CAST({value} AS {to})"),
    }
}
