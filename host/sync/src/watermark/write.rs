//! What writes a watermark: a commit's part of it, and a commit of its own.

use icehost_lake::{CommitRequest, LakeTable, SnapshotInfo, SnapshotUpdates, TableUpdate};

use crate::SyncError;
use crate::bounds::stop;
use crate::error::Doing;
use crate::watermark::place::{Kept, PROPERTY_WATERMARK};
use crate::watermark::record::{
    SUMMARY_RUN_ID, SUMMARY_WATERMARK, StoredWatermark, WatermarkRecord,
};
use crate::watermark::stale_mark;
use crate::watermark::store::WatermarkStore;

/// The property that goes with a commit of this watermark, or of the word that it is cleared.
pub(crate) fn property(record: Option<&WatermarkRecord>) -> SnapshotUpdates {
    let record = record.cloned();
    Box::new(move |snapshot: &SnapshotInfo| {
        let kept = Kept {
            snapshot_id: snapshot.id,
            sequence_number: snapshot.sequence_number,
            record: record.clone(),
        };
        let text = serde_json::to_string(&kept).map_err(|e| {
            icehost_lake::LakeError::guard(format!("the watermark is no JSON: {e}"))
        })?;
        Ok(vec![
            TableUpdate::SetProperties {
                updates: [(PROPERTY_WATERMARK.to_owned(), text)].into(),
            },
            stale_mark::settled(),
        ])
    })
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
        snapshot_updates: Some(property(record.as_ref())),
        ..CommitRequest::default()
    };
    // One that is committed is copied, too.
    let _writing = stop::hold();
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
