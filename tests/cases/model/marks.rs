//! What people do to a watermark.

use std::path::Path;

use icehost_lake::{LakeTable, Warehouse};
use icehost_plan::{Value, Watermark};
use icehost_sync::{Silent, SnapshotWatermarks, WatermarkRecord, last_watermark, write_watermark};
use tokio_util::sync::CancellationToken;

use crate::pipeline::{Detector, lake_table};

async fn open(warehouse: &Path) -> Result<Option<LakeTable>, String> {
    let warehouse = Warehouse::open(warehouse).map_err(|e| e.to_string())?;
    let found = warehouse.find(&lake_table()).await;
    found.map_err(|e| e.to_string())
}

async fn write(table: &LakeTable, record: Option<WatermarkRecord>) -> Result<(), String> {
    let (kept, cancel) = (SnapshotWatermarks, CancellationToken::new());
    let written = write_watermark(table, &kept, record, "the model", &Silent, &cancel);
    written.await.map(|_| ()).map_err(|e| e.to_string())
}

/// `icehost watermark clear`.
pub async fn clear(warehouse: &Path) -> Result<(), String> {
    match open(warehouse).await? {
        Some(table) => write(&table, None).await,
        None => Ok(()),
    }
}

/// `icehost watermark set` with a mark before all rows.
pub async fn set_back(warehouse: &Path, detector: Detector) -> Result<(), String> {
    let Some(table) = open(warehouse).await? else {
        return Err("there is no table whose mark could be set".to_owned());
    };
    let Some(stored) = last_watermark(&table).await else {
        return Err("there is no watermark to take strategy and source from".to_owned());
    };
    let (column, first) = match detector {
        Detector::Timestamp => ("Changed", Value::Timestamp(0)),
        Detector::Id => ("Seq", Value::Integer(0)),
        Detector::Rowversion | Detector::FullRefresh => {
            return Err("the strategy has no mark that a person would set".to_owned());
        }
    };
    let record = WatermarkRecord {
        watermark: Watermark {
            format: stored.watermark().format,
            marks: vec![(column.to_owned(), first)],
        },
        rows: 0,
        source_rows: None,
        expected_rows: None,
        source_table: None,
        ..stored.record
    };
    write(&table, Some(record)).await
}
