//! Columns that a rule hashes, and a target that the hashes do not fit into: how long they are is known beforehand.

use icehost_plan::{LakeType, Length, Table};
use icehost_sqlserver::SqlTable;

use crate::delivery::table::taken;
use crate::rows::source_columns::{HASH_BYTES, HASH_DIGITS};
use crate::{ColumnRule, Source, SyncError};

/// Refuses a column of the target that is too short for the hashes of a source's column. Transformers may make other
/// values of them.
///
/// # Errors
/// [`SyncError::Schema`], with the column.
pub(crate) fn check(
    source: &Source,
    lake: &Table,
    target: &SqlTable,
    exclude: &[String],
) -> Result<(), SyncError> {
    if !source.transforms.is_empty() {
        return Ok(());
    }
    for taken in taken(lake, target, exclude)?.columns {
        let name = &taken.column.name;
        let is_hashed = source.rules.rules.iter().any(|(column, rule)| {
            *rule == ColumnRule::Hash && column.to_lowercase() == name.to_lowercase()
        });
        let there = target
            .ordinal(name)
            .and_then(|at| target.columns.get(at))
            .map(|column| column.sql_type)
            .filter(|_| is_hashed);
        let Some(there) = there else {
            continue;
        };
        let needed = match taken.column.column_type.lake() {
            LakeType::Binary => HASH_BYTES,
            _ => HASH_DIGITS,
        };
        let fewer = |length| matches!(length, Length::Limited(length) if length < needed);
        if there.length().is_some_and(fewer) {
            return Err(SyncError::schema(
                format!(
                    "target table {}, column '{name}': a hash has {needed} {}, and {there} holds fewer",
                    target.name,
                    match taken.column.column_type.lake() {
                        LakeType::Binary => "bytes",
                        _ => "characters",
                    }
                ),
                "make the target column longer, or choose another rule for it",
            ));
        }
    }
    Ok(())
}
