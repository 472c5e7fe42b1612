//! Results that are kept and replayed: the same bytes, and never after what they depend on has changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::raw::{BATCH, BULK, LAST, RawClient, batch, utf16};
use common::{TestClient, builder, connect};
use icehost_devserver::RunningServer;

const MEBIBYTE: usize = 1 << 20;

/// Every kind of length that a column can have on the wire, NULLs, and rows that need NULL bitmaps.
const TABLE: &str = "
    CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, big bigint NULL, name nvarchar(60) NULL, code varchar(20) NULL,
      price decimal(18, 4) NULL, paid money NULL, ratio float NULL, active bit NULL, born date NULL,
      changed datetime2(7) NULL, key_ uniqueidentifier NULL, note nvarchar(max) NULL, raw varbinary(max) NULL);
    INSERT INTO dbo.t
    SELECT value, value * 1000003, CONCAT(N'name \u{e9} ', value), CASE WHEN value % 3 = 0 THEN NULL ELSE 'code' END,
      CAST(value AS decimal(18, 4)) / 7, CAST(value AS money) / 4, value / 3.0, value % 2,
      DATEADD(day, value, '2020-01-01'), DATEADD(second, value, '2020-01-01'), NULL,
      REPLICATE(N'long ', value % 50), CAST(REPLICATE('x', value % 300) AS varbinary(max))
    FROM GENERATE_SERIES(CAST(1 AS bigint), CAST(4000 AS bigint));
    INSERT INTO dbo.t (id) SELECT value FROM GENERATE_SERIES(5001, 5100);";

async fn server() -> RunningServer {
    let server = builder()
        .replay_results(64 * MEBIBYTE)
        .start()
        .await
        .unwrap();
    raw(&server, 4096).await.run(TABLE).await;
    server
}

/// A client in the database of the tests.
async fn raw(server: &RunningServer, packet_size: u32) -> RawClient {
    let mut client = RawClient::logged_in_with(server, packet_size).await;
    client.run("USE Test").await;
    client
}

/// Runs a query and tells whether its result was replayed.
async fn replays(server: &RunningServer, client: &mut RawClient, sql: &str) -> (bool, Vec<u8>) {
    let before = server.results_replayed();
    let bytes = client.run(sql).await;
    (server.results_replayed() > before, bytes)
}

async fn is_replayed(server: &RunningServer, client: &mut RawClient, sql: &str) -> bool {
    replays(server, client, sql).await.0
}

#[tokio::test]
async fn a_replayed_result_is_the_same_to_the_byte() {
    let replaying = server().await;
    let plain = builder().start().await.unwrap();
    raw(&plain, 4096).await.run(TABLE).await;
    let queries = [
        "SELECT * FROM dbo.t",
        "SELECT id, price FROM dbo.t WHERE id % 2 = 0 ORDER BY name DESC",
        "SELECT COUNT(*), MAX(changed) FROM dbo.t",
        "SELECT id FROM dbo.t WHERE 1 = 0",
        "SELECT 1; SELECT name FROM dbo.t; SELECT @@ROWCOUNT; DECLARE @n int = 7; SELECT raw FROM dbo.t WHERE id > @n",
        "SET NOCOUNT ON; SELECT id FROM dbo.t; SELECT @@ROWCOUNT; SET NOCOUNT OFF",
        "BEGIN TRY SELECT id, 1 / (id - 2000) FROM dbo.t END TRY BEGIN CATCH DECLARE @m int; SELECT @m = 1 END CATCH",
        "BEGIN TRY SELECT id, 1 / (id - 2000) FROM dbo.t END TRY BEGIN CATCH SELECT ERROR_NUMBER() END CATCH",
    ];
    for packet_size in [512, 4096, 32_767] {
        let mut expected = raw(&plain, packet_size).await;
        let mut client = raw(&replaying, packet_size).await;
        for query in queries {
            let expected = expected.run(query).await;
            for turn in 0..3 {
                let (_, bytes) = replays(&replaying, &mut client, query).await;
                assert!(
                    bytes == expected,
                    "{query}, turn {turn}, packets of {packet_size}"
                );
            }
        }
    }
    assert!(replaying.results_replayed() > 30);
}

#[tokio::test]
async fn packets_are_as_large_as_negotiated() {
    let server = server().await;
    for (asked, given) in [(512, 512), (4096, 4096), (32_767, 32_767), (65_535, 32_767)] {
        let mut client = raw(&server, asked).await;
        for _ in 0..2 {
            client
                .send(BATCH, LAST, &batch("SELECT * FROM dbo.t"))
                .await;
            loop {
                let (payload, last) = client.packet().await.unwrap();
                if last {
                    break;
                }
                assert_eq!(payload.len() + 8, given);
            }
        }
    }
}

#[tokio::test]
async fn a_changed_table_is_read_anew() {
    const QUERY: &str = "SELECT id, name FROM dbo.t";
    let server = server().await;
    let mut reader = raw(&server, 4096).await;
    let mut writer = raw(&server, 4096).await;
    let mut last = reader.run(QUERY).await;
    for change in [
        "UPDATE dbo.t SET name = N'other' WHERE id = 1",
        "DELETE FROM dbo.t WHERE id = 2",
        "INSERT INTO dbo.t (id) VALUES (900000)",
        "ALTER TABLE dbo.t ALTER COLUMN name nvarchar(80) NULL",
        "MERGE dbo.t AS t USING (VALUES (900001)) AS s(id) ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id);",
        "TRUNCATE TABLE dbo.t",
        "DROP TABLE dbo.t; CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, name nvarchar(80) NULL); INSERT INTO dbo.t VALUES (1, N'a')",
    ] {
        assert!(
            is_replayed(&server, &mut reader, QUERY).await,
            "before {change}"
        );
        writer.run(change).await;
        let (replayed, bytes) = replays(&server, &mut reader, QUERY).await;
        assert!(!replayed, "after {change}");
        assert!(bytes != last, "after {change}");
        last = bytes;
    }
    writer.run("INSERT BULK dbo.t ([id] int)").await;
    let mut stream = vec![0x81, 1, 0, 0, 0, 0, 0, 8, 0, 0x38, 2];
    stream.extend_from_slice(&utf16("id"));
    stream.extend_from_slice(&[0xD1, 9, 0, 0, 0, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    writer.send(BULK, LAST, &stream).await;
    writer.message().await.unwrap();
    let (replayed, bytes) = replays(&server, &mut reader, QUERY).await;
    assert!(!replayed && bytes != last);
    // What reads other tables only stays.
    reader
        .run("CREATE TABLE dbo.other (a int); SELECT a FROM dbo.other")
        .await;
    writer.run("UPDATE dbo.t SET name = N'again'").await;
    assert!(is_replayed(&server, &mut reader, "SELECT a FROM dbo.other").await);
}

#[tokio::test]
async fn transactions_read_what_they_would_read_otherwise() {
    const QUERY: &str = "SELECT id, name FROM dbo.t";
    let server = server().await;
    let mut owner = raw(&server, 4096).await;
    owner
        .run("ALTER DATABASE Test SET ALLOW_SNAPSHOT_ISOLATION ON")
        .await;
    let original = owner.run(QUERY).await;

    // Nothing has changed: replayed within a SNAPSHOT transaction, too.
    let mut snapshot = connect(&server).await;
    run(
        &mut snapshot,
        "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRANSACTION",
    )
    .await;
    let before = server.results_replayed();
    assert_eq!(rows(&mut snapshot, QUERY).await, 4100);
    assert_eq!(server.results_replayed(), before + 1);

    // What a transaction has changed it alone sees, and nobody after its rollback.
    let mut writer = connect(&server).await;
    run(
        &mut writer,
        "BEGIN TRANSACTION; DELETE FROM dbo.t WHERE id > 100",
    )
    .await;
    for _ in 0..2 {
        assert_eq!(rows(&mut writer, QUERY).await, 100);
        assert_eq!(rows(&mut snapshot, QUERY).await, 4100);
    }
    run(&mut writer, "ROLLBACK").await;
    let (replayed, bytes) = replays(&server, &mut owner, QUERY).await;
    assert!(replayed && bytes == original);

    // A snapshot goes on seeing the version that others replace.
    run(&mut writer, "DELETE FROM dbo.t WHERE id > 200").await;
    for _ in 0..2 {
        assert_eq!(rows(&mut writer, QUERY).await, 200);
        assert_eq!(rows(&mut snapshot, QUERY).await, 4100);
    }
    run(&mut snapshot, "COMMIT").await;
    assert_eq!(rows(&mut snapshot, QUERY).await, 200);
}

#[tokio::test]
async fn a_reader_still_waits_for_locks() {
    const QUERY: &str = "SELECT id FROM dbo.t";
    let server = server().await;
    let mut reader = raw(&server, 4096).await;
    reader.run(QUERY).await;
    let mut writer = connect(&server).await;
    run(&mut writer, "BEGIN TRANSACTION; UPDATE dbo.t SET big = 0").await;
    let refused = reader
        .run("SET LOCK_TIMEOUT 50; SELECT id FROM dbo.t")
        .await;
    // Error 1222.
    assert!(
        refused
            .windows(4)
            .any(|bytes| bytes == 1222u32.to_le_bytes())
    );
}

#[tokio::test]
async fn what_depends_on_more_than_tables_is_computed_each_time() {
    let server = server().await;
    let mut client = raw(&server, 4096).await;
    for query in [
        "SELECT id, NEWID() FROM dbo.t",
        "SELECT id, SYSDATETIME() FROM dbo.t",
        "SELECT id FROM dbo.t WHERE changed < CURRENT_TIMESTAMP",
        "SELECT id, RAND() FROM dbo.t",
        "SELECT @@SPID, @@TRANCOUNT, @@ROWCOUNT",
        "SELECT HOST_NAME(), DB_NAME()",
        "SELECT name FROM sys.tables",
        "SELECT OBJECT_ID(N'dbo.t')",
        "SELECT DATEPART(weekday, born) FROM dbo.t",
        "SELECT id INTO #copy FROM dbo.t; DROP TABLE #copy",
        "DECLARE @n int; SELECT @n = MAX(id) FROM dbo.t",
        "CREATE TABLE #mine (a int); INSERT INTO #mine VALUES (1); SELECT a FROM #mine; DROP TABLE #mine",
        "DECLARE @mine TABLE (a int); INSERT INTO @mine VALUES (1); SELECT a FROM @mine",
        "SET FMTONLY ON; SELECT id FROM dbo.t; SET FMTONLY OFF",
    ] {
        for _ in 0..2 {
            assert!(!is_replayed(&server, &mut client, query).await, "{query}");
        }
    }
}

#[tokio::test]
async fn parameters_tell_results_apart() {
    let server = server().await;
    let mut client = connect(&server).await;
    for _ in 0..2 {
        for limit in [10i32, 20, 30] {
            let rows = client
                .query("SELECT id FROM dbo.t WHERE id <= @P1", &[&limit])
                .await
                .unwrap()
                .into_first_result()
                .await
                .unwrap();
            assert_eq!(rows.len(), limit as usize);
        }
    }
    assert_eq!(server.results_replayed(), 3);
    run(&mut client, "CREATE DATABASE Other").await;
    run(&mut client, "USE Other; CREATE TABLE dbo.t (id int)").await;
    assert_eq!(rows(&mut client, "SELECT id FROM dbo.t").await, 0);
}

#[tokio::test]
async fn a_result_above_the_limit_is_not_kept() {
    let server = builder().replay_results(MEBIBYTE).start().await.unwrap();
    let mut client = raw(&server, 4096).await;
    client.run(TABLE).await;
    client.run("INSERT INTO dbo.t (id, note) SELECT value, REPLICATE(N'x', 2000) FROM GENERATE_SERIES(10000, 11000)").await;
    for _ in 0..2 {
        assert!(!is_replayed(&server, &mut client, "SELECT id, note FROM dbo.t").await);
    }
    client.run("SELECT id FROM dbo.t").await;
    assert!(is_replayed(&server, &mut client, "SELECT id FROM dbo.t").await);
}

#[tokio::test]
async fn an_attention_ends_a_replay() {
    let server = server().await;
    let mut client = raw(&server, 4096).await;
    client.run("INSERT INTO dbo.t (id, note) SELECT value, REPLICATE(N'x', 2000) FROM GENERATE_SERIES(10000, 18000)").await;
    let whole = client.run("SELECT * FROM dbo.t").await.len();
    client
        .send(BATCH, LAST, &batch("SELECT * FROM dbo.t"))
        .await;
    let (first, _) = client.packet().await.unwrap();
    client.send(common::raw::ATTENTION, LAST, &[]).await;
    let rest = client.message().await.unwrap();
    assert!(first.len() + rest.len() < whole);
    assert_eq!(client.message().await.unwrap(), common::raw::ATTENTION_DONE);
    assert_eq!(client.run("SELECT * FROM dbo.t").await.len(), whole);
}

async fn run(client: &mut TestClient, sql: &str) {
    client
        .simple_query(sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
        .into_results()
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn rows(client: &mut TestClient, sql: &str) -> usize {
    let results = client.simple_query(sql).await.unwrap();
    results.into_first_result().await.unwrap().len()
}
