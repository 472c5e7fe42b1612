//! Rows that are added beside those that they supersede.
//!
//! MERGE does one thing with a pair of rows, and a succession is two: the row that is there changes, and another
//! one is added. The merge itself does the first. Which staged rows are to be added is noted before, while the
//! target is as the plan's conditions mean it, and they are added afterwards, so that a unique index on the rows
//! that take part (one current version of each key) holds all the time.

use icehost_plan::{Action, Clause, Occasion};

use super::clauses::{self, Clauses};
use super::matching::Matching;
use super::{Context, SuccessionStatements, choice};
use crate::error::Result;
use crate::lower::staging::{ARRIVAL, SUCCESSION};
use crate::name::quote;
use crate::statement::{Parameters, Statement};

/// The statements for each clause that supersedes, in the plan's order.
pub(super) fn statements(
    context: &Context<'_>,
    clauses: &Clauses<'_>,
) -> Result<Vec<SuccessionStatements>> {
    let mut found = Vec::new();
    for (position, clause) in clauses.matched.iter().enumerate() {
        let Action::Supersede(succession) = &clause.action else {
            continue;
        };
        let number = position + 1;
        let note = note(context, &clauses.matched[..number], found.is_empty())?;
        // As a clause that inserts it sees the delta's row only.
        let new = Clause {
            occasion: Occasion::NotMatched,
            condition: None,
            action: Action::Write(succession.new.clone()),
        };
        let (add, identity) = add(context, &new, number)?;
        found.push(SuccessionStatements {
            note,
            add,
            identity_insert: identity.then(|| context.target.name.sql()),
        });
    }
    Ok(found)
}

/// Notes the staged rows for which the last of these clauses is the first that applies, and locks what they
/// match: `UPDLOCK` and `HOLDLOCK` keep it so until the transaction ends. A staged row that matches several
/// rows of the target is added once, by the first clause that wants it.
fn note(context: &Context<'_>, until: &[&Clause], first: bool) -> Result<Statement> {
    let mut parameters = Parameters::default();
    let matching = Matching::new(context, &mut parameters)?;
    let condition = match choice::applies_last(context, until, &mut parameters)? {
        Some(condition) => format!(" AND ({condition})"),
        None => String::new(),
    };
    let noted = quote(SUCCESSION);
    let open = match first {
        true => String::new(),
        false => format!("S.{noted} IS NULL AND "),
    };
    Ok(parameters.finish(format!(
        "UPDATE S SET {noted} = {}\nFROM {}\nWHERE {open}EXISTS (SELECT 1 FROM {} AS T WITH (UPDLOCK, HOLDLOCK) WHERE {}{condition});",
        until.len(),
        context.source(),
        context.target.name.sql(),
        matching.on(),
    )))
}

/// Adds the rows that were noted under this number, in the order in which they arrived; and whether that gives an
/// identity column values.
fn add(context: &Context<'_>, new: &Clause, number: usize) -> Result<(Statement, bool)> {
    let mut parameters = Parameters::default();
    let effect = clauses::values(context, &[(number, new)], "", &mut parameters)?;
    let (columns, values): (Vec<String>, Vec<String>) = effect.assignments.into_iter().unzip();
    let statement = parameters.finish(format!(
        "DECLARE @inserted bigint;
INSERT INTO {} ({})
SELECT {}
FROM {}
WHERE S.{} = {number}
ORDER BY S.{};
SET @inserted = @@ROWCOUNT;
SELECT @inserted;",
        context.target.name.sql(),
        columns.join(", "),
        values.join(", "),
        context.source(),
        quote(SUCCESSION),
        quote(ARRIVAL),
    ));
    Ok((statement, effect.identity))
}
