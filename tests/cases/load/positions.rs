//! The target's position in the lake: a row in the target, moved by the merge's own transaction.

use icehost_tests::Bed;

/// A lake table with a history of its own; the target does not take part.
fn lake(bed: &Bed) {
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Text nvarchar(20) NULL, Modified datetime2 NOT NULL);
         INSERT INTO dbo.T SELECT value, CONCAT(N'row ', value), '2026-01-01' FROM GENERATE_SERIES(1, 50)",
    );
    sync(bed);
}

fn sync(bed: &Bed) -> serde_json::Value {
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .json()
}

fn load(bed: &Bed, more: &[&str]) -> serde_json::Value {
    bed.load("demo.t", "dbo.T")
        .args(["--merge", "upsert", "--create-target"])
        .args(more.iter().copied())
        .json()
}

#[test]
fn several_snapshots_arrive_as_one_net_change() {
    let bed = Bed::new();
    lake(&bed);
    assert_eq!(load(&bed, &[])["rows_inserted"], 50);
    for day in ["2026-01-02", "2026-01-03"] {
        bed.source().execute(&format!(
            "UPDATE dbo.T SET Text = N'{day}', Modified = '{day}' WHERE Id <= 5;
             INSERT INTO dbo.T SELECT MAX(Id) + 1, NULL, '{day}' FROM dbo.T"
        ));
        sync(&bed);
    }
    let report = load(&bed, &[]);
    assert_eq!(report["rows_updated"], 5);
    assert_eq!(report["rows_inserted"], 2);
    assert_eq!(report["rows_deleted"], 0);
    bed.source_dump("dbo.T")
        .assert_equals(&bed.target_dump("dbo.T"), "source", "target");
    assert_eq!(
        bed.target()
            .value("SELECT COUNT(*) FROM dbo.icehost_positions"),
        "1"
    );
}

#[test]
fn a_full_load_mends_a_target_that_went_its_own_way() {
    let bed = Bed::new();
    lake(&bed);
    load(&bed, &[]);
    bed.target().execute(
        "DELETE FROM dbo.T WHERE Id = 7; UPDATE dbo.T SET Text = NULL WHERE Id = 8;
         INSERT INTO dbo.T VALUES (999, N'stray', '2026-01-01')",
    );
    let again = bed
        .load("demo.t", "dbo.T")
        .args(["--merge", "upsert"])
        .leaves_apart("the target was changed by hand, which nothing but verify sees")
        .json();
    assert_eq!(again["rows_inserted"], 0, "the lake did not change");
    for more in [
        &["--full"][..],
        &["--full", "--merge-option", "delete-missing=true"],
    ] {
        let full = load(&bed, more);
        assert_eq!(full["rows_inserted"], 1);
        assert_eq!(full["rows_deleted"], 1);
        bed.source_dump("dbo.T")
            .assert_equals(&bed.target_dump("dbo.T"), "source", "target");
        bed.target().execute(
            "DELETE FROM dbo.T WHERE Id = 7; INSERT INTO dbo.T VALUES (999, N'stray', '2026-01-01')",
        );
    }
}

#[test]
fn each_target_table_has_its_own_position() {
    let bed = Bed::new();
    lake(&bed);
    load(&bed, &[]);
    let other = bed
        .load("demo.t", "dbo.Other")
        .args(["--merge", "upsert", "--create-target"])
        .json();
    assert_eq!(other["rows_inserted"], 50);
    bed.target_dump("dbo.T").assert_equals(
        &bed.target_dump("dbo.Other"),
        "one target",
        "the other",
    );
}

#[test]
fn a_position_that_the_lake_no_longer_knows_is_delivered_anew() {
    let bed = Bed::new();
    lake(&bed);
    load(&bed, &[]);
    bed.target().execute(
        "UPDATE dbo.icehost_positions SET snapshot_id = 1; INSERT INTO dbo.T VALUES (999, N'stray', '2026-01-01')",
    );
    let again = load(&bed, &[]);
    assert_eq!(
        (&again["rows_updated"], &again["rows_deleted"]),
        (&50.into(), &1.into())
    );
    let warnings = again["warnings"].to_string();
    assert!(
        warnings.contains("snapshot 1, at which it stands"),
        "{warnings}"
    );
    assert_eq!(load(&bed, &[])["rows_updated"], 0);
}
