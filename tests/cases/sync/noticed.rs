//! Sources of which no row could come any more, or not all: the run says so, and what to do.

use icehost_tests::{Bed, Command, Dump};
use serde_json::Value;

fn timestamp(bed: &Bed) -> Command {
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
}

fn id(bed: &Bed) -> Command {
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", "id", "--merge", "upsert"])
}

fn bed(statements: &str) -> Bed {
    let bed = Bed::new();
    bed.source().execute(statements);
    bed
}

fn warnings(report: &Value) -> String {
    report["warnings"].to_string()
}

fn assert_equal(bed: &Bed) {
    let lake = Dump::pyiceberg(&bed.lake("demo.t"), None);
    bed.source_dump("dbo.T")
        .assert_equals(&lake, "source", "lake");
}

#[test]
fn a_row_that_is_dated_ahead_of_the_clock_holds_no_other_back() {
    for kind in ["datetime2(3)", "datetime", "smalldatetime", "date"] {
        let far = match kind {
            "smalldatetime" => "2079-06-06",
            _ => "9999-12-31",
        };
        let bed = bed(&format!(
            "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M {kind} NOT NULL);
             INSERT INTO dbo.T VALUES (1, '2024-01-01'), (2, '{far}')"
        ));
        let first = timestamp(&bed);
        let first = first
            .leaves_more("the first run leaves the row ahead of the clock to the second")
            .json();
        let told = warnings(&first);
        assert!(
            told.contains("1 row lies ahead") && told.contains(far),
            "{told}"
        );
        bed.source()
            .execute("INSERT INTO dbo.T VALUES (3, '2024-01-02')");
        assert_eq!(timestamp(&bed).json()["rows_extracted"], 2, "{kind}");
        assert_equal(&bed);
        // Read in every run, and left out.
        let unchanged = timestamp(&bed).json();
        assert_eq!(unchanged["snapshot_created"], false);
        assert!(warnings(&unchanged).contains("lies ahead"));
        bed.source().execute(&format!(
            "INSERT INTO dbo.T VALUES (4, '{far}'); UPDATE dbo.T SET M = '2024-01-03' WHERE Id = 2"
        ));
        timestamp(&bed).json();
        assert_equal(&bed);
    }
}

#[test]
fn a_table_whose_rows_are_all_ahead_of_the_clock_is_read() {
    for merge in ["upsert", "append-only"] {
        let bed = bed(
            "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime NOT NULL);
             INSERT INTO dbo.T VALUES (1, '9999-12-31')",
        );
        let sync = || {
            bed.sync("dbo.T", "demo.t")
                .args(["--strategy", "timestamp", "--merge", merge])
                .json()
        };
        for _ in 0..2 {
            sync();
            assert_equal(&bed);
        }
        bed.source()
            .execute("INSERT INTO dbo.T VALUES (2, '2024-01-01')");
        for _ in 0..2 {
            sync();
            assert_equal(&bed);
        }
    }
}

#[test]
fn a_watermark_ahead_of_the_clock_ends_the_run_and_an_earlier_one_goes_on() {
    let bed = bed(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL);
         INSERT INTO dbo.T VALUES (1, '2024-01-01')",
    );
    timestamp(&bed).json();
    let set = |mark: &str| {
        bed.on_lake(["watermark", "set"], "demo.t")
            .args(["--mark", &format!("M=timestamp:{mark}")])
            .run()
            .success();
    };
    set("9999-12-31T00:00:00");
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (2, '2024-01-02')");
    timestamp(&bed).run().failure(&[
        "'M'",
        "ahead of the server's clock",
        "hint",
        "watermark set",
    ]);
    set("2024-01-01T00:00:00");
    assert_eq!(timestamp(&bed).json()["rows_extracted"], 1);
    assert_equal(&bed);
}

#[test]
fn a_table_that_was_filled_again_or_restored_is_told() {
    let create = "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL);
         INSERT INTO dbo.T VALUES (1, '2024-01-01'), (2, '2024-01-09')";
    for then in [
        "DELETE FROM dbo.T WHERE Id = 2; INSERT INTO dbo.T VALUES (3, '2024-01-05')",
        "DELETE FROM dbo.T; INSERT INTO dbo.T VALUES (1, '2023-01-01')",
    ] {
        let bed = bed(create);
        timestamp(&bed).json();
        bed.source().execute(then);
        timestamp(&bed).run().failure(&[
            "largest value of 'M'",
            "below",
            "hint",
            "watermark clear",
        ]);
    }
    // The newest row gone, and nothing else: no row is missed.
    let bed = bed(create);
    timestamp(&bed).json();
    bed.source().execute("DELETE FROM dbo.T WHERE Id = 2");
    assert_eq!(timestamp(&bed).json()["rows_extracted"], 0);
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (3, '2024-01-10')");
    let told = warnings(&timestamp(&bed).json());
    assert!(told.contains("has 1 row more than dbo.T"), "{told}");
}

#[test]
fn an_identity_that_starts_over_or_counts_down_is_told() {
    let starts_over = bed(
        "CREATE TABLE dbo.T (Id int IDENTITY NOT NULL PRIMARY KEY, V int);
         INSERT INTO dbo.T (V) VALUES (1), (2), (3)",
    );
    id(&starts_over).json();
    starts_over
        .source()
        .execute("TRUNCATE TABLE dbo.T; INSERT INTO dbo.T (V) VALUES (7)");
    id(&starts_over)
        .run()
        .failure(&["largest value of 'Id'", "is 1", "3", "hint"]);

    let down = bed(
        "CREATE TABLE dbo.T (Id int IDENTITY(-1,-1) NOT NULL PRIMARY KEY, V int);
         INSERT INTO dbo.T (V) VALUES (1), (2)",
    );
    id(&down).json();
    down.source().execute("INSERT INTO dbo.T (V) VALUES (3)");
    // Where that is too small to be looked for.
    id(&down)
        .args(["--strategy-option", "lookback-seconds=0", "--dry-run"])
        .run()
        .failure(&["smallest value of 'Id'", "-2", "-3", "hint"]);
    // Found while it lies within what is read again, and told from then on.
    assert_eq!(id(&down).json()["rows_extracted"], 1);
    assert_equal(&down);
    down.source()
        .execute("SET IDENTITY_INSERT dbo.T ON; INSERT INTO dbo.T (Id, V) VALUES (-20000, 4)");
    id(&down)
        .run()
        .failure(&["smallest value of 'Id'", "-3", "-20000", "hint"]);
}

/// The first number of a table may be the last to be committed, and is read like any other that comes late.
#[test]
fn the_smallest_number_may_be_committed_late() {
    let bed = bed("CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, V int)");
    let database = bed.source_database();
    // So that the run does not wait for the transaction that is open.
    bed.source().execute(&format!(
        "ALTER DATABASE {database} SET ALLOW_SNAPSHOT_ISOLATION ON"
    ));
    let mut open = bed.source();
    open.execute("BEGIN TRANSACTION; INSERT INTO dbo.T VALUES (1, 1)");
    bed.source().execute("INSERT INTO dbo.T VALUES (2, 2)");
    assert_eq!(id(&bed).json()["rows_extracted"], 1);
    open.execute("COMMIT TRANSACTION");
    assert_eq!(id(&bed).json()["rows_extracted"], 1);
    assert_equal(&bed);
}

/// Local time at the end of summer time: what comes in the second hour lies below the mark.
#[test]
fn rows_that_came_below_the_mark_are_counted_and_told() {
    let bed = bed(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime NOT NULL);
         INSERT INTO dbo.T VALUES (1, '2024-10-27T02:59:00')",
    );
    timestamp(&bed).json();
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (2, '2024-10-27T02:10:00')");
    for _ in 0..2 {
        let told = timestamp(&bed)
            .leaves_apart("what came below the mark is missing, which the run tells");
        let told = warnings(&told.json());
        assert!(told.contains("dbo.T has 1 row more than"), "{told}");
        assert!(told.contains("watermark set"), "{told}");
    }
    bed.on_lake(["watermark", "set"], "demo.t")
        .args(["--mark", "M=timestamp:2024-10-27T02:00:00"])
        .run()
        .success();
    let report = timestamp(&bed).json();
    assert_eq!(report["rows_extracted"], 1);
    assert_eq!(warnings(&report), "[]");
    assert_equal(&bed);
}

/// Neither can be seen by a cursor; the numbers of rows show both.
#[test]
fn deleted_rows_and_changed_keys_are_told_once() {
    let bed = bed(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL);
         INSERT INTO dbo.T VALUES (1, '2024-01-01'), (2, '2024-01-02'), (3, '2024-01-03')",
    );
    timestamp(&bed).json();
    bed.source().execute(
        "DELETE FROM dbo.T WHERE Id = 1; UPDATE dbo.T SET Id = 9, M = '2024-01-04' WHERE Id = 2",
    );
    let told = warnings(&timestamp(&bed).json());
    assert!(told.contains("has 2 rows more than dbo.T"), "{told}");
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (4, '2024-01-05')");
    assert_eq!(warnings(&timestamp(&bed).json()), "[]");
}

const TWO_ROWS: &str =
    "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL, Note nvarchar(20));
     INSERT INTO dbo.T VALUES (1, '2024-01-01', N'old'), (20000, '2024-01-09', N'old')";
/// The same rows otherwise: one below what has been read, and one above.
const TWO_OTHERS: &str =
    "INSERT INTO dbo.T VALUES (1, '2024-01-02', N'new'), (20000, '2024-01-10', N'new')";

/// The largest value tells nothing where a table is filled again past the mark; that it is another table does.
#[test]
fn a_table_that_was_created_again_is_told_where_it_has_rows_below_the_mark() {
    for strategy in [timestamp, id] {
        let bed = bed(TWO_ROWS);
        strategy(&bed).json();
        let created = TWO_ROWS.split(';').next().unwrap();
        bed.source()
            .execute(&format!("DROP TABLE dbo.T; {created}; {TWO_OTHERS}"));
        for _ in 0..2 {
            strategy(&bed).run().failure(&[
                "is another table than the one that was read",
                "created",
                "would not read, from",
                "hint",
                "watermark clear",
            ]);
        }
        bed.on_lake(["watermark", "clear"], "demo.t")
            .run()
            .success();
        assert_eq!(strategy(&bed).json()["rows_extracted"], 2);
        assert_eq!(strategy(&bed).json()["rows_extracted"], 0);
    }
}

#[test]
fn a_table_that_was_created_again_goes_on_where_somebody_says_that_it_may() {
    let bed = bed(TWO_ROWS);
    timestamp(&bed).json();
    bed.source().execute(
        "SELECT * INTO dbo.Kept FROM dbo.T; DROP TABLE dbo.T;
         CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL, Note nvarchar(20));
         INSERT INTO dbo.T SELECT * FROM dbo.Kept; INSERT INTO dbo.T VALUES (3, '2024-01-10', N'new')",
    );
    timestamp(&bed).run().failure(&["is another table"]);
    bed.on_lake(["watermark", "set"], "demo.t")
        .args(["--mark", "M=timestamp:2024-01-09T00:00:00"])
        .run()
        .success();
    assert_eq!(timestamp(&bed).json()["rows_extracted"], 1);
    assert_eq!(timestamp(&bed).json()["rows_extracted"], 0);
    assert_equal(&bed);
}

/// As a staging table is by those who fill it: all its rows are newer.
#[test]
fn a_table_that_is_created_again_with_newer_rows_only_is_read() {
    let bed = bed(TWO_ROWS);
    timestamp(&bed).json();
    let created = TWO_ROWS.split(';').next().unwrap();
    for day in [11, 12] {
        bed.source().execute(&format!(
            "DROP TABLE dbo.T; {created}; INSERT INTO dbo.T VALUES (1, '2024-01-{day}', N'new'), (20000, '2024-01-{day}', N'new')"
        ));
        assert_eq!(timestamp(&bed).json()["rows_extracted"], 2);
    }
    assert_equal(&bed);
}

/// To the server it is the same table, and as large as before.
#[test]
fn a_table_that_was_emptied_and_filled_again_past_the_mark_is_found_by_verify_alone() {
    let bed = bed(TWO_ROWS);
    timestamp(&bed).json();
    bed.source()
        .execute(&format!("TRUNCATE TABLE dbo.T; {TWO_OTHERS}"));
    let run = timestamp(&bed)
        .leaves_apart("what is below the mark is not read")
        .json();
    assert_eq!(
        (&run["rows_extracted"], &run["warnings"]),
        (&1.into(), &Value::Array(vec![]))
    );
    bed.verify("dbo.T", "demo.t")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .run()
        .failure(&["do not agree", "1 changed"]);
}
