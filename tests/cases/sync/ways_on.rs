//! What hints say to do leads out, and ends in equality.

use icehost_tests::maintenance::maintain;
use icehost_tests::{Bed, Command};

const LAKE: &str = "demo.w";

fn bed() -> Bed {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.W (Id int NOT NULL PRIMARY KEY, N int NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.W VALUES (1, 10, '2024-01-01'), (2, 20, '2024-01-02')",
    );
    bed
}

fn sync(bed: &Bed, merge: &str) -> Command {
    bed.sync("dbo.W", LAKE)
        .args(["--strategy", "timestamp", "--merge", merge])
        .args(["--target", &bed.target_url(), "--create-target"])
}

#[track_caller]
fn assert_equal(bed: &Bed) {
    let rows = "SELECT Id, N FROM dbo.W ORDER BY Id";
    assert_eq!(bed.source().rows(rows), bed.target().rows(rows));
}

/// `N` has become a bigint, and has such a value.
fn widen(bed: &Bed) {
    bed.source()
        .execute("ALTER TABLE dbo.W ALTER COLUMN N bigint NULL");
    bed.source()
        .execute("UPDATE dbo.W SET N = 5000000000, Modified = '2024-02-01' WHERE Id = 1");
    sync(bed, "upsert").run().failure(&[
        "column 'N' is bigint in source table dbo.W, but int in lake table demo.w",
        "hint: widen the column of the lake table to long, by another engine, and that of a target",
        "or move the directory of the lake table away and run again",
    ]);
    bed.target()
        .execute("ALTER TABLE dbo.W ALTER COLUMN N bigint NULL");
}

#[test]
fn a_column_that_has_become_wider_is_carried_after_the_lake_s_was_widened() {
    let bed = bed();
    sync(&bed, "upsert").json();
    widen(&bed);
    maintain(&bed.lake(LAKE), &["widen=N"]);
    let run = sync(&bed, "upsert").json();
    assert_eq!(run["rows_updated"], 1, "{run}");
    assert_equal(&bed);
}

#[test]
fn a_column_of_another_type_is_carried_by_a_lake_table_in_the_place_of_the_old_one() {
    let bed = bed();
    sync(&bed, "upsert").json();
    widen(&bed);
    bed.source().execute("DELETE FROM dbo.W WHERE Id = 2");
    std::fs::rename(bed.lake(LAKE), bed.path("away")).unwrap();
    sync(&bed, "upsert").json();
    assert_equal(&bed);
}

#[test]
fn a_table_that_is_created_for_every_version_takes_every_version() {
    let bed = bed();
    let run = sync(&bed, "append-only").json();
    assert_eq!(run["rows_inserted"], 2, "{run}");
    for day in ["2024-02-01", "2024-02-02"] {
        bed.source().execute(&format!(
            "UPDATE dbo.W SET N = N + 1, Modified = '{day}' WHERE Id = 1"
        ));
        let run = sync(&bed, "append-only").json();
        assert_eq!(run["rows_inserted"], 1, "{run}");
    }
    let there = bed.target().value("SELECT COUNT(*) FROM dbo.W");
    assert_eq!(there, "4");
    // The columns of the key have no NULL still.
    let nullable = "SELECT COUNT(*) FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'W' AND IS_NULLABLE = 'YES'";
    assert_eq!(bed.target().value(nullable), "1");
}

#[test]
fn a_unique_key_that_keeps_versions_out_is_told_before_it_does() {
    let bed = bed();
    bed.target().execute(
        "CREATE TABLE dbo.W (Id int NOT NULL PRIMARY KEY, N int NULL, Modified datetime2(3) NOT NULL)",
    );
    let first = sync(&bed, "append-only").run().success();
    let told = "target table dbo.W has a unique key (Id), and the merge adds every row: a second version of a row is \
                refused by the server";
    assert!(first.stderr.contains(told), "{}", first.stderr);
    bed.source()
        .execute("UPDATE dbo.W SET N = 11, Modified = '2024-02-01' WHERE Id = 1");
    sync(&bed, "append-only").run().failure(&[
        "2627",
        "hint: a row with this key is already in the target: as another version",
    ]);
}

#[test]
fn rows_are_counted_before_it_is_told_that_some_are_missing() {
    let bed = bed();
    sync(&bed, "upsert").json();
    bed.source()
        .execute("UPDATE dbo.W SET N = 11, Modified = '2024-02-01' WHERE Id = 1");
    sync(&bed, "upsert").json();
    // The deletes of files that are gone stay in the totals.
    maintain(&bed.lake(LAKE), &["compact"]);
    for _ in 0..2 {
        let run = sync(&bed, "upsert").run().success();
        assert!(!run.stderr.contains("rows more than"), "{}", run.stderr);
        bed.source()
            .execute("UPDATE dbo.W SET N = 12, Modified = '2024-03-01' WHERE Id = 2");
    }
    bed.source()
        .execute("INSERT INTO dbo.W VALUES (3, 30, '2023-01-01')");
    let run = sync(&bed, "upsert")
        .leaves_apart("a row came below the mark")
        .run()
        .success();
    let told = "dbo.W has 1 row more than lake table demo.w";
    assert!(run.stderr.contains(told), "{}", run.stderr);
}
