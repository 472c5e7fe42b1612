//! Deletions of a key that comes in another spelling.
//!
//! Who takes a row out and brings another in means two keys; the target may take both for one, and a merge would do
//! either of the two.

use super::Context;
use super::spelling::{live, operation, parts};
use crate::error::Result;
use crate::statement::Statement;

/// Removes from the staging table the deletions of keys that come, by the target's comparison; `None` for a delta
/// without an operation column.
pub(super) fn statement(context: &Context<'_>) -> Result<Option<Statement>> {
    let (Some(operation), Some(live)) = (operation(context), live(context)) else {
        return Ok(None);
    };
    let parts = parts(context, &[])?;
    let numbered = || (1..).zip(&parts);
    let images = numbered().map(|(at, part)| format!("{} AS k{at}", part.key));
    let images: Vec<String> = images.collect();
    let same = numbered().map(|(at, part)| format!("C.k{at} = {}", part.key));
    let same: Vec<String> = same.collect();
    let source = context.source();
    let gone = icehost_plan::Operation::Delete as i32;
    Ok(Some(Statement::plain(format!(
        "DELETE S\nFROM {source}\nWHERE {} = {gone}\n    AND EXISTS (SELECT 1 FROM (SELECT {} FROM {source} WHERE {live}) AS C \
         WHERE {});",
        operation.staged(),
        images.join(", "),
        same.join(" AND "),
    ))))
}
