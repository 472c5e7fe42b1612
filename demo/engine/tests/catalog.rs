//! Catalog views and metadata functions, bulk loads, refusals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kit;
use icehost_devengine::types::Datum;
use kit::{Kit, cancel, run, text};

fn shop() -> Kit {
    let mut kit = Kit::new();
    kit.run("CREATE SCHEMA sales");
    kit.run(
        "CREATE TABLE sales.[we]]ird, \"name\"] (
            id int IDENTITY(5,2) NOT NULL CONSTRAINT PK_w PRIMARY KEY NONCLUSTERED, code varchar(10) COLLATE Latin1_General_BIN2 NOT NULL CONSTRAINT UQ_w UNIQUE,
            price decimal(10,2) NULL CONSTRAINT DF_p DEFAULT 1.5, twice AS price * 2 PERSISTED, ver rowversion, note nvarchar(max), at datetimeoffset(3));
         INSERT sales.[we]]ird, \"name\"] (code) VALUES ('a'), ('A')",
    );
    kit
}

#[test]
fn columns_types_and_keys_are_described() {
    let mut kit = shop();
    assert_eq!(
        kit.rows(
            "SELECT c.name, t.name, c.max_length, c.precision, c.scale, c.collation_name, c.is_nullable, c.is_identity, c.is_computed
             FROM sys.columns c JOIN sys.types t ON t.user_type_id = c.user_type_id JOIN sys.tables o ON o.object_id = c.object_id
             JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE s.name = N'sales' ORDER BY c.column_id"
        ),
        [
            "id|int|4|10|0|NULL|0|1|0",
            "code|varchar|10|0|0|Latin1_General_BIN2|0|0|0",
            "price|decimal|9|10|2|NULL|1|0|0",
            "twice|numeric|9|12|2|NULL|1|0|1",
            "ver|timestamp|8|0|0|NULL|0|0|0",
            "note|nvarchar|-1|0|0|SQL_Latin1_General_CP1_CI_AS|1|0|0",
            "at|datetimeoffset|9|30|3|NULL|1|0|0",
        ]
    );
    assert_eq!(
        kit.rows(
            "SELECT i.name, i.is_primary_key, i.type_desc, col.name FROM sys.indexes i
             JOIN sys.index_columns ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id
             JOIN sys.columns col ON col.object_id = ic.object_id AND col.column_id = ic.column_id
             WHERE i.object_id = OBJECT_ID(N'sales.[we]]ird, \"name\"]') ORDER BY i.index_id, ic.key_ordinal"
        ),
        ["PK_w|1|NONCLUSTERED|id", "UQ_w|0|NONCLUSTERED|code"]
    );
    assert_eq!(kit.value("SELECT SUM(rows) FROM sys.partitions WHERE object_id = OBJECT_ID(N'sales.[we]]ird, \"name\"]') AND index_id IN (0, 1)"), "2");
    assert_eq!(
        kit.rows("SELECT seed_value, increment_value, last_value FROM sys.identity_columns"),
        ["5|2|7"]
    );
    assert_eq!(
        kit.value("SELECT definition FROM sys.default_constraints WHERE name = 'DF_p'"),
        "(1.5)"
    );
    assert_eq!(kit.value("SELECT COLUMN_NAME FROM INFORMATION_SCHEMA.KEY_COLUMN_USAGE WHERE CONSTRAINT_NAME = 'PK_w'"), "id");
    assert_eq!(
        kit.value(
            "SELECT OBJECTPROPERTY(OBJECT_ID(N'sales.[we]]ird, \"name\"]'), 'TableHasIdentity')"
        ),
        "1"
    );
    kit.run("CREATE TABLE #t (x int)");
    assert_eq!(
        kit.value("SELECT name FROM tempdb.sys.columns WHERE object_id = OBJECT_ID('tempdb..#t')"),
        "x"
    );
}

#[test]
fn server_facts_say_what_this_is() {
    let mut kit = Kit::new();
    assert!(
        kit.value("SELECT @@VERSION")
            .contains("not Microsoft SQL Server")
    );
    assert_eq!(kit.text("SERVERPROPERTY('ProductVersion')"), "16.0.1000.6");
    assert_eq!(kit.text("SERVERPROPERTY('EngineEdition')"), "3");
    assert_eq!(
        kit.rows("SELECT DB_NAME(), SCHEMA_NAME(), SUSER_SNAME(), USER_NAME()"),
        ["test|dbo|sa|dbo"]
    );
    assert_eq!(kit.error("USE nowhere"), 911);
    kit.run("CREATE DATABASE other; USE other; CREATE TABLE t (a int); USE test; INSERT other.dbo.t VALUES (1)");
    assert_eq!(kit.value("SELECT COUNT(*) FROM other..t"), "1");
}

#[test]
fn bulk_loads() {
    let mut kit = Kit::new();
    kit.run("CREATE TABLE b (id int IDENTITY PRIMARY KEY, name nvarchar(5) NOT NULL, n int DEFAULT 3 CHECK (n < 10), twice AS n * 2)");
    let mut target = kit.session.begin_bulk("INSERT BULK dbo.b ([name] nvarchar(5) COLLATE Latin1_General_CI_AS, [n] int) WITH (TABLOCK, ROWS_PER_BATCH = 10)", &cancel()).unwrap();
    assert_eq!(target.columns.len(), 2);
    target.push(vec![text("a"), Datum::Int(50)]).unwrap();
    target.push(vec![text("b"), Datum::Null]).unwrap();
    assert_eq!(target.finish(&mut kit.session, &cancel()).unwrap(), 2);
    assert_eq!(
        kit.rows("SELECT id, name, n, twice FROM b ORDER BY id"),
        ["1|a|50|100", "2|b|3|6"]
    );
    let mut load = |statement: &str, rows: Vec<Vec<Datum>>| {
        let mut target = kit.session.begin_bulk(statement, &cancel())?;
        for row in rows {
            target.push(row)?;
        }
        target.finish(&mut kit.session, &cancel())
    };
    assert_eq!(
        load(
            "INSERT BULK b (name nvarchar(5), n int) WITH (CHECK_CONSTRAINTS)",
            vec![vec![text("c"), Datum::Int(50)]]
        )
        .unwrap_err()
        .number,
        547
    );
    assert_eq!(
        load(
            "INSERT BULK b (name nvarchar(9))",
            vec![vec![text("ok")], vec![text("too long")]]
        )
        .unwrap_err()
        .number,
        2628
    );
    assert_eq!(
        load("INSERT BULK b (name nvarchar(5))", vec![vec![Datum::Null]])
            .unwrap_err()
            .number,
        515
    );
    assert_eq!(
        load("INSERT BULK b (nope int)", vec![]).unwrap_err().number,
        207
    );
    assert_eq!(
        load(
            "INSERT BULK b (id int, name nvarchar(5)) WITH (KEEP_IDENTITY)",
            vec![vec![Datum::Int(9), text("k")]]
        )
        .unwrap(),
        1
    );
    assert_eq!(
        load(
            "INSERT BULK b (id int, name nvarchar(5)) WITH (KEEP_IDENTITY)",
            vec![
                vec![Datum::Int(10), text("x")],
                vec![Datum::Int(9), text("k")]
            ]
        )
        .unwrap_err()
        .number,
        2627
    );
    assert_eq!(kit.rows("SELECT id FROM b ORDER BY id"), ["1", "2", "9"]);
    kit.run("BEGIN TRAN");
    let mut target = kit
        .session
        .begin_bulk("INSERT BULK b (name nvarchar(5))", &cancel())
        .unwrap();
    target.push(vec![text("t")]).unwrap();
    target.finish(&mut kit.session, &cancel()).unwrap();
    kit.run("ROLLBACK");
    assert_eq!(kit.value("SELECT COUNT(*) FROM b"), "3");
    kit.run("INSERT BULK b (name nvarchar(5))");
    assert!(kit.session.take_bulk().is_some());
}

#[test]
fn what_is_not_modelled_is_refused_by_name() {
    let mut kit = Kit::new();
    kit.run("CREATE TABLE t (a int)");
    let refusals: Vec<String> = [
        "CREATE VIEW v AS SELECT 1 AS a",
        "CREATE PROCEDURE p AS SELECT 1",
        "CREATE TABLE f (a int REFERENCES t(a))",
        "CREATE TABLE x (a xml)",
        "CREATE TABLE s (a int SPARSE NULL)",
        "SELECT * FROM t FOR JSON AUTO",
        "SELECT TOP 5 PERCENT * FROM t",
        "SELECT FORMAT(a, 'N') FROM t",
        "SET ROWCOUNT 5",
        "SET ANSI_NULLS OFF",
        "EXEC sp_helptext 't'",
        "GRANT SELECT ON t TO public",
        "SELECT * FROM sys.dm_os_wait_stats",
        "WITH r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r",
        "SELECT a FROM t WITH (READPAST)",
        "SELECT a AT TIME ZONE 'UTC' FROM t",
        "SELECT * INTO ##global FROM t",
    ]
    .into_iter()
    .map(|sql| format!("{sql} -> {}", kit.failure(sql)))
    .collect();
    insta::assert_debug_snapshot!(refusals);
}

#[test]
fn syntax_and_name_errors_end_the_batch() {
    let mut kit = Kit::new();
    let errors: Vec<String> = [
        "SELEC 1",
        "SELECT FROM",
        "SELECT 1 +",
        "SELECT 'open",
        "SELECT nope",
        "SELECT t.nope FROM (SELECT 1 AS a) t",
        "SELECT @v",
        "SELECT * FROM nope; SELECT 1",
        "EXEC nope",
        "SELECT (SELECT 1, 2)",
    ]
    .into_iter()
    .map(|sql| {
        let collected = kit.try_run(sql);
        assert!(collected.sets.is_empty(), "{sql}");
        format!("{sql} -> {}", collected.errors[0])
    })
    .collect();
    insta::assert_debug_snapshot!(errors);
}

#[test]
fn sessions_reset_to_what_they_were() {
    let mut kit = Kit::new();
    kit.run("CREATE TABLE t (a int); CREATE TABLE #x (a int); SET XACT_ABORT ON; USE master; BEGIN TRAN; INSERT test.dbo.t VALUES (1)");
    kit.session.reset();
    assert_eq!(kit.session.database(), "test");
    assert_eq!(kit.error("SELECT * FROM #x"), 208);
    assert_eq!(kit.value("SELECT COUNT(*) FROM t"), "0");
    let mut other = kit.other();
    assert!(run(&mut other, "SELECT * FROM t").errors.is_empty());
}
