//! `icehost-sql SERVER DATABASE STATEMENT`: runs a statement and prints its rows, for the demo's script.
//!
//! Text, integers and NULL are printed; a query casts everything else to text.
#![allow(clippy::print_stdout)] // its one job

use std::error::Error;
use std::process::ExitCode;

use tiberius::{AuthMethod, Client, ColumnData, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncWriteCompatExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, database, statement] = arguments.as_slice() else {
        eprintln!("usage: ICEHOST_DEVSERVER_PASSWORD=… icehost-sql HOST:PORT DATABASE STATEMENT");
        return ExitCode::from(2);
    };
    match run(server, database, statement).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(server: &str, database: &str, statement: &str) -> Result<(), Box<dyn Error>> {
    let (host, port) = server.split_once(':').ok_or("the server is HOST:PORT")?;
    let mut config = Config::new();
    config.host(host);
    config.port(port.parse()?);
    config.database(database);
    config.encryption(EncryptionLevel::NotSupported);
    let password = std::env::var("ICEHOST_DEVSERVER_PASSWORD")
        .map_err(|_| "ICEHOST_DEVSERVER_PASSWORD is not set")?;
    config.authentication(AuthMethod::sql_server("sa", password));

    let socket = TcpStream::connect(config.get_addr()).await?;
    socket.set_nodelay(true)?;
    let mut client = Client::connect(config, socket.compat_write()).await?;
    let rows = client
        .simple_query(statement)
        .await?
        .into_first_result()
        .await?;
    for row in rows {
        let cells = row
            .into_iter()
            .map(text)
            .collect::<Result<Vec<String>, _>>()?;
        println!("{}", cells.join("\t"));
    }
    Ok(())
}

fn text(value: ColumnData<'static>) -> Result<String, String> {
    fn or_null<T: ToString>(value: Option<T>) -> String {
        value.map_or_else(|| "NULL".to_owned(), |v| v.to_string())
    }
    Ok(match value {
        ColumnData::U8(v) => or_null(v),
        ColumnData::I16(v) => or_null(v),
        ColumnData::I32(v) => or_null(v),
        ColumnData::I64(v) => or_null(v),
        ColumnData::String(v) => or_null(v),
        other => return Err(format!("cast this column to text in the query: {other:?}")),
    })
}
