//! Tables that other engines write to: equality deletes, rewritten files, evolved schemas.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use iceberg::spec::{
    DataContentType, DataFileBuilder, DataFileFormat, NestedField, PrimitiveType, Schema, Type,
};
use icehost_lake::{ChangesRequest, LakeErrorKind, LakeTable, ScanRequest};
use support::foreign::{self, Foreign};
use support::*;

fn ids(values: &[i64]) -> (i32, &'static str, ArrayRef) {
    (1, "id", Arc::new(Int64Array::from(values.to_vec())))
}

fn names(values: &[Option<&str>]) -> (i32, &'static str, ArrayRef) {
    (2, "name", Arc::new(StringArray::from(values.to_vec())))
}

async fn delete_equal(table: &LakeTable, columns: &[(i32, &str, ArrayRef)]) -> (LakeTable, i64) {
    let deletes = vec![foreign::equality_deletes(table, columns)];
    foreign::commit(
        table,
        Foreign {
            deletes,
            ..Foreign::default()
        },
    )
    .await
}

#[tokio::test]
async fn equality_deletes_take_out_older_rows_only() {
    let lake = Fixture::new();
    let table = append(
        &lake.table().await,
        &[row(1, "a"), row(2, "b"), (3, None), (4, None)],
    )
    .await;
    let (table, _) = delete_equal(&table.table, &[ids(&[1])]).await;
    assert_eq!(
        read(&table, None).await,
        vec![row(2, "b"), (3, None), (4, None)]
    );
    let table = append(&table, &[row(1, "again")]).await.table;
    // NULL equals NULL here, and nothing else.
    let (table, before) = delete_equal(&table, &[names(&[None])]).await;
    assert_eq!(read(&table, None).await, rows(&[(1, "again"), (2, "b")]));
    let (table, after) = delete_equal(&table, &[names(&[Some("b")]), ids(&[2])]).await;
    assert_eq!(read(&table, None).await, rows(&[(1, "again")]));
    let request = ChangesRequest::new(Some(before), after);
    assert_eq!(changes(&table, request).await.unwrap(), [(0, row(2, "b"))]);

    let done = upsert(&table, &rows(&[(1, "more"), (2, "new")])).await;
    assert_eq!(
        (done.rows_appended, done.rows_removed),
        (2, 1),
        "deleted rows are not there"
    );
    assert_eq!(
        read(&done.table, None).await,
        rows(&[(1, "more"), (2, "new")])
    );
    let current = done.table.current_snapshot().unwrap();
    assert_eq!(
        current.summary["total-records"], "6",
        "counted, where the parent did not say, and less the file whose only row is deleted now"
    );
    assert_eq!(current.summary["total-equality-deletes"], "3");
    assert_eq!(current.summary["total-delete-files"], "3");
}

#[tokio::test]
async fn a_replaced_row_is_one_update_although_deleted_by_equality() {
    let lake = Fixture::new();
    let from = append(&lake.table().await, &rows(&[(1, "a"), (2, "b")])).await;
    let upsert = Foreign {
        added: vec![foreign::data_file(
            &from.table,
            &[ids(&[2, 3]), names(&[Some("B"), Some("c")])],
        )],
        deletes: vec![foreign::equality_deletes(&from.table, &[ids(&[2, 3])])],
        ..Foreign::default()
    };
    let (table, to) = foreign::commit(&from.table, upsert).await;
    assert_eq!(
        read(&table, None).await,
        rows(&[(1, "a"), (2, "B"), (3, "c")])
    );
    let request = ChangesRequest::new(Some(from.snapshot_id), to);
    let found = changes(&table, request).await.unwrap();
    assert_eq!(found, [(2, row(2, "B")), (1, row(3, "c"))]);
}

#[tokio::test]
async fn a_compaction_changes_nothing() {
    let lake = Fixture::new();
    let first = upsert(&lake.table().await, &rows(&[(1, "a"), (2, "b")])).await;
    let from = upsert(&first.table, &rows(&[(2, "B"), (3, "c")])).await;
    let added = vec![foreign::data_file(
        &from.table,
        &[ids(&[3, 1, 2]), names(&[Some("c"), Some("a"), Some("B")])],
    )];
    let compact = Foreign {
        added,
        replace_all: true,
        ..Foreign::default()
    };
    let (table, to) = foreign::commit(&from.table, compact).await;
    assert_eq!(
        read(&table, None).await,
        rows(&[(1, "a"), (2, "B"), (3, "c")])
    );
    let request = ChangesRequest::new(Some(from.snapshot_id), to);
    assert_eq!(changes(&table, request).await.unwrap(), []);
    let request = ChangesRequest::new(Some(first.snapshot_id), to);
    assert_eq!(
        changes(&table, request).await.unwrap(),
        [(1, row(3, "c")), (2, row(2, "B"))]
    );
}

#[tokio::test]
async fn copy_on_write_yields_only_what_it_changed() {
    let lake = Fixture::new();
    let from = append(
        &lake.table().await,
        &rows(&[(1, "a"), (2, "b"), (3, "c"), (3, "c")]),
    )
    .await;
    let added = vec![foreign::data_file(
        &from.table,
        &[ids(&[1, 3, 4]), names(&[Some("A"), Some("c"), Some("d")])],
    )];
    let rewrite = Foreign {
        added,
        replace_all: true,
        ..Foreign::default()
    };
    let (table, to) = foreign::commit(&from.table, rewrite).await;
    let request = ChangesRequest::new(Some(from.snapshot_id), to);
    let found = changes(&table, request).await.unwrap();
    // One of the two equal rows is gone, and their key is not: the one that is left is its image now.
    let wanted = [
        (0, row(2, "b")),
        (2, row(1, "A")),
        (2, row(3, "c")),
        (1, row(4, "d")),
    ];
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn an_evolved_schema_reads_old_files() {
    let lake = Fixture::new();
    let table = append(&lake.table().await, &rows(&[(1, "a")])).await.table;
    // Field 3 comes with a file of its own, narrower than the schema will have it.
    let schema = |kind| {
        Schema::builder()
            .with_fields([
                NestedField::required(1, "number", Type::Primitive(PrimitiveType::Long)).into(),
                NestedField::optional(3, "age", Type::Primitive(kind)).into(),
                NestedField::optional(2, "name", Type::Primitive(PrimitiveType::String)).into(),
            ])
            .with_identifier_field_ids([1])
            .build()
            .unwrap()
    };
    let evolved = foreign::metadata(&table)
        .into_builder(None)
        .add_current_schema(schema(PrimitiveType::Int))
        .unwrap()
        .build()
        .unwrap();
    let table = foreign::publish(&table, &evolved.metadata).await;
    let age: ArrayRef = Arc::new(Int32Array::from(vec![36]));
    let added = vec![foreign::data_file(
        &table,
        &[(3, "age", age), ids(&[2]), names(&[Some("b")])],
    )];
    let (table, _) = foreign::commit(
        &table,
        Foreign {
            added,
            ..Foreign::default()
        },
    )
    .await;
    let evolved = foreign::metadata(&table)
        .into_builder(None)
        .add_current_schema(schema(PrimitiveType::Long))
        .unwrap()
        .build()
        .unwrap();
    let table = foreign::publish(&table, &evolved.metadata).await;

    let batches = scan(&table, ScanRequest::default()).await.unwrap();
    assert_eq!(table_text(&batches), "number,age,name; 1,,a; 2,36,b");
    let ages: Vec<&ArrayRef> = batches.iter().map(|batch| batch.column(1)).collect();
    assert!(
        ages.iter()
            .all(|ages| *ages.data_type() == arrow_schema::DataType::Int64)
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    let lake = Fixture::new();
    let table = append(&lake.table().await, &rows(&[(1, "a")])).await.table;
    let of_format = |format, content| {
        DataFileBuilder::default()
            .content(content)
            .file_path(format!("{}/data/x", table.location()))
            .file_format(format)
            .record_count(1)
            .file_size_in_bytes(1)
            .partition_spec_id(0)
            .build()
            .unwrap()
    };
    let cases = [
        (of_format(DataFileFormat::Orc, DataContentType::Data), "orc"),
        (
            of_format(DataFileFormat::Avro, DataContentType::Data),
            "avro",
        ),
        (
            of_format(DataFileFormat::Puffin, DataContentType::PositionDeletes),
            "deletion vectors",
        ),
    ];
    let mut newest = table.clone();
    for (file, wanted) in cases {
        let foreign = match file.content_type() {
            DataContentType::Data => Foreign {
                added: vec![file],
                replace_all: true,
                ..Foreign::default()
            },
            _ => Foreign {
                deletes: vec![file],
                replace_all: true,
                ..Foreign::default()
            },
        };
        (newest, _) = foreign::commit(&newest, foreign).await;
        let error = scan(&newest, ScanRequest::default()).await.unwrap_err();
        assert_eq!(error.kind(), LakeErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains(wanted), "{error}");
        assert!(error.hint().is_some());
    }
}

#[tokio::test]
async fn a_file_without_field_ids_is_refused() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let batch: RecordBatch = batch(&rows(&[(1, "a")]));
    let path = std::path::Path::new(table.location()).join("data/plain.parquet");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let plain = DataFileBuilder::default()
        .content(DataContentType::Data)
        .file_path(path.to_str().unwrap().to_owned())
        .file_format(DataFileFormat::Parquet)
        .record_count(1)
        .file_size_in_bytes(std::fs::metadata(&path).unwrap().len())
        .partition_spec_id(0)
        .build()
        .unwrap();
    let (table, _) = foreign::commit(
        &table,
        Foreign {
            added: vec![plain],
            ..Foreign::default()
        },
    )
    .await;
    let error = scan(&table, ScanRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), LakeErrorKind::Unsupported);
    assert!(error.to_string().contains("no field ids"), "{error}");
}

#[tokio::test]
async fn nested_columns_are_named() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let element = NestedField::list_element(4, Type::Primitive(PrimitiveType::Int), false);
    let list = Type::List(iceberg::spec::ListType::new(element.into()));
    let schema = Schema::builder()
        .with_fields([
            NestedField::required(1, "id", Type::Primitive(PrimitiveType::Long)).into(),
            NestedField::optional(2, "name", Type::Primitive(PrimitiveType::String)).into(),
            NestedField::optional(3, "tags", list).into(),
        ])
        .with_identifier_field_ids([1])
        .build()
        .unwrap();
    let evolved = foreign::metadata(&table)
        .into_builder(None)
        .add_current_schema(schema)
        .unwrap()
        .build()
        .unwrap();
    let table = foreign::publish(&table, &evolved.metadata).await;
    let error = table.describe().unwrap_err();
    assert_eq!(error.kind(), LakeErrorKind::Unsupported);
    assert!(error.to_string().contains("'tags'"), "{error}");
}
