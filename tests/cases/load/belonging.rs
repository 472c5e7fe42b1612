//! A position belongs to one table of the target and to one line of the lake's snapshots. Where it does not fit what
//! is there, the run says what it found, and ends in equality or asks.

use std::fs;

use icehost_tests::{Bed, Command};
use serde_json::Value;

/// A source with rows 1 to 20, synced into the lake, and a target that has them.
pub(crate) fn delivered(merge: &str) -> Bed {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.T SELECT value, value, '2026-01-01' FROM GENERATE_SERIES(1, 20)",
    );
    make_target(&bed);
    sync(&bed);
    assert_eq!(load(&bed, merge, &[]).json()["rows_inserted"], 20);
    bed
}

pub(crate) fn make_target(bed: &Bed) {
    bed.target().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL, V int NOT NULL, Modified datetime2(3) NOT NULL);
         ALTER TABLE dbo.T ADD CONSTRAINT PK_T PRIMARY KEY (Id)",
    );
}

/// The whole source, deletions too.
pub(crate) fn sync(bed: &Bed) -> Value {
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", "full-refresh", "--merge", "upsert"])
        .args(["--merge-option", "delete-missing=true"])
        .json()
}

pub(crate) fn load(bed: &Bed, merge: &str, more: &[&str]) -> Command {
    bed.load("demo.t", "dbo.T")
        .args(["--merge", merge])
        .args(more.iter().copied())
}

/// Source and target are equal, and the next run has nothing to do.
#[track_caller]
pub(crate) fn assert_equal(bed: &Bed, merge: &str) {
    bed.source_dump("dbo.T")
        .assert_equals(&bed.target_dump("dbo.T"), "source", "target");
    let next = load(bed, merge, &[]).json();
    assert_eq!(next["warnings"], serde_json::json!([]), "{next}");
    for count in ["rows_inserted", "rows_updated", "rows_deleted"] {
        assert_eq!(next[count], 0, "{count}");
    }
}

#[track_caller]
pub(crate) fn warns(report: &Value, text: &str) {
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains(text), "'{text}' is missing in {warnings}");
}

pub(crate) fn rows(bed: &Bed) -> String {
    bed.target().value("SELECT COUNT(*) FROM dbo.T")
}

#[test]
fn a_target_that_was_dropped_and_created_again_gets_every_row() {
    let bed = delivered("upsert");
    bed.target().execute("DROP TABLE dbo.T");
    make_target(&bed);
    let again = load(&bed, "upsert", &[]).json();
    assert_eq!(again["rows_inserted"], 20);
    warns(&again, "that was dropped, and this one created after it");
    assert_equal(&bed, "upsert");

    // With rows of somebody's in it, which the lake does not have.
    bed.target().execute("DROP TABLE dbo.T");
    make_target(&bed);
    bed.target()
        .execute("INSERT INTO dbo.T VALUES (1, 0, '2020-01-01'), (99, 0, '2020-01-01')");
    let again = load(&bed, "upsert", &[]).json();
    assert_eq!(
        (&again["rows_inserted"], &again["rows_deleted"]),
        (&19.into(), &1.into())
    );
    assert_equal(&bed, "upsert");

    // Created by the run itself.
    bed.target().execute("DROP TABLE dbo.T");
    let again = load(&bed, "upsert", &["--create-target"]).json();
    assert_eq!(again["rows_inserted"], 20);
    warns(&again, "that was dropped, and this one created after it");
    assert_equal(&bed, "upsert");
}

#[test]
fn a_target_that_was_emptied_gets_every_row() {
    let bed = delivered("upsert");
    for emptied in ["TRUNCATE TABLE dbo.T", "DELETE FROM dbo.T"] {
        bed.target().execute(emptied);
        let again = load(&bed, "upsert", &[]).json();
        assert_eq!(again["rows_inserted"], 20, "{emptied}");
        warns(&again, "it is empty, and had 20 rows after the last run");
        assert_equal(&bed, "upsert");
    }
    // One that is empty because the lake is stays so without a word.
    bed.source().execute("DELETE FROM dbo.T WHERE Id > 1");
    sync(&bed);
    load(&bed, "upsert", &[]).json();
    assert_equal(&bed, "upsert");
}

#[test]
fn rows_that_somebody_removes_are_told() {
    let bed = delivered("upsert");
    bed.target().execute("DELETE FROM dbo.T WHERE Id > 15");
    let by_hand = "rows were removed from the target by hand";
    let next = load(&bed, "upsert", &[]).leaves_apart(by_hand).json();
    warns(&next, "has 15 rows and had 20 after the last run");
    // Told once; the way back is one command.
    let next = load(&bed, "upsert", &[]).leaves_apart(by_hand).json();
    assert_eq!(next["warnings"], serde_json::json!([]));
    assert_eq!(load(&bed, "upsert", &["--full"]).json()["rows_inserted"], 5);
    assert_equal(&bed, "upsert");
}

/// Takes the lake back by the files of its last `snapshots` commits.
fn roll_back(bed: &Bed, snapshots: u64) {
    let metadata = bed.lake("demo.t").join("metadata");
    let hint = metadata.join("version-hint.text");
    let version: u64 = fs::read_to_string(&hint).unwrap().trim().parse().unwrap();
    for gone in version - snapshots + 1..=version {
        fs::remove_file(metadata.join(format!("v{gone}.metadata.json"))).unwrap();
    }
    fs::write(&hint, (version - snapshots).to_string()).unwrap();
}

#[test]
fn a_lake_that_was_rolled_back_takes_the_target_along() {
    let bed = delivered("upsert");
    bed.source().execute(
        "DELETE FROM dbo.T WHERE Id <= 3; INSERT INTO dbo.T VALUES (50, 50, '2026-02-01')",
    );
    sync(&bed);
    load(&bed, "upsert", &[]).json();
    roll_back(&bed, 1);
    let back = load(&bed, "upsert", &[]).json();
    warns(&back, "is not in the lake table any more");
    assert_eq!(
        (&back["rows_inserted"], &back["rows_deleted"]),
        (&3.into(), &1.into())
    );
    assert_eq!(rows(&bed), "20");
    assert_eq!(load(&bed, "upsert", &[]).json()["rows_inserted"], 0);
}

#[test]
fn a_lake_table_that_is_created_again_in_its_place_takes_the_target_along() {
    let bed = delivered("upsert");
    bed.source()
        .execute("DELETE FROM dbo.T WHERE Id > 12; UPDATE dbo.T SET V = 0 WHERE Id = 1");
    fs::remove_dir_all(bed.lake("demo.t")).unwrap();
    sync(&bed);
    let again = load(&bed, "upsert", &[]).json();
    warns(&again, "this one was created in its place");
    assert_eq!(again["rows_deleted"], 8);
    assert_equal(&bed, "upsert");
    let positions = "SELECT COUNT(*) FROM dbo.icehost_positions";
    assert_eq!(bed.target().value(positions), "1");
}

#[test]
fn a_position_that_was_changed_by_hand_is_not_gone_on_from() {
    let bed = delivered("upsert");
    let first = bed
        .target()
        .value("SELECT snapshot_id FROM dbo.icehost_positions");
    bed.source().execute("UPDATE dbo.T SET V = 70 WHERE Id = 7");
    sync(&bed);
    load(&bed, "upsert", &[]).json();
    bed.target().execute(&format!(
        "UPDATE dbo.icehost_positions SET snapshot_id = {first}"
    ));
    let again = load(&bed, "upsert", &[]).json();
    warns(&again, "was changed by hand");
    assert_equal(&bed, "upsert");
}

#[test]
fn a_full_load_takes_out_what_the_lake_does_not_have_by_the_mergers_own_way() {
    let bed = delivered("upsert");
    let strays = "INSERT INTO dbo.T VALUES (98, 0, '2020-01-01'), (99, 0, '2020-01-01')";
    bed.target().execute(strays);
    let full = load(&bed, "upsert", &["--full"]).json();
    assert_eq!(
        (&full["rows_updated"], &full["rows_deleted"]),
        (&20.into(), &2.into())
    );
    assert_equal(&bed, "upsert");
    bed.target().execute(strays);
    let ignoring = ["--full", "--merge-option", "deletes=ignore"];
    assert_eq!(load(&bed, "upsert", &ignoring).json()["rows_deleted"], 0);
    assert_eq!(rows(&bed), "22");

    bed.target().execute(
        "CREATE TABLE dbo.Marked (Id int NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL, IsDeleted bit NOT NULL)",
    );
    let soft = |more: &[&str]| {
        bed.load("demo.t", "dbo.Marked")
            .args(["--merge", "soft-delete"])
            .args(more.iter().copied())
            .json()
    };
    assert_eq!(soft(&[])["rows_inserted"], 20);
    bed.target()
        .execute("INSERT INTO dbo.Marked VALUES (99, 0, '2020-01-01', 0)");
    soft(&["--full"]);
    let marked = "SELECT Id FROM dbo.Marked WHERE IsDeleted = 1";
    assert_eq!(bed.target().rows(marked), [["99"]]);
}

#[test]
fn rows_that_were_there_before_the_first_delivery_stay_unless_asked_for() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.T VALUES (1, 1, '2026-01-01')",
    );
    make_target(&bed);
    bed.target()
        .execute("INSERT INTO dbo.T VALUES (99, 0, '2020-01-01')");
    sync(&bed);
    let first = load(&bed, "upsert", &[]);
    let first = first.leaves_apart("the target has a row of its own").json();
    warns(&first, "had rows before its first delivery");
    assert_eq!(rows(&bed), "2");
    assert_eq!(load(&bed, "upsert", &["--full"]).json()["rows_deleted"], 1);
    assert_equal(&bed, "upsert");
}

#[test]
fn rows_that_another_lake_table_delivered_are_left_alone() {
    let bed = delivered("upsert");
    bed.source().execute(
        "CREATE TABLE dbo.U (Id int NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.U VALUES (101, 1, '2026-01-01')",
    );
    bed.sync("dbo.U", "demo.u")
        .args(["--strategy", "full-refresh", "--merge", "upsert"])
        .json();
    let other = |more: &[&str]| {
        bed.load("demo.u", "dbo.T")
            .args(["--merge", "upsert"])
            .args(more.iter().copied())
    };
    assert_eq!(other(&[]).json()["rows_inserted"], 1);
    assert_eq!(rows(&bed), "21");
    let full = load(&bed, "upsert", &["--full"]).json();
    assert_eq!(full["rows_deleted"], 0);
    warns(&full, "which of them demo.u delivered cannot be told");
    other(&["--full", "--merge-option", "delete-missing=true"])
        .run()
        .failure(&["would take the rows of 1 other lake table (demo.t)", "hint"]);
    assert_eq!(rows(&bed), "21");
}

/// The table of positions as an earlier version made it.
pub(crate) fn as_an_earlier_version_left_it(bed: &Bed) {
    let mut target = bed.target();
    let known = target.rows(
        "SELECT CAST(lake_uuid AS nvarchar(40)), target_table, lake_table, CAST(snapshot_id AS nvarchar(40)), run_id
         FROM dbo.icehost_positions",
    );
    target.execute(
        "DROP TABLE dbo.icehost_positions;
         CREATE TABLE dbo.icehost_positions (
            lake_uuid uniqueidentifier NOT NULL, target_table nvarchar(440) NOT NULL,
            lake_table nvarchar(1000) NOT NULL, snapshot_id bigint NOT NULL, run_id nvarchar(100) NOT NULL,
            rows_inserted bigint NOT NULL, rows_updated bigint NOT NULL, rows_deleted bigint NOT NULL,
            updated_at datetime2(3) NOT NULL, PRIMARY KEY CLUSTERED (lake_uuid, target_table))",
    );
    for row in known {
        target.execute(&format!(
            "INSERT INTO dbo.icehost_positions VALUES ('{}', N'{}', N'{}', {}, N'{}', 0, 0, 0, SYSUTCDATETIME())",
            row[0], row[1], row[2], row[3], row[4]
        ));
    }
}

#[test]
fn the_positions_of_an_earlier_version_are_taken_over() {
    for changed in [false, true] {
        let bed = delivered("upsert");
        as_an_earlier_version_left_it(&bed);
        if changed {
            bed.source().execute("UPDATE dbo.T SET V = 70 WHERE Id = 7");
            sync(&bed);
        }
        let next = load(&bed, "upsert", &[]).json();
        assert_eq!(next["rows_updated"], i32::from(changed));
        assert_eq!(next["rows_inserted"], 0);
        // From now on it is known which table it is.
        bed.target().execute("DROP TABLE dbo.T");
        make_target(&bed);
        let again = load(&bed, "upsert", &[]).json();
        warns(&again, "that was dropped");
        assert_equal(&bed, "upsert");
    }
}

#[test]
fn append_only_adds_no_row_twice() {
    let refused = "every row would be added to target table dbo.T, which has rows";
    // Everything again, asked for.
    let bed = delivered("append-only");
    load(&bed, "append-only", &["--full"]).run().failure(&[
        refused,
        "hint",
        "empty the target table",
    ]);
    // The position is lost.
    bed.target().execute("DELETE FROM dbo.icehost_positions");
    load(&bed, "append-only", &[])
        .run()
        .failure(&[refused, "nothing has been delivered"]);
    assert_eq!(rows(&bed), "20");
    bed.target().execute("DELETE FROM dbo.T");
    assert_eq!(load(&bed, "append-only", &[]).json()["rows_inserted"], 20);
    // The lake is rolled back.
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (21, 21, '2026-02-01')");
    sync(&bed);
    assert_eq!(load(&bed, "append-only", &[]).json()["rows_inserted"], 1);
    roll_back(&bed, 1);
    load(&bed, "append-only", &[])
        .run()
        .failure(&[refused, "not in the lake table any more"]);
    load(&bed, "append-only", &["--full"])
        .run()
        .failure(&[refused]);
    // The lake is lost.
    fs::remove_dir_all(bed.lake("demo.t")).unwrap();
    sync(&bed);
    load(&bed, "append-only", &[])
        .run()
        .failure(&[refused, "this one was created in its place"]);
    assert_eq!(rows(&bed), "21");
    // The way that the hint names.
    bed.target().execute("TRUNCATE TABLE dbo.T");
    assert_eq!(
        load(&bed, "append-only", &["--full"]).json()["rows_inserted"],
        21
    );
    assert_eq!(load(&bed, "append-only", &[]).json()["rows_inserted"], 0);
}

#[test]
fn append_only_into_a_table_that_was_emptied_or_replaced_asks() {
    let bed = delivered("append-only");
    bed.target().execute("TRUNCATE TABLE dbo.T");
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (21, 21, '2026-02-01')");
    sync(&bed);
    load(&bed, "append-only", &[]).run().failure(&[
        "it is empty, and had 20 rows after the last run",
        "--full",
        "--trust-position",
    ]);
    let emptied = "the target was emptied on purpose";
    let trusted = load(&bed, "append-only", &["--trust-position"]);
    let trusted = trusted.leaves_apart(emptied).json();
    assert_eq!(trusted["rows_inserted"], 1, "what is new");

    // Another table with the rows, as a restore of it alone leaves it.
    bed.target().execute(
        "DROP TABLE dbo.T;
         CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.T VALUES (21, 21, '2026-02-01')",
    );
    load(&bed, "append-only", &[]).run().failure(&[
        "which has rows",
        "that was dropped",
        "--trust-position",
    ]);
    for more in [&["--trust-position"][..], &[]] {
        let next = load(&bed, "append-only", more).leaves_apart(emptied).json();
        assert_eq!(next["rows_inserted"], 0);
    }
    assert_eq!(rows(&bed), "1");
}

#[test]
fn a_complete_delivery_that_would_delete_most_of_a_large_target_stops() {
    for merge in ["upsert", "soft-delete"] {
        let bed = Bed::new();
        bed.source().execute(
            "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL);
             INSERT INTO dbo.T SELECT value, value, '2026-01-01' FROM GENERATE_SERIES(1, 2000)",
        );
        bed.target().execute(
            "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL, IsDeleted bit NULL)",
        );
        sync(&bed);
        load(&bed, merge, &[]).json();
        bed.source().execute("DELETE FROM dbo.T WHERE Id > 900");
        fs::remove_dir_all(bed.lake("demo.t")).unwrap();
        sync(&bed);
        let refused = load(&bed, merge, &[]).run();
        refused.failure(&[
            "1100 of the 2000 rows of target table dbo.T",
            "--allow-deletes",
        ]);
        let live = "SELECT COUNT(*) FROM dbo.T WHERE IsDeleted = 0 OR IsDeleted IS NULL";
        assert_eq!(bed.target().value(live), "2000");
        load(&bed, merge, &["--allow-deletes"]).json();
        assert_eq!(bed.target().value(live), "900");
        // What is marked already does not go again.
        let full = load(&bed, merge, &["--full"]).run();
        if merge == "upsert" {
            full.success();
        }
    }
}

#[test]
fn rows_of_a_lake_table_that_is_gone_go_as_the_warning_says() {
    let bed = delivered("upsert");
    bed.source().execute(
        "CREATE TABLE dbo.U (Id int NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.U VALUES (101, 1, '2026-01-01')",
    );
    bed.sync("dbo.U", "demo.u")
        .args(["--strategy", "full-refresh", "--merge", "upsert"])
        .json();
    let other = bed.load("demo.u", "dbo.T").args(["--merge", "upsert"]);
    other.json();
    fs::remove_dir_all(bed.lake("demo.u")).unwrap();
    let full = load(&bed, "upsert", &["--full"]).json();
    warns(
        &full,
        "delete its row from dbo.icehost_positions and deliver again with `icehost load --full`",
    );
    bed.target()
        .execute("DELETE FROM dbo.icehost_positions WHERE lake_table = N'demo.u'");
    assert_eq!(load(&bed, "upsert", &["--full"]).json()["rows_deleted"], 1);
    assert_equal(&bed, "upsert");
}
