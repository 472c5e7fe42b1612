//! Row-level security: filters that every reader goes through.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kit;
use kit::{Kit, run, show};

#[test]
fn a_filter_hides_rows_from_everybody_whom_it_does_not_let_through() {
    let mut kit = Kit::new();
    kit.run("CREATE TABLE sales (id int NOT NULL PRIMARY KEY, [re]]gion] nvarchar(9) NOT NULL); INSERT sales VALUES (1, N'east'), (2, N'west'), (3, N'east'); CREATE TABLE other (id int, region nvarchar(9)); INSERT other VALUES (9, N'west')");
    kit.run("CREATE SCHEMA rls");
    kit.run("CREATE FUNCTION rls.allowed (@region AS nvarchar(9)) RETURNS TABLE WITH SCHEMABINDING AS RETURN SELECT 1 AS ok WHERE @region = N'east' OR SUSER_SNAME() = N'nobody'");
    kit.run("CREATE SECURITY POLICY rls.policy ADD FILTER PREDICATE rls.allowed([re]]gion]) ON dbo.sales, ADD FILTER PREDICATE rls.allowed(region) ON dbo.other WITH (STATE = ON)");
    assert_eq!(kit.rows("SELECT id FROM sales ORDER BY id"), ["1", "3"]);
    assert_eq!(
        kit.rows("SELECT s.id FROM sales AS s LEFT JOIN other AS o ON o.id > s.id WHERE s.id >= 2"),
        ["3"]
    );
    assert_eq!(kit.value("SELECT COUNT(*) FROM other"), "0");
    assert_eq!(kit.value("SELECT COUNT(*) FROM sales WHERE id = 2"), "0");
    assert_eq!(
        kit.value("SELECT SUM(rows) FROM sys.partitions WHERE object_id = OBJECT_ID('sales') AND index_id IN (0, 1)"),
        "3",
        "the catalog counts them all"
    );
    kit.run("INSERT sales VALUES (4, N'west')");
    for change in [
        "UPDATE sales SET id = 7 WHERE id = 1",
        "DELETE sales",
        "MERGE sales AS t USING (SELECT 1 AS id) AS s ON t.id = s.id WHEN MATCHED THEN DELETE;",
        "CREATE SECURITY POLICY p ADD BLOCK PREDICATE rls.allowed(region) ON dbo.other",
        "CREATE FUNCTION f () RETURNS int AS BEGIN RETURN 1 END",
    ] {
        assert_eq!(kit.error(change), 50104, "{change}");
    }
    let predicates = "SELECT OBJECT_NAME(p.target_object_id), p.predicate_definition, p.predicate_type_desc, s.name, s.is_enabled FROM sys.security_predicates AS p JOIN sys.security_policies AS s ON s.object_id = p.object_id ORDER BY 1";
    assert_eq!(
        kit.rows(predicates),
        [
            "other|([rls].[allowed]([region]))|FILTER|policy|1",
            "sales|([rls].[allowed]([re]gion]))|FILTER|policy|1"
        ]
    );
    let mut reader = kit.other();
    reader.limit_to_reading();
    assert!(
        run(&mut reader, predicates).sets[0].rows.is_empty(),
        "a reader does not see policies"
    );
    let count = run(&mut reader, "SELECT COUNT(*) FROM sales");
    assert_eq!(show(&count.sets[0].rows[0][0]), "2");
    assert_eq!(
        run(&mut reader, "DROP SECURITY POLICY rls.policy").errors[0].number,
        262
    );
    assert_eq!(kit.error("DROP FUNCTION rls.allowed"), 3729);
    kit.run("ALTER SECURITY POLICY rls.policy WITH (STATE = OFF)");
    assert_eq!(kit.value("SELECT COUNT(*) FROM sales"), "4");
    kit.run(
        "DELETE sales WHERE id = 4; DROP SECURITY POLICY rls.policy; DROP FUNCTION rls.allowed",
    );
    assert_eq!(kit.error("DROP SECURITY POLICY rls.policy"), 3701);
    assert_eq!(kit.value("SELECT COUNT(*) FROM sys.security_policies"), "0");
}

#[test]
fn a_login_may_write_rows_and_change_no_table() {
    let mut kit = Kit::new();
    kit.run(
        "CREATE TABLE t (id int NOT NULL PRIMARY KEY, v int NULL); INSERT INTO t VALUES (1, 1)",
    );
    let mut writer = kit.other();
    writer.limit_to_reading_and_writing();
    for statement in [
        "INSERT INTO t VALUES (2, 2)",
        "UPDATE t SET v = 3 WHERE id = 2",
        "MERGE t AS t USING (SELECT 1 AS id) AS s ON t.id = s.id WHEN MATCHED THEN DELETE;",
        "CREATE TABLE #own (id int); DROP TABLE #own",
    ] {
        assert!(run(&mut writer, statement).errors.is_empty(), "{statement}");
    }
    assert_eq!(kit.rows("SELECT id, v FROM t"), ["2|3"]);
    for (statement, number) in [
        ("ALTER TABLE t ADD w int NULL", 1088),
        ("CREATE TABLE u (id int)", 262),
        ("TRUNCATE TABLE t", 1088),
        ("DROP TABLE t", 1088),
    ] {
        assert_eq!(
            run(&mut writer, statement).errors[0].number,
            number,
            "{statement}"
        );
    }
    let may = run(
        &mut writer,
        "SELECT HAS_PERMS_BY_NAME('dbo.t', 'OBJECT', 'UPDATE'), HAS_PERMS_BY_NAME('dbo.t', 'OBJECT', 'ALTER')",
    );
    assert_eq!(show(&may.sets[0].rows[0][0]), "1");
    assert_eq!(show(&may.sets[0].rows[0][1]), "0");
    run(&mut writer, "DELETE t");
    assert_eq!(kit.value("SELECT COUNT(*) FROM t"), "0");
}
