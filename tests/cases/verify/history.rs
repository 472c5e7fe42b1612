//! A lake that keeps every version, and which of them counts.

use icehost_tests::maintenance::maintain;

use crate::{Case, counts, keys};

const HISTORY: [&str; 6] = [
    "--strategy",
    "timestamp",
    "--lake-merge",
    "append-only",
    "--merge",
    "upsert",
];

/// Row 2 has a second version.
fn twice() -> Case {
    let case = Case::new(5, &HISTORY);
    case.run();
    case.source("UPDATE dbo.T SET Name = N'second', Modified = '2026-03-04' WHERE Id = 2");
    case.run();
    case.agrees();
    case
}

#[test]
fn a_row_that_went_back_to_an_earlier_version_is_wrong() {
    let case = twice();
    case.source("UPDATE dbo.T SET Name = N'name 2', Modified = '2026-01-01' WHERE Id = 2");
    let report = case.differs();
    assert_eq!(keys(&report, "lake", "wrong"), ["changed Id = 2"]);
    // Where nothing tells which version came last, it may be the one that counts.
    maintain(&case.bed.lake("demo.t"), &["compact"]);
    let report = case.verify().args(["--output", "json"]).run().json();
    assert_eq!(counts(&report, "lake", "wrong"), "");
    // A version that comes later tells.
    let sync = || {
        let sync = case.bed.sync("dbo.T", "demo.t");
        sync.args(["--strategy", "timestamp", "--merge", "append-only"])
    };
    case.source("INSERT INTO dbo.T VALUES (12, N'after', 1, '2026-03-05')");
    case.source("UPDATE dbo.T SET Name = N'third', Modified = '2026-03-06' WHERE Id = 2");
    sync().run().success();
    let report = case.verify().args(["--output", "json"]).run().json();
    assert_eq!(counts(&report, "lake", "wrong"), "");
    case.source("UPDATE dbo.T SET Name = N'second', Modified = '2026-03-04' WHERE Id = 2");
    let report = case.differs();
    assert_eq!(keys(&report, "lake", "wrong"), ["changed Id = 2"]);
    // A run finds it, whatever has come since, and asks.
    case.source("INSERT INTO dbo.T VALUES (13, N'newer', 1, '2026-03-07')");
    for told in ["what was 2026-03-06", "an earlier run"] {
        sync().run().failure(&[told, "hint"]);
    }
    let set = case.bed.on_lake(["watermark", "set"], "demo.t");
    set.args(["--mark", "Modified=timestamp:2026-03-06T00:00:00"])
        .run()
        .success();
    for extracted in [2, 0] {
        assert_eq!(sync().json()["rows_extracted"], extracted);
    }
    let report = case.verify().args(["--output", "json"]).run().json();
    assert_eq!(counts(&report, "lake", "wrong"), "");
}

#[test]
fn a_row_that_went_back_where_it_is_read_again_is_pending_and_then_agrees() {
    let case = Case::new(6, &HISTORY);
    case.source("UPDATE dbo.T SET Modified = DATEADD(second, Id, '2026-05-01')");
    case.run();
    case.source("UPDATE dbo.T SET Name = N'second', Modified = '2026-05-01T00:00:30' WHERE Id = 2");
    case.source("INSERT INTO dbo.T VALUES (12, N'after', 1, '2026-05-01T00:00:31')");
    case.run();
    case.source("UPDATE dbo.T SET Name = N'name 2', Modified = '2026-05-01T00:00:02' WHERE Id = 2");
    let report = case.agrees();
    assert_eq!(keys(&report, "lake", "pending"), ["changed Id = 2"]);
    for _ in 0..2 {
        case.run();
        let report = case.agrees();
        assert_eq!(report["lake"]["rows_found"], 9, "{report}");
        assert_eq!(report["pending"], 0, "{report}");
    }
    // Again, and no other one in between.
    maintain(&case.bed.lake("demo.t"), &["copy=Id = 4"]);
    let report = case.differs();
    assert_eq!(keys(&report, "lake", "wrong"), ["repeated Id = 4"]);
}

#[test]
fn a_row_without_a_cursor_that_changed_and_changed_back_agrees() {
    for lake_merge in ["append-only", "upsert"] {
        let mut sync = HISTORY.to_vec();
        sync.extend(["--strategy-option", "nulls=every-run"]);
        if lake_merge == "upsert" {
            (sync[3], sync[5]) = ("upsert", "append-only");
        }
        let case = Case::new(3, &sync);
        case.source("ALTER TABLE dbo.T ALTER COLUMN Modified datetime2(3) NULL");
        if lake_merge == "upsert" {
            case.target("CREATE TABLE dbo.T (Id int NOT NULL, Name nvarchar(40) NULL, Amount decimal(9,2) NULL, Modified datetime2(3) NULL)");
        }
        case.source("INSERT INTO dbo.T VALUES (50, N'a', 1, NULL)");
        case.run();
        for name in ["b", "a"] {
            case.source(&format!("UPDATE dbo.T SET Name = N'{name}' WHERE Id = 50"));
            let report = case.agrees();
            assert_eq!(report["pending"], 1, "{lake_merge}: {report}");
            case.run();
            let report = case.agrees();
            assert_eq!(report["pending"], 0, "{lake_merge}: {report}");
        }
    }
}

/// The lake keeps one row of each key, and the target every one that came.
#[test]
fn a_row_that_went_back_comes_to_an_appending_target_again() {
    let mut sync = HISTORY;
    (sync[3], sync[5]) = ("upsert", "append-only");
    let case = Case::new(6, &sync);
    case.source("UPDATE dbo.T SET Modified = DATEADD(second, Id, '2026-05-01')");
    case.run();
    case.source("UPDATE dbo.T SET Name = N'second', Modified = '2026-05-01T00:00:30' WHERE Id = 2");
    case.source("INSERT INTO dbo.T VALUES (12, N'after', 1, '2026-05-01T00:00:31')");
    case.run();
    case.source("UPDATE dbo.T SET Name = N'name 2', Modified = '2026-05-01T00:00:02' WHERE Id = 2");
    for _ in 0..2 {
        case.run();
        let report = case.agrees();
        assert_eq!(report["target"]["rows_found"], 9, "{report}");
        assert_eq!(report["pending"], 0, "{report}");
    }
    // No version came more often than that.
    let add = |version: &str, modified: &str| {
        case.target(&format!(
            "INSERT INTO dbo.T SELECT TOP (1) 2, N'{version}', Amount, '{modified}' FROM dbo.T WHERE Id = 2"
        ));
    };
    let second = || add("second", "2026-05-01T00:00:30");
    let first = || add("name 2", "2026-05-01T00:00:02");
    second();
    let report = case.differs();
    assert_eq!(keys(&report, "target", "wrong"), ["repeated Id = 2"]);
    case.target("DELETE FROM dbo.T WHERE Id = 2 AND Name = N'second'");
    second();
    case.agrees();
    first();
    let report = case.differs();
    assert_eq!(keys(&report, "target", "wrong"), ["repeated Id = 2"]);
    case.target("DELETE FROM dbo.T WHERE Id = 2 AND Name = N'name 2'");
    first();
    first();
    case.agrees();
    // Once the snapshots have expired, nobody knows.
    maintain(&case.bed.lake("demo.t"), &["expire"]);
    let report = case.agrees();
    let notes = report["target"]["notes"].to_string();
    assert!(notes.contains("whether they came so often"), "{notes}");
    case.target("INSERT INTO dbo.T SELECT * FROM dbo.T WHERE Id = 4");
    let report = case.differs();
    assert_eq!(keys(&report, "target", "wrong"), ["repeated Id = 4"]);
}

/// By the source's collation `abc` and `ABC` are one key, of which the target has both.
#[test]
fn an_earlier_spelling_of_a_key_beside_the_newest_is_wrong() {
    for collation in ["Latin1_General_CS_AS", "Latin1_General_BIN2"] {
        let bed = icehost_tests::Bed::new();
        let table = |collation: &str| {
            format!(
                "CREATE TABLE dbo.T (Code varchar(20) COLLATE {collation} NOT NULL PRIMARY KEY, V int NULL, Modified datetime2(3) NOT NULL)"
            )
        };
        bed.source().execute(&table("Latin1_General_CI_AS"));
        bed.target().execute(&table(collation));
        bed.source()
            .execute("INSERT INTO dbo.T VALUES ('ABC', 1, '2026-01-01'), ('Def', 2, '2026-01-01')");
        let to = bed.target_url();
        let told = |command: icehost_tests::Command| command.args(HISTORY).args(["--target", &to]);
        told(bed.sync("dbo.T", "demo.t")).run().success();
        let verify = || told(bed.verify("dbo.T", "demo.t"));
        assert_eq!(verify().json()["wrong"], 0, "{collation}");
        bed.source().execute(
            "UPDATE dbo.T SET Code = 'abc', V = 7, Modified = '2026-02-01' WHERE Code = 'ABC'",
        );
        told(bed.sync("dbo.T", "demo.t")).run().success();
        // As an earlier version left it.
        bed.target()
            .execute("INSERT INTO dbo.T VALUES ('ABC', 1, '2026-01-01')");
        let report = crate::differs(verify());
        assert_eq!(
            counts(&report, "target", "wrong"),
            "1 repeated",
            "{collation}"
        );
        let repaired = verify().args(["--repair"]).json();
        assert_eq!(repaired["wrong"], 0, "{collation}: {repaired}");
        assert_eq!(repaired["repaired"]["target_rows"], 2, "{collation}");
    }
}
