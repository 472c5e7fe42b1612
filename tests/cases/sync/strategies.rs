//! The shipped strategies beyond `timestamp`, `id`, `upsert` and `append-only`.

use icehost_tests::{Bed, Command};

fn versions(bed: &Bed) -> Command {
    bed.sync("dbo.V", "demo.v")
        .args(["--strategy", "rowversion", "--merge", "upsert"])
}

#[test]
fn rowversion_reads_what_changed_and_waits_for_transactions_that_are_open() {
    let bed = Bed::new();
    let mut source = bed.source();
    source.execute(
        "CREATE TABLE dbo.V (Id int NOT NULL PRIMARY KEY, Note nvarchar(20) NOT NULL, Version rowversion);
         CREATE TABLE dbo.Other (Id int NOT NULL PRIMARY KEY, Version rowversion);
         INSERT INTO dbo.V (Id, Note) VALUES (1, 'a'), (2, 'b')",
    );
    let rows = |command: Command| command.json()["rows_extracted"].clone();
    assert_eq!(rows(versions(&bed)), 2);
    assert_eq!(rows(versions(&bed)), 0);
    source.execute(
        "UPDATE dbo.V SET Note = 'c' WHERE Id = 1; INSERT INTO dbo.V (Id, Note) VALUES (3, 'd')",
    );
    assert_eq!(rows(versions(&bed)), 2);

    // It takes a lower number than row 4, and commits after it.
    let mut late = bed.source();
    late.execute("BEGIN TRANSACTION; INSERT INTO dbo.Other (Id) VALUES (1)");
    source.execute("INSERT INTO dbo.V (Id, Note) VALUES (4, 'e')");
    let waits = versions(&bed).leaves_more("row 4 is above an open transaction");
    assert_eq!(rows(waits), 0);
    late.execute("COMMIT TRANSACTION");
    assert_eq!(rows(versions(&bed)), 1);
    assert_eq!(rows(versions(&bed)), 0);
}

#[test]
fn rowversion_needs_the_column() {
    let bed = Bed::new();
    bed.source()
        .execute("CREATE TABLE dbo.V (Id int NOT NULL PRIMARY KEY)");
    versions(&bed)
        .run()
        .failure(&["has no rowversion column", "[no-column]"]);
}

fn refresh(bed: &Bed) -> Command {
    bed.sync("dbo.Rates", "demo.rates").args([
        "--strategy",
        "full-refresh",
        "--merge",
        "upsert",
        "--merge-option",
        "delete-missing=true",
    ])
}

fn rates(bed: &Bed) {
    bed.source().execute(
        "CREATE TABLE dbo.Rates (Currency char(3) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY, Rate decimal(18,6) NOT NULL);
         INSERT INTO dbo.Rates VALUES ('CHF', 0.95), ('EUR', 1), ('USD', 1.1)",
    );
}

#[test]
fn full_refresh_sees_updates_inserts_and_deletes_without_any_column_for_them() {
    let bed = Bed::new();
    rates(&bed);
    assert_eq!(refresh(&bed).json()["rows_extracted"], 3);
    bed.source().execute(
        "UPDATE dbo.Rates SET Rate = 1.2 WHERE Currency = 'USD'; DELETE FROM dbo.Rates WHERE Currency = 'CHF';
         INSERT INTO dbo.Rates VALUES ('GBP', 0.8)",
    );
    let second = refresh(&bed).json();
    assert_eq!(second["rows_extracted"], 3);
    let lake = icehost_tests::Dump::agreed(&bed.lake("demo.rates"), None);
    bed.source_dump("dbo.Rates")
        .assert_equals(&lake, "source", "lake");
}

#[test]
fn soft_delete_marks_rows_that_are_gone_and_clears_those_that_come_back() {
    let bed = Bed::new();
    rates(&bed);
    let mut target = bed.target();
    target.execute(
        "CREATE TABLE dbo.Rates (Currency char(3) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY, Rate decimal(18,6) NOT NULL,
            IsDeleted bit NOT NULL, DeletedAt datetime2(3) NULL)",
    );
    let sync = || {
        bed.sync("dbo.Rates", "demo.rates")
            .args(["--strategy", "full-refresh", "--lake-merge", "upsert"])
            .args(["--lake-merge-option", "delete-missing=true"])
            .args(["--merge", "soft-delete", "--target", &bed.target_url()])
            .json()
    };
    assert_eq!(sync()["rows_inserted"], 3);
    bed.source()
        .execute("DELETE FROM dbo.Rates WHERE Currency = 'CHF'");
    let gone = sync();
    assert_eq!(gone["rows_deleted"], 0);
    let mut marked = || {
        target.rows(
            "SELECT Currency, IsDeleted, CASE WHEN DeletedAt IS NULL THEN 0 WHEN DeletedAt > '2026-01-01' THEN 1 END
             FROM dbo.Rates ORDER BY Currency",
        )
    };
    let there = |currency| [currency, "false", "0"];
    assert_eq!(marked(), [["CHF", "true", "1"], there("EUR"), there("USD")]);
    bed.source()
        .execute("INSERT INTO dbo.Rates VALUES ('CHF', 0.96)");
    sync();
    assert_eq!(marked(), [there("CHF"), there("EUR"), there("USD")]);
}
