//! Lake tables without a snapshot: they have no rows, which is an answer where there were some.

use std::fs;

use icehost_tests::Bed;
use icehost_tests::maintenance::{edit_metadata, forget_older_versions};
use serde_json::Value;

use crate::belonging::{assert_equal, delivered, load, make_target, rows, sync, warns};

/// Puts a table without a snapshot, made by another engine as of now, in the lake table's place.
fn made_anew_and_empty(bed: &Bed) {
    let table = bed.lake("demo.t");
    edit_metadata(&table, |metadata| {
        metadata["table-uuid"] = uuid::Uuid::new_v4().to_string().into();
        for list in ["snapshots", "snapshot-log", "metadata-log"] {
            metadata[list] = serde_json::json!([]);
        }
        metadata["refs"] = serde_json::json!({});
        metadata
            .as_object_mut()
            .unwrap()
            .remove("current-snapshot-id");
        let properties = metadata["properties"].as_object_mut().unwrap();
        properties.retain(|name, _| name == "icehost.source-columns");
    });
    forget_older_versions(&table);
}

#[test]
fn a_lake_table_that_is_created_again_and_has_no_snapshot_takes_the_target_along() {
    let bed = delivered("upsert");
    made_anew_and_empty(&bed);
    let dry = load(&bed, "upsert", &["--dry-run"]).run().success();
    assert!(
        dry.stdout.contains("every row of the lake table"),
        "{}",
        dry.stdout
    );
    let again = load(&bed, "upsert", &[]).json();
    warns(&again, "this one was created in its place");
    assert_eq!(again["rows_deleted"], 20, "{again}");
    assert_eq!(again["snapshot_id"], Value::Null);
    assert_eq!(rows(&bed), "0");
    // Told once, and what comes then is brought.
    let next = load(&bed, "upsert", &[]).json();
    assert_eq!(next["warnings"], serde_json::json!([]), "{next}");
    sync(&bed);
    assert_eq!(load(&bed, "upsert", &[]).json()["rows_inserted"], 20);
    assert_equal(&bed, "upsert");

    // A merge without a key asks, as with any other table in the place of the one that it knows.
    let bed = delivered("append-only");
    made_anew_and_empty(&bed);
    load(&bed, "append-only", &[]).run().failure(&[
        "which has rows",
        "this one was created in its place",
        "hint: empty the target table and deliver every row with `icehost load --full`",
    ]);
    bed.target().execute("DELETE FROM dbo.T");
    load(&bed, "append-only", &["--full"]).json();
    sync(&bed);
    assert_eq!(load(&bed, "append-only", &[]).json()["rows_inserted"], 20);
    assert_equal(&bed, "append-only");
}

#[test]
fn a_source_that_is_empty_when_its_lake_is_lost_empties_the_target() {
    let bed = delivered("upsert");
    bed.source().execute("DELETE FROM dbo.T");
    fs::remove_dir_all(bed.lake("demo.t")).unwrap();
    sync(&bed);
    let again = load(&bed, "upsert", &[]).json();
    warns(&again, "this one was created in its place");
    assert_eq!(again["rows_deleted"], 20, "{again}");
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (5, 5, '2026-03-01')");
    sync(&bed);
    load(&bed, "upsert", &[]).json();
    assert_equal(&bed, "upsert");
}

#[test]
fn a_lake_table_without_a_snapshot_is_no_reason_to_touch_a_target() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL)",
    );
    make_target(&bed);
    bed.target()
        .execute("INSERT INTO dbo.T VALUES (99, 0, '2020-01-01')");
    sync(&bed);
    let first = load(&bed, "upsert", &[]);
    assert_eq!(first.json()["rows_deleted"], 0);
    assert_eq!(rows(&bed), "1");
    // Asked to, it takes the row out.
    assert_eq!(load(&bed, "upsert", &["--full"]).json()["rows_deleted"], 1);
    assert_equal(&bed, "upsert");
}
