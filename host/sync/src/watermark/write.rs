//! What writes a watermark: a commit's part of it, and a commit of its own.

use std::sync::Arc;

use icehost_lake::{
    CommitRequest, LakeErrorKind, LakeTable, SnapshotInfo, SnapshotUpdates, TableUpdate,
};
use tokio_util::sync::CancellationToken;

use crate::bounds::stop::{self, OfAttempt};
use crate::error::Doing;
use crate::watermark::place::{Kept, PROPERTY_WATERMARK};
use crate::watermark::record::{
    SUMMARY_RUN_ID, SUMMARY_WATERMARK, StoredWatermark, WatermarkRecord,
};
use crate::watermark::stale_mark;
use crate::watermark::store::WatermarkStore;
use crate::{Event, Observer, SyncError};

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
            icehost_lake::LakeError::new(
                icehost_lake::LakeErrorKind::Internal,
                format!("the watermark is no JSON: {e}"),
            )
            .with_hint("please report this as a defect")
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
/// table as it is then. What fails once the commit stands, such as a copy of the watermark, is told to the observer.
///
/// # Errors
/// [`SyncError::Cancelled`] where the user asks to stop before the commit is made; those of the commit. The watermark
/// is as it was then.
pub async fn write_watermark(
    table: &LakeTable,
    store: &dyn WatermarkStore,
    record: Option<WatermarkRecord>,
    run_id: &str,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> Result<LakeTable, SyncError> {
    let written = written(table, store, record, run_id, observer);
    stop::stoppable(cancel, stop::ATTEMPT, written).await
}

async fn written(
    table: &LakeTable,
    store: &dyn WatermarkStore,
    record: Option<WatermarkRecord>,
    run_id: &str,
    observer: &dyn Observer,
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
        stopping: Some(Arc::new(OfAttempt::new())),
        ..CommitRequest::default()
    };
    let committed = match table.commit(request).await {
        Err(error) if error.kind() == LakeErrorKind::Stopped => Err(SyncError::cancelled()),
        committed => committed.doing(|| format!("writing the watermark of {}", table.name())),
    };
    // One that is committed is copied, too.
    let _writing = stop::hold();
    let Some(committed) = committed? else {
        return Err(SyncError::internal(format!(
            "the watermark of {} was not written",
            table.name()
        )));
    };
    let table = &committed.table;
    let copied = match record {
        Some(record) => {
            let stored = StoredWatermark {
                record,
                snapshot_id: committed.snapshot_id,
                sequence_number: committed.sequence_number,
            };
            store.committed(table, &stored).await
        }
        None => store.cleared(table).await,
    };
    let warnings = [
        committed.warning,
        copied.err().map(|error| error.to_string()),
    ];
    for warning in warnings.into_iter().flatten() {
        observer.event(Event::Warning(&warning));
    }
    Ok(committed.table)
}
