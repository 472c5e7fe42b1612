//! The one module that knows TDS. Everything else sees [`Client`], [`Cell`], [`Block`] and [`Statement`].
//!
//! tiberius logs in and runs statements; the rows of a large result are read past it (`stream`), over a
//! connection that is ours (`transport`).

mod bulk;
mod cell;
mod dial;
mod failure;
mod gathered;
mod stream;
pub(crate) mod tds;
mod transport;

use std::borrow::Cow;
use std::net::{Shutdown, TcpStream as StdTcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::TryStreamExt;
use icehost_plan::SqlType;
use tiberius::{ColumnData, Command, CommandItem, QueryItem};
use tokio_util::compat::Compat;

pub(crate) use bulk::{BulkLoad, PART};
pub(crate) use cell::Cell;
pub(crate) use dial::connect;
pub(crate) use stream::wire;
pub(crate) use stream::{Block, Field, Kind, Rows, row_too_large};

use crate::endpoint::Endpoint;
use crate::error::{ErrorKind, Result, SqlServerError};
use crate::lower::literal;
use crate::server_info::Quirks;
use crate::statement::Statement;
use gathered::Gathered;
use transport::{WaitLimits, Wire};

/// A row of a result.
pub(crate) type Row = Vec<Cell<'static>>;

/// All that a statement gave back.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The rows of each result set.
    pub(crate) results: Vec<Vec<Row>>,
}

impl Answer {
    /// The rows of the first result set.
    pub(crate) fn rows(self) -> Vec<Row> {
        self.results.into_iter().next().unwrap_or_default()
    }
}

/// A logged-in TDS connection: one request at a time.
pub(crate) struct Client {
    inner: tiberius::Client<Compat<Wire>>,
    /// What `inner` talks through.
    wire: Wire,
    /// What the server does otherwise.
    pub(crate) quirks: Quirks,
    fuse: Arc<Fuse>,
    endpoint: Endpoint,
}

/// Closes the socket when a request is abandoned half-way, so that the server stops working on it and
/// releases its locks at once. What is left of the answer could not be told from the next one.
struct Fuse {
    socket: StdTcpStream,
    blown: AtomicBool,
}

/// A request under way; dropping it before [`InFlight::done`] blows the fuse.
struct InFlight<'c>(Option<&'c Fuse>);

impl InFlight<'_> {
    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if let Some(fuse) = self.0.take() {
            fuse.blow();
        }
    }
}

impl Fuse {
    fn new(socket: StdTcpStream) -> Fuse {
        Fuse {
            socket,
            blown: AtomicBool::new(false),
        }
    }

    fn begin(&self) -> Result<InFlight<'_>> {
        if self.blown.load(Ordering::Relaxed) {
            return Err(SqlServerError::new(
                ErrorKind::ConnectionLost,
                "the connection was closed because an earlier request on it failed or was abandoned",
            )
            .with_hint("open a new connection"));
        }
        Ok(InFlight(Some(self)))
    }

    fn blow(&self) {
        self.blown.store(true, Ordering::Relaxed);
        if let Err(error) = self.socket.shutdown(Shutdown::Both) {
            tracing::debug!(%error, "the socket of an abandoned request was closed already");
        }
    }
}

impl Client {
    /// Bounds what is waited for from here on: more of an answer that has begun, and the beginning of one.
    pub(crate) fn limit_waits(&self, idle: Option<Duration>, answer: Option<Duration>) {
        self.wire.limit_waits(WaitLimits { idle, answer });
    }

    /// Runs a batch outside of `sp_executesql`, so that temporary tables, SET options and transactions
    /// outlive it.
    pub(crate) async fn batch(&mut self, sql: &str) -> Result<Answer> {
        tracing::trace!(sql, "batch");
        let request = self.fuse.begin()?;
        let (inner, wire, endpoint) = (&mut self.inner, &self.wire, &self.endpoint);
        let gathered = async {
            let mut gathered = Gathered::new(endpoint);
            let mut items = inner.simple_query(sql).await?;
            while let Some(item) = items.try_next().await? {
                match item {
                    QueryItem::Metadata(_) => gathered.begin()?,
                    QueryItem::Row(row) => gathered.push(row)?,
                }
            }
            Ok(gathered.finish())
        }
        .await;
        settle(request, gathered, wire, endpoint)
    }

    /// Runs a statement with its parameters and reads everything that it gives.
    pub(crate) async fn run(&mut self, statement: &Statement) -> Result<Answer> {
        let command = command(statement, self.quirks)?;
        let request = self.fuse.begin()?;
        let (inner, wire, endpoint) = (&mut self.inner, &self.wire, &self.endpoint);
        let gathered = async {
            let mut gathered = Gathered::new(endpoint);
            let mut items = command.exec(inner).await?;
            while let Some(item) = items.try_next().await? {
                match item {
                    CommandItem::Metadata(_) => gathered.begin()?,
                    CommandItem::Row(row) => gathered.push(row)?,
                    _ => {}
                }
            }
            Ok(gathered.finish())
        }
        .await;
        settle(request, gathered, wire, endpoint)
    }

    /// Runs a statement with one result set and hands out its rows as they come, past the driver.
    ///
    /// A row that has more than `largest_row` bytes is an error.
    pub(crate) async fn stream(
        &mut self,
        statement: &Statement,
        largest_row: usize,
    ) -> Result<Rows<'_>> {
        let command = command(statement, self.quirks)?;
        let Client {
            inner,
            wire,
            fuse,
            endpoint,
            ..
        } = self;
        let request = fuse.begin()?;
        wire.divert();
        let sent = async {
            let mut nothing = command.exec(inner).await?;
            while nothing.try_next().await?.is_some() {}
            Ok::<_, Failed>(())
        }
        .await;
        wire.restore();
        match sent {
            Ok(()) => Ok(Rows::new(wire.clone(), request, endpoint, largest_row)),
            Err(error) => settle(request, Err(error), wire, endpoint),
        }
    }
}

/// Why a request failed.
enum Failed {
    /// The driver says so.
    Driver(tiberius::error::Error),
    /// We say so, of what the driver gave us.
    Ours(SqlServerError),
}

impl From<tiberius::error::Error> for Failed {
    fn from(error: tiberius::error::Error) -> Self {
        Failed::Driver(error)
    }
}

impl From<SqlServerError> for Failed {
    fn from(error: SqlServerError) -> Self {
        Failed::Ours(error)
    }
}

/// Ends a request: its connection stays usable after success and after an error that the server reported.
fn settle<T>(
    request: InFlight<'_>,
    result: std::result::Result<T, Failed>,
    wire: &Wire,
    endpoint: &Endpoint,
) -> Result<T> {
    match result {
        Ok(value) => {
            request.done();
            Ok(value)
        }
        Err(Failed::Driver(error)) => {
            if failure::leaves_connection_usable(&error) {
                request.done();
            }
            Err(match wire.broken() {
                Some(bound) => failure::from_io(&bound, endpoint),
                None => failure::from_driver(error, endpoint),
            })
        }
        // The rest of the answer is on its way.
        Err(Failed::Ours(error)) => Err(error),
    }
}

/// `sp_executesql @stmt, @params, values…` (T-SQL reference, "sp_executesql").
fn command(statement: &Statement, quirks: Quirks) -> Result<Command<'_>> {
    tracing::trace!(%statement, "statement");
    let sent_as = |sql_type| match quirks.misreads_datetime && sql_type == SqlType::DateTime {
        true => SqlType::DateTime2(3),
        false => sql_type,
    };
    let mut command = Command::new("sp_executesql");
    command.bind_param("", Cow::Borrowed(statement.sql.as_str()));
    if !statement.parameters.is_empty() {
        command.bind_param("", statement.declarations(sent_as));
    }
    for parameter in &statement.parameters {
        let sql_type = sent_as(parameter.sql_type);
        let data: ColumnData<'_> = literal::cell(sql_type, &parameter.value)?.encode(sql_type)?;
        command.bind_param(parameter.name.as_str(), data);
    }
    Ok(command)
}
