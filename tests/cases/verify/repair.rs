//! `--repair`: just what is wrong is delivered again.

use icehost_tests::{Bed, Command, Dump};
use serde_json::Value;

use crate::{Case, MIRROR, counts, differs, insert, keys};

fn repaired(case: &Case) -> Value {
    let report = case
        .verify()
        .args(["--repair", "--output", "json"])
        .run()
        .success()
        .json();
    assert_eq!(report["wrong"], 0, "{report}");
    report
}

fn snapshots(case: &Case) -> Value {
    case.bed.on_lake(["snapshots"], "demo.t").json()
}

fn watermark(case: &Case) -> Value {
    case.bed.on_lake(["watermark", "show"], "demo.t").json()["marks"].clone()
}

#[test]
fn wrong_rows_of_the_target_are_delivered_again_and_nothing_else_is() {
    let case = Case::synced(200);
    let position = || {
        case.bed
            .target()
            .rows("SELECT snapshot_id FROM dbo.icehost_positions")
    };
    let (before, at) = (snapshots(&case), position());
    case.target(
        "UPDATE dbo.T SET Name = N'by hand' WHERE Id = 5; DELETE FROM dbo.T WHERE Id IN (6, 7);
         INSERT INTO dbo.T VALUES (-1, N'stray', 0, '2026-01-01')",
    );
    let report = repaired(&case);
    assert_eq!(report["repaired"]["target_rows"], 4, "{report}");
    assert_eq!(report["repaired"]["lake_rows"], 0);
    assert_eq!((snapshots(&case), position()), (before, at));
    let source = case.bed.source_dump("dbo.T");
    source.assert_equals(&case.bed.target_dump("dbo.T"), "source", "target");
    // Nothing to do any more.
    let report = repaired(&case);
    assert_eq!(report["repaired"]["target_rows"], 0);
}

#[test]
fn wrong_rows_of_the_lake_are_committed_and_the_watermark_stays() {
    let case = Case::synced(200);
    let mark = watermark(&case);
    case.source(
        "UPDATE dbo.T SET Name = N'behind the mark' WHERE Id = 5;
         INSERT INTO dbo.T VALUES (1000, N'late', 1, '2020-01-01')",
    );
    insert(&case.bed, 2000, 1, "2026-03-01");
    let report = repaired(&case);
    // One row takes the place of another, one is new.
    assert_eq!(report["repaired"]["lake_rows"], 2, "{report}");
    assert_eq!(counts(&report, "lake", "pending"), "1 missing");
    assert_eq!(watermark(&case), mark);
    // What the lake got, the target gets with the next run, and what was above the mark too.
    assert_eq!(report["target"]["undelivered"], 2);
    case.run();
    let report = case.agrees();
    assert_eq!(
        (&report["pending"], &report["not_seen"]),
        (&0.into(), &0.into())
    );
    let source = case.bed.source_dump("dbo.T");
    source.assert_equals(
        &Dump::agreed(&case.bed.lake("demo.t"), None),
        "source",
        "lake",
    );
    source.assert_equals(&case.bed.target_dump("dbo.T"), "source", "target");
}

#[test]
fn a_repair_of_a_complete_read_takes_out_what_is_gone_and_keeps_the_rest() {
    let case = Case::new(300, &MIRROR);
    case.run();
    case.source("DELETE FROM dbo.T WHERE Id = 8; UPDATE dbo.T SET Amount = 1 WHERE Id = 9");
    let report = case.differs();
    assert_eq!(
        keys(&report, "lake", "wrong"),
        ["changed Id = 9: Amount", "extra Id = 8"]
    );
    let report = repaired(&case);
    assert_eq!(report["lake"]["rows_found"], 299, "{report}");
    case.run();
    let source = case.bed.source_dump("dbo.T");
    source.assert_equals(
        &Dump::agreed(&case.bed.lake("demo.t"), None),
        "source",
        "lake",
    );
    source.assert_equals(&case.bed.target_dump("dbo.T"), "source", "target");
}

#[test]
fn more_wrong_rows_than_there_is_memory_for_are_repaired_in_rounds() {
    let case = Case::synced(3000);
    case.target("DELETE FROM dbo.T WHERE Id > 100");
    let report = case
        .verify()
        .args(["--repair", "--memory-limit", "48MiB", "--limit", "1"])
        .json();
    assert_eq!(report["wrong"], 0, "{report}");
    assert_eq!(report["repaired"]["target_rows"], 2900);
}

#[test]
fn marks_of_deleted_rows_are_repaired() {
    let sync = [
        "--strategy",
        "timestamp",
        "--lake-merge",
        "upsert",
        "--merge",
        "soft-delete",
    ];
    let case = Case::new(20, &sync);
    case.target(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Name nvarchar(40) NULL, Amount decimal(9,2) NULL, Modified datetime2(3) NOT NULL, IsDeleted bit NOT NULL)",
    );
    case.run();
    case.target("UPDATE dbo.T SET IsDeleted = 1 WHERE Id = 3; INSERT INTO dbo.T VALUES (-5, N'x', 1, '2026-01-01', 0)");
    repaired(&case);
    assert_eq!(
        case.bed
            .target()
            .rows("SELECT Id FROM dbo.T WHERE IsDeleted = 1"),
        [["-5"]]
    );
}

#[test]
fn a_key_that_stands_twice_is_put_right_in_one_transaction() {
    let case = Case::new(20, &["--strategy", "timestamp", "--merge", "upsert"]);
    case.target(
        "CREATE TABLE dbo.T (Id int NOT NULL, Name nvarchar(40) NULL, Amount decimal(9,2) NULL, Modified datetime2(3) NOT NULL)",
    );
    case.run();
    case.target("INSERT INTO dbo.T SELECT Id, N'again', Amount, Modified FROM dbo.T WHERE Id = 3");
    let rows = || {
        case.bed
            .target()
            .rows("SELECT Id, Name FROM dbo.T WHERE Id IN (3, 4) ORDER BY Id, Name")
    };
    let before = rows();
    assert_eq!(before.len(), 3);
    for place in ["sqlserver::after-merge", "sqlserver::before-commit"] {
        for times in ["return", "1*off->return"] {
            let failing = case
                .verify()
                .arg("--repair")
                .env("FAILPOINTS", &format!("{place}={times}"))
                .run();
            // There is no second transaction that could fail alone.
            match times {
                "return" => assert_ne!(failing.code, Some(0)),
                _ => assert_eq!(failing.code, Some(0)),
            }
            let now = rows();
            match times {
                "return" => assert_eq!(now, before, "{place}"),
                _ => assert_eq!(now.len(), 2, "{place}"),
            }
        }
        case.target(
            "INSERT INTO dbo.T SELECT Id, N'again', Amount, Modified FROM dbo.T WHERE Id = 3",
        );
    }
    let report = repaired(&case);
    assert_eq!(report["repaired"]["target_rows"], 3, "{report}");
    let source = case.bed.source_dump("dbo.T");
    source.assert_equals(&case.bed.target_dump("dbo.T"), "source", "target");
}

#[test]
fn merges_that_only_add_are_not_repaired() {
    let append = [
        "--strategy",
        "timestamp",
        "--lake-merge",
        "append-only",
        "--merge",
        "upsert",
    ];
    let case = Case::new(20, &append);
    case.run();
    case.source("UPDATE dbo.T SET Name = N'x' WHERE Id = 1");
    let before = snapshots(&case);
    case.verify().arg("--repair").run().failure(&[
        "lake table demo.t cannot be repaired: its merge adds every row that is delivered",
        "hint: ",
    ]);
    assert_eq!(snapshots(&case), before);

    let history = [
        "--strategy",
        "timestamp",
        "--lake-merge",
        "upsert",
        "--merge",
        "scd2",
    ];
    let case = Case::new(20, &history);
    case.target(
        "CREATE TABLE dbo.T (HistoryId bigint IDENTITY NOT NULL PRIMARY KEY, Id int NOT NULL, Name nvarchar(40) NULL, Amount decimal(9,2) NULL, Modified datetime2(3) NOT NULL, ValidFrom datetime2(3) NOT NULL, ValidTo datetime2(3) NULL, IsCurrent bit NOT NULL)",
    );
    case.run();
    case.target("UPDATE dbo.T SET Amount = 0 WHERE Id = 2");
    case.verify().arg("--repair").run().failure(&[
        "cannot be repaired: its merge would make a version of every row that is delivered",
    ]);
}

const SPELLED: &str = "V int NOT NULL, Modified datetime2(3) NOT NULL";

/// One row with the key `ann`, synced; `key` and `more` are how the target's column compares, and what it has besides.
fn spelled<'a>(
    bed: &'a Bed,
    merge: &'a [&'a str],
    key: &str,
    more: &str,
) -> impl Fn(Command) -> Command + use<'a> {
    let ci = "K varchar(20) COLLATE Latin1_General_CI_AS NOT NULL PRIMARY KEY";
    bed.source().execute(&format!(
        "CREATE TABLE dbo.T ({ci}, {SPELLED}); INSERT INTO dbo.T VALUES ('ann', 1, '2026-01-01')"
    ));
    bed.target().execute(&format!(
        "CREATE TABLE dbo.T (K varchar(20) COLLATE {key} NOT NULL PRIMARY KEY, {SPELLED}{more})"
    ));
    let to = bed.target_url();
    let with = move |command: Command| {
        let command = command.args(["--strategy", "timestamp", "--lake-merge", "upsert"]);
        command.args(merge.iter().copied()).args(["--target", &to])
    };
    with(bed.sync("dbo.T", "demo.t")).run().success();
    with
}

#[test]
fn a_repair_under_soft_delete_writes_a_key_as_it_is_spelled() {
    let bed = Bed::new();
    let merge = ["--merge", "soft-delete"];
    let with = spelled(
        &bed,
        &merge,
        "Latin1_General_CI_AS",
        ", IsDeleted bit NOT NULL",
    );
    bed.target().execute("UPDATE dbo.T SET K = 'ANN'");
    let verify = || with(bed.verify("dbo.T", "demo.t"));
    let report = differs(verify());
    assert_eq!(counts(&report, "target", "wrong"), "1 changed", "{report}");
    let report = verify().args(["--repair", "--output", "json"]);
    let report = report.run().success().json();
    assert_eq!(report["repaired"]["target_rows"], 1, "{report}");
    let rows = bed.target().rows("SELECT K, IsDeleted FROM dbo.T");
    assert_eq!(rows, [["ann", "false"]]);
}

/// A merge that takes no row out leaves a second one of a key, which a target lets in that tells more keys apart.
#[test]
fn where_a_repair_does_not_help_the_hint_says_what_does() {
    let bed = Bed::new();
    let merge = ["--merge", "upsert", "--merge-option", "deletes=ignore"];
    let with = spelled(&bed, &merge, "Latin1_General_CS_AS", "");
    bed.target()
        .execute("INSERT INTO dbo.T VALUES ('ANN', 1, '2026-01-01')");
    let verify = || with(bed.verify("dbo.T", "demo.t"));
    let report = differs(verify());
    assert_eq!(counts(&report, "target", "wrong"), "1 repeated", "{report}");
    let repair = verify().arg("--repair").run();
    repair.failure(&["a repair has not put it right", "delete the rows"]);
    bed.target().execute("DELETE FROM dbo.T");
    verify().arg("--repair").run().success();
    assert_eq!(bed.target().value("SELECT K FROM dbo.T"), "ann");
}
