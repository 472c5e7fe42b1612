//! Faults act on the wire as they say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::time::{Duration, Instant};

use common::{TestClient, config, connect, connect_with, number, server};
use icehost_devserver::When;

async fn run(client: &mut TestClient, sql: &str) -> tiberius::Result<()> {
    client
        .simple_query(sql)
        .await?
        .into_results()
        .await
        .map(|_| ())
}

async fn count(client: &mut TestClient, sql: &str) -> i32 {
    client
        .simple_query(sql)
        .await
        .unwrap()
        .into_row()
        .await
        .unwrap()
        .unwrap()
        .get(0)
        .unwrap()
}

#[tokio::test]
async fn an_ordered_error_meets_the_next_such_statement_only() {
    let server = server().await;
    let mut client = connect(&server).await;
    run(
        &mut client,
        "CREATE TABLE dbo.t (a int); BEGIN TRANSACTION; INSERT INTO dbo.t VALUES (1)",
    )
    .await
    .unwrap();
    server.faults().fail_next("update dbo.t", 1205);
    run(&mut client, "SELECT 1").await.unwrap();
    let error = run(&mut client, "UPDATE dbo.t SET a = 2")
        .await
        .unwrap_err();
    assert_eq!(number(&error), Some(1205), "{error}");
    assert_eq!(
        count(&mut client, "SELECT @@TRANCOUNT").await,
        0,
        "a deadlock victim is rolled back"
    );
    assert_eq!(count(&mut client, "SELECT COUNT(*) FROM dbo.t").await, 0);
    run(&mut client, "UPDATE dbo.t SET a = 2").await.unwrap();
}

#[tokio::test]
async fn a_connection_breaks_before_or_after_its_statement() {
    let server = server().await;
    let mut watcher = connect(&server).await;
    run(&mut watcher, "CREATE TABLE dbo.t (a int)")
        .await
        .unwrap();
    for (when, rows) in [(When::BeforeExecution, 0), (When::AfterExecution, 1)] {
        let mut client = connect(&server).await;
        server
            .faults()
            .drop_connection_on("INSERT INTO dbo.t", when);
        let error = run(&mut client, "INSERT INTO dbo.t VALUES (1)")
            .await
            .unwrap_err();
        assert_eq!(number(&error), None, "{error}");
        assert_eq!(
            count(&mut watcher, "SELECT COUNT(*) FROM dbo.t").await,
            rows,
            "{when:?}"
        );
    }
}

#[tokio::test]
async fn a_connection_breaks_within_a_result() {
    let server = server().await;
    let mut client = connect(&server).await;
    server.faults().drop_connection_after_packets(20);
    let stream = client
        .simple_query(
            "SELECT value FROM GENERATE_SERIES(CAST(1 AS bigint), CAST(1000000 AS bigint))",
        )
        .await
        .unwrap();
    let error = stream.into_results().await.unwrap_err();
    assert_eq!(number(&error), None, "{error}");
    let mut next = connect(&server).await;
    assert_eq!(count(&mut next, "SELECT 1").await, 1);
}

#[tokio::test]
async fn logins_are_refused_as_often_as_ordered() {
    let server = server().await;
    server.faults().refuse_logins(2);
    for _ in 0..2 {
        let error = connect_with(config(&server)).await.err().unwrap();
        assert_eq!(number(&error), Some(17809), "{error}");
    }
    connect(&server).await;
}

#[tokio::test]
async fn a_delayed_statement_waits() {
    let server = server().await;
    let mut client = connect(&server).await;
    server.faults().delay("slow", Duration::from_millis(200));
    let started = Instant::now();
    run(&mut client, "SELECT 'slow' AS a").await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn statements_are_remembered() {
    let server = server().await;
    let mut client = connect(&server).await;
    run(&mut client, "SELECT 'first' AS a").await.unwrap();
    client
        .query("SELECT @P1", &[&1i32])
        .await
        .unwrap()
        .into_results()
        .await
        .unwrap();
    assert_eq!(
        server.statistics().statements_seen(),
        ["SELECT 'first' AS a", "SELECT @P1"]
    );
}
