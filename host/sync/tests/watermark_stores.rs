//! The two watermark stores, on a lake table of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;

use icehost_lake::{LakeTable, NewColumn, NewTable, Warehouse};
use icehost_plan::{LakeType, Value, Watermark};
use icehost_sync::{
    DirectoryWatermarks, Silent, SnapshotWatermarks, StoredWatermark, WatermarkRecord,
    WatermarkStore, write_watermark,
};
use tokio_util::sync::CancellationToken;

async fn table(directory: &Path) -> LakeTable {
    let new = NewTable {
        columns: vec![NewColumn {
            name: "id".to_owned(),
            lake_type: LakeType::Int,
            required: true,
            doc: None,
        }],
        identifier: vec![0],
        properties: BTreeMap::new(),
    };
    let warehouse = Warehouse::open(directory.join("warehouse")).unwrap();
    let name = "demo.t".parse().unwrap();
    match warehouse.find(&name).await.unwrap() {
        Some(table) => table,
        None => warehouse.create_table(&name, &new).await.unwrap(),
    }
}

fn record(id: i64) -> WatermarkRecord {
    WatermarkRecord {
        strategy: "id".to_owned(),
        source: "db.dbo.t".to_owned(),
        watermark: Watermark {
            format: 1,
            marks: vec![("id".to_owned(), Value::Integer(id))],
        },
        run_id: format!("run {id}"),
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

fn mark(stored: &StoredWatermark) -> Option<&Value> {
    stored.watermark().mark("id")
}

async fn holds_what_was_written(store: &dyn WatermarkStore, directory: &Path) {
    let new = table(directory).await;
    assert_eq!(
        store.load(&new, &Silent).await.unwrap(),
        None,
        "a new table"
    );
    for id in [1, 2] {
        let current = table(directory).await;
        let written = write_watermark(
            &current,
            store,
            Some(record(id)),
            "run",
            &Silent,
            &CancellationToken::new(),
        )
        .await
        .unwrap();
        let stored = store.load(&written, &Silent).await.unwrap().unwrap();
        assert_eq!(stored.record, record(id));
    }
    let current = table(directory).await;
    let cleared = write_watermark(
        &current,
        store,
        None,
        "run",
        &Silent,
        &CancellationToken::new(),
    )
    .await
    .unwrap();
    assert_eq!(
        store.load(&cleared, &Silent).await.unwrap(),
        None,
        "a cleared one"
    );
    assert_eq!(cleared.snapshots().len(), 3, "earlier snapshots stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_hold_what_was_written() {
    let directory = tempfile::tempdir().unwrap();
    holds_what_was_written(&SnapshotWatermarks, directory.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_hold_what_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryWatermarks::new(directory.path().join("marks"));
    holds_what_was_written(&store, directory.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_at_the_same_time_leave_the_newest_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryWatermarks::new(directory.path().join("marks"));
    let table = table(directory.path()).await;
    let writers = (1..=32).map(|sequence_number| {
        let (store, table) = (store.clone(), table.clone());
        tokio::spawn(async move {
            let stored = StoredWatermark {
                record: record(sequence_number),
                snapshot_id: 1000 + sequence_number,
                sequence_number,
            };
            store.committed(&table, &stored).await.unwrap();
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let file = directory.path().join("marks/demo.t.json");
    let text = std::fs::read_to_string(file).unwrap();
    let entry: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(entry["sequence_number"], 32);
    assert_eq!(entry["marks"][0][1]["integer"], "32");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_behind_or_broken_does_not_count() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryWatermarks::new(directory.path().join("marks"));
    let first = table(directory.path()).await;
    let second = write_watermark(
        &first,
        &store,
        Some(record(1)),
        "run",
        &Silent,
        &CancellationToken::new(),
    )
    .await
    .unwrap();
    // A run that ends between commit and copy.
    let third = write_watermark(
        &second,
        &SnapshotWatermarks,
        Some(record(2)),
        "run",
        &Silent,
        &CancellationToken::new(),
    )
    .await
    .unwrap();
    let stored = store.load(&third, &Silent).await.unwrap().unwrap();
    assert_eq!(mark(&stored), Some(&Value::Integer(2)), "the snapshot wins");

    let file = directory.path().join("marks/demo.t.json");
    std::fs::write(&file, "{").unwrap();
    let error = store.load(&third, &Silent).await.unwrap_err();
    assert!(error.to_string().contains("demo.t.json"), "{error}");
    assert!(error.hint().unwrap().contains("remove it"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impossible_watermark_is_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let table = table(directory.path()).await;
    let mut wrong = record(1);
    wrong.watermark.marks.push(("id".to_owned(), Value::Null));
    let error = write_watermark(
        &table,
        &SnapshotWatermarks,
        Some(wrong),
        "run",
        &Silent,
        &CancellationToken::new(),
    )
    .await
    .unwrap_err();
    assert!(error.to_string().contains("stands twice"), "{error}");
}
