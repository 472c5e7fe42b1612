//! Columns that the source has lost and the lake still has.

use icehost_tests::maintenance::maintain;
use icehost_tests::{Bed, Command};

fn bed() -> Bed {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.D (Id int NOT NULL PRIMARY KEY, X int NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.D VALUES (1, 1, '2024-01-01'), (2, 2, '2024-01-01')",
    );
    bed
}

fn lose(bed: &Bed) {
    bed.source().execute("ALTER TABLE dbo.D DROP COLUMN X");
    bed.source()
        .execute("INSERT INTO dbo.D VALUES (3, '2024-01-02'); UPDATE dbo.D SET Modified = '2024-01-03' WHERE Id = 1");
}

fn sync(bed: &Bed, lake: &str) -> Command {
    bed.sync_to_target("dbo.D", lake).arg("--create-target")
}

#[track_caller]
fn assert_equal(bed: &Bed) {
    let rows = "SELECT Id, CONVERT(varchar(40), Modified, 126) FROM dbo.D ORDER BY Id";
    assert_eq!(bed.source().rows(rows), bed.target().rows(rows));
}

#[test]
fn a_column_that_the_source_has_lost_is_told_with_ways_on_that_end_in_equality() {
    let said = [
        "what is read has no column 'X', and a row that is replaced would lose its value",
        "hint: drop the column from the lake table, by another engine, or sync into a new lake table",
    ];
    let bed = bed();
    sync(&bed, "demo.d").json();
    lose(&bed);
    sync(&bed, "demo.d").run().failure(&said);
    maintain(&bed.lake("demo.d"), &["drop=X"]);
    let next = sync(&bed, "demo.d").json();
    assert_eq!(next["rows_appended"], 2, "{next}");
    assert_equal(&bed);

    bed.target()
        .execute("DROP TABLE dbo.D; DROP TABLE dbo.icehost_positions");
    sync(&bed, "demo.anew").json();
    assert_equal(&bed);
}
