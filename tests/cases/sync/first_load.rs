//! The first load in ranges by several connections: the same rows as in one piece, whatever the key.

use icehost_tests::{Bed, Command, Dump, customers};
use serde_json::Value;

/// A first sync by three connections, in ranges of 50 rows.
fn parallel(bed: &Bed, table: &str) -> Command {
    bed.sync(table, "demo.t")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .args(["--parallel", "3", "--range-rows", "50"])
}

/// Loads a table of 500 rows in ranges; the lake then holds the same rows, as both readers see them, and the
/// next run finds nothing.
#[track_caller]
fn assert_equal_in_ranges(bed: &Bed, table: &str) -> Value {
    let report = parallel(bed, table).json();
    assert_eq!(report["ranges"], 11, "ten boundaries: {report}");
    assert_eq!(report["ranges_resumed"], 0);
    assert_eq!(report["rows_extracted"], 500);
    assert_eq!(report["rows_appended"], 500);
    assert_in_step(bed, table);
    let next = parallel(bed, table).json();
    assert_eq!(
        next["rows_extracted"], 0,
        "the watermark is that of one piece"
    );
    assert_eq!(next["ranges"], Value::Null);
    report
}

#[track_caller]
fn assert_in_step(bed: &Bed, table: &str) {
    bed.source_dump(table).assert_equals(
        &Dump::agreed(&bed.lake("demo.t"), None),
        "source",
        "lake",
    );
}

#[test]
fn an_integer_key() {
    let bed = customers::bed(500);
    let report = assert_equal_in_ranges(&bed, "dbo.Customers");
    let alone = bed
        .sync("dbo.Customers", "demo.alone")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .json();
    // Beside the mark stands the time at which it was read.
    let mark = |report: &Value| report["watermark"]["marks"][0].clone();
    assert_eq!(mark(&report), mark(&alone));
    assert_eq!(alone["ranges"], Value::Null);
    let snapshots = bed.on_lake(["snapshots"], "demo.t").json();
    assert_eq!(snapshots["snapshots"].as_array().unwrap().len(), 1);
}

#[test]
fn a_composite_key_of_several_types() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Region nvarchar(2) NOT NULL, Day date NOT NULL, Line smallint NOT NULL, Price money NOT NULL,
            Modified datetime2 NOT NULL, CONSTRAINT PK_T PRIMARY KEY (Region, Day, Line));
         INSERT INTO dbo.T
         SELECT r.code, DATEADD(day, d.value, '2026-01-01'), l.value, l.value * 1.5, '2026-01-01'
         FROM GENERATE_SERIES(1, 50) d CROSS JOIN GENERATE_SERIES(1, 5) l CROSS JOIN (VALUES (N'eu'), (N'US')) r (code)",
    );
    assert_equal_in_ranges(&bed, "dbo.T");
}

#[test]
fn uniqueidentifiers_in_the_servers_own_order() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id uniqueidentifier NOT NULL PRIMARY KEY, N int NOT NULL, Modified datetime2 NOT NULL);
         INSERT INTO dbo.T SELECT NEWID(), value, DATEADD(second, value, '2026-01-01') FROM GENERATE_SERIES(1, 500)",
    );
    assert_equal_in_ranges(&bed, "dbo.T");
}

#[test]
fn text_keys_under_the_servers_collation() {
    for column in [
        "nvarchar(20) COLLATE Latin1_General_CI_AS",
        "varchar(20) COLLATE SQL_Latin1_General_CP1_CI_AS",
        "nchar(12) COLLATE Latin1_General_BIN2",
    ] {
        let bed = Bed::new();
        bed.source().execute(&format!(
            "CREATE TABLE dbo.T (Code {column} NOT NULL PRIMARY KEY, N int NOT NULL, Modified datetime2 NOT NULL);
             INSERT INTO dbo.T
             SELECT CONCAT(CASE value % 5 WHEN 0 THEN N'a' WHEN 1 THEN N'B' WHEN 2 THEN N'ä' WHEN 3 THEN N'-b' ELSE N'Z''' END, value),
                    value, '2026-01-01'
             FROM GENERATE_SERIES(1, 500)"
        ));
        assert_equal_in_ranges(&bed, "dbo.T");
    }
}

#[test]
fn moments_and_decimals_as_keys() {
    for (column, value) in [
        (
            "datetime2(7)",
            "DATEADD(nanosecond, value * 1000, CAST('2026-01-01' AS datetime2(7)))",
        ),
        (
            "datetime",
            "DATEADD(millisecond, value * 10, CAST('2026-01-01' AS datetime))",
        ),
        ("decimal(20,6)", "CAST(value AS decimal(20,6)) / 7 - 30"),
        (
            "bigint",
            "CAST(value AS bigint) * 10000000000 - 2500000000000",
        ),
        ("varbinary(8)", "CAST(value AS varbinary(8))"),
    ] {
        let bed = Bed::new();
        bed.source().execute(&format!(
            "CREATE TABLE dbo.T (K {column} NOT NULL PRIMARY KEY, N int NOT NULL, Modified date NOT NULL);
             INSERT INTO dbo.T SELECT {value}, value, '2026-01-01' FROM GENERATE_SERIES(1, 500)"
        ));
        let report = parallel(&bed, "dbo.T")
            .args(["--strategy-option", "column=Modified"])
            .json();
        assert_eq!(report["ranges"], 11, "{column}");
        assert_eq!(report["rows_appended"], 500, "{column}");
        assert_in_step(&bed, "dbo.T");
    }
}

#[test]
fn a_unique_index_with_nulls_cuts_a_heap() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (A int NULL, B int NULL, Modified datetime2 NOT NULL);
         CREATE UNIQUE INDEX U ON dbo.T (A, B);
         INSERT INTO dbo.T
         SELECT NULLIF(a.value, 1), NULLIF(b.value, 1), '2026-01-01'
         FROM GENERATE_SERIES(1, 5) a CROSS JOIN GENERATE_SERIES(1, 100) b",
    );
    let report = bed
        .sync("dbo.T", "demo.t")
        .args(["--strategy", "timestamp", "--merge", "append-only"])
        .args(["--parallel", "3", "--range-rows", "50"])
        .json();
    assert_eq!(report["ranges"], 11);
    assert_in_step(&bed, "dbo.T");
}

#[test]
fn a_clustered_index_that_is_not_unique_cuts_too() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL CONSTRAINT PK_T PRIMARY KEY NONCLUSTERED, Day date NULL, Modified datetime2 NOT NULL);
         CREATE CLUSTERED INDEX C ON dbo.T (Day);
         INSERT INTO dbo.T SELECT value, CASE WHEN value % 3 = 0 THEN NULL ELSE DATEADD(day, value % 4, '2026-01-01') END, '2026-01-01'
         FROM GENERATE_SERIES(1, 500)",
    );
    let report = parallel(&bed, "dbo.T").json();
    assert_eq!(report["ranges"], 11);
    assert_eq!(report["rows_appended"], 500);
    assert_in_step(&bed, "dbo.T");
}

#[test]
fn what_cannot_be_cut_is_read_in_one_piece_and_says_so() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (A int NULL, Modified datetime2 NOT NULL);
         INSERT INTO dbo.T SELECT value, '2026-01-01' FROM GENERATE_SERIES(1, 500)",
    );
    let run = bed
        .sync("dbo.T", "demo.t")
        .args(["--strategy", "timestamp", "--merge", "append-only"])
        .args(["--parallel", "3", "--range-rows", "50", "--output", "json"])
        .run()
        .success();
    assert!(run.stderr.contains("no unique key"), "{}", run.stderr);
    assert_eq!(run.json()["ranges"], Value::Null);
    assert_in_step(&bed, "dbo.T");
}

#[test]
fn a_merge_that_compares_rows_reads_in_one_piece() {
    let bed = customers::bed(500);
    let run = parallel(&bed, "dbo.Customers")
        .args(["--merge-option", "keys=Name", "--output", "json"])
        .run()
        .success();
    assert!(
        run.stderr
            .contains("matches rows of the table with each other"),
        "{}",
        run.stderr
    );
    assert_eq!(run.json()["ranges"], Value::Null);
    assert_in_step(&bed, "dbo.Customers");
}

#[test]
fn a_small_table_is_not_cut() {
    let bed = customers::bed(500);
    let report = bed
        .sync("dbo.Customers", "demo.t")
        .args([
            "--strategy",
            "timestamp",
            "--merge",
            "upsert",
            "--parallel",
            "4",
        ])
        .json();
    assert_eq!(report["ranges"], Value::Null);
    assert_eq!(report["rows_appended"], 500);
}

#[test]
fn rows_without_a_cursor_value_come_too() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Modified datetime2 NULL);
         INSERT INTO dbo.T SELECT value, CASE WHEN value % 2 = 0 THEN NULL ELSE '2026-01-01' END FROM GENERATE_SERIES(1, 500)",
    );
    let report = parallel(&bed, "dbo.T")
        .args(["--strategy-option", "nulls=every-run"])
        .json();
    assert_eq!(report["ranges"], 11);
    assert_in_step(&bed, "dbo.T");
}

#[test]
fn one_snapshot_per_range() {
    let bed = customers::bed(500);
    let report = parallel(&bed, "dbo.Customers")
        .args(["--commit", "per-range"])
        .json();
    assert_eq!(report["ranges"], 11);
    assert_eq!(report["rows_appended"], 500);
    assert_in_step(&bed, "dbo.Customers");
    let snapshots = bed.on_lake(["snapshots"], "demo.t").json();
    let count = snapshots["snapshots"].as_array().unwrap().len();
    assert!(
        (10..=11).contains(&count),
        "the last range may be empty: {count}"
    );
    customers::add(&bed, 501, 510, "2026-02-01");
    customers::change(&bed, 5, "2026-02-02");
    let next = parallel(&bed, "dbo.Customers").json();
    assert_eq!(next["rows_extracted"], 15);
    assert_eq!(next["rows_removed"], 5);
    assert_in_step(&bed, "dbo.Customers");
}

#[test]
fn on_to_a_target() {
    let bed = customers::bed(500);
    let report = bed
        .sync_to_target("dbo.Customers", "demo.t")
        .args(["--parallel", "3", "--range-rows", "50"])
        .json();
    assert_eq!(report["ranges"], 11);
    assert_eq!(report["rows_inserted"], 500);
    bed.source_dump("dbo.Customers").assert_equals(
        &bed.target_dump("dbo.Customers"),
        "source",
        "target",
    );
}

#[test]
fn a_memory_limit_takes_connections_away_and_refuses_what_cannot_work() {
    let bed = customers::bed(500);
    parallel(&bed, "dbo.Customers")
        .args(["--memory-limit", "20MiB"])
        .run()
        .failure(&[
            "--memory-limit 20MiB is too small",
            "the least that works is 46MiB",
        ]);
    let report = parallel(&bed, "dbo.Customers")
        .args(["--memory-limit", "56MiB"])
        .json();
    assert_eq!(report["ranges"], 11);
    assert_in_step(&bed, "dbo.Customers");
}
