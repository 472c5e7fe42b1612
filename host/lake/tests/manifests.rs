//! What the snapshot's own files say, read by the Avro library and not by Iceberg's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::fs;

use apache_avro::types::Value;
use support::avro::{by_field, record, records, text};
use support::*;

#[tokio::test]
async fn lists_manifests_and_statistics_are_as_the_spec_has_them() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let long = format!("{}zzz", "k".repeat(20));
    let people = [(7, None), row(-3, "abc"), row(5, &long)];
    let first = upsert(&table, &people).await;
    let second = upsert(&first.table, &rows(&[(5, "b")])).await;
    let metadata: serde_json::Value = serde_json::from_slice(
        &fs::read(
            lake.dir
                .path()
                .join("demo/people/metadata/v3.metadata.json"),
        )
        .unwrap(),
    )
    .unwrap();
    assert_eq!(metadata["format-version"], 2);
    assert_eq!(metadata["last-sequence-number"], 2);
    assert_eq!(metadata["current-snapshot-id"], second.snapshot_id);
    assert_eq!(metadata["refs"]["main"]["snapshot-id"], second.snapshot_id);
    assert_eq!(
        metadata["schemas"][0]["identifier-field-ids"],
        serde_json::json!([1])
    );
    assert_eq!(
        metadata["properties"]["write.parquet.compression-codec"],
        "zstd"
    );
    assert_eq!(metadata["metadata-log"].as_array().unwrap().len(), 2);
    assert_eq!(metadata["snapshot-log"].as_array().unwrap().len(), 2);

    let snapshot = &metadata["snapshots"]
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["snapshot-id"] == second.snapshot_id)
        .unwrap();
    let list = snapshot["manifest-list"].as_str().unwrap();
    let (properties, manifests) = records(list);
    assert_eq!(properties["format-version"], "2");
    assert_eq!(properties["sequence-number"], "2");
    assert_eq!(
        properties["parent-snapshot-id"],
        first.snapshot_id.to_string()
    );
    let contents: Vec<(&Value, &Value)> = manifests
        .iter()
        .map(|m| (&m["content"], &m["sequence_number"]))
        .collect();
    assert_eq!(
        contents,
        [
            (&Value::Int(0), &Value::Long(2)),
            (&Value::Int(1), &Value::Long(2)),
            (&Value::Int(0), &Value::Long(1)),
        ],
        "new data, new deletes, then what was there"
    );
    for manifest in &manifests {
        let size = fs::metadata(text(&manifest["manifest_path"]))
            .unwrap()
            .len();
        assert_eq!(manifest["manifest_length"], Value::Long(size as i64));
        assert_eq!(manifest["added_files_count"], Value::Int(1));
    }

    let (properties, entries) = records(text(&manifests[2]["manifest_path"]));
    assert_eq!(properties["content"], "data");
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["status"], Value::Int(1));
    let file = record(entries[0]["data_file"].clone());
    assert_eq!(file["content"], Value::Int(0));
    assert_eq!(file["record_count"], Value::Long(3));
    let size = fs::metadata(text(&file["file_path"])).unwrap().len();
    assert_eq!(file["file_size_in_bytes"], Value::Long(size as i64));
    let counts = BTreeMap::from([(1, Value::Long(3)), (2, Value::Long(3))]);
    assert_eq!(by_field(&file["value_counts"]), counts);
    let nulls = BTreeMap::from([(1, Value::Long(0)), (2, Value::Long(1))]);
    assert_eq!(by_field(&file["null_value_counts"]), nulls);
    assert_eq!(by_field(&file["column_sizes"]).len(), 2);
    let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    let lower = BTreeMap::from([(1, bytes(&(-3i64).to_le_bytes())), (2, bytes(b"abc"))]);
    assert_eq!(by_field(&file["lower_bounds"]), lower);
    let upper = BTreeMap::from([
        (1, bytes(&7i64.to_le_bytes())),
        (2, bytes(b"kkkkkkkkkkkkkkkl")),
    ]);
    assert_eq!(
        by_field(&file["upper_bounds"]),
        upper,
        "16 characters, rounded up"
    );

    let (properties, entries) = records(text(&manifests[1]["manifest_path"]));
    assert_eq!(properties["content"], "deletes");
    let deletes = record(entries[0]["data_file"].clone());
    assert_eq!(deletes["content"], Value::Int(1));
    assert_eq!(deletes["record_count"], Value::Long(1));
    assert_eq!(deletes["referenced_data_file"], file["file_path"]);
    let path = bytes(text(&file["file_path"]).as_bytes());
    assert_eq!(
        by_field(&deletes["lower_bounds"])[&2_147_483_546],
        path,
        "in full length"
    );
    assert_eq!(by_field(&deletes["upper_bounds"])[&2_147_483_546], path);
}
