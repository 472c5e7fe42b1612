#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, Date32Array, Decimal128Array, FixedSizeBinaryArray, Int64Array, RecordBatch,
};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use proptest::prelude::*;

use super::*;
use crate::schema::{self, LakeColumn};

const FIELD: i32 = 7;

/// The metadata of a file with one column, in groups of 4,000 rows and pages of `page` rows.
fn file(kind: LakeType, values: &ArrayRef, page: usize) -> ParquetMetaData {
    let columns = [LakeColumn {
        field_id: FIELD,
        name: "Id".to_owned(),
        lake_type: kind,
        required: false,
        doc: None,
        key_position: Some(0),
    }];
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(4000))
        .set_data_page_row_count_limit(page)
        .set_write_batch_size(page)
        .set_dictionary_enabled(false)
        .build();
    let options = ArrowWriterOptions::new()
        .with_properties(properties)
        .with_parquet_schema(schema::parquet_schema(&columns).unwrap());
    let schema = schema::arrow_schema(&columns);
    let mut bytes = Vec::new();
    let mut writer =
        ArrowWriter::try_new_with_options(&mut bytes, Arc::clone(&schema), options).unwrap();
    let batch = RecordBatch::try_new(schema, vec![Arc::clone(values)]).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Required)
        .parse_and_finish(&Bytes::from(bytes))
        .unwrap()
}

/// Ids 0, 10, 20 … in pages of 1,000.
fn ids(rows: i64) -> ParquetMetaData {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows).map(|n| n * 10)));
    file(LakeType::Long, &ids, 1000)
}

fn keys(field_id: i32, kind: LakeType, column: &ArrayRef) -> KeyValues {
    let mut values = KeyValues::new(field_id, kind, false);
    values.note(column);
    values.seal();
    values
}

fn long_keys(field_id: i32, ids: &[i64]) -> KeyValues {
    let column: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
    keys(field_id, LakeType::Long, &column)
}

#[test]
fn only_pages_that_a_key_lies_in_are_read() {
    let file = ids(10_000);
    for (ids, pages) in [
        (&[15_000i64, 15_010, 15_020][..], vec![1u64]),
        (&[0, 99_990], vec![0, 9]),
        // Between the pages, and beyond both ends.
        (&[9_995, -1, 100_000], vec![]),
        (&[39_990, 40_000], vec![3, 4]),
    ] {
        let rows = long_keys(FIELD, ids).rows_that_may_match(&file).unwrap();
        let wanted: RoaringTreemap = pages
            .iter()
            .flat_map(|p| p * 1000..(p + 1) * 1000)
            .collect();
        assert_eq!(rows, wanted, "{ids:?}");
    }
}

#[test]
fn a_column_without_an_index_beside_one_that_has_rules_out_nothing() {
    let column = |field_id, name: &str| LakeColumn {
        field_id,
        name: name.to_owned(),
        lake_type: LakeType::Long,
        required: false,
        doc: None,
        key_position: None,
    };
    let columns = [column(FIELD, "Id"), column(FIELD + 1, "Other")];
    let properties = WriterProperties::builder()
        .set_column_statistics_enabled("Id".into(), EnabledStatistics::None)
        .build();
    let options = ArrowWriterOptions::new()
        .with_properties(properties)
        .with_parquet_schema(schema::parquet_schema(&columns).unwrap());
    let schema = schema::arrow_schema(&columns);
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..3000));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(&ids), ids]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut bytes, schema, options).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let file = ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Required)
        .parse_and_finish(&Bytes::from(bytes))
        .unwrap();
    assert_eq!(long_keys(FIELD, &[5]).rows_that_may_match(&file), None);
    assert!(
        long_keys(FIELD + 1, &[-5])
            .rows_that_may_match(&file)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn another_field_rules_out_nothing() {
    let keys = long_keys(FIELD + 1, &[5]);
    assert_eq!(keys.rows_that_may_match(&ids(5000)), None);
}

/// A column of the type from numbers of any size; wraps what the type cannot hold.
fn column(kind: LakeType, values: &[Option<i128>]) -> ArrayRef {
    match kind {
        LakeType::Date => Arc::new(Date32Array::from_iter(
            values.iter().map(|v| v.map(|v| v as i32)),
        )),
        LakeType::Uuid => {
            let bytes = values.iter().map(|v| v.map(i128::to_be_bytes));
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(bytes, 16).unwrap())
        }
        LakeType::Decimal { precision, scale } => {
            let most = 10i128.pow(precision.into());
            let values = values.iter().map(|v| v.map(|v| v % most));
            let array = Decimal128Array::from_iter(values);
            Arc::new(
                array
                    .with_precision_and_scale(precision, scale as i8)
                    .unwrap(),
            )
        }
        _ => Arc::new(Int64Array::from_iter(
            values.iter().map(|v| v.map(|v| v as i64)),
        )),
    }
}

fn kinds() -> impl Strategy<Value = LakeType> {
    let decimal = |precision, scale| LakeType::Decimal { precision, scale };
    prop::sample::select(vec![
        LakeType::Long,
        LakeType::Date,
        LakeType::Uuid,
        decimal(5, 2),
        decimal(18, 0),
        decimal(19, 4),
        decimal(38, 10),
    ])
}

/// Mostly near each other, so that pages differ in their bounds, and some anywhere.
fn values() -> impl Strategy<Value = Vec<Option<i128>>> {
    let value = prop_oneof![
        6 => (-500i128..500).prop_map(Some),
        3 => any::<i128>().prop_map(Some),
        1 => Just(None),
    ];
    prop::collection::vec(value, 1..300)
}

proptest! {
    #[test]
    fn no_row_with_one_of_the_keys_is_left_out(
        kind in kinds(),
        mut stored in values(),
        sought in values(),
        sorted in any::<bool>(),
    ) {
        if sorted {
            stored.sort();
        }
        let (stored, sought) = (column(kind, &stored), column(kind, &sought));
        let keys = keys(FIELD, kind, &sought);
        let Some(rows) = keys.rows_that_may_match(&file(kind, &stored, 16)) else {
            return Ok(());
        };
        let text = |array: &ArrayRef, row| {
            (!array.is_null(row)).then(|| arrow_cast::display::array_value_to_string(array, row).unwrap())
        };
        let wanted: std::collections::HashSet<_> =
            (0..sought.len()).filter_map(|row| text(&sought, row)).collect();
        for row in 0..stored.len() {
            let matches = text(&stored, row).is_some_and(|value| wanted.contains(&value));
            prop_assert!(!matches || rows.contains(row as u64), "row {row} of {stored:?}");
        }
    }

    #[test]
    fn sorted_values_of_every_type_leave_pages_out(kind in kinds()) {
        let stored: Vec<_> = (-300i128..300).map(Some).collect();
        let file = file(kind, &column(kind, &stored), 10);
        let keys = keys(FIELD, kind, &column(kind, &[Some(5), Some(-5)]));
        let rows = keys.rows_that_may_match(&file).unwrap();
        prop_assert_eq!(rows.len(), 20);
    }
}
