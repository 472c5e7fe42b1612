//! What tells a server, a database and a table from others, and from what they were before; the clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kit;
use std::time::Duration;

use icehost_devengine::{Server, Session};
use kit::{Collected, Kit, cancel, run, show};

fn value(session: &mut Session, sql: &str) -> String {
    let collected = run(session, sql);
    assert!(collected.errors.is_empty(), "{sql}: {:?}", collected.errors);
    show(&collected.sets.last().unwrap().rows[0][0])
}

#[test]
fn object_ids_are_never_given_again_and_are_unique_within_a_database_only() {
    let mut kit = Kit::new();
    kit.run("CREATE TABLE t (a int)");
    let first = kit.value("SELECT OBJECT_ID('t')");
    kit.run("DROP TABLE t; CREATE TABLE t (a int)");
    let second = kit.value("SELECT OBJECT_ID('t')");
    assert_ne!(first, second);
    kit.run("BEGIN TRAN; CREATE TABLE u (a int); ROLLBACK; CREATE TABLE u (a int)");
    assert_ne!(kit.value("SELECT OBJECT_ID('u')"), second);
    kit.run("CREATE DATABASE other; USE other; CREATE TABLE t (a int)");
    assert_eq!(kit.value("SELECT OBJECT_ID('t')"), first);
    assert_eq!(kit.value("SELECT OBJECT_NAME(OBJECT_ID('t'))"), "t");
    assert_eq!(
        kit.value("SELECT COUNT(*) FROM sys.columns WHERE object_id = OBJECT_ID('t')"),
        "1"
    );
    kit.run("USE test; CREATE TABLE #x (a int)");
    assert!(kit.value("SELECT OBJECT_ID('tempdb..#x')").starts_with('-'));
}

#[test]
fn creation_and_modification_are_dated() {
    let mut kit = Kit::new();
    kit.run("EXEC devserver.clock @utc = '2030-01-02 03:04:05', @stopped = 1");
    kit.run("CREATE TABLE t (a int NOT NULL)");
    let dates = "SELECT CONVERT(varchar(23), create_date, 121), CONVERT(varchar(23), modify_date, 121) FROM sys.objects WHERE name = 't'";
    assert_eq!(
        kit.rows(dates),
        ["2030-01-02 03:04:05.000|2030-01-02 03:04:05.000"]
    );
    for (minute, change) in [
        (1, "ALTER TABLE t ADD b int NULL"),
        (2, "ALTER TABLE t ALTER COLUMN b bigint"),
        (3, "CREATE INDEX i ON t (b)"),
        (4, "DROP INDEX i ON t; ALTER TABLE t DROP COLUMN b"),
        (5, "ALTER TABLE t ADD CONSTRAINT pk PRIMARY KEY (a)"),
    ] {
        kit.run("EXEC devserver.clock @advance = 60");
        kit.run(change);
        assert_eq!(
            kit.rows(dates),
            [format!(
                "2030-01-02 03:04:05.000|2030-01-02 03:{:02}:05.000",
                4 + minute
            )],
            "{change}"
        );
    }
    kit.run("EXEC devserver.clock @advance = 60; INSERT t VALUES (1); TRUNCATE TABLE t; BEGIN TRAN; ALTER TABLE t ADD c int; ROLLBACK");
    assert_eq!(
        kit.rows(dates),
        ["2030-01-02 03:04:05.000|2030-01-02 03:09:05.000"]
    );
    assert_eq!(
        kit.value("SELECT CONVERT(varchar(23), create_date, 121) FROM sys.tables WHERE name = 't'"),
        "2030-01-02 03:04:05.000"
    );
}

#[test]
fn databases_are_told_apart() {
    let mut kit = Kit::new();
    kit.run("CREATE DATABASE a; CREATE DATABASE b");
    assert_eq!(
        kit.rows("SELECT DB_ID('test'), DB_ID('a'), DB_ID('b')"),
        ["5|6|7"]
    );
    let broker =
        "SELECT CONVERT(char(36), service_broker_guid) FROM sys.databases WHERE name = 'a'";
    let before = kit.value(broker);
    assert_eq!(
        kit.value("SELECT COUNT(DISTINCT service_broker_guid) FROM sys.databases"),
        kit.value("SELECT COUNT(*) FROM sys.databases")
    );
    kit.run("DROP DATABASE a; CREATE DATABASE a");
    assert_eq!(
        kit.value("SELECT DB_ID('a')"),
        "6",
        "a dropped database's number is given again"
    );
    assert_ne!(kit.value(broker), before);
    let now = kit.value(broker);
    kit.run("ALTER DATABASE a SET NEW_BROKER");
    assert_ne!(kit.value(broker), now);
    assert_eq!(
        kit.value("SELECT COUNT(DISTINCT recovery_fork_guid) FROM sys.database_recovery_status"),
        "5"
    );
    kit.run("ALTER DATABASE a SET RECOVERY FULL");
    assert_eq!(
        kit.value("SELECT recovery_model_desc FROM sys.databases WHERE name = 'a'"),
        "FULL"
    );
}

#[test]
fn servers_have_names() {
    let mut kit = Kit::new();
    assert_eq!(kit.value("SELECT @@SERVERNAME"), "icehost-devserver");
    assert_eq!(kit.text("SERVERPROPERTY('InstanceName')"), "NULL");
    let named = Server::named("HALL\\EAST");
    let mut session = Session::open(&named, None, "sa").unwrap();
    for (expression, expected) in [
        ("@@SERVERNAME", "HALL\\EAST"),
        ("@@SERVICENAME", "EAST"),
        (
            "CONVERT(nvarchar(99), SERVERPROPERTY('ServerName'))",
            "HALL\\EAST",
        ),
        (
            "CONVERT(nvarchar(99), SERVERPROPERTY('MachineName'))",
            "HALL",
        ),
        (
            "CONVERT(nvarchar(99), SERVERPROPERTY('InstanceName'))",
            "EAST",
        ),
    ] {
        assert_eq!(
            value(&mut session, &format!("SELECT {expression}")),
            expected
        );
    }
}

#[test]
fn a_statement_runs_in_the_database_whose_sp_executesql_is_called() {
    let mut kit = Kit::new();
    kit.run("CREATE DATABASE other; USE other; CREATE TABLE t (a int, v rowversion); INSERT t (a) VALUES (1), (2); USE test");
    assert_eq!(
        kit.rows("EXEC other.sys.sp_executesql N'SELECT DB_NAME(), CONVERT(bigint, MIN_ACTIVE_ROWVERSION())'"),
        ["other|2003"]
    );
    assert_eq!(
        kit.rows("SELECT DB_NAME(), CONVERT(bigint, MIN_ACTIVE_ROWVERSION())"),
        ["test|2001"],
        "of the current database, whatever tables are read"
    );
    assert_eq!(
        kit.error("EXEC other.sys.sp_executesql N'SELECT * FROM nowhere'"),
        208
    );
    assert_eq!(kit.value("SELECT DB_NAME()"), "test");
    assert_eq!(kit.error("EXEC nowhere.sys.sp_executesql N'SELECT 1'"), 911);
}

#[test]
fn read_only_databases_and_readable_secondaries_take_no_writes() {
    let mut kit = Kit::new();
    kit.run("CREATE TABLE t (a int); INSERT t VALUES (1); USE master; ALTER DATABASE test SET READ_ONLY; USE test");
    assert_eq!(
        kit.text("DATABASEPROPERTYEX('test', 'Updateability')"),
        "READ_ONLY"
    );
    assert_eq!(
        kit.value("SELECT is_read_only FROM sys.databases WHERE name = 'test'"),
        "1"
    );
    for statement in [
        "INSERT t VALUES (2)",
        "DELETE t",
        "TRUNCATE TABLE t",
        "DROP TABLE t",
        "ALTER TABLE t ADD b int",
        "CREATE TABLE u (a int)",
        "CREATE SCHEMA s",
        "SELECT a INTO u FROM t",
    ] {
        assert_eq!(kit.error(statement), 3906, "{statement}");
    }
    kit.run("CREATE TABLE #x (a int); INSERT #x SELECT a FROM t");
    kit.run("ALTER DATABASE test SET READ_WRITE; INSERT t VALUES (2)");
    let mut writer = kit.other();
    run(&mut writer, "BEGIN TRAN; UPDATE t SET a = a + 10");
    kit.run("EXEC devserver.replica @database = 'test', @secondary = 1");
    assert_eq!(
        kit.value("SELECT SUM(a) FROM t"),
        "3",
        "under SNAPSHOT isolation, whatever the level asked for"
    );
    assert_eq!(kit.error("INSERT t VALUES (2)"), 3906);
    assert_eq!(
        kit.text("DATABASEPROPERTYEX('test', 'Updateability')"),
        "READ_ONLY"
    );
    assert_eq!(
        kit.value("SELECT is_read_only FROM sys.databases WHERE name = 'test'"),
        "0"
    );
    assert_eq!(kit.error("SELECT MIN_ACTIVE_ROWVERSION()"), 50102);
    run(&mut writer, "ROLLBACK");
    kit.run("EXEC devserver.replica @database = 'test', @secondary = 0; INSERT t VALUES (2)");
}

#[test]
fn row_counts_of_the_catalog_count_what_is_not_committed() {
    let mut kit = Kit::new();
    kit.run("CREATE TABLE t (a int); INSERT t VALUES (1), (2)");
    let mut writer = kit.other();
    run(&mut writer, "BEGIN TRAN; INSERT t VALUES (3)");
    let count = "SELECT SUM(rows) FROM sys.partitions WHERE object_id = OBJECT_ID('t') AND index_id IN (0, 1)";
    assert_eq!(kit.value(count), "3");
    run(&mut writer, "ROLLBACK");
    assert_eq!(kit.value(count), "2");
}

#[test]
fn snapshot_isolation_has_states_in_between() {
    let mut kit = Kit::new();
    kit.run("CREATE TABLE t (a int); INSERT t VALUES (1)");
    let state = "SELECT snapshot_isolation_state FROM sys.databases WHERE name = 'test'";
    assert_eq!(
        kit.value("SELECT snapshot_isolation_state FROM sys.databases WHERE name = 'master'"),
        "1"
    );
    assert_eq!(kit.value(state), "0");
    let mut writer = kit.other();
    run(&mut writer, "BEGIN TRAN; INSERT t VALUES (2)");
    let alter = |mut session: Session, on: &'static str| {
        std::thread::spawn(move || {
            let sql = format!("ALTER DATABASE test SET ALLOW_SNAPSHOT_ISOLATION {on}");
            run(&mut session, &sql).errors
        })
    };
    let turning_on = alter(kit.other(), "ON");
    while kit.value(state) != "3" {
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut reader = kit.other();
    let begun = run(
        &mut reader,
        "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRAN; SELECT 1",
    );
    assert!(begun.errors.is_empty(), "BEGIN never fails");
    assert_eq!(run(&mut reader, "SELECT * FROM t").errors[0].number, 3956);
    run(&mut reader, "IF @@TRANCOUNT > 0 ROLLBACK");
    run(&mut writer, "COMMIT");
    assert!(turning_on.join().unwrap().is_empty());
    assert_eq!(kit.value(state), "1");
    run(&mut reader, "BEGIN TRAN");
    assert_eq!(value(&mut reader, "SELECT COUNT(*) FROM t"), "2");
    let turning_off = alter(kit.other(), "OFF");
    while kit.value(state) != "2" {
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(
        value(&mut reader, "SELECT COUNT(*) FROM t"),
        "2",
        "it goes on"
    );
    assert_eq!(
        kit.error("SET TRANSACTION ISOLATION LEVEL SNAPSHOT; SELECT * FROM t"),
        3952
    );
    run(&mut reader, "COMMIT");
    assert!(turning_off.join().unwrap().is_empty());
    assert_eq!(kit.value(state), "0");
}

#[test]
fn a_snapshot_knows_the_databases_that_allowed_it_when_it_was_taken() {
    let mut kit = Kit::new();
    kit.run("CREATE TABLE t (a int); CREATE DATABASE other; ALTER DATABASE test SET ALLOW_SNAPSHOT_ISOLATION ON; USE other; CREATE TABLE u (a int); USE test");
    let mut reader = kit.other();
    run(
        &mut reader,
        "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRAN; SELECT * FROM t",
    );
    assert_eq!(
        run(&mut reader, "SELECT * FROM other.dbo.u").errors[0].number,
        3952
    );
    kit.run("ALTER DATABASE other SET ALLOW_SNAPSHOT_ISOLATION ON");
    run(
        &mut reader,
        "IF @@TRANCOUNT = 0 BEGIN TRAN; SELECT * FROM t",
    );
    kit.run("ALTER DATABASE other SET ALLOW_SNAPSHOT_ISOLATION OFF");
    run(
        &mut reader,
        "IF @@TRANCOUNT > 0 ROLLBACK; BEGIN TRAN; SELECT * FROM t",
    );
    kit.run("ALTER DATABASE other SET ALLOW_SNAPSHOT_ISOLATION ON");
    assert_eq!(
        run(&mut reader, "SELECT * FROM other.dbo.u").errors[0].number,
        3957
    );
}

#[test]
fn options_that_need_a_database_alone_wait_for_the_others() {
    let mut kit = Kit::new();
    let other = kit.other();
    assert_eq!(
        kit.error("ALTER DATABASE test SET READ_COMMITTED_SNAPSHOT ON WITH NO_WAIT"),
        5070
    );
    let waiting = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        drop(other);
    });
    kit.run("ALTER DATABASE test SET READ_COMMITTED_SNAPSHOT ON");
    waiting.join().unwrap();
    assert_eq!(
        kit.value("SELECT is_read_committed_snapshot_on FROM sys.databases WHERE name = 'test'"),
        "1"
    );
}

#[test]
fn the_clock_is_set_and_the_end_of_summer_time_comes() {
    let mut kit = Kit::new();
    kit.run("EXEC devserver.clock @utc = '2026-10-25 00:59:30', @offset = 120, @stopped = 1");
    let times = "SELECT CONVERT(varchar(33), SYSDATETIME(), 126), CONVERT(varchar(33), SYSUTCDATETIME(), 126), CONVERT(varchar(34), SYSDATETIMEOFFSET(), 126), CONVERT(varchar(33), GETDATE(), 126), CONVERT(varchar(33), GETUTCDATE(), 126), CONVERT(varchar(33), CURRENT_TIMESTAMP, 126)";
    assert_eq!(
        kit.value(times),
        "2026-10-25T02:59:30|2026-10-25T00:59:30|2026-10-25T02:59:30+02:00|2026-10-25T02:59:30|2026-10-25T00:59:30|2026-10-25T02:59:30"
    );
    kit.run("EXEC devserver.clock @advance = 30, @offset = 60");
    assert_eq!(
        kit.value(times),
        "2026-10-25T02:00:00|2026-10-25T01:00:00|2026-10-25T02:00:00+01:00|2026-10-25T02:00:00|2026-10-25T01:00:00|2026-10-25T02:00:00"
    );
    assert_eq!(
        kit.value("DECLARE @a datetimeoffset = SYSDATETIMEOFFSET(); SELECT DATEDIFF(second, @a, SWITCHOFFSET(@a, '+00:00'))"),
        "0"
    );
    kit.run("EXEC devserver.clock @stopped = 0");
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(
        kit.value("SELECT IIF(SYSUTCDATETIME() > '2026-10-25T01:00:00' AND SYSUTCDATETIME() < '2026-10-25T01:01:00', 1, 0)"),
        "1"
    );
    assert_eq!(kit.error("EXEC devserver.clock @offset = 9000"), 50105);
    assert_eq!(kit.error("EXEC devserver.nothing"), 50105);
    let mut reader = kit.other();
    reader.limit_to_reading();
    let mut sink = Collected::default();
    reader.execute(
        "EXEC devserver.clock @advance = 1",
        Vec::new(),
        &cancel(),
        &mut sink,
    );
    assert_eq!(sink.errors[0].number, 229);
}
