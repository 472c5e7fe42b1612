//! What is wrong, what is pending and what a strategy does not see are told apart.

use icehost_tests::Bed;

use crate::{Case, MIRROR, counts, insert, keys};

#[test]
fn what_lies_above_the_mark_is_pending_until_the_next_run() {
    let case = Case::synced(100);
    insert(&case.bed, 500, 3, "2026-02-01");
    case.source("UPDATE dbo.T SET Name = N'new', Modified = '2026-02-01' WHERE Id = 1");
    let report = case.agrees();
    assert_eq!(counts(&report, "lake", "pending"), "3 missing, 1 changed");
    assert_eq!(report["pending"], 4);
    assert_eq!(
        keys(&report, "lake", "pending").first().map(String::as_str),
        Some("changed Id = 1: Name, Modified")
    );
    case.run();
    let report = case.agrees();
    assert_eq!(
        (&report["pending"], &report["not_seen"]),
        (&0.into(), &0.into())
    );
}

#[test]
fn what_the_target_has_not_reached_is_pending() {
    let case = Case::synced(100);
    insert(&case.bed, 500, 3, "2026-02-01");
    case.bed
        .sync("dbo.T", "demo.t")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .run()
        .success();
    let report = case.agrees();
    assert_eq!(report["target"]["undelivered"], 3);
    assert_eq!(report["pending"], 3);
    // What is wrong below the position stays wrong.
    case.target("DELETE FROM dbo.T WHERE Id = 4");
    let report = case.differs();
    assert_eq!(counts(&report, "target", "wrong"), "1 missing");
    assert_eq!(report["pending"], 3);
}

#[test]
fn deletions_are_not_seen_by_a_cursor() {
    let case = Case::synced(100);
    case.source("DELETE FROM dbo.T WHERE Id IN (3, 4)");
    let report = case.agrees();
    assert_eq!(counts(&report, "lake", "not_seen"), "2 extra");
    assert_eq!(
        keys(&report, "lake", "not_seen"),
        ["extra Id = 3", "extra Id = 4"]
    );
    assert_eq!(report["not_seen"], 2);
}

#[test]
fn deletions_are_wrong_where_the_lake_takes_them_out() {
    let case = Case::new(100, &MIRROR);
    case.run();
    case.agrees();
    case.source("DELETE FROM dbo.T WHERE Id IN (3, 4)");
    let report = case.differs();
    assert_eq!(counts(&report, "lake", "wrong"), "2 extra");
    case.run();
    assert_eq!(case.agrees()["not_seen"], 0);
}

#[test]
fn changes_are_not_seen_by_an_identity_but_missing_rows_are_wrong() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int IDENTITY NOT NULL PRIMARY KEY, Name nvarchar(40) NULL);
         INSERT INTO dbo.T (Name) VALUES (N'a'), (N'b'), (N'c');
         SET IDENTITY_INSERT dbo.T ON; INSERT INTO dbo.T (Id, Name) VALUES (1000000, N'far above the others'), (-3000000, N'and below')",
    );
    let sync = ["--strategy", "id", "--merge", "upsert"];
    bed.sync("dbo.T", "demo.t").args(sync).run().success();
    bed.source()
        .execute("UPDATE dbo.T SET Name = N'x' WHERE Id = 2");
    let report = bed.verify("dbo.T", "demo.t").args(sync).json();
    assert_eq!(counts(&report, "lake", "not_seen"), "1 changed");
    // Below every mark that reads again.
    bed.source().execute(
        "SET IDENTITY_INSERT dbo.T ON; INSERT INTO dbo.T (Id, Name) VALUES (-2000000, N'z')",
    );
    let report = crate::differs(bed.verify("dbo.T", "demo.t").args(sync));
    assert_eq!(counts(&report, "lake", "wrong"), "1 missing");
}

#[test]
fn rows_without_a_cursor_that_are_passed_over_are_not_seen() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Modified datetime2(3) NULL);
         INSERT INTO dbo.T VALUES (1, '2026-01-01'), (2, NULL)",
    );
    let sync = [
        "--strategy",
        "timestamp",
        "--strategy-option",
        "column=Modified",
        "--strategy-option",
        "nulls=skip",
        "--merge",
        "upsert",
    ];
    bed.sync("dbo.T", "demo.t").args(sync).run().success();
    let report = bed.verify("dbo.T", "demo.t").args(sync).json();
    assert_eq!(counts(&report, "lake", "not_seen"), "1 missing");
}

#[test]
fn before_the_first_sync_there_is_nothing_to_compare() {
    let case = Case::new(20, &["--strategy", "timestamp", "--merge", "upsert"]);
    case.verify()
        .run()
        .failure(&["there is no lake table demo.t", "hint: "]);
    assert!(!case.bed.warehouse().exists());
    assert_eq!(
        case.bed
            .target()
            .value("SELECT COUNT(*) FROM sys.tables WHERE name = 'T'"),
        "0"
    );
}
