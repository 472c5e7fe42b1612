//! A target that the lake table was read from would have its own rows written again, and its triggers run.

use icehost_lake::LakeTable;

use crate::SyncError;
use crate::delivery::table::OpenTarget;
use crate::error::Doing;
use crate::watermark::find::last_watermark;
use crate::watermark::record::source_digest;

/// Refuses a target that the lake table was read from, as the watermark has it. This look is the last before anything
/// is written there, and on its connection: one that fails ends the run.
///
/// # Errors
/// [`SyncError::Settings`] where it is; those of the target.
pub(crate) async fn refuse(lake: &LakeTable, target: &mut OpenTarget) -> Result<(), SyncError> {
    // One that is yet to be created has no rows that were read.
    if target.creation.is_some() {
        return Ok(());
    }
    let Some(origin) = origin(lake).await else {
        return Ok(());
    };
    let name = &target.table.name;
    let there = target.connection.table_on_server(name).await;
    match there.doing(|| format!("looking at target table {name}"))? {
        Some(there) if source_digest(&there).as_ref() == Some(&origin) => Err(SyncError::settings(
            format!(
                "target table {name} is the table that lake table {} was read from",
                lake.name()
            ),
            "name another table or another database as the target; to put rows of the source back, load into an \
             empty table and copy them from there",
        )),
        _ => Ok(()),
    }
}

async fn origin(lake: &LakeTable) -> Option<String> {
    last_watermark(lake).await?.record.source_digest
}
