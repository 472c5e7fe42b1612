//! `icehost-sql [--wait SECONDS] SERVER DATABASE STATEMENT`: runs a statement and prints its rows, for the first steps and
//! the demo's script.
//!
//! A server that does not listen yet is waited for where that is asked for.
#![allow(clippy::print_stdout)] // its one job

mod value;

use std::error::Error;
use std::io::{self, ErrorKind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncWriteCompatExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (wait, rest) = match arguments.as_slice() {
        [flag, seconds, rest @ ..] if flag == "--wait" => (seconds.parse().ok(), rest),
        rest => (Some(0), rest),
    };
    let (Some(wait), [server, database, statement]) = (wait, rest) else {
        eprintln!(
            "usage: ICEHOST_DEVSERVER_PASSWORD=… icehost-sql [--wait SECONDS] HOST:PORT DATABASE STATEMENT"
        );
        return ExitCode::from(2);
    };
    match run(server, database, statement, Duration::from_secs(wait)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Connects, and tries again for so long while nobody listens.
async fn connect(address: &str, wait: Duration) -> io::Result<TcpStream> {
    let started = Instant::now();
    loop {
        match TcpStream::connect(address).await {
            Err(error)
                if error.kind() == ErrorKind::ConnectionRefused && started.elapsed() < wait =>
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            connected => return connected,
        }
    }
}

async fn run(
    server: &str,
    database: &str,
    statement: &str,
    wait: Duration,
) -> Result<(), Box<dyn Error>> {
    let (host, port) = server.split_once(':').ok_or("the server is HOST:PORT")?;
    let mut config = Config::new();
    config.host(host);
    config.port(port.parse()?);
    config.database(database);
    config.encryption(EncryptionLevel::NotSupported);
    let password = std::env::var("ICEHOST_DEVSERVER_PASSWORD")
        .map_err(|_| "ICEHOST_DEVSERVER_PASSWORD is not set")?;
    config.authentication(AuthMethod::sql_server("sa", password));

    let socket = connect(&config.get_addr(), wait)
        .await
        .map_err(|error| format!("cannot connect to {server}: {error}"))?;
    socket.set_nodelay(true)?;
    let mut client = Client::connect(config, socket.compat_write()).await?;
    let rows = client
        .simple_query(statement)
        .await?
        .into_first_result()
        .await?;
    for row in rows {
        let columns: Vec<_> = row.columns().iter().map(|of| of.column_type()).collect();
        let cells = row
            .into_iter()
            .zip(columns)
            .map(|(value, column)| value::text(value, column))
            .collect::<Result<Vec<String>, _>>()?;
        println!("{}", cells.join("\t"));
    }
    Ok(())
}
