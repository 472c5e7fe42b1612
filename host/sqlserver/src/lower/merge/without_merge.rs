//! What MERGE does, for servers that lack it: UPDATE, DELETE and INSERT, to be run in one serializable
//! transaction.

use super::Context;
use super::clauses::{self, Clauses, Effect};
use super::matching::Matching;
use super::with_merge::set_list;
use crate::error::Result;
use crate::lower::staging::MATCHED;
use crate::name::quote;
use crate::statement::{Parameters, Statement};

/// MERGE decides what becomes of each row before it changes any. So does this: first the rows of the delta
/// whose key stands in the target are marked; then rows of the target that have no counterpart are dealt
/// with, then those that have, and new rows come last.
pub(super) fn statement(context: &Context<'_>, clauses: &Clauses<'_>) -> Result<(Statement, bool)> {
    let mut parameters = Parameters::default();
    let (source, target) = (context.source(), context.target.name.sql());
    let (stage, matched) = (quote(&context.staging.table), quote(MATCHED));
    let matching = Matching::new(context, &mut parameters)?;
    let on = matching.on();
    let mut steps = vec![format!(
        "UPDATE S SET {matched} = 1\nFROM {source}\nWHERE EXISTS (SELECT 1 FROM {target} AS T WITH (UPDLOCK, HOLDLOCK) WHERE {on});"
    )];

    let orphan = format!(
        "NOT EXISTS (SELECT 1 FROM {source} WHERE {}){}",
        matching.keys, matching.among
    );
    let orphans = clauses::effects(
        context,
        &clauses.not_matched_by_source,
        &mut parameters,
        false,
    )?;
    if let Some(delete) = &orphans.delete {
        steps.push(counted(
            format!(
                "DELETE T\nFROM {target} AS T\nWHERE {orphan}{}",
                and(delete)
            ),
            "@deleted",
        ));
    }
    if let Some(update) = updating(&orphans.write) {
        steps.push(counted(
            format!(
                "UPDATE T SET {}\nFROM {target} AS T\nWHERE {orphan}{}",
                set_list(update),
                and(update)
            ),
            "@updated",
        ));
    }

    let joined = format!("FROM {target} AS T\nINNER JOIN {source} ON {on}");
    let pairs = clauses::effects(context, &clauses.matched, &mut parameters, false)?;
    if let Some(delete) = &pairs.delete {
        steps.push(counted(
            format!("DELETE T\n{joined}{}", only(delete)),
            "@deleted",
        ));
    }
    if let Some(update) = updating(&pairs.write) {
        steps.push(counted(
            format!(
                "UPDATE T SET {}\n{joined}{}",
                set_list(update),
                only(update)
            ),
            "@updated",
        ));
    }

    let inserts = clauses::effects(context, &clauses.not_matched, &mut parameters, false)?;
    let mut identity = false;
    if let Some(insert) = inserts.write {
        identity = insert.identity;
        let condition = and(&insert);
        let (columns, values): (Vec<String>, Vec<String>) = insert.assignments.into_iter().unzip();
        steps.push(counted(
            format!(
                "INSERT INTO {target} ({})\nSELECT {}\nFROM {stage} AS S\nWHERE S.{matched} IS NULL{condition}",
                columns.join(", "),
                values.join(", ")
            ),
            "@inserted",
        ));
    }
    let statement = parameters.finish(format!(
        "DECLARE @inserted bigint, @updated bigint, @deleted bigint;
SET @inserted = 0;
SET @updated = 0;
SET @deleted = 0;
{}
SELECT @inserted, @updated, @deleted;",
        steps.join(
            "
"
        )
    ));
    Ok((statement, identity))
}

fn updating(write: &Option<Effect>) -> Option<&Effect> {
    write
        .as_ref()
        .filter(|update| !update.assignments.is_empty())
}

fn counted(statement: String, counter: &str) -> String {
    format!("{statement};\nSET {counter} = {counter} + @@ROWCOUNT;")
}

fn and(effect: &Effect) -> String {
    match &effect.condition {
        Some(condition) => format!(" AND ({condition})"),
        None => String::new(),
    }
}

fn only(effect: &Effect) -> String {
    match &effect.condition {
        Some(condition) => format!("\nWHERE {condition}"),
        None => String::new(),
    }
}
