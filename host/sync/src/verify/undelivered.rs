//! What changed in the lake since the snapshot that a target has reached.

use futures::TryStreamExt;
use icehost_lake::LakeTable;
use icehost_plan::ValidMergePlan;
use icehost_sqlserver::SqlTable;
use tokio_util::sync::CancellationToken;

use crate::SyncError;
use crate::delta::{keyed, request};
use crate::error::Doing;
use crate::target_table::Taken;

/// The rows that a run delivers which goes on from the snapshot that the target has reached.
pub(super) async fn undelivered(
    lake: &LakeTable,
    from: i64,
    to: i64,
    (takes, plan, target): (&[Taken], &ValidMergePlan, &SqlTable),
    cancel: &CancellationToken,
) -> Result<u64, SyncError> {
    let doing = || format!("reading the changes of lake table {}", lake.name());
    let changes = lake
        .changes(request(Some(from), Some(to), takes))
        .await
        .and_then(|changes| keyed(changes, plan, target))
        .doing(doing)?;
    let mut batches = changes.stream();
    let mut rows = 0;
    while let Some(batch) = tokio::select! {
        batch = batches.try_next() => batch.doing(doing)?,
        () = cancel.cancelled() => return Err(SyncError::cancelled()),
    } {
        rows += batch.num_rows() as u64;
    }
    Ok(rows)
}
