//! Pending is what a later run takes away by itself, and nothing else.

use icehost_tests::Bed;
use icehost_tests::maintenance::maintain;

use crate::{Case, counts, differs, keys};

/// A row that stands in the lake twice, as another engine leaves it, is left as it is by runs that read it again and
/// find it there.
#[test]
fn a_second_row_of_a_key_in_the_lake_is_wrong_and_a_repair_takes_it_out() {
    let case = Case::synced(20);
    // Row 20 lies at the mark and is read again by each run, row 3 is not.
    maintain(&case.bed.lake("demo.t"), &["copy=Id == 20 or Id == 3"]);
    let report = case.differs();
    assert_eq!(
        keys(&report, "lake", "wrong"),
        ["repeated Id = 20", "repeated Id = 3"]
    );
    assert_eq!(counts(&report, "lake", "pending"), "");
    let report = case.verify().arg("--repair").json();
    assert_eq!(report["wrong"], 0, "{report}");
    assert_eq!(report["lake"]["rows_found"], 20);
    case.run();
    assert_eq!(case.agrees()["pending"], 0);
    let source = case.bed.source_dump("dbo.T");
    source.assert_equals(&case.bed.target_dump("dbo.T"), "source", "target");
}

/// A run that reads another image of such a row replaces both.
#[test]
fn a_key_that_stands_twice_is_pending_where_the_next_run_replaces_its_rows() {
    let case = Case::synced(20);
    maintain(&case.bed.lake("demo.t"), &["copy=Id == 3"]);
    case.source("UPDATE dbo.T SET Name = N'new', Modified = '2026-02-01' WHERE Id = 3");
    let report = case.agrees();
    assert_eq!(counts(&report, "lake", "pending"), "1 changed, 1 repeated");
    case.run();
    let report = case.agrees();
    assert_eq!(
        (&report["pending"], &report["lake"]["rows_found"]),
        (&0.into(), &20.into())
    );
}

#[test]
fn rows_of_a_former_key_are_wrong_in_lake_and_target_and_a_repair_takes_them_out() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (A int NOT NULL PRIMARY KEY, B int NOT NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.T VALUES (1, 1, '2026-01-01'), (2, 1, '2026-01-02')",
    );
    bed.target().execute(
        "CREATE TABLE dbo.T (A int NOT NULL, B int NOT NULL, Modified datetime2(3) NOT NULL)",
    );
    let to = bed.target_url();
    let by = |command: icehost_tests::Command, key: &str| {
        let key = format!("keys={key}");
        command.args([
            "--strategy",
            "timestamp",
            "--merge",
            "upsert",
            "--merge-option",
            &key,
            "--target",
            &to,
        ])
    };
    let sync = |key| by(bed.sync("dbo.T", "demo.t"), key);
    sync("A,B").json();
    bed.source()
        .execute("UPDATE dbo.T SET B = 2, Modified = '2026-01-03' WHERE A = 1");
    // The row under its former key stays: no cursor sees that it went.
    sync("A,B").json();
    assert_eq!(bed.target().value("SELECT COUNT(*) FROM dbo.T"), "3");
    let verify = || by(bed.verify("dbo.T", "demo.t"), "A");
    let report = differs(verify());
    for side in ["lake", "target"] {
        assert_eq!(keys(&report, side, "wrong"), ["repeated A = 1"], "{report}");
        assert_eq!(counts(&report, side, "pending"), "");
    }
    let report = verify().arg("--repair").json();
    assert_eq!(report["wrong"], 0, "{report}");
    assert_eq!(report["repaired"]["target_rows"], 3, "{report}");
    bed.on_lake(["watermark", "clear"], "demo.t").json();
    sync("A").json();
    let source = bed.source_dump("dbo.T");
    source.assert_equals(&bed.target_dump("dbo.T"), "source", "target");
    assert_eq!(verify().json()["lake"]["rows_found"], 2);
}

/// A row that is read again, and that the merge leaves as it is, stays as it is.
#[test]
fn what_the_lakes_merge_leaves_alone_is_not_pending() {
    let sync = [
        "--strategy",
        "timestamp",
        "--merge",
        "upsert",
        "--merge-option",
        "when-matched=skip",
    ];
    let case = Case::new(10, &sync);
    case.run();
    case.source("UPDATE dbo.T SET Name = N'second', Modified = '2026-02-01' WHERE Id = 4");
    let report = case.agrees();
    assert_eq!(counts(&report, "lake", "not_seen"), "1 changed");
    assert_eq!(report["pending"], 0);
    case.run();
    assert_eq!(counts(&case.agrees(), "lake", "not_seen"), "1 changed");
}
