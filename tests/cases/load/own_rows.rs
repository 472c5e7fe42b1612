//! Rows that have the merge's key in common, and are no versions of one row: nothing else tells the source's rows apart,
//! or its key is a wider one than the merge's.

use icehost_tests::{Bed, Command};

const TARGET: &str =
    "Id int NOT NULL PRIMARY KEY, P int NOT NULL, N nvarchar(9) NOT NULL, M datetime2(3) NOT NULL";
const REFUSED: &[&str] = &[
    "several rows have the key (1), and only one of them would stay",
    "hint: choose keys that identify a row; or, where the rows are versions of one",
    "deduplicate-by",
    "--lake-merge upsert",
];

/// A source whose lake keeps every row, with the row 1.
fn bed(source: &str, target: &str) -> Bed {
    let bed = Bed::new();
    bed.source().execute(&format!(
        "CREATE TABLE dbo.T (Id int NOT NULL, P int NOT NULL, N nvarchar(9) NOT NULL, M datetime2(3) NOT NULL{source})"
    ));
    bed.target()
        .execute(&format!("CREATE TABLE dbo.T ({target})"));
    insert(&bed, "(1, 1, N'a', '2026-01-01')");
    bed
}

fn insert(bed: &Bed, rows: &str) {
    bed.source()
        .execute(&format!("INSERT INTO dbo.T VALUES {rows}"));
}

fn sync(bed: &Bed) -> Command {
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", "timestamp", "--strategy-option", "column=M"])
        .args(["--lake-merge", "append-only", "--merge", "upsert"])
        .args(["--target", &bed.target_url()])
}

#[track_caller]
fn assert_equal(bed: &Bed) {
    let rows = "SELECT Id, P, N FROM dbo.T ORDER BY Id, P";
    assert_eq!(bed.source().rows(rows), bed.target().rows(rows));
}

#[test]
fn rows_of_a_source_without_a_key_are_no_versions_of_one() {
    // In one delivery, and in two.
    let together = bed("", TARGET);
    insert(&together, "(1, 2, N'b', '2026-02-01')");
    sync(&together).run().failure(REFUSED);
    assert_eq!(together.target().value("SELECT COUNT(*) FROM dbo.T"), "0");
    let later = bed("", TARGET);
    sync(&later).json();
    insert(&later, "(2, 1, N'c', '2026-01-15')");
    sync(&later).json();
    assert_equal(&later);
    insert(&later, "(1, 2, N'b', '2026-02-01')");
    sync(&later).run().failure(REFUSED);
    let there = "SELECT N FROM dbo.T WHERE Id = 1";
    assert_eq!(later.target().rows(there), [["a"]]);
    // Where they are versions, somebody can say so.
    later
        .source()
        .execute("DELETE FROM dbo.T WHERE Id = 1 AND N = 'a'");
    sync(&later)
        .args(["--merge-option", "deduplicate-by=M"])
        .json();
    assert_equal(&later);
}

#[test]
fn a_lake_that_keeps_one_row_of_each_key_has_no_versions() {
    let bed = bed("", TARGET);
    let sync = || {
        bed.sync("dbo.T", "demo.t")
            .args(["--strategy", "timestamp", "--strategy-option", "column=M"])
            .args(["--lake-merge", "upsert", "--lake-merge-option", "keys=Id"])
            .args(["--merge", "upsert", "--target", &bed.target_url()])
            .json()
    };
    sync();
    bed.source()
        .execute("UPDATE dbo.T SET N = N'b', M = '2026-02-01'");
    sync();
    assert_equal(&bed);
}

#[test]
fn a_unique_key_of_the_source_tells_versions() {
    let bed = bed(", CONSTRAINT uq UNIQUE (Id)", TARGET);
    sync(&bed).json();
    bed.source()
        .execute("UPDATE dbo.T SET N = N'b', M = '2026-02-01'");
    insert(&bed, "(2, 1, N'c', '2026-02-01')");
    sync(&bed).json();
    assert_equal(&bed);
    bed.load("demo.t", "dbo.T")
        .args(["--merge", "upsert", "--full"])
        .json();
    assert_equal(&bed);
}

#[test]
fn a_key_that_has_grown_tells_rows_apart() {
    let bed = bed(", CONSTRAINT pk PRIMARY KEY (Id)", TARGET);
    sync(&bed).json();
    bed.source().execute(
        "UPDATE dbo.T SET N = N'aa', M = '2026-01-15';
         ALTER TABLE dbo.T DROP CONSTRAINT pk;
         ALTER TABLE dbo.T ADD CONSTRAINT pk2 PRIMARY KEY (Id, P)",
    );
    insert(&bed, "(2, 1, N'c', '2026-01-15')");
    sync(&bed).json();
    assert_equal(&bed);
    insert(&bed, "(1, 2, N'b', '2026-02-01')");
    sync(&bed).run().failure(REFUSED);
    let there = "SELECT N FROM dbo.T WHERE Id = 1";
    assert_eq!(bed.target().rows(there), [["aa"]]);
    // A table that is created has the key that the source has now.
    bed.target().execute("DROP TABLE dbo.T");
    sync(&bed).arg("--create-target").json();
    assert_equal(&bed);
    bed.source()
        .execute("UPDATE dbo.T SET N = N'bb', M = '2026-03-01' WHERE P = 2");
    sync(&bed).json();
    assert_equal(&bed);
}

#[test]
fn rows_of_a_source_that_has_lost_its_key_are_rows_of_their_own() {
    let bed = bed(", CONSTRAINT pk PRIMARY KEY (Id)", TARGET);
    sync(&bed).json();
    bed.source().execute("ALTER TABLE dbo.T DROP CONSTRAINT pk");
    insert(&bed, "(1, 2, N'b', '2026-02-01')");
    sync(&bed).run().failure(REFUSED);
}
