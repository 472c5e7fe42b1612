//! System-versioned and memory-optimized tables, and columns of Always Encrypted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kit;
use kit::{Kit, run};

const PRICES: &str = "CREATE TABLE prices (id int NOT NULL PRIMARY KEY, price int NOT NULL, since datetime2(3) GENERATED ALWAYS AS ROW START HIDDEN NOT NULL, until datetime2(3) GENERATED ALWAYS AS ROW END HIDDEN NOT NULL, PERIOD FOR SYSTEM_TIME (since, until)) WITH (SYSTEM_VERSIONING = ON (HISTORY_TABLE = dbo.prices_history))";

#[test]
fn a_system_versioned_table_keeps_what_its_rows_were() {
    let mut kit = Kit::new();
    kit.run("EXEC devserver.clock @utc = '2026-01-01 10:00:00', @stopped = 1");
    kit.run(PRICES);
    kit.run("INSERT prices VALUES (1, 10), (2, 20)");
    assert_eq!(
        kit.rows("SELECT * FROM prices ORDER BY id"),
        ["1|10", "2|20"],
        "hidden columns are not in *"
    );
    kit.run("EXEC devserver.clock @advance = 60; UPDATE prices SET price = 11 WHERE id = 1; EXEC devserver.clock @advance = 60; DELETE prices WHERE id = 2; MERGE prices AS t USING (SELECT 1 AS id) AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET price = 12;");
    let times = "CONVERT(varchar(30), since, 126), CONVERT(varchar(30), until, 126)";
    assert_eq!(
        kit.rows(&format!("SELECT id, price, {times} FROM prices")),
        ["1|12|2026-01-01T10:02:00|9999-12-31T23:59:59.999"]
    );
    assert_eq!(
        kit.rows(&format!(
            "SELECT id, price, {times} FROM prices_history ORDER BY id, price"
        )),
        [
            "1|10|2026-01-01T10:00:00|2026-01-01T10:01:00",
            "1|11|2026-01-01T10:01:00|2026-01-01T10:02:00",
            "2|20|2026-01-01T10:00:00|2026-01-01T10:02:00"
        ]
    );
    assert_eq!(
        kit.rows("SELECT name, temporal_type_desc, IIF(history_table_id = OBJECT_ID('prices_history'), 1, 0) FROM sys.tables ORDER BY name"),
        ["prices|SYSTEM_VERSIONED_TEMPORAL_TABLE|1", "prices_history|HISTORY_TABLE|0"]
    );
    assert_eq!(
        kit.rows("SELECT name, generated_always_type, is_hidden FROM sys.columns WHERE object_id = OBJECT_ID('prices') ORDER BY column_id"),
        ["id|0|0", "price|0|0", "since|1|1", "until|2|1"]
    );
    assert_eq!(
        kit.rows("SELECT start_column_id, end_column_id FROM sys.periods"),
        ["3|4"]
    );
    for (statement, expected) in [
        (
            "INSERT prices (id, price, since) VALUES (3, 1, '2026-01-01')",
            13536,
        ),
        ("UPDATE prices SET since = '2026-01-01'", 13537),
        ("DROP TABLE prices", 13552),
        ("TRUNCATE TABLE prices", 13545),
        (
            "INSERT prices_history (id, price, since, until) VALUES (3, 1, '2026-01-01', '2026-01-01')",
            13559,
        ),
        ("DELETE prices_history", 13560),
        ("ALTER TABLE prices ADD x int", 50104),
    ] {
        assert_eq!(kit.error(statement), expected, "{statement}");
    }
    // Another transaction that began later has changed the row.
    let mut early = kit.other();
    run(&mut early, "BEGIN TRAN; SELECT 1");
    kit.run("EXEC devserver.clock @advance = 60; UPDATE prices SET price = 13");
    assert_eq!(
        run(&mut early, "UPDATE prices SET price = 14").errors[0].number,
        13535
    );
    run(&mut early, "ROLLBACK");
    assert_eq!(kit.value("SELECT price FROM prices"), "13");
    kit.run("ALTER TABLE prices SET (SYSTEM_VERSIONING = OFF); DROP TABLE prices; DELETE prices_history");
}

#[test]
fn memory_optimized_tables_refuse_locks_snapshots_and_merge() {
    let mut kit = Kit::new();
    kit.run("ALTER DATABASE test SET ALLOW_SNAPSHOT_ISOLATION ON; CREATE TABLE m (id int NOT NULL PRIMARY KEY NONCLUSTERED, v int) WITH (MEMORY_OPTIMIZED = ON, DURABILITY = SCHEMA_AND_DATA); INSERT m VALUES (1, 1)");
    assert_eq!(
        kit.value("SELECT is_memory_optimized FROM sys.tables WHERE name = 'm'"),
        "1"
    );
    for (statement, expected) in [
        ("SELECT * FROM m WITH (TABLOCK)", 10794),
        ("SELECT * FROM m WITH (UPDLOCK)", 10794),
        (
            "MERGE m AS t USING (SELECT 1 AS id) AS s ON t.id = s.id WHEN MATCHED THEN DELETE;",
            10794,
        ),
        ("BEGIN TRAN; SELECT * FROM m", 41368),
        (
            "IF @@TRANCOUNT > 0 ROLLBACK; SET TRANSACTION ISOLATION LEVEL SNAPSHOT; SELECT * FROM m",
            41332,
        ),
        ("INSERT m VALUES (2, 2)", 41332),
    ] {
        assert_eq!(kit.error(statement), expected, "{statement}");
    }
    kit.run("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; UPDATE m SET v = 2; BEGIN TRAN; SELECT * FROM m WITH (SNAPSHOT); COMMIT");
    assert_eq!(kit.value("SELECT v FROM m"), "2");
}

#[test]
fn encrypted_columns_take_nothing_in_the_clear() {
    let mut kit = Kit::new();
    kit.run("CREATE TABLE s (id int NOT NULL PRIMARY KEY, card varchar(20) COLLATE Latin1_General_BIN2 ENCRYPTED WITH (COLUMN_ENCRYPTION_KEY = k, ENCRYPTION_TYPE = DETERMINISTIC, ALGORITHM = 'AEAD_AES_256_CBC_HMAC_SHA_256') NULL, pin int ENCRYPTED WITH (COLUMN_ENCRYPTION_KEY = k, ENCRYPTION_TYPE = RANDOMIZED, ALGORITHM = 'AEAD_AES_256_CBC_HMAC_SHA_256') NULL); INSERT s (id) VALUES (1)");
    assert_eq!(kit.error("INSERT s VALUES (2, '4111', NULL)"), 206);
    assert_eq!(
        kit.rows("SELECT name, encryption_type, encryption_type_desc FROM sys.columns WHERE object_id = OBJECT_ID('s') ORDER BY column_id"),
        ["id|NULL|NULL", "card|1|DETERMINISTIC", "pin|2|RANDOMIZED"]
    );
}
