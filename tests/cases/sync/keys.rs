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

/// Syncs a table by `full-refresh` and `upsert`, with these keys.
fn by_keys(bed: &Bed, keys: &str) -> icehost_tests::Command {
    bed.sync("dbo.K", "demo.k")
        .args(["--strategy", "full-refresh", "--merge", "upsert"])
        .args(["--merge-option", &format!("keys={keys}")])
}

#[test]
fn keys_that_are_not_unique_are_told_before_anything_is_written() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.K (Id int NOT NULL PRIMARY KEY, Region int NOT NULL, Code varchar(9) NOT NULL);
         INSERT INTO dbo.K SELECT value, value % 10, CONCAT('c', value) FROM GENERATE_SERIES(1, 2001)",
    );
    by_keys(&bed, "Region").run().failure(&[
        "the key Region does not tell the rows",
        "Region = ",
        "stands in several rows",
        "deduplicate-by",
    ]);
    assert!(!bed.lake("demo.k").join("metadata").exists());
    // Columns that happen to be unique will do, and so will those of the key with others.
    assert_eq!(by_keys(&bed, "Code").json()["rows_appended"], 2001);
    bed.source()
        .execute("INSERT INTO dbo.K VALUES (3000, 1, 'C7 ')");
    by_keys(&bed, "Code")
        .run()
        .failure(&["the key Code", "stands in several rows"]);
    let chosen = by_keys(&bed, "Code").args(["--merge-option", "deduplicate-by=Id"]);
    assert_eq!(chosen.json()["rows_extracted"], 2002);
    let lake = Dump::agreed(&bed.lake("demo.k"), None);
    assert_eq!(lake.rows.len(), 2001);
}

#[test]
fn a_key_without_a_value_is_told_before_anything_is_written() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.K (A varchar(5) NOT NULL, B varchar(5) NULL, V int NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.K VALUES ('x', 'y', 1, '2024-01-01'), ('e', NULL, 2, '2024-01-01')",
    );
    let sync = || {
        bed.sync_to_target("dbo.K", "demo.k")
            .args(["--merge-option", "keys=A,B", "--create-target"])
            .run()
    };
    sync().failure(&["the key A, B", "A = e, B = NULL", "has NULL", "hint"]);
    bed.source()
        .execute("UPDATE dbo.K SET B = 'z' WHERE A = 'e'");
    sync().success();
    // Later, and in another row than those that are read.
    bed.source().execute(
        "INSERT INTO dbo.K VALUES ('e', NULL, 3, '2023-01-01'), ('n', 'n', 4, '2024-02-01')",
    );
    sync().failure(&["A = e, B = NULL", "has NULL"]);
    assert_eq!(Dump::agreed(&bed.lake("demo.k"), None).rows.len(), 2);
}

#[test]
fn a_source_that_has_lost_its_key_is_told_of_the_first_key_that_repeats() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.K (Id int NOT NULL, V int NULL, Modified datetime2(3) NOT NULL,
            CONSTRAINT PK_K PRIMARY KEY (Id));
         INSERT INTO dbo.K VALUES (1, 10, '2024-01-01'), (2, 20, '2024-01-01')",
    );
    let sync = || {
        bed.sync_to_target("dbo.K", "demo.k")
            .arg("--create-target")
            .run()
    };
    sync().success();
    bed.source()
        .execute("ALTER TABLE dbo.K DROP CONSTRAINT PK_K");
    bed.source()
        .execute("INSERT INTO dbo.K VALUES (3, 30, '2024-01-02')");
    sync().success();
    bed.source()
        .execute("INSERT INTO dbo.K VALUES (2, 21, '2024-01-03')");
    sync().failure(&["the key Id", "Id = 2 stands in several rows"]);
    assert_eq!(Dump::agreed(&bed.lake("demo.k"), None).rows.len(), 3);
}

#[test]
fn a_key_finer_than_a_microsecond_is_refused_by_its_value() {
    let bed = Bed::new();
    for (table, sql_type, coarse, fine) in [
        (
            "dbo.A",
            "datetime2",
            "2024-01-01T00:00:00.123456",
            "2024-01-01T00:00:00.1234561",
        ),
        ("dbo.B", "time(7)", "00:00:00.123456", "00:00:00.1234568"),
        (
            "dbo.C",
            "datetimeoffset(7)",
            "2024-01-01T00:00:00.123456+02:00",
            "2024-01-01T00:00:00.1234569+02:00",
        ),
    ] {
        bed.source().execute(&format!(
            "CREATE TABLE {table} (Device int NOT NULL, At {sql_type} NOT NULL, Seen datetime2(7) NOT NULL, V int NOT NULL,
                PRIMARY KEY (Device, At));
             INSERT INTO {table} VALUES (1, '{coarse}', '2024-01-01T00:00:00.1234567', 10)"
        ));
        let lake = table.replace("dbo.", "demo.").to_lowercase();
        let sync = |merge: &str| {
            bed.sync(table, &lake)
                .args(["--strategy", "full-refresh", "--merge", merge])
                .run()
        };
        // The type alone is no reason, and elsewhere the digit is cut off.
        sync("upsert").success();
        bed.source().execute(&format!(
            "INSERT INTO {table} VALUES (1, '{fine}', '2024-01-01', 20)"
        ));
        let said = [
            "column 'At'",
            "the 100 ns digit",
            "two keys that differ in it would become one",
        ];
        sync("upsert").failure(&said);
        assert_eq!(Dump::agreed(&bed.lake(&lake), None).rows.len(), 1);
    }
    // A key that is chosen, not the table's.
    bed.source().execute(
        "CREATE TABLE dbo.K (Id int NOT NULL PRIMARY KEY, At datetime2(7) NOT NULL UNIQUE);
         INSERT INTO dbo.K VALUES (1, '2024-01-01T00:00:00.1234561'), (2, '2024-01-01T00:00:00.1234568')",
    );
    by_keys(&bed, "At")
        .run()
        .failure(&["column 'At'", "the 100 ns digit"]);
    by_keys(&bed, "Id").run().success();
}

#[test]
fn keys_at_the_ends_of_their_types_are_cut_into_ranges() {
    let bed = Bed::new();
    let small = format!("0.{}1", "0".repeat(37));
    let nines = "9".repeat(38);
    let cases = [
        (
            "decimal(38,38)",
            vec![
                format!("-0.{nines}"),
                "0".into(),
                small,
                format!("0.{nines}"),
            ],
        ),
        (
            "decimal(38,37)",
            vec![format!("-9.{}", &nines[1..]), "0".into(), "0.5".into()],
        ),
        (
            "decimal(38,0)",
            vec![format!("-{nines}"), "0".into(), nines.clone()],
        ),
        (
            "money",
            vec![
                "-922337203685477.5808".into(),
                "0".into(),
                "922337203685477.5807".into(),
            ],
        ),
        (
            "smallmoney",
            vec!["-214748.3648".into(), "0".into(), "214748.3647".into()],
        ),
        (
            "bigint",
            vec![i64::MIN.to_string(), "0".into(), i64::MAX.to_string()],
        ),
        ("tinyint", vec!["0".into(), "1".into(), "255".into()]),
        (
            "date",
            vec![
                "'0001-01-01'".into(),
                "'2024-02-29'".into(),
                "'9999-12-31'".into(),
            ],
        ),
        (
            "datetime2(7)",
            vec![
                "'0001-01-01'".into(),
                "'2024-02-29T12:00:00.1'".into(),
                "'9999-12-31T23:59:59.999999'".into(),
            ],
        ),
        (
            "datetime",
            vec![
                "'1753-01-01'".into(),
                "'2024-02-29T12:00:00.003'".into(),
                "'9999-12-31T23:59:59.997'".into(),
            ],
        ),
        (
            "smalldatetime",
            vec![
                "'1900-01-01'".into(),
                "'2024-02-29T12:00'".into(),
                "'2079-06-06T23:59'".into(),
            ],
        ),
        (
            "time(7)",
            vec![
                "'00:00'".into(),
                "'12:00:00.000001'".into(),
                "'23:59:59.999999'".into(),
            ],
        ),
        (
            "datetimeoffset(7)",
            vec![
                "'0001-01-01T00:00:00+00:00'".into(),
                "'2024-02-29T12:00:00+14:00'".into(),
                "'9999-12-31T23:59:59.999999+00:00'".into(),
            ],
        ),
        (
            "varbinary(900)",
            vec![
                "0x".into(),
                "0x00FF".into(),
                format!("0x{}", "FF".repeat(900)),
            ],
        ),
        (
            "nvarchar(400)",
            vec![
                "N''".into(),
                "N'm'".into(),
                format!("N'{}'", "z".repeat(400)),
            ],
        ),
    ];
    for (number, (sql_type, keys)) in cases.iter().enumerate() {
        let table = format!("dbo.E{number}");
        bed.source().execute(&format!(
            "CREATE TABLE {table} (K {sql_type} NOT NULL PRIMARY KEY, Modified datetime2(3) NOT NULL)"
        ));
        for key in keys {
            bed.source()
                .execute(&format!("INSERT INTO {table} VALUES ({key}, '2024-01-01')"));
        }
        let report = bed
            .sync(&table, &format!("demo.e{number}"))
            .args(["--strategy", "timestamp", "--merge", "upsert"])
            .args(["--parallel", "2", "--range-rows", "1"])
            .json();
        assert_eq!(report["rows_appended"], keys.len(), "{sql_type}: {report}");
        assert!(report["ranges"].as_u64() > Some(1), "{sql_type}: {report}");
    }
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

#[test]
fn which_row_of_a_key_counts_is_never_decided_by_an_order_that_the_server_does_not_have() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.K (Id int NOT NULL PRIMARY KEY, Code varchar(9) NOT NULL, Rank nvarchar(9) NOT NULL,
            Tag uniqueidentifier NOT NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.K VALUES
            (1, 'c', N'b', '00000000-0000-0000-0000-000000000002', '2026-01-01'),
            (2, 'c', N'A', '10000000-0000-0000-0000-000000000001', '2026-01-01')",
    );
    for (column, kind) in [("Rank", "nvarchar(9)"), ("Tag", "uniqueidentifier")] {
        by_keys(&bed, "Code")
            .args(["--merge-option", &format!("deduplicate-by={column}")])
            .run()
            .failure(&[
                &format!("would go by column '{column}', and systems order {kind} differently"),
                "--lake-merge append-only",
            ]);
        assert!(!bed.lake("demo.k").join("metadata").exists());
    }
    // The way that the hint names: every row in the lake, and the target's server chooses.
    let chosen = bed
        .sync("dbo.K", "demo.k")
        .args([
            "--strategy",
            "timestamp",
            "--lake-merge",
            "append-only",
            "--merge",
            "upsert",
        ])
        .args([
            "--merge-option",
            "keys=Code",
            "--merge-option",
            "deduplicate-by=Rank",
        ])
        .args(["--target", &bed.target_url()]);
    bed.target().execute(
        "CREATE TABLE dbo.K (Id int NOT NULL, Code varchar(9) NOT NULL PRIMARY KEY,
            Rank nvarchar(9) COLLATE Latin1_General_CI_AS NOT NULL, Tag uniqueidentifier NOT NULL,
            Modified datetime2(3) NOT NULL)",
    );
    chosen.json();
    assert_eq!(
        bed.target().rows("SELECT Id FROM dbo.K"),
        [["1"]],
        "b comes behind A"
    );
}

#[test]
fn a_key_that_may_be_null_is_told_once() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.Loose (A int NULL, B int NULL, Modified datetime2 NOT NULL);
         INSERT INTO dbo.Loose VALUES (1, 1, '2026-01-01'), (2, 2, '2026-01-01')",
    );
    let run = bed
        .sync_to_target("dbo.Loose", "demo.loose")
        .args(["--create-target", "--merge-option", "keys=A"])
        .run()
        .success();
    let told = run.stderr.matches("key column 'A' may be NULL").count();
    assert_eq!(told, 1, "{}", run.stderr);
}
