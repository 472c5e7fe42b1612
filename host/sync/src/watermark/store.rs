//! Where watermarks are kept: with the rows that they speak of.

use async_trait::async_trait;
use icehost_lake::LakeTable;

use crate::watermark::find::find;
use crate::watermark::record::StoredWatermark;
use crate::{Observer, SyncError};

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
