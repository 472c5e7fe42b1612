//! Where watermarks are kept: with the rows that they speak of.

use async_trait::async_trait;
use icehost_lake::{CommitRequest, LakeTable};
use icehost_plan::Watermark;

use crate::blocking::blocking;
use crate::error::Doing;
use crate::watermark_place::{Kept, Place, kept, place, property};
use crate::watermark_record::{SUMMARY_RUN_ID, SUMMARY_WATERMARK, WatermarkRecord};
use crate::{Observer, SyncError, stop};

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
/// The truth is in the lake table: it moves in the commit that holds the rows, whatever the store. A store
/// decides what to go on from and may keep copies.
#[async_trait]
pub trait WatermarkStore: Send + Sync {
    /// The watermark to go on from; `None` for a table that was never synced, or whose watermark was
    /// cleared. Something odd that stops nothing is told to the observer; a table that has rows and no
    /// watermark is an error.
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

/// Keeps watermarks in the lake table only.
#[derive(Debug, Clone, Copy, Default)]
pub struct SnapshotWatermarks;

#[async_trait]
impl WatermarkStore for SnapshotWatermarks {
    async fn load(
        &self,
        table: &LakeTable,
        _: &dyn Observer,
    ) -> Result<Option<StoredWatermark>, SyncError> {
        find(table, None).await
    }

    async fn committed(&self, _: &LakeTable, _: &StoredWatermark) -> Result<(), SyncError> {
        Ok(())
    }

    async fn cleared(&self, _: &LakeTable) -> Result<(), SyncError> {
        Ok(())
    }
}

/// Whether the table still stands where a run found it; what guards of commits ask.
///
/// Must run on a thread that may block, inside a Tokio runtime.
pub(crate) fn is_at(table: &LakeTable, seen: Option<&StoredWatermark>) -> Result<bool, SyncError> {
    // What was seen may be known from a copy alone.
    let now = match place(table, seen.map(Kept::of))? {
        Place::At(stored) => Some(stored.snapshot_id),
        Place::Cleared | Place::Empty | Place::FirstLoad | Place::Unknown => None,
    };
    Ok(now == seen.map(|stored| stored.snapshot_id))
}

/// The watermark to go on from. `copy` is what is known of it outside of the table.
///
/// # Errors
/// The table has rows, and nothing says how far its source was read for them: to read everything may be
/// wrong, and to read nothing too.
pub(crate) async fn find(
    table: &LakeTable,
    copy: Option<Kept>,
) -> Result<Option<StoredWatermark>, SyncError> {
    let place = {
        let table = table.clone();
        blocking(move || place(&table, copy)).await?
    };
    match place {
        Place::At(stored) => Ok(Some(*stored)),
        // Ranges that are there count as read, or are replaced by their keys.
        Place::Cleared | Place::Empty | Place::FirstLoad => Ok(None),
        Place::Unknown => {
            let rows = table
                .has_rows()
                .await
                .doing(|| format!("looking for rows in lake table {}", table.name()))?;
            match rows {
                false => Ok(None),
                true => Err(SyncError::watermark(
                    format!(
                        "lake table {} has rows, and no watermark that says how far its source was read for them",
                        table.name()
                    ),
                    "say it with `icehost watermark set`, or have everything read with `icehost watermark clear`; \
                     a table that others write needs another lake table beside it",
                )),
            }
        }
    }
}

/// The last watermark that anybody wrote, whether or not the table still stands there: where its marks are
/// to be replaced, strategy and source stay.
pub async fn last_watermark(table: &LakeTable) -> Option<StoredWatermark> {
    let of = table.clone();
    let place = blocking(move || match place(&of, None) {
        Ok(Place::At(stored)) => Ok(Some(*stored)),
        _ => Ok(kept(&of).ok().flatten().and_then(Kept::stored)),
    });
    place.await.ok().flatten()
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
        return Err(SyncError::internal(format!(
            "the watermark of {} was not written",
            table.name()
        )));
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
