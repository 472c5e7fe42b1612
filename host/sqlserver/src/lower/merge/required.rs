//! Columns in which a row must have a value, and a plan's new rows have none.

use std::collections::HashSet;

use icehost_plan::{Action, Assignment, Clause, Delta, Succession, ValidMergePlan};

use super::clauses::Clauses;
use crate::error::{Result, SqlServerError, hint_for_number};
use crate::introspect::SqlTable;

/// `Cannot insert the value NULL into column …`
const NULL_IN_COLUMN: u32 = 515;

/// Refuses a plan whose new rows the server will not take: it leaves out a column that is NOT NULL, and into which the
/// server puts nothing by itself. A trigger may stand in the INSERT's place and fill it: a table with triggers is not
/// judged.
///
/// # Errors
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported), with the column.
pub fn check_inserts(target: &SqlTable, delta: &Delta, plan: &ValidMergePlan) -> Result<()> {
    if target.has_triggers {
        return Ok(());
    }
    let clauses = Clauses::new(plan);
    let inserting = clauses.not_matched.iter();
    let superseding = (clauses.matched.iter()).chain(&clauses.not_matched_by_source);
    let lists = inserting
        .filter_map(|clause| inserted(target, delta, clause))
        .chain(superseding.filter_map(|clause| match &clause.action {
            Action::Supersede(Succession { new, .. }) => Some(ordinals(new)),
            _ => None,
        }));
    for written in lists {
        for (ordinal, column) in target.columns.iter().enumerate() {
            let described = target.table.columns.get(ordinal);
            let by_server = column.identity
                || column.computed
                || column.default.is_some()
                || described.is_some_and(|described| described.read_only);
            if !column.nullable && !by_server && !written.contains(&ordinal) {
                let refusal = SqlServerError::unsupported(format!(
                    "table {}, column '{}': it is NOT NULL and has no default, and the merge gives new rows no value in it",
                    target.name, column.name
                ));
                return Err(match hint_for_number(NULL_IN_COLUMN) {
                    Some(hint) => refusal.with_hint(hint),
                    None => refusal,
                });
            }
        }
    }
    Ok(())
}

/// The target's columns that a clause for rows without a counterpart gives values; `None` where it adds no row.
fn inserted(target: &SqlTable, delta: &Delta, clause: &Clause) -> Option<HashSet<usize>> {
    match &clause.action {
        Action::Delete | Action::Skip | Action::Supersede(_) => None,
        Action::WriteAll => {
            let columns = delta.columns.iter();
            Some(
                columns
                    .filter_map(|column| target.ordinal(&column.name))
                    .collect(),
            )
        }
        Action::Write(assignments) => Some(ordinals(assignments)),
    }
}

fn ordinals(assignments: &[Assignment]) -> HashSet<usize> {
    let written = assignments.iter();
    written
        .map(|assignment| assignment.target as usize)
        .collect()
}
