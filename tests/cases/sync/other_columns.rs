//! Columns that are others under their names: dropped and added again. No cursor moves with them.

use icehost_tests::{Bed, Command, Dump};

const TABLE: &str = "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL, A int NULL, B int NULL);
     INSERT INTO dbo.T VALUES (1, '2024-01-01', 1, 10), (2, '2024-01-02', 2, 20), (20000, '2024-01-03', 3, 30)";
const AGAIN: &str = "ALTER TABLE dbo.T DROP COLUMN B; ALTER TABLE dbo.T ADD B int NULL";
const BOTH: &str = "ALTER TABLE dbo.T DROP COLUMN A; ALTER TABLE dbo.T DROP COLUMN B; ALTER TABLE dbo.T ADD A int NULL; \
     ALTER TABLE dbo.T ADD B int NULL";

fn bed() -> Bed {
    let bed = Bed::new();
    bed.source().execute(TABLE);
    bed
}

fn sync(bed: &Bed, strategy: &str, merge: &str) -> Command {
    let sync = bed
        .sync("dbo.T", "demo.t")
        .args(["--strategy", strategy, "--merge", merge]);
    match strategy {
        "timestamp" => sync.args(["--strategy-option", "column=M"]),
        _ => sync,
    }
}

fn assert_equal(bed: &Bed) {
    let lake = Dump::pyiceberg(&bed.lake("demo.t"), None);
    bed.source_dump("dbo.T")
        .assert_equals(&lake, "source", "lake");
}

#[test]
fn a_column_that_was_dropped_and_added_again_is_told_with_a_way_on() {
    for (strategy, change, says) in [
        (
            "timestamp",
            AGAIN,
            "column 'B' of dbo.T was dropped and added again",
        ),
        (
            "id",
            AGAIN,
            "column 'B' of dbo.T was dropped and added again",
        ),
        (
            "timestamp",
            BOTH,
            "column 'A' of dbo.T was dropped and added again, column 'B'",
        ),
    ] {
        let bed = bed();
        sync(&bed, strategy, "upsert").json();
        for statement in change.split("; ") {
            bed.source().execute(statement);
        }
        for _ in 0..2 {
            sync(&bed, strategy, "upsert").run().failure(&[
                says,
                "up to the watermark",
                "hint",
                "watermark clear",
            ]);
        }
        sync(&bed, strategy, "upsert")
            .arg("--dry-run")
            .run()
            .failure(&[says]);
        bed.on_lake(["watermark", "clear"], "demo.t")
            .run()
            .success();
        assert_eq!(sync(&bed, strategy, "upsert").json()["rows_extracted"], 3);
        assert_equal(&bed);
        assert_eq!(sync(&bed, strategy, "upsert").json()["rows_extracted"], 0);
    }
}

/// A full read brings every row as it is now.
#[test]
fn a_full_read_takes_another_column_as_it_is() {
    let bed = bed();
    sync(&bed, "full-refresh", "upsert").json();
    for statement in AGAIN.split("; ") {
        bed.source().execute(statement);
    }
    sync(&bed, "full-refresh", "upsert").json();
    assert_equal(&bed);
}

#[test]
fn a_column_that_is_not_carried_may_be_another_one() {
    let bed = bed();
    let sync = || sync(&bed, "timestamp", "upsert").args(["--exclude-columns", "B"]);
    sync().json();
    for statement in AGAIN.split("; ") {
        bed.source().execute(statement);
    }
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (4, '2024-01-05', 4, 40)");
    assert_eq!(sync().json()["rows_extracted"], 1);
}

#[test]
fn another_column_goes_on_where_somebody_says_that_it_may() {
    let bed = bed();
    sync(&bed, "timestamp", "upsert").json();
    for statement in [
        "ALTER TABLE dbo.T DROP COLUMN B",
        "ALTER TABLE dbo.T ADD B int NULL",
        "UPDATE dbo.T SET B = CASE Id WHEN 20000 THEN 30 ELSE Id * 10 END",
    ] {
        bed.source().execute(statement);
    }
    sync(&bed, "timestamp", "upsert")
        .run()
        .failure(&["was dropped and added again"]);
    bed.on_lake(["watermark", "set"], "demo.t")
        .args(["--mark", "M=timestamp:2024-01-03T00:00:00"])
        .run()
        .success();
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (4, '2024-01-05', 4, 40)");
    assert_eq!(
        sync(&bed, "timestamp", "upsert").json()["rows_extracted"],
        1
    );
    assert_equal(&bed);
    // From now on by the columns that are there.
    assert_eq!(
        sync(&bed, "timestamp", "upsert").json()["rows_extracted"],
        0
    );
}

#[test]
fn a_column_of_another_type_whose_values_may_be_others_is_told_with_a_way_on() {
    for (before, after, values) in [
        ("datetime2(7)", "datetime2(0)", "'2026-01-01T10:00:00.7'"),
        ("nvarchar(5)", "nchar(5)", "N'x'"),
        ("char(5)", "char(8)", "'x'"),
    ] {
        let bed = Bed::new();
        bed.source().execute(&format!(
            "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL, V {before} NULL);
             INSERT INTO dbo.T VALUES (1, '2024-01-01', {values}), (20000, '2024-01-02', {values})"
        ));
        sync(&bed, "timestamp", "upsert").json();
        bed.source()
            .execute(&format!("ALTER TABLE dbo.T ALTER COLUMN V {after} NULL"));
        let says = format!("column 'V' of dbo.T was {before}, and is {after} now");
        sync(&bed, "timestamp", "upsert")
            .run()
            .failure(&[&says, "hint", "watermark clear"]);
        bed.on_lake(["watermark", "clear"], "demo.t")
            .run()
            .success();
        sync(&bed, "timestamp", "upsert").json();
        assert_equal(&bed);
        bed.source().execute(&format!(
            "INSERT INTO dbo.T VALUES (3, '2024-01-03', {values})"
        ));
        assert_eq!(
            sync(&bed, "timestamp", "upsert").json()["rows_extracted"],
            1
        );
        assert_equal(&bed);
    }
}

/// SQL Server refuses to alter a column whose values would not fit.
#[test]
fn a_column_of_another_type_that_keeps_every_value_goes_on_and_a_new_target_has_it() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL, V varchar(5) NULL);
         INSERT INTO dbo.T VALUES (1, '2024-01-01', 'x')",
    );
    let sync = || bed.sync_to_target("dbo.T", "demo.t").arg("--create-target");
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .json();
    bed.source()
        .execute("ALTER TABLE dbo.T ALTER COLUMN V nvarchar(20) NULL");
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (2, '2024-01-03', N'longer than five')");
    sync().json();
    let rows = "SELECT Id, V FROM dbo.T ORDER BY Id";
    assert_eq!(bed.target().rows(rows), bed.source().rows(rows));
    let length =
        "SELECT max_length FROM sys.columns WHERE object_id = OBJECT_ID('dbo.T') AND name = 'V'";
    assert_eq!(bed.target().value(length), "40");
}

/// The lake compares keys as the source does now.
#[test]
fn keys_that_another_collation_of_the_source_tells_apart_are_two_in_a_target_or_refused() {
    let table = |collation: &str| {
        format!(
            "CREATE TABLE dbo.T (K varchar(10) COLLATE {collation} NOT NULL PRIMARY KEY, V int NOT NULL)"
        )
    };
    let (insensitive, sensitive) = ("Latin1_General_CI_AS", "Latin1_General_CS_AS");
    for finer in [false, true] {
        let bed = Bed::new();
        bed.source().execute(&format!(
            "{}; INSERT INTO dbo.T VALUES ('a', 1), ('b', 2)",
            table(insensitive)
        ));
        if finer {
            bed.target().execute(&table(sensitive));
        }
        let sync = || {
            bed.sync("dbo.T", "demo.t")
                .args(["--strategy", "full-refresh", "--merge", "upsert"])
                .args([
                    "--lake-merge",
                    "upsert",
                    "--lake-merge-option",
                    "delete-missing=true",
                ])
                .args(["--target", &bed.target_url(), "--create-target"])
        };
        sync().json();
        bed.source().execute(&format!(
            "DROP TABLE dbo.T; {}; INSERT INTO dbo.T VALUES ('a', 1), ('b', 2), ('A', 3), ('B', 4)",
            table(sensitive)
        ));
        let rows = "SELECT K, V FROM dbo.T ORDER BY V";
        match finer {
            true => {
                sync().json();
                assert_eq!(bed.target().rows(rows), bed.source().rows(rows));
            }
            false => {
                for _ in 0..2 {
                    sync().run().failure(&["dbo.T", "for one", "hint"]);
                }
                assert_eq!(bed.target().rows(rows), [["a", "1"], ["b", "2"]]);
            }
        }
    }
}

/// Values of a code page that lacks them are others; of one that has all of them they are the same.
#[test]
fn a_column_of_another_code_page_is_told_where_values_may_be_others() {
    const LATIN: &str = "Latin1_General_CI_AS";
    const CYRILLIC: &str = "Cyrillic_General_CI_AS";
    const UTF8: &str = "Latin1_General_100_CI_AS_SC_UTF8";
    for (kind, before, after, stops) in [
        ("varchar(9)", LATIN, CYRILLIC, true),
        ("varchar(9)", UTF8, LATIN, true),
        ("char(9)", LATIN, UTF8, true),
        ("varchar(9)", LATIN, UTF8, false),
        ("varchar(9)", LATIN, "Latin1_General_100_CS_AI", false),
    ] {
        let bed = Bed::new();
        bed.source().execute(&format!(
            "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL, V {kind} COLLATE {before} NULL);
             INSERT INTO dbo.T VALUES (1, '2024-01-01', N'e'), (20000, '2024-01-02', N'x')"
        ));
        sync(&bed, "timestamp", "upsert").json();
        bed.source().execute(&format!(
            "ALTER TABLE dbo.T ALTER COLUMN V {kind} COLLATE {after} NULL"
        ));
        let run = sync(&bed, "timestamp", "upsert").run();
        if !stops {
            run.success();
            continue;
        }
        let says =
            format!("column 'V' of dbo.T was {kind} in {before}, and is {kind} in {after} now");
        run.failure(&[&says, "hint", "watermark clear"]);
        bed.on_lake(["watermark", "clear"], "demo.t")
            .run()
            .success();
        sync(&bed, "timestamp", "upsert").json();
        assert_equal(&bed);
    }
}

/// What a rule puts there in the place of all values is the same whatever they are.
#[test]
fn a_column_of_which_nothing_is_carried_may_be_another_one() {
    for (rule, change) in [
        ("B=null", AGAIN),
        ("B=constant:7", AGAIN),
        ("B=null", "ALTER TABLE dbo.T ALTER COLUMN B smallint NULL"),
    ] {
        let bed = bed();
        let sync = || sync(&bed, "timestamp", "upsert").args(["--column-rule", rule]);
        sync().json();
        for statement in change.split("; ") {
            bed.source().execute(statement);
        }
        bed.source()
            .execute("INSERT INTO dbo.T VALUES (4, '2024-01-05', 4, 40)");
        assert_eq!(sync().json()["rows_extracted"], 1, "{rule}");
    }
}

#[test]
fn a_column_of_another_type_that_shows_the_same_values_goes_on() {
    for (before, after, value) in [
        ("datetime", "datetime2(3)", "'2024-05-06T10:00:00.007'"),
        ("money", "decimal(19,4)", "-1.0001"),
        ("smallmoney", "decimal(10,4)", "2.5"),
    ] {
        let bed = Bed::new();
        bed.source().execute(&format!(
            "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL, V {before} NULL);
             INSERT INTO dbo.T VALUES (1, '2024-01-01', {value})"
        ));
        sync(&bed, "timestamp", "upsert").json();
        bed.source()
            .execute(&format!("ALTER TABLE dbo.T ALTER COLUMN V {after} NULL"));
        bed.source().execute(&format!(
            "INSERT INTO dbo.T VALUES (2, '2024-01-05', {value})"
        ));
        assert_eq!(
            sync(&bed, "timestamp", "upsert").json()["rows_extracted"],
            1
        );
        assert_equal(&bed);
    }
}

/// Blanks that a source's own type adds are values of the source: only a target's type may add them to the lake's.
#[test]
fn verify_finds_the_blanks_that_a_column_of_the_source_was_filled_up_with() {
    for (before, after) in [("nvarchar(5)", "nchar(5)"), ("char(5)", "char(8)")] {
        let bed = Bed::new();
        bed.source().execute(&format!(
            "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL, V {before} NULL);
             INSERT INTO dbo.T VALUES (1, '2024-01-01', N'a'), (2, '2024-01-02', N'b'), (3, '2024-01-03', NULL)"
        ));
        sync(&bed, "timestamp", "upsert").json();
        bed.source()
            .execute(&format!("ALTER TABLE dbo.T ALTER COLUMN V {after} NULL"));
        let verify = || {
            bed.verify("dbo.T", "demo.t").args([
                "--strategy",
                "timestamp",
                "--strategy-option",
                "column=M",
                "--merge",
                "upsert",
            ])
        };
        verify().run().failure(&["2 changed of lake table demo.t"]);
        bed.on_lake(["watermark", "clear"], "demo.t")
            .run()
            .success();
        sync(&bed, "timestamp", "upsert").json();
        assert_equal(&bed);
        verify().json();
    }
}

/// A lake that keeps every row takes none a second time: hints lead to what does work, and no mark is forgotten.
#[test]
fn a_lake_that_keeps_every_row_is_not_told_to_read_everything_again() {
    let mut again: Vec<&str> = AGAIN.split("; ").collect();
    again.push("UPDATE dbo.T SET B = CASE Id WHEN 20000 THEN 30 ELSE Id * 10 END");
    let created = [
        "DROP TABLE dbo.T",
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL, A int NULL, B int NULL)",
        "INSERT INTO dbo.T VALUES (1, '2024-01-01', 5, 5), (4, '2024-02-01', 5, 5)",
    ];
    for change in [&again[..], &created] {
        let bed = bed();
        let run = || sync(&bed, "timestamp", "append-only");
        run().json();
        for statement in change {
            bed.source().execute(statement);
        }
        for _ in 0..2 {
            let failed = run().run().failure(&[
                "keeps every row",
                "--lake-table",
                "`icehost watermark set --mark M=timestamp:2024-01-03T00:00:00",
            ]);
            assert!(
                !failed.stderr.contains("watermark clear"),
                "{}",
                failed.stderr
            );
        }
        bed.on_lake(["watermark", "set"], "demo.t")
            .args(["--mark", "M=timestamp:2024-01-03T00:00:00"])
            .run()
            .success();
        if change.len() == again.len() && change[0] == again[0] {
            run().run().success();
            assert_equal(&bed);
        }
        let cleared = bed.on_lake(["watermark", "clear"], "demo.t").run();
        assert!(
            cleared.stderr.contains("keeps every row"),
            "{}",
            cleared.stderr
        );
        cleared.success();
    }
}
