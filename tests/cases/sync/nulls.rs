//! Rows that get a value in the cursor's column after they were read without one.

use icehost_tests::{Bed, Command, Dump};

const LAKE: &str = "demo.n";

fn table(key: &str) -> Bed {
    let bed = Bed::new();
    bed.source().execute(&format!(
        "CREATE TABLE dbo.N ({key}, V int NOT NULL, Modified datetime2(3) NULL)"
    ));
    bed
}

fn sync(bed: &Bed, lake_merge: &str) -> Command {
    bed.sync("dbo.N", LAKE)
        .args([
            "--strategy",
            "timestamp",
            "--strategy-option",
            "nulls=every-run",
        ])
        .args(["--lake-merge", lake_merge, "--merge", "upsert"])
        .args(["--target", &bed.target_url(), "--create-target"])
}

#[track_caller]
fn assert_equal(bed: &Bed) {
    let rows = "SELECT V, CONVERT(varchar(40), Modified, 126) FROM dbo.N ORDER BY V";
    assert_eq!(bed.source().rows(rows), bed.target().rows(rows));
}

#[test]
fn a_row_that_gets_a_value_below_the_mark_is_read_by_its_key() {
    for (key, one, two, three) in [
        ("Id int NOT NULL PRIMARY KEY", "1", "2", "3"),
        (
            "Id nvarchar(20) COLLATE Latin1_General_CI_AS NOT NULL PRIMARY KEY",
            "N'o''ne'",
            "N'TWO'",
            "N'3'",
        ),
        (
            "A smallint NOT NULL, B uniqueidentifier NOT NULL, PRIMARY KEY (A, B)",
            "1, '6F9619FF-8B86-D011-B42D-00C04FC964FF'",
            "1, '7F9619FF-8B86-D011-B42D-00C04FC964FF'",
            "2, '6F9619FF-8B86-D011-B42D-00C04FC964FF'",
        ),
        (
            "D decimal(9,2) NOT NULL, T datetime2(3) NOT NULL, PRIMARY KEY (D, T)",
            "1.25, '2024-01-01T00:00:00.123'",
            "1.50, '2024-01-01T00:00:00.123'",
            "-1, '2024-01-01'",
        ),
        (
            "D date NOT NULL, B binary(4) NOT NULL, PRIMARY KEY (D, B)",
            "'2024-01-01', 0x0100",
            "'2024-01-01', 0x0200",
            "'2024-01-02', 0x0100",
        ),
    ] {
        for merge in ["upsert", "append-only"] {
            let bed = table(key);
            bed.source().execute(&format!(
                "INSERT INTO dbo.N VALUES ({one}, 10, NULL), ({two}, 20, NULL), ({three}, 30, '2024-02-01')"
            ));
            sync(&bed, merge).json();
            bed.source()
                .execute("UPDATE dbo.N SET V = 11, Modified = '2020-01-01' WHERE V = 10");
            let run = sync(&bed, merge).json();
            assert_eq!(run["rows_appended"], 1, "{key} {merge}: {run}");
            assert_equal(&bed);
            for _ in 0..2 {
                let again = sync(&bed, merge).json();
                assert_eq!(again["snapshot_created"], false, "{key} {merge}: {again}");
            }
            let rows = Dump::pyiceberg(&bed.lake(LAKE), None).rows.len();
            assert_eq!(rows, if merge == "upsert" { 3 } else { 4 });
        }
    }
}

#[test]
fn rows_without_a_value_may_go_come_and_change() {
    let bed = table("Id int NOT NULL PRIMARY KEY");
    bed.source()
        .execute("INSERT INTO dbo.N VALUES (1, 10, NULL), (2, 20, NULL), (3, 30, '2024-02-01')");
    sync(&bed, "upsert").json();
    bed.source().execute(
        "DELETE FROM dbo.N WHERE Id = 1; UPDATE dbo.N SET V = 21 WHERE Id = 2;
         INSERT INTO dbo.N VALUES (4, 40, NULL)",
    );
    let run = sync(&bed, "upsert").json();
    assert_eq!(run["rows_appended"], 2, "{run}");
    // A deletion is not seen, by a cursor; nothing is read for it again and again.
    let run = sync(&bed, "upsert").json();
    assert_eq!(run["snapshot_created"], false, "{run}");
    let there = bed.target().rows("SELECT Id, V FROM dbo.N ORDER BY Id");
    assert_eq!(there, [["1", "10"], ["2", "21"], ["3", "30"], ["4", "40"]]);
}

#[test]
fn more_rows_than_a_run_looks_for_are_told_and_come_with_the_next_ones() {
    let bed = table("Id int NOT NULL PRIMARY KEY");
    bed.source().execute(
        "INSERT INTO dbo.N SELECT value, value, NULL FROM GENERATE_SERIES(1, 700);
         INSERT INTO dbo.N VALUES (701, 701, '2024-02-01')",
    );
    sync(&bed, "upsert").json();
    bed.source()
        .execute("UPDATE dbo.N SET V = V + 1000, Modified = '2020-01-01' WHERE Id <= 650");
    for left in [350, 50] {
        let run = sync(&bed, "upsert")
            .leaves_apart("rows are left to later runs")
            .run()
            .success();
        let told = format!(
            "{left} rows that lake table demo.n has without a value in 'Modified' have one in dbo.N, or are gone from it"
        );
        assert!(run.stderr.contains(&told), "{}", run.stderr);
    }
    let run = sync(&bed, "upsert").run().success();
    assert!(!run.stderr.contains("without a value"), "{}", run.stderr);
    assert_equal(&bed);
}
