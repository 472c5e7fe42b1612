//! The lake's table: found, or made for the source's columns.

use icehost_lake::LakeTable;

use crate::error::Doing;
use crate::rows::layout;
use crate::source::open::OpenSource;
use crate::{ColumnRules, Lake, SyncError, SyncJob};

/// The table, or one that comes into being with its first commit.
pub(crate) async fn open_lake(
    lake: &Lake,
    rules: &ColumnRules,
    source: &OpenSource,
) -> Result<LakeTable, SyncError> {
    let (warehouse, name) = (&lake.warehouse, &lake.table);
    let doing = || format!("opening lake table {name}");
    match warehouse.find(name).await.doing(doing)? {
        Some(table) => {
            table.check_writable().doing(doing)?;
            Ok(table)
        }
        None => {
            warehouse.check_place().await.doing(doing)?;
            let new = layout::new_lake_table(&source.landing(), &source.columns(rules)?)?;
            warehouse.prepare_create(name, &new).await.doing(doing)
        }
    }
}

/// The table, without a snapshot.
pub(crate) async fn create_empty(
    job: &SyncJob,
    source: &OpenSource,
) -> Result<LakeTable, SyncError> {
    let new = layout::new_lake_table(&source.landing(), &source.columns(&job.source.rules)?)?;
    job.lake
        .warehouse
        .create_table(&job.lake.table, &new)
        .await
        .doing(|| format!("creating lake table {}", job.lake.table))
}

/// An empty source still gives a table to look at and to load from.
pub(crate) async fn ensure_table(
    job: &SyncJob,
    source: &OpenSource,
    lake: &mut LakeTable,
) -> Result<(), SyncError> {
    if !lake.exists() {
        *lake = create_empty(job, source).await?;
        tracing::info!(table = lake.name(), "created the table, without a snapshot");
    }
    Ok(())
}
