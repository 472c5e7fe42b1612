//! A lake table in memory, whose snapshots a first load or somebody else has made.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;

use icehost_lake::kit::{MemoryCatalog, MemoryStorage, numbers};
use icehost_lake::{CommitRequest, Warehouse};
use icehost_plan::{KeyRange, Value};

use super::*;
use crate::first_load::journal::{Inputs, RangeEntry};
use crate::first_load::range::RangeDone;

const TOTAL: usize = 3;

async fn table() -> LakeTable {
    let storage = Arc::new(MemoryStorage::new());
    let catalog = MemoryCatalog::new(storage, "memory://lake");
    let warehouse = Warehouse::of(Arc::new(catalog));
    let name = "demo.t".parse().unwrap();
    warehouse.create_table(&name, &numbers()).await.unwrap()
}

/// A load of three ranges that are all read, and of which none is noted as committed.
fn record() -> LoadRecord {
    let inputs = Inputs {
        source: "Shop.dbo.T".to_owned(),
        server: "db".to_owned(),
        object_id: 7,
        columns: Vec::new(),
        strategy: String::new(),
        lake_merge: String::new(),
        time_precision: String::new(),
        column_rules: Vec::new(),
        transforms: Vec::new(),
    };
    let mut record = LoadRecord::new(inputs, String::new(), Vec::new());
    let boundaries = vec![vec![Value::Integer(10)], vec![Value::Integer(20)]];
    let ranges = KeyRange::between(boundaries).into_iter();
    record.ranges = ranges.map(read).collect();
    assert_eq!(record.ranges.len(), TOTAL);
    record
}

fn read(range: KeyRange) -> RangeEntry {
    let files = format!(
        r#"{{"table":"{}","schema_id":0,"rows_received":0,"files":[]}}"#,
        Uuid::nil()
    );
    RangeEntry {
        range,
        done: Some(RangeDone {
            rows: 1,
            bytes: 8,
            observed: Vec::new(),
            truncated: Vec::new(),
            offsets_lost: Vec::new(),
            dropped: Some(0),
            files: serde_json::from_str(&files).unwrap(),
        }),
        snapshot_id: None,
    }
}

/// A snapshot with these ranges of a load; without one, somebody else's.
async fn commit(table: &LakeTable, load: Option<(Uuid, &str)>) -> (LakeTable, i64) {
    let fields = load.into_iter().flat_map(|(id, ranges)| {
        [
            (SUMMARY_FIRST_LOAD.to_owned(), id.to_string()),
            (SUMMARY_RANGES.to_owned(), ranges.to_owned()),
        ]
    });
    let request = CommitRequest {
        summary: fields.collect(),
        allow_empty: true,
        ..CommitRequest::default()
    };
    let committed = table.commit(request).await.unwrap().unwrap();
    (committed.table, committed.snapshot_id)
}

fn noted(record: &LoadRecord) -> Vec<Option<i64>> {
    record
        .ranges
        .iter()
        .map(|entry| entry.snapshot_id)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_that_snapshots_hold_are_noted_and_no_others() {
    let mut record = record();
    let (table, first) = commit(&table().await, Some((record.id, "0,2"))).await;
    note_commits(&table, &mut record).await.unwrap();
    assert_eq!(noted(&record), [Some(first), None, Some(first)]);

    // Of another load, which says nothing of this one's.
    let (table, _) = commit(&table, Some((Uuid::now_v7(), "1"))).await;
    note_commits(&table, &mut record).await.unwrap();
    assert_eq!(noted(&record), [Some(first), None, Some(first)]);

    let (table, second) = commit(&table, Some((record.id, "1"))).await;
    note_commits(&table, &mut record).await.unwrap();
    assert_eq!(noted(&record), [Some(first), Some(second), Some(first)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_the_table_lost_is_open_again() {
    let table = table().await;
    let mut record = record();
    record.ranges[1].snapshot_id = Some(41);
    note_commits(&table, &mut record).await.unwrap();
    assert_eq!(noted(&record), [None, None, None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_is_committed_must_have_been_read() {
    let mut record = record();
    record.ranges[2].done = None;
    let (table, _) = commit(&table().await, Some((record.id, "all"))).await;
    let error = note_commits(&table, &mut record).await.unwrap_err();
    let told = error.to_string();
    assert!(told.contains("does not know of ranges"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_goes_only_where_other_ranges_of_its_load_are() {
    let (id, table) = (Uuid::now_v7(), table().await);
    only_ours(&table, id, &[0, 1], TOTAL).unwrap();
    let (ours, _) = commit(&table, Some((id, "0"))).await;
    only_ours(&ours, id, &[1, 2], TOTAL).unwrap();
    let twice = only_ours(&ours, id, &[0], TOTAL).unwrap_err().to_string();
    assert!(twice.contains("holds a range already"), "{twice}");
    let (foreign, _) = commit(&ours, None).await;
    let foreign = only_ours(&foreign, id, &[1], TOTAL).unwrap_err();
    let foreign = foreign.to_string();
    assert!(foreign.contains("made by somebody else"), "{foreign}");
}
