//! Which clause applies to a row: the first whose condition holds.

use icehost_plan::Clause;

use super::Context;
use super::clauses::lowering;
use crate::error::Result;
use crate::statement::Parameters;

/// Each clause's condition as text.
pub(super) fn conditions(
    context: &Context<'_>,
    clauses: &[&Clause],
    parameters: &mut Parameters,
) -> Result<Vec<Option<String>>> {
    let lowered = clauses.iter().map(|clause| match &clause.condition {
        None => Ok(None),
        Some(condition) => lowering(context, parameters).predicate(condition).map(Some),
    });
    lowered.collect()
}

/// Under which condition the last of these clauses is the first that applies; `None` for always.
pub(super) fn applies_last(
    context: &Context<'_>,
    clauses: &[&Clause],
    parameters: &mut Parameters,
) -> Result<Option<String>> {
    let mut conditions = conditions(context, clauses, parameters)?;
    if let [_] = conditions.as_slice() {
        return Ok(conditions.pop().flatten());
    }
    let last = conditions.len();
    Ok(Some(format!(
        "{} = {last}",
        first((1..).zip(&conditions), 0)
    )))
}

/// The number of the first clause whose condition holds, and this other one where none does.
pub(super) fn first<'a>(
    conditions: impl Iterator<Item = (usize, &'a Option<String>)>,
    mut otherwise: usize,
) -> String {
    let mut text = String::from("CASE");
    for (number, condition) in conditions {
        match condition {
            Some(condition) => text.push_str(&format!(" WHEN {condition} THEN {number}")),
            None => otherwise = number,
        }
    }
    format!("{text} ELSE {otherwise} END")
}

/// The number of the clause that applies, where it is known to be one of these: the conditions of the others need
/// not be looked at again, nor that of the last. For this stands in the text once for each column.
pub(super) fn writer(writes: &[(usize, &Clause)], conditions: &[Option<String>]) -> String {
    let numbers: Vec<usize> = writes.iter().map(|(number, _)| *number).collect();
    let Some((last, others)) = numbers.split_last() else {
        return String::new();
    };
    let numbered = others
        .iter()
        .filter_map(|&number| Some((number, conditions.get(number - 1)?)));
    first(numbered, *last)
}
