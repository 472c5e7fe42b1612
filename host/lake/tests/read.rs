//! Reading rows: snapshots, files, types, columns that came later, and cancellation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::Arc;

use arrow_array::builder::FixedSizeBinaryBuilder;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int32Array, Int64Array, RecordBatch, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use futures::StreamExt;
use icehost_lake::{LakeErrorKind, NewColumn, NewTable, ScanRequest};
use icehost_plan::LakeType;
use support::*;

/// One nullable column of every type, behind a key.
fn every_type() -> Vec<(&'static str, LakeType)> {
    vec![
        ("key", LakeType::Int),
        ("boolean", LakeType::Boolean),
        ("int", LakeType::Int),
        ("long", LakeType::Long),
        ("float", LakeType::Float),
        ("double", LakeType::Double),
        (
            "decimal9",
            LakeType::Decimal {
                precision: 9,
                scale: 2,
            },
        ),
        (
            "decimal18",
            LakeType::Decimal {
                precision: 18,
                scale: 0,
            },
        ),
        (
            "decimal38",
            LakeType::Decimal {
                precision: 38,
                scale: 10,
            },
        ),
        ("date", LakeType::Date),
        ("time", LakeType::Time),
        ("timestamp", LakeType::Timestamp),
        ("timestamptz", LakeType::TimestampTz),
        ("string", LakeType::String),
        ("uuid", LakeType::Uuid),
        ("fixed", LakeType::Fixed(3)),
        ("binary", LakeType::Binary),
    ]
}

fn fixed(values: &[Option<&[u8]>], length: i32) -> ArrayRef {
    let mut builder = FixedSizeBinaryBuilder::new(length);
    for value in values {
        match value {
            Some(value) => builder.append_value(value).unwrap(),
            None => builder.append_null(),
        }
    }
    Arc::new(builder.finish())
}

/// Least, greatest, none, and something between.
fn extremes() -> RecordBatch {
    let day = 86_400_000_000i64;
    let greatest = 10i128.pow(38) - 1;
    let decimal = |values: [Option<i128>; 4], precision, scale| -> ArrayRef {
        let array = Decimal128Array::from_iter(values);
        Arc::new(array.with_precision_and_scale(precision, scale).unwrap())
    };
    let first = [0u8; 16];
    let last = [0xFFu8; 16];
    let between = *b"\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef";
    // Years 1 and 9999, in microseconds.
    let (start, end) = (-62_135_596_800_000_000i64, 253_402_300_799_999_999i64);
    let stamps = TimestampMicrosecondArray::from(vec![Some(start), Some(end), None, Some(1)]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![0, 1, 2, 3])),
        Arc::new(BooleanArray::from(vec![
            Some(false),
            Some(true),
            None,
            Some(true),
        ])),
        Arc::new(Int32Array::from(vec![
            Some(i32::MIN),
            Some(i32::MAX),
            None,
            Some(-1),
        ])),
        Arc::new(Int64Array::from(vec![
            Some(i64::MIN),
            Some(i64::MAX),
            None,
            Some(-1),
        ])),
        Arc::new(Float32Array::from(vec![
            Some(f32::MIN),
            Some(f32::MAX),
            None,
            Some(0.1),
        ])),
        Arc::new(Float64Array::from(vec![
            Some(f64::MIN),
            Some(f64::MAX),
            None,
            Some(0.1),
        ])),
        decimal(
            [Some(-999_999_999), Some(999_999_999), None, Some(-1)],
            9,
            2,
        ),
        decimal(
            [
                Some(1 - 10i128.pow(18)),
                Some(10i128.pow(18) - 1),
                None,
                Some(7),
            ],
            18,
            0,
        ),
        decimal([Some(-greatest), Some(greatest), None, Some(-5)], 38, 10),
        Arc::new(Date32Array::from(vec![
            Some(-719_162),
            Some(2_932_896),
            None,
            Some(0),
        ])),
        Arc::new(Time64MicrosecondArray::from(vec![
            Some(0),
            Some(day - 1),
            None,
            Some(1),
        ])),
        Arc::new(stamps.clone()),
        Arc::new(stamps.with_timezone("+00:00")),
        Arc::new(StringArray::from(vec![
            Some(""),
            Some("Zoë 🦀 'quoted' and long enough"),
            None,
            Some("x "),
        ])),
        fixed(&[Some(&first), Some(&last), None, Some(&between)], 16),
        fixed(
            &[Some(b"\0\0\0"), Some(b"\xff\xff\xff"), None, Some(b"abc")],
            3,
        ),
        Arc::new(BinaryArray::from(vec![
            Some(&b""[..]),
            Some(&[0xFF; 40]),
            None,
            Some(b"\0a"),
        ])),
    ];
    let names = every_type().into_iter().map(|(name, _)| name);
    RecordBatch::try_from_iter_with_nullable(names.zip(columns).map(|(n, c)| (n, c, n != "key")))
        .unwrap()
}

fn table_of_every_type() -> NewTable {
    let column = |(name, lake_type): (&str, LakeType)| NewColumn {
        name: name.to_owned(),
        lake_type,
        required: name == "key",
        doc: Some(format!("a {lake_type}")),
    };
    NewTable {
        columns: every_type().into_iter().map(column).collect(),
        identifier: vec![0],
        properties: Default::default(),
    }
}

#[tokio::test]
async fn every_type_comes_back_as_it_went() {
    let lake = Fixture::new();
    let table = lake
        .warehouse
        .create_table(&name(), &table_of_every_type())
        .await
        .unwrap();
    let staged = stage(&table, upserting(&table), &[extremes()])
        .await
        .unwrap();
    let table = commit(&table, staged).await.unwrap().unwrap().table;
    let batches = scan(&table, ScanRequest::default()).await.unwrap();
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].columns(), extremes().columns());
    for (column, (name, lake_type)) in table.columns().unwrap().iter().zip(every_type()) {
        assert_eq!((column.name.as_str(), column.lake_type), (name, lake_type));
        assert_eq!(
            column.doc.as_deref(),
            Some(format!("a {lake_type}").as_str())
        );
    }
    // Every type but the floating-point ones can be matched by.
    for (ordinal, (name, lake_type)) in (0u32..).zip(every_type()) {
        if matches!(lake_type, LakeType::Float | LakeType::Double) {
            continue;
        }
        let delta = delta_like(&table.describe().unwrap());
        let change = lower(&table, upsert_plan(&[ordinal]), &delta).unwrap();
        // The third row has NULL in all columns but the key.
        let rows = if name == "key" { 3 } else { 2 };
        let staged = stage(&table, change, &[extremes().slice(0, rows)])
            .await
            .unwrap();
        let done = commit(&table, staged).await.unwrap().unwrap();
        let matched = match (name, lake_type) {
            ("key", _) => 3,
            // True stands in two rows.
            (_, LakeType::Boolean) => 3,
            _ => 2,
        };
        assert_eq!(done.rows_removed, matched, "by {name}");
        // The next round starts from the same rows.
        let mut plan = upsert_plan(&[0]);
        plan.clauses.push(clause(
            icehost_plan::Occasion::NotMatchedBySource,
            icehost_plan::Action::Delete,
        ));
        plan.clauses[0].action = icehost_plan::Action::Delete;
        plan.clauses.remove(1);
        let clear = lower(&done.table, plan, &complete(delta)).unwrap();
        let staged = stage(&done.table, clear, &[extremes()]).await.unwrap();
        let done = commit(&done.table, staged).await.unwrap().unwrap();
        let staged = stage(&done.table, upserting(&done.table), &[extremes()])
            .await
            .unwrap();
        commit(&done.table, staged).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_unknown_snapshot_or_column_is_refused() {
    let lake = Fixture::new();
    let table = append(&lake.table().await, &rows(&[(1, "a")])).await.table;
    let request = ScanRequest {
        snapshot_id: Some(5),
        ..ScanRequest::default()
    };
    let error = table.scan(request).err().unwrap();
    assert_eq!(error.kind(), LakeErrorKind::SnapshotNotFound);
    let request = ScanRequest {
        columns: Some(vec![7]),
        ..ScanRequest::default()
    };
    let error = table.scan(request).err().unwrap();
    assert_eq!(error.kind(), LakeErrorKind::InvalidData);
}

#[tokio::test]
async fn columns_come_in_the_order_asked_for() {
    let lake = Fixture::new();
    let table = append(&lake.table().await, &[row(1, "a"), (2, None)])
        .await
        .table;
    let request = ScanRequest {
        columns: Some(vec![1, 0]),
        ..ScanRequest::default()
    };
    let batch = &scan(&table, request).await.unwrap()[0];
    let names: Vec<&str> = batch
        .schema_ref()
        .fields()
        .iter()
        .map(|f| f.name().as_str())
        .collect();
    assert_eq!(names, ["name", "id"]);
    assert_eq!(batch.column(0).null_count(), 1);
    let request = ScanRequest {
        columns: Some(vec![]),
        ..ScanRequest::default()
    };
    let counted: usize = scan(&table, request)
        .await
        .unwrap()
        .iter()
        .map(RecordBatch::num_rows)
        .sum();
    assert_eq!(counted, 2);
}

#[tokio::test]
async fn a_batch_has_at_most_as_many_rows_as_asked_for_and_fewer_when_they_are_wide() {
    let lake = Fixture::new();
    let people: Vec<Row> = (0..1_000)
        .map(|id| (id, Some(format!("{id}").repeat(20_000))))
        .collect();
    let mut table = lake.table().await;
    for chunk in people.chunks(250) {
        table = append(&table, chunk).await.table;
    }
    let batches = scan(&table, ScanRequest::default()).await.unwrap();
    assert_eq!(rows_of(&batches), people);
    let largest = batches
        .iter()
        .map(RecordBatch::get_array_memory_size)
        .max()
        .unwrap();
    assert!(largest < 32 << 20, "{largest} bytes in a batch");
    let narrow = ScanRequest {
        columns: Some(vec![0]),
        batch_rows: 100,
        ..ScanRequest::default()
    };
    let batches = scan(&table, narrow).await.unwrap();
    assert!(batches.iter().all(|batch| batch.num_rows() <= 100));
}

#[tokio::test]
async fn a_dropped_stream_stops_reading() {
    let lake = Fixture::new();
    let people: Vec<Row> = (0..50_000).map(|id| row(id, "x")).collect();
    let table = append(&lake.table().await, &people).await.table;
    let request = ScanRequest {
        batch_rows: 10,
        ..ScanRequest::default()
    };
    let mut stream = table.scan(request).unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().num_rows(), 10);
    drop(stream);
    // The reading thread ends; were it stuck, the runtime could not shut down and the test would hang.
}
