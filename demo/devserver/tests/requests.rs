//! Batches, results, transactions, attentions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::time::{Duration, Instant};

use common::{TestClient, connect, number, server};
use futures::TryStreamExt;

async fn run(client: &mut TestClient, sql: &str) {
    client
        .simple_query(sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
        .into_results()
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn count(client: &mut TestClient, sql: &str) -> i32 {
    client
        .simple_query(sql)
        .await
        .unwrap()
        .into_row()
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
        .unwrap()
        .get(0)
        .unwrap()
}

#[tokio::test]
async fn a_batch_may_have_several_results_and_none() {
    let server = server().await;
    let mut client = connect(&server).await;
    let results = client
        .simple_query("SELECT 1 AS a; DECLARE @x int = 5; SELECT @x AS b, 'c' AS c; SELECT 1 AS d WHERE 1 = 0")
        .await
        .unwrap()
        .into_results()
        .await
        .unwrap();
    let sizes: Vec<_> = results.iter().map(Vec::len).collect();
    assert_eq!(sizes[..2], [1, 1]);
    assert_eq!(results[1][0].get::<i32, _>("b"), Some(5));
}

#[tokio::test]
async fn row_counts_are_reported_per_statement() {
    let server = server().await;
    let mut client = connect(&server).await;
    run(&mut client, "CREATE TABLE dbo.t (a int)").await;
    let result = client
        .execute(
            "INSERT INTO dbo.t VALUES (1), (2), (3); UPDATE dbo.t SET a = 0 WHERE a > @P1",
            &[&1i32],
        )
        .await
        .unwrap();
    assert_eq!(result.rows_affected(), [3, 2]);
}

#[tokio::test]
async fn three_hundred_thousand_rows_stream() {
    let server = server().await;
    let mut client = connect(&server).await;
    run(
        &mut client,
        "CREATE TABLE dbo.big (n bigint NOT NULL PRIMARY KEY, t nvarchar(40) NULL); \
         INSERT INTO dbo.big SELECT value, CASE WHEN value % 3 = 0 THEN NULL ELSE CONCAT(N'row ', value) END \
         FROM GENERATE_SERIES(CAST(1 AS bigint), CAST(300000 AS bigint))",
    )
    .await;
    let mut rows = client
        .simple_query("SELECT n, t FROM dbo.big ORDER BY n")
        .await
        .unwrap()
        .into_row_stream();
    let mut expected = 0i64;
    while let Some(row) = rows.try_next().await.unwrap() {
        expected += 1;
        assert_eq!(row.get::<i64, _>(0), Some(expected));
        let text = (expected % 3 != 0).then(|| format!("row {expected}"));
        assert_eq!(row.get::<&str, _>(1), text.as_deref(), "row {expected}");
    }
    assert_eq!(expected, 300_000);
}

#[tokio::test]
async fn a_transaction_can_be_rolled_back_and_committed() {
    let server = server().await;
    let mut client = connect(&server).await;
    run(&mut client, "CREATE TABLE dbo.t (a int)").await;
    for (end, rows) in [("ROLLBACK", 0), ("COMMIT", 1)] {
        run(&mut client, "BEGIN TRANSACTION").await;
        run(&mut client, "INSERT INTO dbo.t VALUES (1)").await;
        assert_eq!(
            count(&mut client, "SELECT COUNT(*) FROM dbo.t").await,
            1,
            "within the transaction"
        );
        run(&mut client, end).await;
        assert_eq!(
            count(&mut client, "SELECT COUNT(*) FROM dbo.t").await,
            rows,
            "after {end}"
        );
    }
}

#[tokio::test]
async fn a_client_that_leaves_rolls_back() {
    let server = server().await;
    let mut client = connect(&server).await;
    run(&mut client, "CREATE TABLE dbo.t (a int)").await;
    let mut leaving = connect(&server).await;
    run(
        &mut leaving,
        "BEGIN TRANSACTION; INSERT INTO dbo.t VALUES (1)",
    )
    .await;
    drop(leaving);
    assert_eq!(count(&mut client, "SELECT COUNT(*) FROM dbo.t").await, 0);
}

#[tokio::test]
async fn an_error_is_reported_and_the_session_goes_on() {
    let server = server().await;
    let mut client = connect(&server).await;
    let error = client
        .execute("SELECT * FROM dbo.nowhere WHERE a = @P1", &[&1i32])
        .await
        .unwrap_err();
    assert_eq!(number(&error), Some(208), "{error}");
    assert_eq!(count(&mut client, "SELECT 7").await, 7);
}

#[tokio::test]
async fn a_running_statement_ends_when_its_client_does() {
    let server = server().await;
    let mut client = connect(&server).await;
    let waiting = async {
        let stream = client.simple_query("WAITFOR DELAY '00:01:00'").await?;
        stream.into_results().await
    };
    let waited = tokio::time::timeout(Duration::from_millis(300), waiting).await;
    assert!(waited.is_err(), "the statement ended by itself: {waited:?}");
    drop(client);
    let started = Instant::now();
    while server.statistics().open_connections() > 0 {
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "the connection is still open"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_result_that_is_dropped_half_way_stops() {
    let server = server().await;
    let mut client = connect(&server).await;
    let mut stream = client
        .simple_query(
            "SELECT value FROM GENERATE_SERIES(CAST(1 AS bigint), CAST(1000000000 AS bigint))",
        )
        .await
        .unwrap()
        .into_row_stream();
    assert!(stream.try_next().await.unwrap().is_some());
    drop(stream);
    drop(client);
    let started = Instant::now();
    while server.statistics().open_connections() > 0 {
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "the connection is still open"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn several_servers_and_sessions_run_beside_each_other() {
    let servers = [server().await, server().await];
    let mut tasks = Vec::new();
    for server in &servers {
        for n in 0..8i32 {
            let mut client = connect(server).await;
            tasks.push(tokio::spawn(async move {
                let row = client
                    .query("SELECT @P1", &[&n])
                    .await
                    .unwrap()
                    .into_row()
                    .await
                    .unwrap()
                    .unwrap();
                assert_eq!(row.get::<i32, _>(0), Some(n));
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    for server in servers {
        assert_eq!(server.statistics().logins(), 8);
        server.stop().await;
    }
}
