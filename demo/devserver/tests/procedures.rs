//! Procedure calls by hand: prepared statements, output parameters, several calls in a message, resets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::raw::{BATCH, LAST, RPC, RawClient, batch, headers, utf16};
use common::server;

const EXECUTE_SQL: u16 = 10;
const PREPARE: u16 = 11;
const EXECUTE: u16 = 12;
const PREPARE_AND_EXECUTE: u16 = 13;
const UNPREPARE: u16 = 15;

const RESET_CONNECTION: u8 = 0x08;

const COLMETADATA: u8 = 0x81;
const ERROR: u8 = 0xAA;
const RETURN_VALUE: u8 = 0xAC;

/// A call by number, without headers.
fn call(procedure: u16, parameters: &[Vec<u8>]) -> Vec<u8> {
    let mut message = vec![0xFF, 0xFF];
    message.extend_from_slice(&procedure.to_le_bytes());
    message.extend_from_slice(&[0, 0]);
    message.extend(parameters.concat());
    message
}

fn name_and_status(name: &str, output: bool) -> Vec<u8> {
    let mut parameter = vec![name.len() as u8];
    parameter.extend_from_slice(&utf16(name));
    parameter.push(u8::from(output));
    parameter
}

fn text(value: &str) -> Vec<u8> {
    let mut parameter = name_and_status("", false);
    parameter.extend_from_slice(&[0xE7, 0x40, 0x1F, 9, 4, 0xD0, 0, 0x34]);
    let bytes = utf16(value);
    parameter.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
    parameter.extend_from_slice(&bytes);
    parameter
}

fn int(name: &str, value: Option<i32>, output: bool) -> Vec<u8> {
    let mut parameter = name_and_status(name, output);
    parameter.extend_from_slice(&[0x26, 4]);
    match value {
        None => parameter.push(0),
        Some(value) => {
            parameter.push(4);
            parameter.extend_from_slice(&value.to_le_bytes());
        }
    }
    parameter
}

async fn send(client: &mut RawClient, calls: &[Vec<u8>]) -> Vec<u8> {
    let mut message = headers();
    message.extend(calls.join(&0xFF));
    client.send(RPC, LAST, &message).await;
    client.message().await.expect("the server hung up")
}

/// The int output parameter of a response: ordinal and value.
fn returned(response: &[u8], name: &str) -> Option<(u16, i32)> {
    let mut start = vec![name.len() as u8];
    start.extend_from_slice(&utf16(name));
    // Status 1, no user type, no flags, INTN of four bytes, four bytes.
    start.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0x26, 4, 4]);
    let at = response
        .windows(start.len())
        .position(|window| window == start)?;
    assert_eq!(response[at - 3], RETURN_VALUE);
    let value = &response[at + start.len()..][..4];
    Some((
        u16::from_le_bytes([response[at - 2], response[at - 1]]),
        i32::from_le_bytes(value.try_into().unwrap()),
    ))
}

/// The number of the error that a response starts with.
fn error(response: &[u8]) -> Option<u32> {
    (response[0] == ERROR).then(|| u32::from_le_bytes(response[3..7].try_into().unwrap()))
}

#[tokio::test]
async fn a_statement_is_prepared_run_again_and_forgotten() {
    let server = server().await;
    let mut client = RawClient::logged_in(&server).await;
    let prepare = [
        int("", None, true),
        text("@a int"),
        text("SELECT @a + 1 AS b"),
        int("", Some(1), false),
    ];
    let (ordinal, handle) =
        returned(&send(&mut client, &[call(PREPARE, &prepare)]).await, "").unwrap();
    assert_eq!(ordinal, 0);
    for value in [1, 41] {
        let run = [int("", Some(handle), false), int("", Some(value), false)];
        let response = send(&mut client, &[call(EXECUTE, &run)]).await;
        assert_eq!(response[0], COLMETADATA);
        let row = [&[0xD1, 4][..], &(value + 1).to_le_bytes()].concat();
        assert!(
            response.windows(row.len()).any(|window| window == row),
            "{response:02X?}"
        );
    }
    let forget = call(UNPREPARE, &[int("", Some(handle), false)]);
    assert_eq!(error(&send(&mut client, &[forget]).await), None);
    let run = call(
        EXECUTE,
        &[int("", Some(handle), false), int("", Some(1), false)],
    );
    assert_eq!(error(&send(&mut client, &[run]).await), Some(8179));
}

#[tokio::test]
async fn preparing_and_running_go_in_one_call() {
    let server = server().await;
    let mut client = RawClient::logged_in(&server).await;
    let both = [
        int("", None, true),
        text("@a int"),
        text("SELECT @a"),
        int("", Some(7), false),
    ];
    let response = send(&mut client, &[call(PREPARE_AND_EXECUTE, &both)]).await;
    assert_eq!(response[0], COLMETADATA);
    assert!(returned(&response, "").is_some(), "{response:02X?}");
}

#[tokio::test]
async fn output_parameters_come_back_under_their_names() {
    let server = server().await;
    let mut client = RawClient::logged_in(&server).await;
    let parameters = [
        text("SET @b = @a * 2"),
        text("@a int, @b int OUTPUT"),
        int("@a", Some(21), false),
        int("@b", None, true),
    ];
    let response = send(&mut client, &[call(EXECUTE_SQL, &parameters)]).await;
    assert_eq!(returned(&response, "@b"), Some((3, 42)), "{response:02X?}");
}

#[tokio::test]
async fn several_calls_in_a_message_run_one_after_the_other() {
    let server = server().await;
    let mut client = RawClient::logged_in(&server).await;
    let calls: Vec<_> = (1..=3)
        .map(|value| {
            call(
                EXECUTE_SQL,
                &[
                    text("SELECT @a"),
                    text("@a int"),
                    int("@a", Some(value), false),
                ],
            )
        })
        .collect();
    let response = send(&mut client, &calls).await;
    for value in 1..=3i32 {
        let row = [&[0xD1, 4][..], &value.to_le_bytes()].concat();
        assert!(
            response.windows(row.len()).any(|window| window == row),
            "no row {value} in {response:02X?}"
        );
    }
    let last = response.last_chunk::<13>().unwrap();
    assert_eq!(
        last[..3],
        [0xFE, 0, 0],
        "the last DONEPROC has no more bit: {last:02X?}"
    );
}

#[tokio::test]
async fn values_that_do_not_convert_are_errors() {
    let server = server().await;
    let mut client = RawClient::logged_in(&server).await;
    let parameters = [
        text("SELECT @a"),
        text("@a tinyint"),
        int("@a", Some(300), false),
    ];
    let response = send(&mut client, &[call(EXECUTE_SQL, &parameters)]).await;
    assert!(error(&response).is_some(), "{response:02X?}");
}

#[tokio::test]
async fn server_cursors_are_refused() {
    let server = server().await;
    let mut client = RawClient::logged_in(&server).await;
    let open = call(2, &[int("", None, true), text("SELECT 1")]);
    assert_eq!(error(&send(&mut client, &[open]).await), Some(50_001));
    assert_eq!(client.run("SELECT 1").await[0], COLMETADATA);
}

#[tokio::test]
async fn a_reset_forgets_all_that_the_session_had() {
    let server = server().await;
    let mut client = RawClient::logged_in(&server).await;
    client
        .run("CREATE TABLE #t (a int); USE Test; BEGIN TRANSACTION")
        .await;
    client
        .send(BATCH, LAST | RESET_CONNECTION, &batch("SELECT a FROM #t"))
        .await;
    let response = client.message().await.unwrap();
    // ENVCHANGE of the database back to the login's, and of type 18.
    assert_eq!(response[0], 0xE3, "{response:02X?}");
    let reset = [0xE3, 3, 0, 18, 0, 0];
    let at = response.windows(6).position(|window| window == reset);
    let rest = &response[at.unwrap_or_else(|| panic!("no reset in {response:02X?}")) + 6..];
    assert_eq!(error(rest), Some(208), "the temporary table is still there");
}

#[tokio::test]
async fn a_transaction_that_the_client_is_not_in_is_refused() {
    let server = server().await;
    let mut client = RawClient::logged_in(&server).await;
    let mut message = batch("SELECT 1");
    message[10] = 99;
    client.send(BATCH, LAST, &message).await;
    assert_eq!(error(&client.message().await.unwrap()), Some(3989));
}
