//! The program: what it prints, what it runs, how it ends.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::{PASSWORD, connect_with};
use tiberius::{AuthMethod, Config, EncryptionLevel};

/// A started program, killed with the test that started it.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended needs no killing.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn command(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_icehost-devserver"));
    command
        .current_dir(directory)
        .args(["--listen", "127.0.0.1:0"])
        .env("ICEHOST_DEVSERVER_PASSWORD", PASSWORD)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[tokio::test]
async fn it_says_where_it_listens_runs_its_scripts_and_ends_when_told() {
    let directory = tempfile::tempdir().unwrap();
    let script = "USE Sales\nGO\nCREATE TABLE dbo.t (a int)\nINSERT INTO dbo.t VALUES (7)\nGO\n";
    std::fs::write(directory.path().join("setup.sql"), script).unwrap();
    let mut program = Program(
        command(directory.path())
            .args([
                "--database",
                "Sales",
                "--run",
                "setup.sql",
                "--cert-out",
                "server.pem",
            ])
            .spawn()
            .unwrap(),
    );
    let mut line = String::new();
    BufReader::new(program.0.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line
        .trim()
        .strip_prefix("listening on ")
        .unwrap_or_else(|| panic!("{line}"));
    let address: std::net::SocketAddr = address.parse().unwrap();

    let mut config = Config::new();
    config.host("localhost");
    config.port(address.port());
    config.database("Sales");
    config.authentication(AuthMethod::sql_server("sa", PASSWORD));
    config.encryption(EncryptionLevel::Required);
    config.trust_cert_ca(directory.path().join("server.pem").to_string_lossy());
    let mut client = connect_with(config).await.unwrap();
    let row = client
        .simple_query("SELECT a FROM dbo.t")
        .await
        .unwrap()
        .into_row()
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.get::<i32, _>(0), Some(7));

    let told = Command::new("kill")
        .arg(program.0.id().to_string())
        .status()
        .unwrap();
    assert!(told.success());
    let status = program.0.wait().unwrap();
    assert!(status.success(), "{status}");
    let mut log = String::new();
    program
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    assert!(!log.contains(PASSWORD), "the password is in the log: {log}");
}

#[test]
fn a_script_that_fails_is_reported_with_file_and_line() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("bad.sql"),
        "SELECT 1\nGO\n\nSELECT * FROM dbo.nowhere\n",
    )
    .unwrap();
    let output = command(directory.path())
        .args(["--run", "bad.sql"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("bad.sql:4: "), "{errors}");
    assert!(
        errors.contains("Invalid object name 'dbo.nowhere'"),
        "{errors}"
    );
    assert!(errors.contains("hint: "), "{errors}");
    assert!(output.stdout.is_empty());
}

#[test]
fn no_password_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let output = command(directory.path())
        .env("ICEHOST_DEVSERVER_PASSWORD", "")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.contains("password") && errors.contains("hint: "),
        "{errors}"
    );
}
