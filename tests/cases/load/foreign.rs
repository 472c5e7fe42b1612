//! Iceberg tables that icehost did not write: PyIceberg makes them, with several snapshots and deletes.

use std::fs;
use std::path::{Path, PathBuf};

use icehost_tests::maintenance::{edit_metadata, maintain};
use icehost_tests::{Bed, python_script};
use serde_json::Value;

/// A table as PyIceberg made it, in the bed's warehouse as `foreign.people`, and what it holds at each
/// snapshot.
pub(crate) fn foreign_table(bed: &Bed, options: &[&str]) -> Vec<Value> {
    let directory = bed.lake("foreign.people");
    fs::create_dir_all(directory.parent().unwrap()).unwrap();
    let mut arguments = vec![directory.display().to_string()];
    arguments.extend(options.iter().map(|&option| option.to_owned()));
    let made = python_script("readers/make_foreign_table.py", &arguments);
    let made: Value = serde_json::from_str(&made).unwrap();
    made["snapshots"].as_array().unwrap().clone()
}

fn load(bed: &Bed) -> Value {
    bed.load("foreign.people", "dbo.People")
        .args(["--merge", "upsert", "--create-target"])
        .json()
}

/// The target holds what PyIceberg says that the snapshot holds.
#[track_caller]
fn assert_target_is_at(bed: &Bed, snapshot: &Value) {
    let expected: Vec<String> = snapshot["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();
    let rows: Vec<String> = bed
        .target_dump("dbo.People")
        .rows
        .iter()
        .map(|row| serde_json::from_str::<Value>(row).unwrap().to_string())
        .collect();
    assert_eq!(rows, expected);
}

fn loads_whole(options: &[&str]) {
    let bed = Bed::new();
    let snapshots = foreign_table(&bed, options);
    let last = snapshots.last().unwrap();
    let first = load(&bed);
    assert_eq!(first["snapshot_id"], last["snapshot_id"]);
    assert_eq!(
        first["rows_inserted"],
        last["rows"].as_array().unwrap().len()
    );
    assert_target_is_at(&bed, last);

    let again = load(&bed);
    for count in ["rows_inserted", "rows_updated", "rows_deleted"] {
        assert_eq!(again[count], 0, "{count}: nothing changed since");
    }
}

/// Lets the table grow version by version, and the target follow.
fn follows_every_snapshot(options: &[&str]) {
    let bed = Bed::new();
    let snapshots = foreign_table(&bed, options);
    let metadata = bed.lake("foreign.people").join("metadata");
    let aside = bed.path("aside");
    fs::create_dir(&aside).unwrap();
    let version =
        |n: usize, directory: &Path| -> PathBuf { directory.join(format!("v{n}.metadata.json")) };
    let versions = (1..)
        .take_while(|&n| version(n, &metadata).exists())
        .count();
    for n in 1..=versions {
        fs::rename(version(n, &metadata), version(n, &aside)).unwrap();
    }
    let (mut deleted, mut compared) = (0, 0);
    for n in 1..=versions {
        fs::rename(version(n, &aside), version(n, &metadata)).unwrap();
        fs::write(metadata.join("version-hint.text"), n.to_string()).unwrap();
        let text = fs::read(version(n, &metadata)).unwrap();
        let current =
            serde_json::from_slice::<Value>(&text).unwrap()["current-snapshot-id"].clone();
        if let Some(snapshot) = snapshots.iter().find(|s| s["snapshot_id"] == current) {
            deleted += load(&bed)["rows_deleted"].as_u64().unwrap();
            assert_target_is_at(&bed, snapshot);
            compared += 1;
        }
    }
    assert_eq!(compared, snapshots.len());
    assert!(deleted > 0, "the table's history has deletes");
}

#[test]
fn a_table_with_rewritten_files() {
    loads_whole(&[]);
}

#[test]
fn a_table_with_position_deletes() {
    loads_whole(&["--position-deletes"]);
}

#[test]
fn changes_by_rewritten_files() {
    follows_every_snapshot(&[]);
}

#[test]
fn changes_by_position_deletes() {
    follows_every_snapshot(&["--position-deletes"]);
}

#[test]
fn a_column_that_is_another_one_under_the_old_name_is_not_passed_over() {
    for (steps, why, column, now) in [
        (&["readd=Text"][..], "'Text' is another one", "Text", None),
        (
            &["rename=Text:Gone", "rename=Note:Text"],
            "'Text' is another one",
            "Text",
            Some("n"),
        ),
        (
            &["rename=Note:Remark"],
            "'Remark' was called 'Note'",
            "Remark",
            Some("n"),
        ),
    ] {
        let bed = Bed::new();
        bed.source().execute(
            "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Text nvarchar(20) NULL, Note nvarchar(20) NULL, \
             Modified datetime2(3) NOT NULL); \
             INSERT INTO dbo.T VALUES (1, N'old', N'n', '2026-01-01'), (2, N'old', N'n', '2026-01-01')",
        );
        bed.target().execute(
            "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Text nvarchar(20) NULL, Note nvarchar(20) NULL, \
             Remark nvarchar(20) NULL, Modified datetime2(3) NOT NULL)",
        );
        bed.sync("dbo.T", "demo.t")
            .args(["--strategy", "timestamp", "--merge", "upsert"])
            .json();
        let load = |more: &[&str]| {
            bed.load("demo.t", "dbo.T")
                .args(["--merge", "upsert"])
                .args(more.iter().copied())
        };
        let gone: &[&str] = match steps.len() {
            2 => &["--exclude-columns", "Gone"],
            _ => &[],
        };
        load(&[]).json();
        maintain(&bed.lake("demo.t"), steps);
        maintain(&bed.lake("demo.t"), &["delete=Id = 2"]);
        match steps {
            ["readd=Text"] => {
                load(gone)
                    .run()
                    .failure(&[why, "hint", "icehost load --full"]);
                load(gone).arg("--full").json();
            }
            // Other columns than those that were delivered before: every row is.
            _ => crate::belonging::warns(&load(gone).json(), "or for other columns"),
        }
        let found = format!("SELECT COUNT(*) FROM dbo.T WHERE Id = 1 AND {column} ");
        let found = found + &now.map_or("IS NULL".to_owned(), |now| format!("= '{now}'"));
        assert_eq!(bed.target().value(&found), "1", "{steps:?}");
        assert_eq!(load(gone).json()["rows_updated"], 0);
    }
}

#[test]
fn a_table_of_format_v3_is_refused_by_name() {
    let bed = Bed::new();
    bed.source()
        .execute("CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY); INSERT INTO dbo.T VALUES (1)");
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", "id", "--merge", "upsert"])
        .json();
    edit_metadata(&bed.lake("demo.t"), |metadata| {
        metadata["format-version"] = 3.into();
        metadata["next-row-id"] = 1.into();
        let snapshot = &mut metadata["snapshots"][0];
        snapshot["first-row-id"] = 0.into();
        snapshot["added-rows"] = 1.into();
    });
    bed.load("demo.t", "dbo.T")
        .args(["--merge", "upsert", "--create-target"])
        .run()
        .failure(&[
            "lake table demo.t is of format v3",
            "hint",
            "initial-default",
        ]);
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", "id", "--merge", "upsert"])
        .run()
        .failure(&["demo.t", "format v3", "hint"]);
}
