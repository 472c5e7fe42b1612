//! Where watermarks are kept: in the snapshot that holds the rows.

use async_trait::async_trait;
use icehost_lake::{CommitRequest, LakeTable};
use icehost_plan::Watermark;

use crate::error::Doing;
use crate::watermark_record::{SUMMARY_RUN_ID, SUMMARY_WATERMARK, WatermarkRecord};
use crate::{Observer, SyncError};

/// A watermark and the snapshot that it was committed with.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredWatermark {
    /// The watermark.
    pub record: WatermarkRecord,
    /// The snapshot.
    pub snapshot_id: i64,
    /// The snapshot's sequence number.
    pub sequence_number: i64,
}

impl StoredWatermark {
    /// The marks alone.
    pub fn watermark(&self) -> &Watermark {
        &self.record.watermark
    }
}

/// Remembers how far the source of a lake table has been read.
///
/// The truth is the summary of the snapshot that holds the rows: it moves in the same commit, whatever the
/// store. A store decides what to go on from and may keep copies.
#[async_trait]
pub trait WatermarkStore: Send + Sync {
    /// The watermark to go on from; `None` for a table that was never synced, or whose watermark was
    /// cleared. Something odd that stops nothing is told to the observer.
    async fn load(
        &self,
        table: &LakeTable,
        observer: &dyn Observer,
    ) -> Result<Option<StoredWatermark>, SyncError>;

    /// Called after a commit that moved the watermark. A failure here loses nothing: the snapshot has it.
    async fn committed(&self, table: &LakeTable, stored: &StoredWatermark)
    -> Result<(), SyncError>;

    /// Called after a commit that cleared the watermark.
    async fn cleared(&self, table: &LakeTable) -> Result<(), SyncError>;
}

/// Keeps watermarks in snapshots only.
#[derive(Debug, Clone, Copy, Default)]
pub struct SnapshotWatermarks;

#[async_trait]
impl WatermarkStore for SnapshotWatermarks {
    async fn load(
        &self,
        table: &LakeTable,
        _: &dyn Observer,
    ) -> Result<Option<StoredWatermark>, SyncError> {
        snapshot_watermark(table)
    }

    async fn committed(&self, _: &LakeTable, _: &StoredWatermark) -> Result<(), SyncError> {
        Ok(())
    }

    async fn cleared(&self, _: &LakeTable) -> Result<(), SyncError> {
        Ok(())
    }
}

/// The watermark of the nearest ancestor of the current snapshot that has one. Snapshots that others made,
/// a compaction for example, carry none and are passed over.
pub(crate) fn snapshot_watermark(table: &LakeTable) -> Result<Option<StoredWatermark>, SyncError> {
    let Some(current) = table.current_snapshot() else {
        return Ok(None);
    };
    for snapshot in table.ancestors(current.id) {
        if let Some(text) = snapshot.summary.get(SUMMARY_WATERMARK) {
            let record = WatermarkRecord::from_summary(text, snapshot.id)?;
            return Ok(record.map(|record| StoredWatermark {
                record,
                snapshot_id: snapshot.id,
                sequence_number: snapshot.sequence_number,
            }));
        }
    }
    Ok(None)
}

/// Sets the watermark (`Some`) or clears it (`None`), as a commit of its own that changes no rows. Gives the
/// table as it is then.
pub async fn write_watermark(
    table: &LakeTable,
    store: &dyn WatermarkStore,
    record: Option<WatermarkRecord>,
    run_id: &str,
) -> Result<LakeTable, SyncError> {
    let text = match &record {
        Some(record) => {
            record
                .watermark
                .validate()
                .map_err(|e| SyncError::watermark(e.to_string(), "set other marks"))?;
            record.to_summary()?
        }
        None => "null".to_owned(),
    };
    let request = CommitRequest {
        summary: [
            (SUMMARY_RUN_ID.to_owned(), run_id.to_owned()),
            (SUMMARY_WATERMARK.to_owned(), text),
        ]
        .into(),
        allow_empty: true,
        ..CommitRequest::default()
    };
    let committed = table
        .commit(request)
        .await
        .doing(|| format!("writing the watermark of {}", table.name()))?;
    let Some(committed) = committed else {
        return Err(SyncError::watermark(
            format!("the watermark of {} was not written", table.name()),
            "please report this as a defect",
        ));
    };
    let table = &committed.table;
    match record {
        Some(record) => {
            let stored = StoredWatermark {
                record,
                snapshot_id: committed.snapshot_id,
                sequence_number: committed.sequence_number,
            };
            store.committed(table, &stored).await?;
        }
        None => store.cleared(table).await?,
    }
    Ok(committed.table)
}
