//! Every kind of difference is found, counted and named.

use icehost_tests::Bed;

use crate::{Case, counts, keys};

#[test]
fn what_agrees_is_said_to_agree_and_nothing_is_written() {
    let case = Case::synced(300);
    let snapshots = |bed: &Bed| bed.on_lake(["snapshots"], "demo.t").json();
    let before = snapshots(&case.bed);
    let report = case.agrees();
    assert_eq!(report["pending"], 0);
    assert_eq!(report["not_seen"], 0);
    for side in ["lake", "target"] {
        assert_eq!(report[side]["rows_expected"], 300);
        assert_eq!(report[side]["rows_found"], 300);
        assert_eq!(report[side]["key"][0], "Id");
        assert_eq!(report[side]["columns"].as_array().unwrap().len(), 4);
        assert_eq!(report[side]["left_out"].as_array().unwrap().len(), 0);
    }
    assert_eq!(snapshots(&case.bed), before);
    let text = case.verify().run().success().stdout;
    assert!(text.ends_with("0 wrong, 0 pending, 0 not seen\n"), "{text}");
}

#[test]
fn a_value_changed_by_hand_in_the_target_is_found() {
    let case = Case::synced(300);
    case.target("UPDATE dbo.T SET Amount = 7.01 WHERE Id = 7");
    let report = case.differs();
    assert_eq!(report["wrong"], 1);
    assert_eq!(counts(&report, "target", "wrong"), "1 changed");
    assert_eq!(counts(&report, "lake", "wrong"), "");
    assert_eq!(keys(&report, "target", "wrong"), ["changed Id = 7: Amount"]);
    let text = case
        .verify()
        .run()
        .failure(&["they do not agree: 1 changed of target table"]);
    assert!(
        text.stdout.contains("changed Id = 7 (Amount)"),
        "{}",
        text.stdout
    );
}

#[test]
fn rows_that_the_target_lost_or_gained_are_found() {
    let case = Case::synced(300);
    case.target("DELETE FROM dbo.T WHERE Id IN (5, 6); INSERT INTO dbo.T VALUES (-1, N'stray', 0, '2026-01-01')");
    let report = case.differs();
    assert_eq!(counts(&report, "target", "wrong"), "2 missing, 1 extra");
    assert_eq!(
        keys(&report, "target", "wrong"),
        ["extra Id = -1", "missing Id = 5", "missing Id = 6"]
    );
}

#[test]
fn a_truncated_target_is_found_and_no_more_keys_are_named_than_asked_for() {
    let case = Case::synced(300);
    case.target("TRUNCATE TABLE dbo.T");
    let report = crate::differs(case.verify().args(["--limit", "3"]));
    assert_eq!(counts(&report, "target", "wrong"), "300 missing");
    assert_eq!(keys(&report, "target", "wrong").len(), 3);
    let report = crate::differs(case.verify().args(["--limit", "0"]));
    assert_eq!(report["wrong"], 300);
    assert!(keys(&report, "target", "wrong").is_empty());
}

#[test]
fn a_row_that_was_changed_behind_the_cursor_is_found() {
    let case = Case::synced(300);
    case.source("UPDATE dbo.T SET Name = N'other' WHERE Id = 9");
    let report = case.differs();
    assert_eq!(counts(&report, "lake", "wrong"), "1 changed");
    assert_eq!(keys(&report, "lake", "wrong"), ["changed Id = 9: Name"]);
    assert_eq!(counts(&report, "target", "wrong"), "");
}

#[test]
fn a_row_that_the_source_gained_below_the_mark_is_found() {
    let case = Case::synced(300);
    case.source("INSERT INTO dbo.T VALUES (1000, N'late', 1, '2020-01-01')");
    let report = case.differs();
    assert_eq!(counts(&report, "lake", "wrong"), "1 missing");
    assert_eq!(keys(&report, "lake", "wrong"), ["missing Id = 1000"]);
}

#[test]
fn a_row_that_stands_twice_in_the_lake_is_found() {
    let case = Case::new(40, &["--strategy", "timestamp", "--merge", "upsert"]);
    let append = || {
        case.bed
            .sync("dbo.T", "demo.t")
            .args(["--strategy", "timestamp", "--merge", "append-only"])
            .run()
            .success()
    };
    append();
    case.source(
        "UPDATE dbo.T SET Name = N'second', Modified = '2026-02-01' WHERE Id <= 3;
         INSERT INTO dbo.T VALUES (41, N'last', 0, '2026-02-02')",
    );
    append();
    // As a history that is right; as a copy it has keys twice.
    let report = case
        .bed
        .verify("dbo.T", "demo.t")
        .args(["--strategy", "timestamp", "--merge", "append-only"])
        .json();
    assert_eq!(report["wrong"], 0, "{report}");
    let verify = case.bed.verify("dbo.T", "demo.t");
    let report = crate::differs(verify.args(["--strategy", "timestamp", "--merge", "upsert"]));
    assert_eq!(counts(&report, "lake", "wrong"), "3 repeated");
    assert_eq!(
        keys(&report, "lake", "wrong"),
        ["repeated Id = 1", "repeated Id = 2", "repeated Id = 3"]
    );
}

#[test]
fn a_key_twice_in_the_source_is_found() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL, Name nvarchar(40) NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.T VALUES (1, N'a', '2026-01-01'), (2, N'b', '2026-01-01'), (3, N'last', '2026-01-02')",
    );
    let merge = [
        "--strategy",
        "timestamp",
        "--merge",
        "upsert",
        "--merge-option",
        "keys=Id",
    ];
    bed.sync("dbo.T", "demo.t").args(merge).run().success();
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (2, N'c', '2020-01-01')");
    let report = crate::differs(bed.verify("dbo.T", "demo.t").args(merge));
    assert_eq!(counts(&report, "lake", "wrong"), "1 missing");
    assert_eq!(keys(&report, "lake", "wrong"), ["missing Id = 2"]);
}

#[test]
fn many_differences_are_counted_exactly_within_the_memory_of_a_small_limit() {
    let case = Case::synced(3000);
    case.target("UPDATE dbo.T SET Name = N'x' WHERE Id > 1000; DELETE FROM dbo.T WHERE Id <= 10");
    let report = crate::differs(case.verify().args(["--memory-limit", "48MiB"]));
    assert_eq!(
        counts(&report, "target", "wrong"),
        "10 missing, 2000 changed"
    );
}

#[test]
fn control_characters_of_a_key_never_reach_a_terminal() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Code nvarchar(20) NOT NULL PRIMARY KEY, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.T VALUES (N'a' + NCHAR(27) + N'[31m', '2026-01-01'), (N'b', '2026-01-01'), (N'c', '2026-01-02')",
    );
    let merge = ["--strategy", "timestamp", "--merge", "upsert"];
    bed.sync("dbo.T", "demo.t").args(merge).run().success();
    bed.source()
        .execute("UPDATE dbo.T SET Modified = '2020-01-01' WHERE Code <> N'c'");
    let run = bed.verify("dbo.T", "demo.t").args(merge).run().failure(&[]);
    assert!(run.stdout.contains("Code = a\\u001b[31m"), "{}", run.stdout);
    assert!(!run.stdout.contains('\x1b'));
}
