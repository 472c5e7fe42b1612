//! A server that answers what bytes say, and a session with it as a run has one.

use std::io;
use std::time::Duration;

use icehost_plan::{ChangeSource, Coverage, ExtractionPlan};
use icehost_sqlserver::{
    ColumnSelection, ConnectOptions, Connection, Endpoint, ExtractOptions, SqlServerError,
    TableName,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// What no message may hold.
const SECRET: &str = "correct-horse";
/// Bytes of a packet's header (MS-TDS 2.2.3.1), and of its body as they are sent here.
const HEADER: usize = 8;
const BODY: usize = 4000;
/// Set in a message's length: its bytes are sent as they are, headers and all.
const AS_IT_IS: u16 = 0x8000;

/// How far a session came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// No connection.
    Nothing,
    /// Logged in, and the server is known.
    LoggedIn,
    /// A table was described.
    Described,
    /// Its rows were read to the end.
    Read,
}

thread_local! {
    static HERE: Option<(Runtime, TcpListener)> = listen().ok();
}

fn listen() -> io::Result<(Runtime, TcpListener)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
    Ok((runtime, listener))
}

/// A session with a server whose answers these bytes are: messages in the order of the client's requests, each behind
/// two bytes (little-endian) with its length.
///
/// # Panics
/// Where an error names the password.
pub fn server(bytes: &[u8]) -> Reached {
    HERE.with(|here| {
        let Some((runtime, listener)) = here else {
            return Reached::Nothing;
        };
        let Ok(port) = listener.local_addr().map(|address| address.port()) else {
            return Reached::Nothing;
        };
        runtime.block_on(async {
            let mut reached = Reached::Nothing;
            let ended = tokio::select! {
                ended = session(port, &mut reached) => ended,
                never = answer(listener, bytes) => match never {},
            };
            if let Err(error) = ended {
                let said = format!("{error}{}", error.hint().unwrap_or_default());
                assert!(!said.contains(SECRET), "{said}");
            }
            reached
        })
    })
}

/// What a run does with a source, as far as the server lets it.
async fn session(port: u16, reached: &mut Reached) -> Result<(), SqlServerError> {
    let endpoint = Endpoint::parse(&format!(
        "mssql://sa:{SECRET}@127.0.0.1:{port}/Test?encrypt=disable&connect_timeout=2"
    ))?;
    let options = ConnectOptions {
        idle_timeout: Some(Duration::from_secs(2)),
        query_timeout: Some(Duration::from_secs(2)),
        reconnect_timeout: Duration::ZERO,
        ..ConnectOptions::default()
    };
    let mut connection = Connection::open(&endpoint, &options).await?;
    *reached = Reached::LoggedIn;
    let name = TableName::new("dbo", "T");
    let table = connection
        .introspect(&name, &ColumnSelection::default())
        .await?;
    *reached = Reached::Described;
    let plan = ExtractionPlan {
        source: ChangeSource::Rows,
        coverage: Coverage::Full,
        columns: (0..).take(table.table.columns.len()).collect(),
        filter: None,
        order_by: Vec::new(),
        split_on: None,
        observe: Vec::new(),
    };
    let Ok(plan) = plan.validate(&table.table) else {
        return Ok(());
    };
    let mut extraction = connection
        .extract(&table, &plan, ExtractOptions::default())
        .await?;
    while let Some(batch) = extraction.next_batch().await? {
        // What is read can be looked at, every value of it.
        assert!(!format!("{batch:?}").is_empty());
    }
    extraction.finish()?;
    *reached = Reached::Read;
    Ok(())
}

/// Answers each request with the next message, and closes the connection after the last.
async fn answer(listener: &TcpListener, bytes: &[u8]) -> std::convert::Infallible {
    if let Ok((mut socket, _)) = listener.accept().await {
        let mut rest = bytes;
        while let Some((message, after)) = next(rest) {
            rest = after;
            if request(&mut socket).await.is_err() || socket.write_all(&message).await.is_err() {
                break;
            }
        }
        let _closed = socket.shutdown().await;
        // Closed with unread bytes, a socket takes back what it has sent.
        let _last = request(&mut socket).await;
    }
    std::future::pending().await
}

/// The next message in its packets, and what comes after it.
fn next(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = u16::from_le_bytes(*length);
    let (body, after) = rest.split_at(usize::from(length & !AS_IT_IS).min(rest.len()));
    if length & AS_IT_IS != 0 {
        return Some((body.to_vec(), after));
    }
    let mut message = Vec::new();
    let last = body.len().div_ceil(BODY).saturating_sub(1);
    for number in 0..=last {
        let part = body.chunks(BODY).nth(number).unwrap_or_default();
        message.extend([0x04, u8::from(number == last)]);
        message.extend(((part.len() + HEADER) as u16).to_be_bytes());
        message.extend([0, 0, 1, 0]);
        message.extend(part);
    }
    Some((message, after))
}

/// Reads a request whole.
async fn request(socket: &mut TcpStream) -> io::Result<()> {
    let mut body = Vec::new();
    loop {
        let mut header = [0; HEADER];
        socket.read_exact(&mut header).await?;
        let [_, status, high, low, ..] = header;
        let length = usize::from(u16::from_be_bytes([high, low])).saturating_sub(HEADER);
        body.resize(length, 0);
        socket.read_exact(&mut body).await?;
        if status & 1 != 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
