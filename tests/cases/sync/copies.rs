//! A key that another engine has put into the lake a second time, and that is read again.

use icehost_tests::maintenance::maintain;
use icehost_tests::{Bed, Command, Dump};

const LAKE: &str = "demo.p";

fn sync(bed: &Bed, lake_merge: &str) -> Command {
    bed.sync("dbo.P", LAKE)
        .args(["--strategy", "timestamp", "--lake-merge", lake_merge])
        .args(["--merge", "upsert", "--target", &bed.target_url()])
}

/// Three rows, the last one at the mark.
fn bed(key: &str, keys: [&str; 3]) -> Bed {
    let bed = Bed::new();
    let [one, two, three] = keys;
    bed.source().execute(&format!(
        "CREATE TABLE dbo.P (Id {key} NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.P VALUES ({one}, 10, '2024-01-01'), ({two}, 20, '2024-01-02'), ({three}, 30, '2024-02-01')"
    ));
    bed
}

fn rows_in_lake(bed: &Bed) -> usize {
    Dump::pyiceberg(&bed.lake(LAKE), None).rows.len()
}

#[track_caller]
fn assert_equal(bed: &Bed) {
    let rows = "SELECT Id, V FROM dbo.P ORDER BY Id";
    assert_eq!(bed.source().rows(rows), bed.target().rows(rows));
    assert_eq!(rows_in_lake(bed), 3);
}

#[test]
fn a_second_row_of_a_key_that_is_read_again_leaves_the_lake() {
    // The other row may lie above what is read again, in it, or below it.
    let above = &["V:99", "Modified:2026-05-01", "Modified:2020-01-01"][..];
    let below = &["Modified:2020-01-01"][..];
    for (key, keys, columns) in [
        ("int", ["1", "2", "3"], above),
        ("uniqueidentifier", ["NEWID()", "NEWID()", "NEWID()"], below),
        (
            "varchar(10) COLLATE Latin1_General_CI_AS",
            ["'a'", "'b'", "'c'"],
            below,
        ),
    ] {
        for column in columns {
            let bed = bed(key, keys);
            sync(&bed, "upsert").arg("--create-target").json();
            maintain(&bed.lake(LAKE), &[&format!("alter=V == 30:{column}")]);
            assert_eq!(rows_in_lake(&bed), 4);
            let run = sync(&bed, "upsert").json();
            assert_eq!(run["rows_removed"], 2, "{key} {column}: {run}");
            assert_equal(&bed);
            let again = sync(&bed, "upsert").json();
            assert_eq!(again["snapshot_created"], false, "{again}");
        }
    }
}

#[test]
fn rows_of_a_history_that_another_engine_has_written_anew_are_not_added_again() {
    let bed = bed("int", ["1", "2", "3"]);
    let run = || sync(&bed, "append-only").args(["--merge-option", "deduplicate-by=Modified"]);
    run().arg("--create-target").json();
    bed.source()
        .execute("UPDATE dbo.P SET V = 31, Modified = '2024-03-01' WHERE Id = 3");
    run().json();
    for steps in [&["unsort"][..], &["unsort", "expire"], &["rewrite=V == 30"]] {
        maintain(&bed.lake(LAKE), steps);
        let next = run()
            .args(["--strategy-option", "lookback-seconds=100000000"])
            .json();
        assert_eq!(next["rows_appended"], 0, "{steps:?}: {next}");
    }
}
