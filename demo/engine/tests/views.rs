//! Views and synonyms: what is read through them, and what the catalog says of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kit;
use kit::Kit;

fn kit() -> Kit {
    let mut kit = Kit::new();
    kit.run(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Name nvarchar(20) NULL, Kind char(1) NOT NULL, V rowversion);
         INSERT INTO dbo.T (Id, Name, Kind) VALUES (1, N'a', 'x'), (2, N'b', 'y'), (3, NULL, 'x')",
    );
    kit
}

#[test]
fn a_view_reads_the_rows_that_its_tables_have_now() {
    let mut kit = kit();
    kit.run("CREATE VIEW dbo.X AS SELECT Id, Name AS Called, V FROM dbo.T WHERE Kind = 'x';");
    assert_eq!(
        kit.rows("SELECT Id, Called FROM X ORDER BY Id"),
        ["1|a", "3|NULL"]
    );
    kit.run("INSERT INTO dbo.T (Id, Name, Kind) VALUES (4, N'd', 'x')");
    assert_eq!(
        kit.rows("SELECT X.Id FROM dbo.X WHERE dbo.X.Id > 1 ORDER BY Id"),
        ["3", "4"]
    );
    assert_eq!(
        kit.value("SELECT COUNT(*) FROM dbo.X AS a JOIN dbo.T AS b ON b.Id = a.Id"),
        "3"
    );
    kit.run(
        "CREATE TABLE dbo.U (Id int NOT NULL, More int NOT NULL); INSERT INTO dbo.U VALUES (1, 7)",
    );
    kit.run("CREATE VIEW J (A, B) AS SELECT x.Id, u.More FROM X AS x LEFT JOIN dbo.U AS u ON u.Id = x.Id");
    assert_eq!(
        kit.rows("SELECT A, B FROM J ORDER BY A"),
        ["1|7", "3|NULL", "4|NULL"]
    );
    kit.run("CREATE DATABASE other; USE other");
    assert_eq!(kit.value("SELECT COUNT(*) FROM test.dbo.X"), "3");
}

#[test]
fn the_catalog_knows_a_view_and_its_columns() {
    let mut kit = kit();
    kit.run("CREATE VIEW dbo.X AS SELECT Id, Name, V FROM dbo.T");
    assert_eq!(
        kit.rows("SELECT name, type, type_desc FROM sys.objects WHERE object_id = OBJECT_ID('dbo.X', 'V')"),
        ["X|V |VIEW"]
    );
    assert_eq!(kit.value("SELECT COUNT(*) FROM sys.views"), "1");
    assert_eq!(kit.value("SELECT COUNT(*) FROM sys.tables"), "1");
    assert_eq!(
        kit.rows(
            "SELECT c.name, t.name, c.is_nullable, c.is_computed FROM sys.columns AS c
             JOIN sys.types AS t ON t.user_type_id = c.user_type_id
             WHERE c.object_id = OBJECT_ID('X') ORDER BY c.column_id"
        ),
        ["Id|int|0|0", "Name|nvarchar|1|0", "V|timestamp|0|0"]
    );
    assert_eq!(
        kit.rows(
            "SELECT OBJECTPROPERTY(OBJECT_ID('X'), 'IsView'), OBJECTPROPERTY(OBJECT_ID('X'), 'IsTable'),
                    COLUMNPROPERTY(OBJECT_ID('X'), 'Name', 'AllowsNull')"
        ),
        ["1|0|1"]
    );
    for (of, wanted) in [
        ("sys.indexes", "0"),
        ("sys.partitions", "0"),
        ("sys.sql_modules", "1"),
    ] {
        let count = format!("SELECT COUNT(*) FROM {of} WHERE object_id = OBJECT_ID('X')");
        assert_eq!(kit.value(&count), wanted, "{of}");
    }
    assert_eq!(
        kit.rows(
            "SELECT TABLE_NAME, TABLE_TYPE FROM INFORMATION_SCHEMA.TABLES ORDER BY TABLE_NAME"
        ),
        ["T|BASE TABLE", "X|VIEW"]
    );
    assert_eq!(kit.error("CREATE TABLE dbo.X (a int)"), 2714);
    assert_eq!(kit.error("DROP TABLE dbo.X"), 3705);
    assert_eq!(kit.error("DROP VIEW dbo.T"), 3705);
    kit.run("DROP VIEW dbo.X");
    assert_eq!(kit.error("SELECT * FROM dbo.X"), 208);
    assert_eq!(kit.error("DROP VIEW dbo.X"), 3701);
    kit.run("DROP VIEW IF EXISTS dbo.X");
}

#[test]
fn what_is_not_certain_of_a_view_is_refused() {
    let mut kit = kit();
    assert_eq!(
        kit.error("SELECT 1; CREATE VIEW dbo.X AS SELECT Id FROM dbo.T"),
        111
    );
    kit.run("CREATE TABLE dbo.I (Id int IDENTITY NOT NULL, C AS Id + 1)");
    for view in [
        "SELECT * FROM dbo.T",
        "SELECT Id + 1 AS N FROM dbo.T",
        "SELECT TOP (1) Id FROM dbo.T",
        "SELECT DISTINCT Id FROM dbo.T",
        "SELECT Id FROM dbo.T UNION ALL SELECT Id FROM dbo.T",
        "SELECT Id FROM dbo.T WITH (NOLOCK)",
        "SELECT Id FROM dbo.I",
        "SELECT C FROM dbo.I",
    ] {
        assert_eq!(kit.error(&format!("CREATE VIEW dbo.X AS {view}")), 50104);
    }
    kit.run("CREATE VIEW dbo.X AS SELECT Id, Name FROM dbo.T");
    for statement in [
        "UPDATE dbo.X SET Name = N'z'",
        "INSERT INTO dbo.X VALUES (9, N'z')",
        "DELETE FROM dbo.X",
        "TRUNCATE TABLE dbo.X",
        "CREATE INDEX i ON dbo.X (Id)",
    ] {
        assert_eq!(kit.error(statement), 50104);
    }
    kit.run("ALTER TABLE dbo.T ALTER COLUMN Name nvarchar(30) NULL");
    assert_eq!(kit.error("SELECT Id FROM dbo.X"), 50104);
}

#[test]
fn a_synonym_is_read_as_what_it_stands_for() {
    let mut kit = kit();
    kit.run("CREATE SYNONYM dbo.S FOR dbo.T; CREATE SYNONYM Far FOR test.dbo.T; CREATE SYNONYM Later FOR dbo.Missing");
    assert_eq!(kit.value("SELECT COUNT(*) FROM dbo.S"), "3");
    assert_eq!(kit.rows("SELECT S.Id FROM S WHERE S.Id = 2"), ["2"]);
    assert_eq!(
        kit.rows("SELECT name, base_object_name FROM sys.synonyms ORDER BY name"),
        [
            "Far|[test].[dbo].[T]",
            "Later|[dbo].[Missing]",
            "S|[dbo].[T]"
        ]
    );
    assert_eq!(
        kit.rows("SELECT type, type_desc FROM sys.objects WHERE object_id = OBJECT_ID('dbo.S')"),
        ["SN|SYNONYM"]
    );
    assert_eq!(kit.error("SELECT * FROM Later"), 208);
    assert_eq!(kit.error("CREATE SYNONYM dbo.T FOR dbo.S"), 2714);
    assert_eq!(kit.error("CREATE TABLE dbo.S (a int)"), 2714);
    assert_eq!(kit.error("UPDATE dbo.S SET Name = N'z'"), 50104);
    kit.run("CREATE DATABASE other; USE other");
    assert_eq!(kit.value("SELECT COUNT(*) FROM test.dbo.S"), "3");
    kit.run("USE test; DROP SYNONYM dbo.S");
    assert_eq!(kit.error("SELECT * FROM dbo.S"), 208);
    assert_eq!(kit.error("DROP SYNONYM dbo.S"), 3701);
}

#[test]
fn a_function_tells_which_tables_the_columns_of_a_view_are_of() {
    let mut kit = kit();
    kit.run("CREATE DATABASE other; USE other");
    kit.run("CREATE TABLE dbo.U (Id int NOT NULL, More int NOT NULL)");
    kit.run("CREATE SYNONYM dbo.S FOR test.dbo.T");
    kit.run("CREATE VIEW dbo.X AS SELECT Id, Name FROM dbo.S");
    kit.run(
        "CREATE VIEW dbo.Y (A, B) AS SELECT x.Name, More FROM X AS x JOIN U AS u ON u.Id = x.Id",
    );
    assert_eq!(
        kit.rows(
            "SELECT r.name, r.source_database, r.source_schema, r.source_table, r.source_column, r.source_server
             FROM sys.dm_exec_describe_first_result_set(N'SELECT * FROM [dbo].[Y]', NULL, 1) AS r
             ORDER BY r.column_ordinal"
        ),
        ["A|test|dbo|T|Name|NULL", "B|other|dbo|U|More|NULL"]
    );
}
