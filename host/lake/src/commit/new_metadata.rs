//! What a commit asks of a table's catalog, in Iceberg's own terms.

use iceberg::spec::{MAIN_BRANCH, Snapshot, TableMetadata};
use iceberg::{TableRequirement, TableUpdate};

use crate::error::{LakeError, LakeErrorKind, Result};
use crate::table::LakeTable;

/// Refuses a base that does not meet what the commit requires of it.
///
/// # Errors
/// [`LakeErrorKind::Conflict`], which passes when the whole operation is prepared anew.
pub(crate) fn check(base: &LakeTable, requirements: &[TableRequirement]) -> Result<()> {
    let metadata = base.exists().then_some(&*base.metadata);
    requirements.iter().try_for_each(|requirement| {
        requirement.check(metadata).map_err(|e| {
            LakeError::new(
                LakeErrorKind::Conflict,
                format!(
                    "lake table {} is no longer what the commit was prepared for",
                    base.display
                ),
            )
            .with_hint("run again")
            .with_source(e)
        })
    })
}

/// The updates that put a snapshot at the head of the main branch. A branch keeps its retention.
pub(crate) fn put_snapshot(base: &LakeTable, snapshot: Snapshot) -> Result<Vec<TableUpdate>> {
    // Only the library can read how long a branch's snapshots are to be kept, so it makes the updates.
    let built = TableMetadata::clone(&base.metadata)
        .into_builder(None)
        .set_branch_snapshot(snapshot, MAIN_BRANCH)
        .and_then(|builder| builder.build());
    Ok(built.map_err(|e| failed(base, e))?.changes)
}

/// What must be true of the table for the updates that are made of a base: without it, another writer's snapshot
/// would be buried.
pub(crate) fn requirements(base: &LakeTable) -> Vec<TableRequirement> {
    if !base.exists() {
        return vec![TableRequirement::NotExist];
    }
    vec![
        TableRequirement::UuidMatch { uuid: base.uuid() },
        TableRequirement::RefSnapshotIdMatch {
            r#ref: MAIN_BRANCH.to_owned(),
            snapshot_id: base.metadata.current_snapshot_id(),
        },
        // The files were written for these columns.
        TableRequirement::CurrentSchemaIdMatch {
            current_schema_id: base.metadata.current_schema_id(),
        },
    ]
}

fn failed(base: &LakeTable, error: iceberg::Error) -> LakeError {
    LakeError::internal(format!(
        "cannot make new metadata for lake table {}",
        base.display
    ))
    .with_source(error)
}
