//! Clients that do not speak TDS, or speak it wrongly on purpose.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::time::Duration;

use common::raw::{
    BATCH, BULK, LAST, LOGIN, PRELOGIN, RPC, RawClient, batch, headers, login, prelogin, utf16,
};
use common::{builder, server};
use icehost_devserver::RunningServer;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tokio::io::AsyncWriteExt;

async fn still_serves(server: &RunningServer) {
    let mut client = RawClient::logged_in(server).await;
    let answer = client.run("SELECT 1").await;
    assert!(answer.starts_with(&[0x81]), "{answer:02X?}");
}

/// Runs `check` on generated inputs, within the test's runtime.
fn generated<T: std::fmt::Debug>(cases: u32, strategy: impl Strategy<Value = T>) -> Vec<T> {
    let mut runner = TestRunner::new(ProptestConfig::default());
    (0..cases)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}

#[tokio::test]
async fn random_bytes_from_a_stranger() {
    let server = server().await;
    for bytes in generated(100, prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut client = RawClient::connect(&server).await;
        let _closed = client.socket.write_all(&bytes).await;
        let _closed = client.socket.shutdown().await;
    }
    still_serves(&server).await;
}

#[tokio::test]
async fn random_payloads_in_sound_packets() {
    let server = server().await;
    let kinds = prop::sample::select(vec![BATCH, RPC, BULK, 0x0E, PRELOGIN, LOGIN]);
    for (kind, payload) in generated(300, (kinds, prop::collection::vec(any::<u8>(), 0..600))) {
        let mut client = RawClient::logged_in(&server).await;
        client.send(kind, LAST, &payload).await;
        // An answer or the end of the connection; anything but silence.
        client.message().await;
    }
    still_serves(&server).await;
}

#[tokio::test]
async fn messages_cut_off_anywhere() {
    let server = server().await;
    let mut call = headers();
    call.extend_from_slice(&[0xFF, 0xFF, 10, 0, 0, 0]);
    for text in ["SELECT @a", "@a int"] {
        let bytes = utf16(text);
        call.extend_from_slice(&[0, 0, 0xE7, 0x40, 0x1F, 9, 4, 0xD0, 0, 0x34]);
        call.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
        call.extend_from_slice(&bytes);
    }
    call.extend_from_slice(&[2, b'@', 0, b'a', 0, 0, 0x26, 4, 4, 7, 0, 0, 0]);
    let mut client = RawClient::logged_in(&server).await;
    client.send(RPC, LAST, &call).await;
    let answer = client.message().await.unwrap();
    assert!(
        answer.starts_with(&[0x81]),
        "the whole call is sound: {answer:02X?}"
    );
    for length in 0..call.len() {
        client.send(RPC, LAST, &call[..length]).await;
        client
            .message()
            .await
            .unwrap_or_else(|| panic!("hung up after {length} of {} bytes", call.len()));
    }
    let whole = batch("SELECT 1");
    for length in 0..whole.len() {
        client.send(BATCH, LAST, &whole[..length]).await;
        client
            .message()
            .await
            .unwrap_or_else(|| panic!("hung up after {length} of {} bytes", whole.len()));
    }
    still_serves(&server).await;
}

#[tokio::test]
async fn logins_cut_off_anywhere() {
    let server = server().await;
    let whole = login("sa", common::PASSWORD);
    for length in 0..whole.len() {
        let mut client = RawClient::connect(&server).await;
        client.send(PRELOGIN, LAST, &prelogin()).await;
        client.message().await.unwrap();
        client.send(LOGIN, LAST, &whole[..length]).await;
        if let Some(answer) = client.message().await {
            assert!(
                !answer.contains(&0xAD),
                "logged in by {length} of {} bytes",
                whole.len()
            );
        }
    }
    assert_eq!(server.statistics().logins(), 0);
    still_serves(&server).await;
}

#[tokio::test]
async fn lengths_that_lie_take_no_memory() {
    let server = server().await;
    let mut client = RawClient::logged_in(&server).await;
    // A (max) parameter that claims 4 GiB.
    let mut call = headers();
    call.extend_from_slice(&[0xFF, 0xFF, 10, 0, 0, 0]);
    call.extend_from_slice(&[0, 0, 0xE7, 0xFF, 0xFF, 9, 4, 0xD0, 0, 0x34]);
    call.extend_from_slice(&[
        0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    ]);
    client.send(RPC, LAST, &call).await;
    let answer = client.message().await.unwrap();
    assert_eq!(answer[0], 0xAA, "an error token: {answer:02X?}");
    // The headers of a request that claim more than there is.
    client.send(BATCH, LAST, &[0xFF, 0xFF, 0xFF, 0x7F]).await;
    let answer = client.message().await.unwrap();
    assert_eq!(answer[0], 0xAA, "an error token: {answer:02X?}");
    still_serves(&server).await;
}

#[tokio::test]
async fn a_login_without_prelogin_and_requests_without_login_are_hung_up_on() {
    let server = server().await;
    for (kind, payload) in [
        (LOGIN, login("sa", common::PASSWORD)),
        (BATCH, batch("SELECT 1")),
    ] {
        let mut client = RawClient::connect(&server).await;
        client.send(kind, LAST, &payload).await;
        assert_eq!(client.message().await, None);
    }
    assert_eq!(server.statistics().statements_seen(), [""; 0]);
}

#[tokio::test]
async fn a_server_that_requires_encryption_takes_no_login_in_the_clear() {
    let server = builder()
        .tls(icehost_devserver::Tls::Required)
        .start()
        .await
        .unwrap();
    let mut client = RawClient::connect(&server).await;
    client.send(PRELOGIN, LAST, &prelogin()).await;
    client.message().await.unwrap();
    client
        .send(LOGIN, LAST, &login("sa", common::PASSWORD))
        .await;
    assert_eq!(client.message().await, None);
    assert_eq!(server.statistics().logins(), 0);
}

#[tokio::test]
async fn a_second_request_before_the_first_is_answered_ends_the_connection() {
    let server = server().await;
    let mut client = RawClient::logged_in(&server).await;
    client
        .send(BATCH, LAST, &batch("WAITFOR DELAY '00:00:10'"))
        .await;
    client.send(BATCH, LAST, &batch("SELECT 1")).await;
    assert_eq!(client.message().await, None);
    tokio::time::timeout(Duration::from_secs(5), still_serves(&server))
        .await
        .unwrap();
}

#[tokio::test]
async fn bulk_rows_without_insert_bulk_are_an_error() {
    let server = server().await;
    let mut client = RawClient::logged_in(&server).await;
    client.send(BULK, LAST, &[0x81, 0, 0]).await;
    assert_eq!(client.message().await.unwrap()[0], 0xAA);
    assert!(client.run("SELECT 1").await.starts_with(&[0x81]));
}
