//! What lies just below the mark is read again in every run, and what the lake has of it is left out.

use icehost_tests::{Bed, Command, Dump};
use serde_json::Value;

fn assert_in_lake(bed: &Bed, table: &str, lake: &str) {
    let found = Dump::pyiceberg(&bed.lake(lake), None);
    bed.source_dump(table)
        .assert_equals(&found, "source", "lake");
}

/// Rows that were new, and rows that were read again.
fn counts(report: &Value) -> (u64, u64) {
    let count = |name: &str| report[name].as_u64().unwrap();
    (count("rows_extracted"), count("rows_read_again"))
}

/// A row that comes after a run with the very value at which the run stopped, under either merge, with and without
/// a key.
#[track_caller]
fn ties(cursor_type: &str, values: [&str; 2], strategy: &str, merge: &str, key: &str) {
    let bed = Bed::new();
    let mut source = bed.source();
    source.execute(&format!(
        "CREATE TABLE dbo.T (Id int NOT NULL {key}, C {cursor_type} NOT NULL);
         INSERT INTO dbo.T VALUES (1, {0}), (2, {0})",
        values[0]
    ));
    let sync = || {
        bed.sync("dbo.T", "demo.t")
            .args(["--strategy", strategy, "--strategy-option", "column=C"])
            .args(["--merge", merge])
            .json()
    };
    assert_eq!(counts(&sync()), (2, 0));
    source.execute(&format!("INSERT INTO dbo.T VALUES (3, {})", values[0]));
    assert_eq!(counts(&sync()), (1, 2), "{cursor_type} {merge}");
    // A row that is the same as another is one more row, where nothing tells them apart.
    if key.is_empty() {
        source.execute(&format!("INSERT INTO dbo.T VALUES (3, {})", values[0]));
        assert_eq!(counts(&sync()), (1, 3), "{cursor_type} {merge}: a twin");
    }
    source.execute(&format!("INSERT INTO dbo.T VALUES (4, {})", values[1]));
    assert_eq!(sync()["rows_appended"], 1, "{cursor_type} {merge}");
    let report = sync();
    assert_eq!(report["rows_extracted"], 0, "{cursor_type} {merge}");
    assert_eq!(report["snapshot_created"], false, "{cursor_type} {merge}");
    assert_in_lake(&bed, "dbo.T", "demo.t");
}

#[test]
fn rows_that_come_with_the_value_of_the_mark_are_read_and_none_twice() {
    let key = "PRIMARY KEY";
    for (cursor_type, values) in [
        ("date", ["'2026-05-02'", "'2026-05-03'"]),
        (
            "smalldatetime",
            ["'2026-05-02T10:00:00'", "'2026-05-02T10:01:00'"],
        ),
        (
            "datetime",
            ["'2026-05-02T10:00:00.003'", "'2026-05-02T10:00:00.007'"],
        ),
        (
            "datetime2(0)",
            ["'2026-05-02T10:00:00'", "'2026-05-02T10:00:01'"],
        ),
        (
            "datetime2(7)",
            [
                "'2026-05-02T10:00:00.0000011'",
                "'2026-05-02T10:00:00.0000019'",
            ],
        ),
        (
            "datetimeoffset(3)",
            ["'2026-05-02T10:00:00+02:00'", "'2026-05-02T08:00:01Z'"],
        ),
    ] {
        ties(cursor_type, values, "timestamp", "upsert", key);
        ties(cursor_type, values, "timestamp", "append-only", "");
    }
    ties(
        "date",
        ["'2026-05-02'", "'2026-05-03'"],
        "timestamp",
        "append-only",
        key,
    );
    ties("int", ["7", "8"], "id", "upsert", key);
    ties("int", ["7", "8"], "id", "append-only", "");
    ties("decimal(20,0)", ["7", "8"], "id", "append-only", key);
}

#[test]
fn append_only_with_lookback_adds_nothing_where_nothing_changed() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, V int NOT NULL, M datetime2(6) NOT NULL);
         INSERT INTO dbo.T VALUES (1, 1, '2026-01-01'), (2, 1, '2026-01-01T00:00:30')",
    );
    let sync = || {
        bed.sync("dbo.T", "demo.t")
            .args(["--strategy", "timestamp", "--merge", "append-only"])
            .args(["--strategy-option", "lookback-seconds=3600"])
            .args(["--target", &bed.target_url(), "--create-target"])
            .json()
    };
    for run in 0..4 {
        sync();
        let rows = bed.target().value("SELECT COUNT(*) FROM dbo.T");
        assert_eq!(rows, "2", "run {run}");
    }
    let snapshots = bed.on_lake(["snapshots"], "demo.t").json();
    assert_eq!(snapshots["snapshots"].as_array().unwrap().len(), 1);
}

/// Of a day's versions the newest counts: one that is as an older one was has to come again.
#[test]
fn a_row_that_becomes_what_it_was_is_new() {
    let bed = Bed::new();
    let mut source = bed.source();
    source.execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, V int NOT NULL, Changed date NOT NULL);
         INSERT INTO dbo.T VALUES (1, 1, '2026-05-02'), (2, 1, '2026-05-02')",
    );
    let sync = || {
        bed.sync("dbo.T", "demo.t")
            .args(["--strategy", "timestamp", "--lake-merge", "append-only"])
            .args([
                "--merge",
                "upsert",
                "--target",
                &bed.target_url(),
                "--create-target",
            ])
            .json()
    };
    sync();
    for value in [2, 1, 2, 2, 1] {
        source.execute(&format!("UPDATE dbo.T SET V = {value} WHERE Id = 1"));
        sync();
        bed.source_dump("dbo.T")
            .assert_equals(&bed.target_dump("dbo.T"), "source", "target");
    }
}

/// The winner of each key is in the lake; those that lost are not, and must not come to win.
#[test]
fn versions_that_lost_against_another_do_not_replace_it_when_they_are_read_again() {
    let bed = Bed::new();
    let mut source = bed.source();
    source.execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Code int NOT NULL, Rank int NOT NULL, Changed date NOT NULL);
         INSERT INTO dbo.T VALUES (1, 7, 2, '2026-05-02'), (2, 7, 1, '2026-05-02'), (3, 8, 1, '2026-05-02')",
    );
    let sync = || {
        bed.sync("dbo.T", "demo.t")
            .args(["--strategy", "timestamp", "--merge", "upsert"])
            .args(["--merge-option", "keys=Code"])
            .args(["--merge-option", "deduplicate-by=Rank"])
            .json()
    };
    sync();
    let lake = Dump::agreed(&bed.lake("demo.t"), None);
    for _ in 0..2 {
        assert_eq!(sync()["rows_removed"], 0);
        lake.assert_equals(&Dump::agreed(&bed.lake("demo.t"), None), "before", "after");
    }
    source.execute("INSERT INTO dbo.T VALUES (4, 8, 2, '2026-05-02')");
    let report = sync();
    assert_eq!(
        (&report["rows_appended"], &report["rows_removed"]),
        (&1.into(), &1.into())
    );
}

#[test]
fn rows_without_a_value_that_are_read_in_every_run_make_no_snapshot() {
    let bed = Bed::new();
    let mut source = bed.source();
    source.execute(
        "CREATE TABLE dbo.T (Id int NOT NULL, Changed datetime2 NULL);
         INSERT INTO dbo.T VALUES (1, '2026-01-01'), (2, NULL), (2, NULL)",
    );
    let sync = || {
        bed.sync("dbo.T", "demo.t")
            .args(["--strategy", "timestamp", "--merge", "append-only"])
            .args(["--strategy-option", "nulls=every-run"])
            .json()
    };
    assert_eq!(counts(&sync()), (3, 0));
    let unchanged = sync();
    assert_eq!(counts(&unchanged), (0, 3));
    assert_eq!(unchanged["snapshot_created"], false);
    source.execute("INSERT INTO dbo.T VALUES (2, NULL)");
    assert_eq!(counts(&sync()), (1, 3));
    assert_in_lake(&bed, "dbo.T", "demo.t");
}

/// What rules make of rows is compared, and a rule on the cursor itself leaves nothing to tell rows apart by where
/// there is no key.
#[test]
fn rows_are_compared_as_rules_leave_them() {
    let bed = Bed::new();
    let mut source = bed.source();
    source.execute(
        "CREATE TABLE dbo.Keyed (Id int NOT NULL PRIMARY KEY, Name nvarchar(20) NOT NULL, Changed date NOT NULL);
         INSERT INTO dbo.Keyed VALUES (1, N'Ann', '2026-05-02'), (2, N'Bob', '2026-05-02');
         CREATE TABLE dbo.Plain (Name nvarchar(20) NOT NULL, Changed date NOT NULL);
         INSERT INTO dbo.Plain VALUES (N'Ann', '2026-05-02')",
    );
    // A cursor that has a rule has to be granted, which a file can.
    let file = bed.path("icehost.toml");
    let sync = |table: &str, lake: &str, (column, rule): (&str, &str)| {
        let text = format!(
            "warehouse = \"{}\"\n[connections.source]\nurl = \"{}\"\nallow-inline-secret = true\n\
             [strategies.cursor]\nshipped = \"timestamp\"\ncolumns = [\"Changed\"]\n\
             [pipelines.one]\nsource = \"source\"\ntable = \"{table}\"\nlake-table = \"{lake}\"\n\
             strategy = \"cursor\"\nmerge = \"append-only\"\ncolumn-rules = {{ {column} = \"{rule}\" }}\n",
            bed.warehouse().display(),
            bed.source_url()
        );
        std::fs::write(&file, text).unwrap();
        Command::new(["sync", "--config", &file.display().to_string()])
    };
    for (lake, rule) in [
        ("demo.cut", ("Name", "truncate:1")),
        ("demo.dated", ("Changed", "constant:2000-01-01")),
    ] {
        let sync = || sync("dbo.Keyed", lake, rule).json()["pipelines"][0]["report"].clone();
        assert_eq!(counts(&sync()), (2, 0));
        assert_eq!(counts(&sync()), (0, 2), "{rule:?}");
        source.execute("UPDATE dbo.Keyed SET Name = N'Cid' WHERE Id = 2");
        assert_eq!(counts(&sync()), (1, 1), "{rule:?}");
        source.execute("UPDATE dbo.Keyed SET Name = N'Bob' WHERE Id = 2");
        assert_eq!(counts(&sync()), (1, 1), "{rule:?}: as it was");
    }
    let plain = || {
        sync(
            "dbo.Plain",
            "demo.plain",
            ("Changed", "constant:2000-01-01"),
        )
    };
    plain().json();
    plain()
        .run()
        .failure(&["dbo.Plain has no primary key", "'Changed'", "hint"]);
}

/// Rows that a transformer drops are read again, too, and neither they nor the others make a snapshot.
#[test]
fn rows_that_are_dropped_on_their_way_make_no_snapshot_in_each_run() {
    let bed = Bed::new();
    let mut source = bed.source();
    source.execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, TenantId int NOT NULL, Changed date NOT NULL);
         INSERT INTO dbo.T VALUES (1, 7, '2026-05-02'), (2, 8, '2026-05-02'), (3, 7, '2026-05-02')",
    );
    for merge in ["upsert", "append-only"] {
        let lake = format!("demo.{}", merge.replace('-', "_"));
        let sync = || {
            bed.sync("dbo.T", &lake)
                .args(["--strategy", "timestamp", "--merge", merge])
                .args(["--transform", "tenant-filter"])
                .args(["--transform-option", "tenant-filter:tenants=7"])
                .args(["--transform-option", "tenant-filter:column=TenantId"])
                .json()
        };
        assert_eq!(sync()["rows_appended"], 2, "{merge}");
        for _ in 0..2 {
            assert_eq!(sync()["snapshot_created"], false, "{merge}");
        }
    }
    source.execute("UPDATE dbo.T SET TenantId = 8 WHERE Id = 3");
    let report = bed
        .sync("dbo.T", "demo.upsert")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .args(["--transform", "tenant-filter"])
        .args(["--transform-option", "tenant-filter:tenants=7"])
        .args(["--transform-option", "tenant-filter:column=TenantId"])
        .json();
    assert_eq!(report["rows_removed"], 1);
}

/// Rows that got their time and their number when they were written, and are seen only after runs that read later
/// ones, in another order than that in which they were written.
#[test]
fn rows_that_are_committed_late_are_not_missed() {
    for (strategy, merge) in [
        ("timestamp", "upsert"),
        ("timestamp", "append-only"),
        ("id", "upsert"),
        ("id", "append-only"),
    ] {
        let bed = Bed::new();
        let mut source = bed.source();
        source.execute("CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL)");
        let sync = || {
            bed.sync("dbo.T", "demo.t")
                .args(["--strategy", strategy, "--merge", merge])
                .json()
        };
        // Written at the second of its number, and committed now.
        let mut commit = |number: u32| {
            source.execute(&format!(
                "INSERT INTO dbo.T VALUES ({number}, DATEADD(second, {number} - 60, SYSUTCDATETIME()))"
            ));
        };
        for number in [20, 30, 26, 50, 24, 41, 22, 55, 45] {
            commit(number);
            sync();
        }
        assert_in_lake(&bed, "dbo.T", "demo.t");
        assert_eq!(sync()["snapshot_created"], false, "{strategy}");
    }
}

#[test]
fn without_lookback_a_run_begins_at_the_last_mark() {
    for strategy in ["timestamp", "id"] {
        let bed = Bed::new();
        bed.source().execute(
            "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, V int NOT NULL, M datetime2(3) NOT NULL);
             INSERT INTO dbo.T VALUES (1, 1, '2026-01-01'), (2, 1, '2026-01-02')",
        );
        let sync = || {
            bed.sync("dbo.T", "demo.t")
                .args(["--strategy", strategy, "--merge", "upsert"])
                .args(["--strategy-option", "lookback-seconds=0"])
                .json()
        };
        sync();
        for (id, appended) in [(3, 1), (4, 1)] {
            bed.source().execute(&format!(
                "INSERT INTO dbo.T VALUES ({id}, 1, '2026-01-0{id}')"
            ));
            let run = sync();
            assert_eq!(run["rows_appended"], appended, "{strategy}: {run}");
            // The row with the last mark's own value.
            assert_eq!(run["rows_read_again"], 1, "{strategy}: {run}");
        }
        // One that comes with that value is read still.
        if strategy == "timestamp" {
            bed.source()
                .execute("INSERT INTO dbo.T VALUES (5, 1, '2026-01-04')");
            assert_eq!(sync()["rows_appended"], 1);
        }
    }
}
