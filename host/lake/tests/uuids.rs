//! UUIDs have no bounds that other engines compare wrongly, and are found by icehost all the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use apache_avro::types::Value;
use arrow_array::{Array, ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch};
use icehost_lake::{LakeTable, NewColumn, NewTable, ScanRequest};
use icehost_plan::LakeType;
use parquet::file::reader::{FileReader, SerializedFileReader};
use support::avro::{by_field, entries, manifests, record, text};
use support::*;

/// `id uuid` (the key), `other uuid` and `n long`.
fn things() -> NewTable {
    let column = |name: &str, lake_type, required| NewColumn {
        name: name.to_owned(),
        lake_type,
        required,
        doc: None,
    };
    NewTable {
        columns: vec![
            column("id", LakeType::Uuid, true),
            column("other", LakeType::Uuid, false),
            column("n", LakeType::Long, true),
        ],
        identifier: vec![0],
        properties: BTreeMap::new(),
    }
}

fn thing(n: u64) -> u128 {
    // Strewn over all values, those whose first bit is set among them.
    u128::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
}

fn batch_of(ids: &[u128], n: i64) -> RecordBatch {
    let uuids = |ids: &mut dyn Iterator<Item = Option<u128>>| -> ArrayRef {
        let bytes = ids.map(|id| id.map(u128::to_be_bytes));
        Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(bytes, 16).unwrap())
    };
    let id = uuids(&mut ids.iter().map(|id| Some(*id)));
    let other = uuids(&mut ids.iter().map(|id| (id % 3 != 0).then_some(!*id)));
    let n: ArrayRef = Arc::new(Int64Array::from(vec![n; ids.len()]));
    RecordBatch::try_from_iter_with_nullable([
        ("id", id, false),
        ("other", other, true),
        ("n", n, false),
    ])
    .unwrap()
}

async fn put(table: &LakeTable, ids: &[u128], n: i64) -> icehost_lake::Committed {
    let staged = stage(table, upserting(table), &[batch_of(ids, n)])
        .await
        .unwrap();
    commit(table, staged).await.unwrap().unwrap()
}

#[tokio::test]
async fn uuids_have_no_bounds_and_no_statistics_and_their_nulls_are_counted() {
    let lake = Fixture::new();
    let table = lake
        .warehouse
        .create_table(&name(), &things())
        .await
        .unwrap();
    let ids: Vec<u128> = (0..3000).map(thing).collect();
    let table = put(&table, &ids, 0).await.table;
    let [manifest] = manifests(&table).try_into().unwrap();
    let [entry] = entries(&manifest).try_into().unwrap();
    let file = record(entry["data_file"].clone());
    for bounds in ["lower_bounds", "upper_bounds"] {
        let fields: Vec<i32> = by_field(&file[bounds]).into_keys().collect();
        assert_eq!(fields, [3], "of the number alone");
    }
    let nulls = ids.iter().filter(|id| *id % 3 == 0).count() as i64;
    let counts = BTreeMap::from([
        (1, Value::Long(0)),
        (2, Value::Long(nulls)),
        (3, Value::Long(0)),
    ]);
    assert_eq!(by_field(&file["null_value_counts"]), counts);
    let opened = SerializedFileReader::new(File::open(text(&file["file_path"])).unwrap()).unwrap();
    for group in opened.metadata().row_groups() {
        let stated: Vec<bool> = group
            .columns()
            .iter()
            .map(|c| c.statistics().is_some())
            .collect();
        assert_eq!(stated, [false, false, true]);
    }
}

#[tokio::test]
async fn uuids_are_found_by_their_keys() {
    let lake = Fixture::new();
    let mut table = lake
        .warehouse
        .create_table(&name(), &things())
        .await
        .unwrap();
    let ids: Vec<u128> = (0..5000).map(thing).collect();
    table = put(&table, &ids, 0).await.table;
    // In order, so that most parts of the file are ruled out.
    let mut ordered: Vec<u128> = (5000..10_000).map(thing).collect();
    ordered.sort_unstable();
    table = put(&table, &ordered, 0).await.table;
    let mut changed: Vec<u128> = ids.iter().chain(&ordered).step_by(97).copied().collect();
    let known = changed.len() as u64;
    changed.extend([0x7FFF_FFFF_FFFF_FFFF << 64, 1, u128::MAX]);
    let done = put(&table, &changed, 1).await;
    assert_eq!((done.rows_appended, done.rows_removed), (known + 3, known));
    let found = scan(&done.table, ScanRequest::default()).await.unwrap();
    let rows: usize = found.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, 10_003);
    let sought = batch_of(&changed, 0).column(0).clone();
    let have = done
        .table
        .have(
            done.snapshot_id,
            &[0],
            vec![sought],
            icehost_lake::KeyFold::default(),
        )
        .await
        .unwrap();
    assert!(have.have.iter().all(|have| *have));
    assert_eq!(found[0].column(0).len(), found[0].num_rows());
}
