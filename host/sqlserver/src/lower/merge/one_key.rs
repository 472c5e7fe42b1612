//! Keys that are one for whoever delivers them, and several for the target.
//!
//! A row whose key is spelled anew is the same row where it comes from. The target's collation may take the two spellings
//! for two keys; then the row of the earlier one would stay beside that of the newest.

use icehost_plan::SqlType;

use super::spelling::{Part, Spelling, exact, live, operation, parts, told_apart};
use super::{Context, absent, deduplicate};
use crate::error::Result;
use crate::statement::Statement;

/// What leaves one row of each key.
#[derive(Debug, Clone, PartialEq)]
pub struct OneKeyStatements {
    /// Removes from the staging table all but one of the rows that are there and have a key in common; one row, one
    /// column: how many.
    pub deduplicate: Statement,
    /// Adds a deletion to the staging table for each row of the target whose key is spelled otherwise than that of a
    /// staged row which is there; one row, one column: how many. `None` for a delta without an operation column.
    pub stage: Option<Statement>,
}

/// `spellings` are of the plan's keys, in their order.
pub(super) fn statements(
    context: &Context<'_>,
    spellings: &[Option<Spelling>],
) -> Result<OneKeyStatements> {
    let parts = parts(context, spellings)?;
    let keys: Vec<String> = parts.iter().map(staged).collect();
    let live = live(context);
    let among = live.as_ref();
    let among = among.map_or_else(String::new, |live| format!("\n        WHERE {live}"));
    let stage = match operation(context) {
        None => None,
        Some(operation) => {
            let same: Vec<String> = parts.iter().map(|part| same(context, part)).collect();
            let live = live.map_or_else(String::new, |live| format!(" AND {live}"));
            let spelled_otherwise = format!(
                "\n        AND EXISTS (SELECT 1 FROM {} WHERE {}{live})",
                context.source(),
                same.join(" AND ")
            );
            let mut stage = absent::stage(context, operation, &spelled_otherwise)?;
            stage.sql.push_str("\nSELECT CAST(@@ROWCOUNT AS bigint);");
            Some(stage)
        }
    };
    Ok(OneKeyStatements {
        deduplicate: deduplicate::all_but_first(context, &keys, &among)?,
        stage,
    })
}

/// The staged value as whoever delivers compares it.
fn staged(part: &Part<'_>) -> String {
    match part.spelling {
        Some(spelling) => told_apart(&part.staged.staged(), part.staged.sql_type, spelling),
        None => part.key.clone(),
    }
}

/// That `T` has the value of `S`, as whoever delivers compares them.
fn same(context: &Context<'_>, part: &Part<'_>) -> String {
    let Some(spelling) = part.spelling else {
        return format!("{} = {}", part.target, part.key);
    };
    let kind = part.staged.sql_type;
    let there = told_apart(&part.target, kind, spelling);
    let same = format!("{there} = {}", staged(part));
    let code_page = |kind| matches!(kind, SqlType::Char(_) | SqlType::VarChar(_));
    let column = part
        .staged
        .target
        .and_then(|at| context.target.columns.get(at));
    let wider = column.is_none_or(|column| !code_page(column.sql_type));
    match spelling {
        // A character that the source's code page lacks is none of its.
        Spelling::Compared { sql_type, .. } if code_page(*sql_type) && wider => format!(
            "{same} AND {} = {}",
            exact(&part.target, kind, "4000"),
            exact(&there, kind, "4000")
        ),
        _ => same,
    }
}
