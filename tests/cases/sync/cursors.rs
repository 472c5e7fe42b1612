//! Cursor columns of several types: everything once, then what is new, no row twice.

use icehost_tests::{Bed, Dump};

/// Three rows, then a sync; two more at and above the boundary, then another.
fn case(cursor_type: &str, strategy: &str, values: [&str; 5], mark: &str) {
    let bed = Bed::new();
    let mut source = bed.source();
    source.execute(&format!(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, C {cursor_type} NOT NULL)"
    ));
    for (id, value) in values[..3].iter().enumerate() {
        source.execute(&format!("INSERT INTO dbo.T VALUES ({id}, {value})"));
    }
    let sync = || {
        bed.sync("dbo.T", "demo.t")
            .args(["--strategy", strategy, "--strategy-option", "column=C"])
            .args(["--merge", "upsert"])
            .json()
    };
    let first = sync();
    assert_eq!(first["rows_extracted"], 3, "{cursor_type}: first sync");
    assert_eq!(
        sync()["rows_extracted"],
        0,
        "{cursor_type}: nothing changed"
    );

    for (id, value) in values.iter().enumerate().skip(3) {
        source.execute(&format!("INSERT INTO dbo.T VALUES ({id}, {value})"));
    }
    let second = sync();
    assert_eq!(second["rows_extracted"], 2, "{cursor_type}: delta");
    assert_eq!(second["rows_removed"], 0, "{cursor_type}: no row twice");
    let (name, value) = (
        &second["watermark"]["marks"][0][0],
        &second["watermark"]["marks"][0][1],
    );
    assert_eq!(name, "C");
    let (kind, text) = mark.split_once(':').unwrap();
    assert_eq!(value[kind], text, "{cursor_type}: watermark");
    bed.source_dump("dbo.T").assert_equals(
        &Dump::pyiceberg(&bed.lake("demo.t"), None),
        "source",
        "lake",
    );
}

#[test]
fn datetime2_keeps_100_nanoseconds() {
    case(
        "datetime2(7)",
        "timestamp",
        [
            "'2026-01-01T00:00:00.0000001'",
            "'2026-01-01T00:00:00.0000002'",
            "'2026-01-01T00:00:00.0000002'",
            "'2026-01-01T00:00:00.0000003'",
            "'2026-01-01T00:00:00.0000004'",
        ],
        "timestamp:2026-01-01T00:00:00.0000004",
    );
}

#[test]
fn datetime_compares_in_its_own_ticks() {
    case(
        "datetime",
        "timestamp",
        [
            "'2026-01-01T00:00:00.000'",
            "'2026-01-01T00:00:00.003'",
            "'2026-01-01T00:00:00.003'",
            "'2026-01-01T00:00:00.007'",
            "'2026-01-01T00:00:00.010'",
        ],
        "timestamp:2026-01-01T00:00:00.0100000",
    );
}

#[test]
fn smalldatetime() {
    case(
        "smalldatetime",
        "timestamp",
        [
            "'2026-01-01T00:00:00'",
            "'2026-01-01T00:01:00'",
            "'2026-01-01T00:01:00'",
            "'2026-01-01T00:02:00'",
            "'2026-01-01T00:03:00'",
        ],
        "timestamp:2026-01-01T00:03:00.0000000",
    );
}

#[test]
fn date() {
    case(
        "date",
        "timestamp",
        [
            "'2026-01-01'",
            "'2026-01-02'",
            "'2026-01-02'",
            "'2026-01-03'",
            "'2026-01-04'",
        ],
        "date:2026-01-04",
    );
}

#[test]
fn datetimeoffset_compares_moments() {
    case(
        "datetimeoffset(7)",
        "timestamp",
        [
            "'2026-01-01T12:00:00+02:00'",
            "'2026-01-01T10:00:00.0000001+00:00'",
            "'2026-01-01T09:00:00-02:00'",
            "'2026-01-01T11:00:00.0000001+00:00'",
            "'2026-01-01T23:00:00+11:30'",
        ],
        "timestamp-tz:2026-01-01T23:00:00.0000000+11:30",
    );
}

#[test]
fn integers() {
    case("int", "id", ["1", "2", "3", "4", "5"], "integer:5");
    case(
        "bigint",
        "id",
        ["-9223372036854775808", "0", "1", "2", "9223372036854775807"],
        "integer:9223372036854775807",
    );
}

#[test]
fn an_identity_column_is_found() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.Log (Id bigint IDENTITY(1,1) NOT NULL PRIMARY KEY, Other int NOT NULL, Text nvarchar(20) NULL);
         INSERT INTO dbo.Log (Other, Text) VALUES (9, N'a'), (8, N'b')",
    );
    let sync = || {
        bed.sync("dbo.Log", "demo.log")
            .args(["--strategy", "id", "--merge", "append-only"])
            .json()
    };
    assert_eq!(sync()["watermark"]["marks"][0][0], "Id");
    bed.source()
        .execute("INSERT INTO dbo.Log (Other, Text) VALUES (7, NULL)");
    let second = sync();
    assert_eq!(second["rows_appended"], 1);
    assert_eq!(second["rows_removed"], 0);
}

#[test]
fn ambiguous_candidates_are_listed() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Born date NOT NULL, Seen datetime2 NOT NULL)",
    );
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .run()
        .failure(&["timestamp", "Born", "Seen"]);
    assert!(
        !bed.lake("demo.t").exists(),
        "a failed first sync leaves nothing behind"
    );
}

#[test]
fn a_cursor_that_holds_nulls_is_refused_unless_the_user_says_what_to_do() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Modified datetime2 NULL);
         INSERT INTO dbo.T VALUES (1, '2026-01-01'), (2, NULL)",
    );
    let sync = || {
        bed.sync("dbo.T", "demo.t")
            .args(["--strategy", "timestamp", "--merge", "upsert"])
    };
    sync().run().failure(&["Modified", "NULL", "nulls"]);
    let every_run = || sync().args(["--strategy-option", "nulls=every-run"]).json();
    assert_eq!(every_run()["rows_extracted"], 2);
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (3, '2026-01-02'), (4, NULL)");
    every_run();
    bed.source_dump("dbo.T").assert_equals(
        &Dump::pyiceberg(&bed.lake("demo.t"), None),
        "source",
        "lake",
    );
}

#[test]
fn lookback_finds_a_row_that_committed_late() {
    let bed = Bed::new();
    let mut source = bed.source();
    source.execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Modified datetime2 NOT NULL);
         INSERT INTO dbo.T VALUES (1, '2026-01-01T00:02:00')",
    );
    let sync = |more: &[&str]| {
        bed.sync("dbo.T", "demo.t")
            .args(["--strategy", "timestamp", "--merge", "upsert"])
            .args(more.iter().copied())
    };
    sync(&[]).json();
    source.execute("INSERT INTO dbo.T VALUES (2, '2026-01-01T00:01:05')");
    let late = sync(&[]).json();
    assert_eq!(
        (&late["rows_extracted"], &late["rows_read_again"]),
        (&1.into(), &1.into()),
        "a minute, unless it is said otherwise"
    );
    source.execute("INSERT INTO dbo.T VALUES (3, '2026-01-01T00:00:30')");
    let later = sync(&["--strategy-option", "lookback-seconds=90"]).json();
    assert_eq!(later["rows_extracted"], 1);
    assert_eq!(later["rows_removed"], 0);
    bed.source_dump("dbo.T").assert_equals(
        &Dump::pyiceberg(&bed.lake("demo.t"), None),
        "source",
        "lake",
    );
}
