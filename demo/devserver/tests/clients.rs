//! Unmodified clients of other makers write every type and read it back unchanged.
//!
//! The scripts and what they need are in `tests/clients`; `tests/run.sh` installs it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::path::Path;
use std::process::Command;

use common::PASSWORD;

/// A program that `tests/run.sh` installed.
fn installed(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run tests/run.sh"))
}

/// Runs a script of `tests/clients` on a server of its own.
async fn run(program: String, script: &str) {
    let server = common::server().await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/clients")
        .join(script);
    let mut command = Command::new(program);
    command.arg(&script).args([
        "127.0.0.1",
        &server.addr().port().to_string(),
        "sa",
        PASSWORD,
    ]);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}\n{stdout}{stderr}",
        script.display()
    );
    assert!(stdout.starts_with("ok "), "{stdout}");
    server.stop().await;
}

#[tokio::test]
async fn pymssql() {
    run(installed("ICEHOST_TEST_PYTHON"), "client_pymssql.py").await;
}

#[tokio::test]
async fn several_transactions_of_pymssql_stand_side_by_side() {
    run(installed("ICEHOST_TEST_PYTHON"), "client_transactions.py").await;
}

#[tokio::test]
async fn python_tds() {
    run(installed("ICEHOST_TEST_PYTHON"), "client_pytds.py").await;
}

#[tokio::test]
async fn mssql_python() {
    run(installed("ICEHOST_TEST_PYTHON"), "client_mssql_python.py").await;
}

#[tokio::test]
async fn tedious() {
    installed("ICEHOST_TEST_NODE_MODULES");
    run("node".to_owned(), "client_tedious.mjs").await;
}

#[tokio::test]
async fn tsql() {
    run("bash".to_owned(), "client_tsql.sh").await;
}
