//! The next version of a table's metadata, by Iceberg's own updates.
//!
//! A commit is a list of requirements that the base must meet and a list of updates that make the new
//! metadata from it (Iceberg REST catalog specification, "CommitTableRequest"). Nothing else builds metadata,
//! so that what a catalog on bare files does is what another catalog is asked to do.

use iceberg::spec::{MAIN_BRANCH, Snapshot, TableMetadata};
use iceberg::{TableRequirement, TableUpdate};

use crate::error::{LakeError, LakeErrorKind, Result};
use crate::metadata_files::path_text;
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

/// The metadata that the updates make of the base, in their order.
pub(crate) fn apply(base: &LakeTable, updates: Vec<TableUpdate>) -> Result<TableMetadata> {
    let previous = match &base.file {
        Some(file) => Some(path_text(&file.path)?.to_owned()),
        None => None,
    };
    let builder = TableMetadata::clone(&base.metadata).into_builder(previous);
    let built = updates
        .into_iter()
        .try_fold(builder, |builder, update| update.apply(builder))
        .and_then(|builder| builder.build());
    Ok(built.map_err(|e| failed(base, e))?.metadata)
}

fn failed(base: &LakeTable, error: iceberg::Error) -> LakeError {
    LakeError::internal(format!(
        "cannot make new metadata for lake table {}",
        base.display
    ))
    .with_source(error)
}
