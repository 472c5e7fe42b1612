//! Columns that are others than they were.
//!
//! Changes tell which rows came and went. Where a column is another one under an old name, or an old one under
//! a new name, the rows that stayed have other values there too, and no change tells of them.

use iceberg::spec::Schema;

use crate::error::{LakeError, LakeErrorKind, Result};
use crate::schema::LakeColumn;
use crate::table::LakeTable;

/// Refuses to tell changes since a snapshot under whose schema one of the columns was another.
///
/// # Errors
/// [`LakeErrorKind::PositionLost`].
pub(crate) fn check(table: &LakeTable, from: i64, columns: &[LakeColumn]) -> Result<()> {
    let Some(snapshot) = table.metadata.snapshot_by_id(from) else {
        return Ok(());
    };
    let schema = snapshot
        .schema(&table.metadata)
        .map_err(|e| LakeError::from(e).with_hint("read the whole snapshot once"))?;
    match columns
        .iter()
        .find_map(|column| difference(&schema, column))
    {
        None => Ok(()),
        Some(why) => Err(LakeError::new(
            LakeErrorKind::PositionLost,
            format!(
                "the changes of lake table {} since snapshot {from} cannot be told: {why}",
                table.display
            ),
        )
        .with_hint("read the whole snapshot once; the changes after it can be told again")),
    }
}

fn difference(then: &Schema, now: &LakeColumn) -> Option<String> {
    let name = &now.name;
    if then
        .field_by_name(name)
        .is_some_and(|field| field.id != now.field_id)
    {
        return Some(format!(
            "the column '{name}' is another one than it was, dropped and added again or renamed"
        ));
    }
    let named = &then.field_by_id(now.field_id)?.name;
    (named != name).then(|| format!("the column '{name}' was called '{named}'"))
}
