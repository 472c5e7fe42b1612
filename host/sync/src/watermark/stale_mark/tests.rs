//! A lake table in memory, and a mark of it that its source does not bear out.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use icehost_lake::kit::{MemoryCatalog, MemoryStorage, numbers};
use icehost_lake::{CommitRequest, Warehouse};
use icehost_plan::{Value, Watermark};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::watermark::record::WatermarkRecord;
use crate::watermark::store::SnapshotWatermarks;
use crate::watermark::write::write_watermark;

async fn table() -> LakeTable {
    let storage = Arc::new(MemoryStorage::new());
    let catalog = MemoryCatalog::new(storage, "memory://lake");
    let warehouse = Warehouse::of(Arc::new(catalog));
    let name = "demo.t".parse().unwrap();
    warehouse.create_table(&name, &numbers()).await.unwrap()
}

fn record(watermark: Watermark) -> WatermarkRecord {
    WatermarkRecord {
        strategy: "id".to_owned(),
        source: "db.dbo.t".to_owned(),
        watermark,
        run_id: "run".to_owned(),
        rows: 1,
        time: "2026-01-01T00:00:00Z".to_owned(),
        source_rows: None,
        expected_rows: None,
        every_row: None,
        source_table: None,
        source_digest: None,
        shape: None,
    }
}

async fn at(table: &LakeTable, id: i64) -> LakeTable {
    let record = record(Watermark {
        format: 1,
        marks: vec![("id".to_owned(), Value::Integer(id))],
    });
    let cancel = CancellationToken::new();
    let written = write_watermark(
        table,
        &SnapshotWatermarks,
        Some(record),
        "run",
        &Silent,
        &cancel,
    );
    written.await.unwrap()
}

async fn stored(table: &LakeTable) -> Option<StoredWatermark> {
    SnapshotWatermarks.load(table, &Silent).await.unwrap()
}

fn went_back() -> SyncError {
    SyncError::SourceWentBack {
        message: "the newest rows are gone".to_owned(),
        hint: "set another mark".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_ends_each_run_until_the_mark_is_another() {
    let mut table = at(&table().await, 7).await;
    check(&table, stored(&table).await.as_ref()).unwrap();
    let error = keep(&SnapshotWatermarks, &table, went_back(), &Silent).await;
    assert!(matches!(error, SyncError::SourceWentBack { .. }), "{error}");
    table.refresh().await.unwrap();
    let refused = check(&table, stored(&table).await.as_ref()).unwrap_err();
    let told = refused.to_string();
    assert!(told.contains("the newest rows are gone"), "{told}");
    // A snapshot that somebody else makes does not take it away.
    let request = CommitRequest {
        allow_empty: true,
        ..CommitRequest::default()
    };
    let table = table.commit(request).await.unwrap().unwrap().table;
    check(&table, stored(&table).await.as_ref()).unwrap_err();

    let table = at(&table, 7).await;
    check(&table, stored(&table).await.as_ref()).unwrap();
    assert!(!table.properties().contains_key(PROPERTY_STALE_WATERMARK));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_says_nothing_of_the_mark_is_not_kept() {
    let mut table = at(&table().await, 7).await;
    let error = SyncError::settings("the option is wrong", "choose another");
    keep(&SnapshotWatermarks, &table, error, &Silent).await;
    table.refresh().await.unwrap();
    check(&table, stored(&table).await.as_ref()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_run_has_moved_meanwhile_is_not_spoken_of() {
    struct Warnings(Mutex<Vec<String>>);
    impl Observer for Warnings {
        fn event(&self, event: Event<'_>) {
            if let Event::Warning(text) = event {
                self.0.lock().unwrap().push(text.to_owned());
            }
        }
    }
    let before = at(&table().await, 7).await;
    let mut after = at(&before, 8).await;
    let warnings = Warnings(Mutex::default());
    keep(&SnapshotWatermarks, &before, went_back(), &warnings).await;
    let told = warnings.0.lock().unwrap().join("\n");
    assert!(told.contains("the watermark has moved meanwhile"), "{told}");
    after.refresh().await.unwrap();
    check(&after, stored(&after).await.as_ref()).unwrap();
}
