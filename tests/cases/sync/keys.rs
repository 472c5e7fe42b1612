//! Keys: several columns, text under the server's collation, names that need quoting.

use icehost_tests::{Bed, Dump};

#[test]
fn composite_keys() {
    let bed = Bed::new();
    let table = "CREATE TABLE dbo.Lines (
        OrderID int NOT NULL, LineNumber smallint NOT NULL, Region nchar(2) NOT NULL,
        Quantity int NULL, Modified datetime2 NOT NULL,
        CONSTRAINT PK_Lines PRIMARY KEY (Region, OrderID, LineNumber))";
    bed.source().execute(table);
    bed.source().execute(
        "INSERT INTO dbo.Lines
         SELECT o.value, l.value, r.code, o.value * l.value, '2026-01-01'
         FROM GENERATE_SERIES(1, 20) o CROSS JOIN GENERATE_SERIES(1, 3) l
         CROSS JOIN (VALUES (N'EU'), (N'US')) r (code)",
    );
    let sync = || {
        bed.sync_to_target("dbo.Lines", "demo.lines")
            .arg("--create-target")
            .json()
    };
    assert_eq!(sync()["rows_inserted"], 120);
    bed.source().execute(
        "UPDATE dbo.Lines SET Quantity = NULL, Modified = '2026-01-02' WHERE LineNumber = 2 AND Region = N'EU';
         INSERT INTO dbo.Lines VALUES (21, 1, N'EU', 1, '2026-01-02')",
    );
    let second = sync();
    assert_eq!(second["rows_inserted"], 1);
    assert_eq!(second["rows_updated"], 20);
    assert_eq!(second["rows_removed"], 20);
    let source = bed.source_dump("dbo.Lines");
    source.assert_equals(&bed.target_dump("dbo.Lines"), "source", "target");
    source.assert_equals(
        &Dump::agreed(&bed.lake("demo.lines"), None),
        "source",
        "lake",
    );
}

#[test]
fn a_text_key_that_changes_its_case_stays_one_row() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.Codes (Code nvarchar(10) NOT NULL PRIMARY KEY, Text nvarchar(20) NULL, Modified datetime2 NOT NULL);
         INSERT INTO dbo.Codes VALUES (N'foo', N'one', '2026-01-01'), (N'bar ', N'two', '2026-01-01')",
    );
    let sync = || {
        bed.sync_to_target("dbo.Codes", "demo.codes")
            .arg("--create-target")
            .json()
    };
    sync();
    bed.source().execute(
        "UPDATE dbo.Codes SET Code = N'FOO', Text = N'three', Modified = '2026-01-02' WHERE Code = N'foo';
         UPDATE dbo.Codes SET Code = N'bar', Modified = '2026-01-02' WHERE Code = N'bar'",
    );
    let second = sync();
    assert_eq!(second["rows_removed"], 2);
    assert_eq!(second["rows_updated"], 2);
    assert_eq!(second["rows_inserted"], 0);
    let source = bed.source_dump("dbo.Codes");
    source.assert_equals(
        &Dump::agreed(&bed.lake("demo.codes"), None),
        "source",
        "lake",
    );
    source.assert_equals(&bed.target_dump("dbo.Codes"), "source", "target");
}

#[test]
fn names_that_need_quoting() {
    let bed = Bed::new();
    bed.source().execute("CREATE SCHEMA [odd schema]");
    let table = "CREATE TABLE {schema}.[[we]]ird, \"name\"]]] (
        [key ]]; DROP TABLE x --] int NOT NULL PRIMARY KEY,
        [Ünïcode 😀] nvarchar(20) NULL,
        [modified at] datetime2 NOT NULL)";
    bed.source()
        .execute(&table.replace("{schema}", "[odd schema]"));
    bed.target().execute(&table.replace("{schema}", "dbo"));
    bed.source().execute(
        "INSERT INTO [odd schema].[[we]]ird, \"name\"]]] VALUES (1, N'x', '2026-01-01'), (2, NULL, '2026-01-02')",
    );
    let report = bed
        .sync_to_target("[odd schema].[[we]]ird, \"name\"]]]", "demo.odd")
        .args(["--target-table", "dbo.[[we]]ird, \"name\"]]]"])
        .json();
    assert_eq!(report["rows_inserted"], 2);
    let rows = bed.target().rows(
        "SELECT [key ]]; DROP TABLE x --], [Ünïcode 😀] FROM dbo.[[we]]ird, \"name\"]]] ORDER BY 1",
    );
    assert_eq!(rows, [["1", "x"], ["2", "NULL"]]);
}

#[test]
fn identity_computed_and_rowversion_columns_and_triggers_at_the_target() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int IDENTITY(1,1) NOT NULL PRIMARY KEY, A int NOT NULL, Modified datetime2 NOT NULL);
         INSERT INTO dbo.T (A, Modified) VALUES (10, '2026-01-01'), (20, '2026-01-01')",
    );
    let mut target = bed.target();
    target.execute(
        "CREATE TABLE dbo.T (Id int IDENTITY(1,1) NOT NULL PRIMARY KEY, A int NOT NULL,
            Twice AS (A * 2), Version rowversion, Modified datetime2 NOT NULL);
         CREATE TABLE dbo.Seen (Id int NOT NULL)",
    );
    target.execute(
        "CREATE TRIGGER dbo.Watch ON dbo.T AFTER INSERT, UPDATE AS BEGIN
            INSERT INTO dbo.Seen SELECT Id FROM inserted
         END",
    );
    let first = bed.sync_to_target("dbo.T", "demo.t").json();
    assert_eq!(first["rows_inserted"], 2);
    bed.source()
        .execute("UPDATE dbo.T SET A = 21, Modified = '2026-01-02' WHERE Id = 2");
    let second = bed.sync_to_target("dbo.T", "demo.t").json();
    assert_eq!(second["rows_updated"], 1);
    assert_eq!(
        target.rows("SELECT Id, A, Twice FROM dbo.T ORDER BY Id"),
        [["1", "10", "20"], ["2", "21", "42"]]
    );
    assert_eq!(
        target.rows("SELECT Id, COUNT(*) FROM dbo.Seen GROUP BY Id ORDER BY Id"),
        [["1", "1"], ["2", "2"]]
    );
}
