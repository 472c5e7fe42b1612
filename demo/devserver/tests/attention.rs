//! Attentions (MS-TDS 2.2.1.6): while a statement runs, within its result, and too late.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::time::{Duration, Instant};

use common::raw::{ATTENTION, ATTENTION_DONE, BATCH, BULK, LAST, RawClient, batch};
use common::server;

const ENDLESS: &str =
    "SELECT value FROM GENERATE_SERIES(CAST(1 AS bigint), CAST(1000000000000 AS bigint))";

#[tokio::test]
async fn a_running_statement_is_interrupted() {
    let server = server().await;
    let mut client = RawClient::logged_in(&server).await;
    client
        .send(BATCH, LAST, &batch("WAITFOR DELAY '00:01:00'"))
        .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    client.send(ATTENTION, LAST, &[]).await;
    client.message().await.unwrap();
    assert_eq!(client.message().await.unwrap(), ATTENTION_DONE);
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "after {:?}",
        started.elapsed()
    );
    assert_eq!(server.statistics().attentions(), 1);
    assert!(
        client.run("SELECT 1").await.starts_with(&[0x81]),
        "the session does not go on"
    );
}

#[tokio::test]
async fn a_result_is_interrupted_between_rows() {
    let server = server().await;
    let mut client = RawClient::logged_in(&server).await;
    client.send(BATCH, LAST, &batch(ENDLESS)).await;
    for _ in 0..10 {
        let (_, last) = client.packet().await.unwrap();
        assert!(!last);
    }
    client.send(ATTENTION, LAST, &[]).await;
    client.message().await.unwrap();
    assert_eq!(client.message().await.unwrap(), ATTENTION_DONE);
    assert!(
        client.run("SELECT 1").await.starts_with(&[0x81]),
        "the session does not go on"
    );
}

#[tokio::test]
async fn an_attention_that_comes_too_late_is_acknowledged_by_itself() {
    let server = server().await;
    let mut client = RawClient::logged_in(&server).await;
    client.run("SELECT 1").await;
    client.send(ATTENTION, LAST, &[]).await;
    assert_eq!(client.message().await.unwrap(), ATTENTION_DONE);
    assert!(
        client.run("SELECT 1").await.starts_with(&[0x81]),
        "the session does not go on"
    );
}

#[tokio::test]
async fn a_bulk_load_that_is_called_off_leaves_nothing() {
    let server = server().await;
    let mut client = RawClient::logged_in(&server).await;
    client.run("CREATE TABLE #t (a int NOT NULL)").await;
    client.run("INSERT BULK #t ([a] int)").await;
    // COLMETADATA of one int column called `a`, a row, and no DONE.
    let mut rows = vec![0x81, 1, 0, 0, 0, 0, 0, 8, 0, 0x38, 1, b'a', 0];
    rows.extend_from_slice(&[0xD1, 1, 0, 0, 0]);
    client.send(BULK, 0, &rows).await;
    client.send(ATTENTION, LAST, &[]).await;
    client.message().await.unwrap();
    assert_eq!(client.message().await.unwrap(), ATTENTION_DONE);
    let answer = client.run("SELECT a FROM #t").await;
    assert!(
        !answer.contains(&0xD1),
        "a row is in the table: {answer:02X?}"
    );
}
