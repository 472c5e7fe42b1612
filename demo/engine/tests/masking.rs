//! Dynamic data masking, as a login without UNMASK meets it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kit;
use icehost_devengine::Session;
use kit::{Kit, run, show};

fn people() -> (Kit, Session) {
    let mut kit = Kit::new();
    kit.run(
        "CREATE TABLE people (id int NOT NULL PRIMARY KEY, name nvarchar(20) MASKED WITH (FUNCTION = 'default()') NULL,
            mail varchar(50) MASKED WITH (FUNCTION = 'email()') NULL, initials char(2) MASKED WITH (FUNCTION = 'default()') NULL,
            salary decimal(9,2) MASKED WITH (FUNCTION = 'default()') NOT NULL, born date MASKED WITH (FUNCTION = 'default()') NOT NULL,
            seen datetime2(3) MASKED WITH (FUNCTION = 'default()') NOT NULL, raw varbinary(5) MASKED WITH (FUNCTION = 'default()') NOT NULL,
            town nvarchar(20) NOT NULL, later datetime2 NOT NULL)",
    );
    kit.run("INSERT people VALUES (1, N'Ada', 'ada@x.org', 'AL', 10.5, '1815-12-10', '2026-01-01T10:00:00', 0x0102, N'London', '2026-01-01'), (2, NULL, NULL, 'GH', 20, '1906-12-09', '2026-01-02T10:00:00', 0x03, N'New York', '2026-01-02')");
    let mut reader = kit.other();
    reader.limit_to_reading();
    (kit, reader)
}

fn rows(session: &mut Session, sql: &str) -> Vec<String> {
    let collected = run(session, sql);
    assert!(collected.errors.is_empty(), "{sql}: {:?}", collected.errors);
    let set = collected.sets.last().unwrap();
    let row = |row: &Vec<_>| row.iter().map(show).collect::<Vec<_>>().join("|");
    set.rows.iter().map(row).collect()
}

#[test]
fn who_may_not_unmask_is_shown_masks() {
    let (mut kit, mut reader) = people();
    let all = "SELECT name, mail, initials, salary, CONVERT(varchar(10), id), town FROM people ORDER BY id";
    assert_eq!(
        rows(&mut reader, all),
        [
            "xxxx|aXXX@XXXX.com|xx|0.00|1|London",
            "NULL|NULL|xx|0.00|2|New York"
        ]
    );
    assert_eq!(kit.rows(all)[0], "Ada|ada@x.org|AL|10.50|1|London");
    assert_eq!(
        rows(&mut reader, "SELECT raw FROM people"),
        ["0x30", "0x30"]
    );
    assert_eq!(
        rows(
            &mut reader,
            "SELECT CONVERT(varchar(30), d, 126) FROM (SELECT TOP 1 later AS d FROM people) AS p"
        ),
        ["2026-01-01T00:00:00"]
    );
    for (expression, expected) in [
        ("MAX(seen)", "1900-01-01T00:00:00"),
        ("MIN(born)", "1900-01-01"),
        ("DATEADD(day, 1, MAX(seen))", "1900-01-01T00:00:00"),
        ("SUM(salary)", "0.00"),
        ("MAX(mail)", "xxxx"),
        ("COUNT(*)", "2"),
        ("MAX(later)", "2026-01-02T00:00:00"),
    ] {
        let sql = format!("SELECT {expression} FROM people");
        let collected = run(&mut reader, &sql);
        assert!(collected.errors.is_empty(), "{sql}: {:?}", collected.errors);
        let wrapped = format!(
            "SELECT {expression} AS v INTO #v FROM people; SELECT CONVERT(varchar(30), v, 126) FROM #v"
        );
        assert_eq!(rows(&mut reader, &wrapped), [expected], "{expression}");
        run(&mut reader, "DROP TABLE #v");
    }
    // Filters, joins, order and groups see the values; what is projected is masked, through queries within too.
    assert_eq!(
        rows(
            &mut reader,
            "SELECT id FROM people WHERE salary > 15 AND name IS NULL"
        ),
        ["2"]
    );
    assert_eq!(
        rows(
            &mut reader,
            "WITH c AS (SELECT id, name AS n FROM people) SELECT p.town, c.n, (SELECT MAX(name) FROM people), UPPER(c.n) FROM c JOIN people AS p ON p.id = c.id ORDER BY p.salary DESC"
        ),
        ["New York|NULL|xxxx|NULL", "London|xxxx|xxxx|xxxx"]
    );
    assert_eq!(
        rows(
            &mut reader,
            "SELECT name FROM people UNION ALL SELECT N'plain' ORDER BY 1"
        ),
        ["NULL", "xxxx", "xxxx"]
    );
    assert_eq!(
        rows(
            &mut reader,
            "SELECT id, LAG(salary, 1, 5) OVER (ORDER BY id), ROW_NUMBER() OVER (ORDER BY salary) FROM people ORDER BY id"
        ),
        ["1|0.00|1", "2|0.00|2"]
    );
    // What it copies is masked for good.
    run(
        &mut reader,
        "SELECT id, name INTO #copy FROM people; INSERT #copy SELECT id + 10, mail FROM people",
    );
    assert_eq!(
        rows(
            &mut reader,
            "SELECT name FROM #copy WHERE name IS NOT NULL ORDER BY id"
        ),
        ["xxxx", "aXXX@XXXX.com"]
    );
    for refused in [
        "DECLARE @n nvarchar(20); SELECT @n = name FROM people",
        "DECLARE @n nvarchar(20) = (SELECT MAX(name) FROM people)",
        "UPDATE c SET name = p.name FROM #copy AS c JOIN people AS p ON p.id = c.id",
        "MERGE #copy AS c USING people AS p ON p.id = c.id WHEN MATCHED THEN UPDATE SET name = p.name;",
    ] {
        assert_eq!(
            run(&mut reader, refused).errors[0].number,
            50104,
            "{refused}"
        );
    }
}

#[test]
fn the_catalog_tells_of_masks() {
    let (mut kit, mut reader) = people();
    assert_eq!(
        kit.rows("SELECT name, masking_function, is_masked FROM sys.masked_columns WHERE object_id = OBJECT_ID('people') AND name IN ('name', 'mail') ORDER BY column_id"),
        ["name|default()|1", "mail|email()|1"]
    );
    let masked =
        "SELECT COUNT(*) FROM sys.columns WHERE object_id = OBJECT_ID('people') AND is_masked = 1";
    assert_eq!(rows(&mut reader, masked), ["7"]);
    let stats = run(
        &mut reader,
        "SELECT row_count FROM sys.dm_db_partition_stats",
    );
    assert_eq!(stats.errors[0].number, 262);
    let may = "SELECT HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'UNMASK')";
    assert_eq!(rows(&mut reader, may), ["0"]);
    assert_eq!(kit.value(may), "1");
    kit.run("ALTER TABLE people ALTER COLUMN town ADD MASKED WITH (FUNCTION = 'default()'); ALTER TABLE people ALTER COLUMN name DROP MASKED");
    assert_eq!(
        rows(&mut reader, "SELECT name, town FROM people WHERE id = 1"),
        ["Ada|xxxx"]
    );
    assert_eq!(
        kit.error(
            "ALTER TABLE people ALTER COLUMN town ADD MASKED WITH (FUNCTION = 'random(1, 5)')"
        ),
        50104
    );
}
