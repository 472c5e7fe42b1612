//! What is looked for among staged rows before they are merged, since the merge itself would pass over it.

use icehost_plan::{Action, Clause, Expression, Node, Operation, Side};

use super::clauses::Clauses;
use super::matching::Matching;
use super::{Context, choice};
use crate::error::Result;
use crate::lower::staging::ARRIVAL;
use crate::name::quote;
use crate::statement::{Parameters, Statement};

/// Questions about the staged rows; each answer is one row about one offender, or none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MergeChecks {
    /// A key that several rows of the delta have, deletions aside: its columns as text. `None` for a plan without
    /// keys.
    pub repeated_key: Option<Statement>,
    /// A key of the delta, deletions aside, that several rows of the target have which take part: its columns as text.
    /// `None` where the target has a unique key that rules it out.
    pub ambiguous_key: Option<Statement>,
    /// Only some of the target's rows take part.
    pub some_take_part: bool,
    /// Deletes the rows of the target that have such a key; one row, one column: how many. As `ambiguous_key`.
    pub take_out_repeated: Option<Statement>,
    /// A row of the target that would have to get another identity value: that value, the one that it has, and its
    /// key's columns as text. `None` where no identity column but one of the key has values.
    pub other_identity: Option<IdentityCheck>,
}

/// [`MergeChecks::other_identity`].
#[derive(Debug, Clone, PartialEq)]
pub struct IdentityCheck {
    /// The target's identity column.
    pub column: String,
    /// The question.
    pub statement: Statement,
}

pub(super) fn checks(context: &Context<'_>, clauses: &Clauses<'_>) -> Result<MergeChecks> {
    if context.plan.keys.is_empty() {
        return Ok(MergeChecks::default());
    }
    Ok(MergeChecks {
        repeated_key: Some(repeated_key(context)),
        ambiguous_key: ambiguous_key(context)?,
        some_take_part: context.plan.among.is_some(),
        take_out_repeated: take_out_repeated(context)?,
        other_identity: other_identity(context, clauses)?,
    })
}

/// The staged key columns as values of the target's types.
fn staged_key(context: &Context<'_>) -> Vec<String> {
    let keys = context.plan.keys.iter();
    let operands = keys.filter_map(|key| context.source_operands.get(key.source as usize));
    operands.map(|operand| operand.sql.clone()).collect()
}

/// For people, the longest that a message should have.
fn shown(values: &[String]) -> String {
    let each = values
        .iter()
        .map(|value| format!("MAX(CONVERT(nvarchar(400), {value}))"));
    each.collect::<Vec<_>>().join(", ")
}

/// Holds of staged rows that are no deletions; empty where none is.
fn but_deletions(context: &Context<'_>) -> String {
    let operation = context.delta.operation.map(|ordinal| ordinal as usize);
    match operation.and_then(|at| context.staging.columns.get(at)) {
        Some(column) => format!(
            "\nWHERE {} <> {}",
            column.staged(),
            Operation::Delete as i32
        ),
        None => String::new(),
    }
}

/// The row of a deletion may come before that of a row that takes its key.
fn repeated_key(context: &Context<'_>) -> Statement {
    let keys = staged_key(context);
    let live = but_deletions(context);
    Statement::plain(format!(
        "SELECT TOP (1) {}\nFROM {}{live}\nGROUP BY {}\nHAVING COUNT_BIG(*) > 1;",
        shown(&keys),
        context.source(),
        keys.join(", ")
    ))
}

/// Whether several rows of the target may have a key of the merge.
fn may_repeat(context: &Context<'_>) -> Result<bool> {
    if context.plan.among.is_some() {
        return Ok(false);
    }
    let mut names: Vec<&str> = Vec::with_capacity(context.plan.keys.len());
    for key in &context.plan.keys {
        names.push(&context.target.column(key.target)?.name);
    }
    let covered = |unique: &Vec<String>| unique.iter().all(|c| names.contains(&c.as_str()));
    Ok(!context.target.unique_keys.iter().any(covered))
}

/// A deletion is of all rows that have its key.
fn ambiguous_key(context: &Context<'_>) -> Result<Option<Statement>> {
    // No key of the whole table tells of those that take part.
    if context.plan.among.is_none() && !may_repeat(context)? {
        return Ok(None);
    }
    let mut parameters = Parameters::default();
    let matching = Matching::new(context, &mut parameters)?;
    Ok(Some(parameters.finish(format!(
        "SELECT TOP (1) {}\nFROM {} AS T\nINNER JOIN {} ON {}{}\nGROUP BY S.{}\nHAVING COUNT_BIG(*) > 1;",
        shown(&staged_key(context)),
        context.target.name.sql(),
        context.source(),
        matching.on(),
        but_deletions(context),
        quote(ARRIVAL)
    ))))
}

fn take_out_repeated(context: &Context<'_>) -> Result<Option<Statement>> {
    if !may_repeat(context)? {
        return Ok(None);
    }
    let mut parameters = Parameters::default();
    let matching = Matching::new(context, &mut parameters)?;
    let (mut keys, mut same) = (Vec::new(), Vec::new());
    for key in &context.plan.keys {
        let name = quote(&context.target.column(key.target)?.name);
        same.push(format!("T.{name} = R.{name}"));
        keys.push(name);
    }
    let keys = keys.join(", ");
    let target = context.target.name.sql();
    Ok(Some(parameters.finish(format!(
        "DELETE T
FROM {target} AS T
INNER JOIN (SELECT {keys} FROM {target} GROUP BY {keys} HAVING COUNT_BIG(*) > 1) AS R ON {}
WHERE EXISTS (SELECT 1 FROM {} WHERE {});
SELECT CAST(@@ROWCOUNT AS bigint);",
        same.join(" AND "),
        context.source(),
        matching.keys
    ))))
}

/// An identity column cannot be updated (T-SQL reference, "UPDATE"), so a matched row keeps its value whatever the
/// delta's is. `UPDLOCK` and `HOLDLOCK` keep the answer true until the merge.
fn other_identity(context: &Context<'_>, clauses: &Clauses<'_>) -> Result<Option<IdentityCheck>> {
    let in_key = |at: usize| {
        context
            .plan
            .keys
            .iter()
            .any(|key| key.target as usize == at)
    };
    let found = context.staging.columns.iter().find_map(|staged| {
        let at = staged.target.filter(|at| !in_key(*at))?;
        let column = context.target.columns.get(at)?;
        column.identity.then_some((staged, column))
    });
    let Some((staged, column)) = found else {
        return Ok(None);
    };
    let mut parameters = Parameters::default();
    let Some(written) = written(context, &clauses.matched, &mut parameters)? else {
        return Ok(None);
    };
    let matching = Matching::new(context, &mut parameters)?;
    let has = format!("T.{}", quote(&column.name));
    let shown: Vec<String> = [staged.image(), has.clone()]
        .into_iter()
        .chain(staged_key(context))
        .map(|value| format!("CONVERT(nvarchar(400), {value})"))
        .collect();
    Ok(Some(IdentityCheck {
        column: column.name.clone(),
        statement: parameters.finish(format!(
            "SELECT TOP (1) {}\nFROM {} AS T WITH (UPDLOCK, HOLDLOCK)\nINNER JOIN {} ON {}\nWHERE {has} <> {}{written};",
            shown.join(", "),
            context.target.name.sql(),
            context.source(),
            matching.on(),
            staged.image()
        )),
    }))
}

/// ` AND …`, for pairs of rows that a clause writes the delta's row to; `None` where no clause does.
fn written(
    context: &Context<'_>,
    clauses: &[&Clause],
    parameters: &mut Parameters,
) -> Result<Option<String>> {
    let writes: Vec<String> = (1..)
        .zip(clauses)
        .filter(|(_, clause)| copies_row(context, clause))
        .map(|(number, _): (usize, _)| number.to_string())
        .collect();
    if writes.is_empty() {
        return Ok(None);
    }
    let conditions = choice::conditions(context, clauses, parameters)?;
    if let [only] = conditions.as_slice() {
        return Ok(Some(match only {
            Some(condition) => format!(" AND ({condition})"),
            None => String::new(),
        }));
    }
    Ok(Some(format!(
        " AND {} IN ({})",
        choice::first((1..).zip(&conditions), 0),
        writes.join(", ")
    )))
}

/// Whether the clause gives the target's row the values of the delta's, and does not just mark it.
fn copies_row(context: &Context<'_>, clause: &Clause) -> bool {
    match &clause.action {
        Action::WriteAll => true,
        Action::Write(assignments) => assignments.iter().any(|assignment| {
            let from = source_column(&assignment.value);
            let staged = from.and_then(|at| context.staging.columns.get(at as usize));
            staged.is_some_and(|staged| staged.target == Some(assignment.target as usize))
        }),
        Action::Delete | Action::Skip | Action::Supersede(_) => false,
    }
}

/// The delta's column that a value is a plain copy of.
fn source_column(value: &Expression) -> Option<u32> {
    match value.nodes.get(value.root as usize)? {
        Node::Column {
            side: Side::Source,
            column,
        } => Some(*column),
        _ => None,
    }
}
