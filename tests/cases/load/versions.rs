//! Versions of a key in a lake that another engine has written anew: which one is the newest.

use icehost_tests::maintenance::maintain;
use icehost_tests::{Bed, Command};

const UNKNOWN: &[&str] = &[
    "lake table demo.p has several rows that differ with the key Id = 1, and nothing tells which of them is the newest",
    "another engine has written them into its own files",
    "hint: say which one counts: --merge-option deduplicate-by=Modified keeps the row with the largest Modified",
    "--lake-merge upsert",
];

/// The lake keeps every version, the target has the latest.
fn sync(bed: &Bed) -> Command {
    bed.sync("dbo.P", "demo.p")
        .args(["--strategy", "timestamp", "--lake-merge", "append-only"])
        .args(["--merge", "upsert", "--target", &bed.target_url()])
}

fn load(bed: &Bed) -> Command {
    bed.load("demo.p", "dbo.P").args(["--merge", "upsert"])
}

fn by_cursor(command: Command) -> Command {
    command.args(["--merge-option", "deduplicate-by=Modified"])
}

fn update(bed: &Bed, key: u32, value: u32, day: &str) {
    bed.source().execute(&format!(
        "UPDATE dbo.P SET V = {value}, Modified = '{day}' WHERE Id = {key}"
    ));
}

/// Three rows, of which the first has two versions.
fn history() -> Bed {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.P (Id int NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.P VALUES (1, 10, '2024-01-01'), (2, 20, '2024-01-01'), (3, 30, '2024-01-01')",
    );
    sync(&bed).arg("--create-target").json();
    update(&bed, 1, 11, "2024-02-01");
    sync(&bed).json();
    bed
}

#[track_caller]
fn assert_equal(bed: &Bed) {
    let rows = "SELECT Id, V FROM dbo.P ORDER BY Id";
    assert_eq!(bed.source().rows(rows), bed.target().rows(rows));
}

#[test]
fn versions_whose_order_another_engine_has_lost_end_the_run_before_anything_is_merged() {
    for steps in [&["compact", "expire"][..], &["unsort", "expire"]] {
        let bed = history();
        maintain(&bed.lake("demo.p"), steps);
        // The position is lost with the snapshot: everything is delivered, by each way.
        let before = bed.target().rows("SELECT Id, V FROM dbo.P ORDER BY Id");
        for command in [sync(&bed), load(&bed), load(&bed).arg("--full")] {
            command.run().failure(UNKNOWN);
            let after = bed.target().rows("SELECT Id, V FROM dbo.P ORDER BY Id");
            assert_eq!(after, before);
        }
        by_cursor(sync(&bed)).json();
        assert_equal(&bed);
        // So it is where there is no target yet.
        bed.target().execute("DROP TABLE dbo.P");
        load(&bed).arg("--create-target").run().failure(UNKNOWN);
        by_cursor(load(&bed)).arg("--create-target").json();
        assert_equal(&bed);
    }
}

#[test]
fn an_old_version_that_was_written_anew_does_not_win() {
    let bed = history();
    // The file of the first versions goes, and what is left of it comes under a later number than the newest version.
    maintain(&bed.lake("demo.p"), &["rewrite=V == 10", "expire"]);
    sync(&bed).run().failure(UNKNOWN);
    by_cursor(sync(&bed)).json();
    assert_equal(&bed);
}

#[test]
fn what_icehost_writes_behind_another_engine_s_files_is_newer() {
    let bed = history();
    maintain(&bed.lake("demo.p"), &["unsort", "expire"]);
    update(&bed, 1, 12, "2024-03-01");
    sync(&bed).json();
    assert_equal(&bed);
    // And it stays so.
    update(&bed, 1, 13, "2024-04-01");
    sync(&bed).json();
    load(&bed).arg("--full").json();
    assert_equal(&bed);
}

#[test]
fn rows_that_are_the_same_and_rows_that_came_by_themselves_are_no_question() {
    let bed = history();
    maintain(
        &bed.lake("demo.p"),
        &[
            "delete=V == 10",
            "compact",
            "copy=Id == 2",
            "compact",
            "expire",
        ],
    );
    load(&bed).arg("--full").json();
    assert_equal(&bed);
}

#[test]
fn what_another_engine_only_added_is_newer_while_its_snapshot_is_known() {
    let bed = history();
    update(&bed, 2, 21, "2024-03-01");
    sync(&bed).json();
    // A row as it was, added again.
    maintain(&bed.lake("demo.p"), &["copy=V == 20"]);
    load(&bed).arg("--full").json();
    let there = bed.target().rows("SELECT V FROM dbo.P WHERE Id = 2");
    assert_eq!(there, [["20"]]);
    maintain(&bed.lake("demo.p"), &["expire"]);
    load(&bed)
        .arg("--full")
        .run()
        .failure(&["with the key Id = 2, and nothing tells which of them is the newest"]);
    by_cursor(load(&bed)).arg("--full").json();
    assert_equal(&bed);
}

#[test]
fn versions_that_are_alike_by_the_column_that_was_named_are_told_apart_by_none() {
    let bed = history();
    update(&bed, 1, 12, "2024-02-01");
    sync(&bed).json();
    maintain(&bed.lake("demo.p"), &["unsort", "expire"]);
    by_cursor(load(&bed)).run().failure(&[
        "with the key Id = 1, and nothing tells which of them counts",
        "hint: name a further column in deduplicate-by",
    ]);
}
