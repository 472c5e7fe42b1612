//! A target into which other lake tables deliver too: what of it is not the lake's may be theirs.

use icehost_tests::Command;
use serde_json::Value;

use crate::{Case, TABLE, counts, differs, keys};

/// Rows cannot be marked in a lake: there they are merged as they are.
fn how(merge: &str) -> [&str; 6] {
    let lake = match merge {
        "soft-delete" => "upsert",
        other => other,
    };
    [
        "--strategy",
        "timestamp",
        "--lake-merge",
        lake,
        "--merge",
        merge,
    ]
}

/// A second pipeline with two rows, 11 and 12, into the target table of the first.
fn other(case: &Case, merge: &str) -> Command {
    case.bed
        .sync("dbo.U", "demo.u")
        .args(how(merge))
        .args(["--target", &case.bed.target_url()])
        .args(["--target-table", "dbo.T"])
}

fn make_other(case: &Case) {
    case.source(&TABLE.replace("dbo.T", "dbo.U"));
    case.source(
        "INSERT INTO dbo.U VALUES (11, N'of u', 1, '2026-01-01'), (12, N'of u', 2, '2026-01-02')",
    );
}

/// Rows 1 to 3 and those of the other pipeline, in a table with these further columns.
fn shared(merge: &'static str, key: &str, columns: &str) -> Case {
    let case = Case::new(3, &how(merge));
    let table = TABLE.replace(" PRIMARY KEY", key);
    let table = table.trim_end_matches(')');
    case.target(&format!("{table}{columns})"));
    case.run();
    make_other(&case);
    if merge == "append-only" {
        // One that the first pipeline has as well.
        case.source("INSERT INTO dbo.U SELECT * FROM dbo.T WHERE Id = 2");
    }
    let added = case.bed.source().value("SELECT COUNT(*) FROM dbo.U");
    assert_eq!(
        other(&case, merge).json()["rows_inserted"].to_string(),
        added
    );
    case
}

/// All rows of the target, with the mark where there is one.
fn all(case: &Case, merge: &str) -> Vec<Vec<String>> {
    let mark = match merge {
        "soft-delete" => ", CAST(IsDeleted AS int)",
        _ => "",
    };
    case.bed.target().rows(&format!(
        "SELECT Id, Name, CAST(Amount AS nvarchar(20)){mark} FROM dbo.T ORDER BY Id"
    ))
}

#[track_caller]
fn names_the_other(report: &Value) {
    let notes = report["target"]["notes"].to_string();
    assert!(
        notes.contains("has rows of other lake tables (demo.u)"),
        "{notes}"
    );
}

#[test]
fn rows_of_another_lake_table_are_not_seen_and_a_repair_leaves_them() {
    for (merge, columns) in [
        ("upsert", ""),
        ("soft-delete", ", IsDeleted bit NOT NULL"),
        (
            "soft-delete",
            ", IsDeleted bit NOT NULL, DeletedAt datetime2(3) NULL",
        ),
    ] {
        let case = shared(merge, " PRIMARY KEY", columns);
        let before = all(&case, merge);
        let report = case.agrees();
        assert_eq!(counts(&report, "target", "not_seen"), "2 extra", "{merge}");
        assert_eq!(
            keys(&report, "target", "not_seen"),
            ["extra Id = 11", "extra Id = 12"]
        );
        names_the_other(&report);
        // What the lake has is wrong as ever, and alone is put right.
        case.target(
            "UPDATE dbo.T SET Name = N'by hand' WHERE Id IN (1, 11); DELETE FROM dbo.T WHERE Id = 2",
        );
        let report = case.differs();
        assert_eq!(
            keys(&report, "target", "wrong"),
            ["changed Id = 1: Name", "missing Id = 2"],
            "{merge}"
        );
        let repair = |verify: Command| verify.arg("--repair").json();
        let report = repair(case.verify());
        assert_eq!(report["repaired"]["target_rows"], 2, "{merge}: {report}");
        assert_eq!(report["wrong"], 0, "{merge}: {report}");
        let after = all(&case, merge);
        assert_eq!(after[..3], before[..3], "{merge}");
        assert_eq!(after[3][1], "by hand", "{merge}");
        // The other pipeline's own comparison puts right what is its own.
        let verify = || {
            case.bed
                .verify("dbo.U", "demo.u")
                .args(how(merge))
                .args(["--target", &case.bed.target_url()])
                .args(["--target-table", "dbo.T"])
        };
        let report = differs(verify());
        assert_eq!(
            keys(&report, "target", "wrong"),
            ["changed Id = 11: Name"],
            "{merge}"
        );
        assert_eq!(counts(&report, "target", "not_seen"), "3 extra", "{merge}");
        let report = repair(verify());
        assert_eq!(report["repaired"]["target_rows"], 1, "{merge}: {report}");
        assert_eq!(all(&case, merge), before, "{merge}");
    }
}

#[test]
fn rows_that_another_lake_table_added_too_are_not_seen() {
    let case = shared("append-only", "", "");
    let report = case.agrees();
    assert_eq!(counts(&report, "target", "not_seen"), "2 extra, 1 repeated");
    names_the_other(&report);
    case.target("DELETE FROM dbo.T WHERE Id = 1");
    let report = case.differs();
    assert_eq!(counts(&report, "target", "wrong"), "1 missing");
}

#[test]
fn where_the_table_was_made_anew_or_the_other_is_struck_off_its_rows_are_wrong() {
    let case = shared("upsert", " PRIMARY KEY", "");
    case.target("DELETE FROM dbo.icehost_positions WHERE lake_table = N'demo.u'");
    let report = case.differs();
    assert_eq!(counts(&report, "target", "wrong"), "2 extra");

    let case = shared("upsert", " PRIMARY KEY", "");
    case.target("DROP TABLE dbo.T");
    case.target(TABLE);
    case.run();
    case.target("INSERT INTO dbo.T VALUES (11, N'by hand', 1, '2026-01-01')");
    let report = case.differs();
    assert_eq!(keys(&report, "target", "wrong"), ["extra Id = 11"]);
}
