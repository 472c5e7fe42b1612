//! A connection and what can be done with it.

use std::time::Duration;

use icehost_plan::ValidExtractionPlan;

use crate::driver::Client;
use crate::endpoint::Endpoint;
use crate::error::{ErrorKind, Result, SqlServerError};
use crate::extract::{ExtractOptions, Extraction};
use crate::introspect::{self, ColumnSelection, SqlTable};
use crate::load::PositionsLayout;
use crate::name::TableName;
use crate::permissions::{self, Permission};
use crate::server_info::ServerInfo;
use crate::servers::Servers;

/// How a connection behaves.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// How long a statement waits for a lock before error 1222; `None` waits without end.
    pub lock_timeout: Option<Duration>,
    /// How long nothing may come of an answer that has begun, or be taken of a request; `None` waits without end.
    pub idle_timeout: Option<Duration>,
    /// How long a statement may take before its answer begins; `None` waits without end.
    pub query_timeout: Option<Duration>,
    /// How long a server that has let this run in before is tried again when it is away; zero fails at once.
    pub reconnect_timeout: Duration,
    /// What the run has learnt of its servers.
    pub servers: Servers,
    /// Treat the server as one without `MERGE`, so that loads use `UPDATE`, `INSERT` and `DELETE`.
    pub without_merge: bool,
}

impl ConnectOptions {
    /// How long an answer that has begun may stop, where nothing else is said. A server sends a packet when it is full:
    /// between two, it may look through many rows that nobody wants.
    pub const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
    /// How long a server may be away, where nothing else is said: a failover or a restart takes seconds.
    pub const RECONNECT_TIMEOUT: Duration = Duration::from_secs(60);
}

impl Default for ConnectOptions {
    fn default() -> Self {
        ConnectOptions {
            lock_timeout: None,
            idle_timeout: Some(Self::IDLE_TIMEOUT),
            query_timeout: None,
            reconnect_timeout: Self::RECONNECT_TIMEOUT,
            servers: Servers::default(),
            without_merge: false,
        }
    }
}

/// A session on a SQL Server. It does one thing at a time; dropping it ends the session and rolls back what
/// is not committed.
pub struct Connection {
    pub(crate) client: Client,
    pub(crate) server: ServerInfo,
    pub(crate) staging_tables: u32,
    /// As far as it was last looked at.
    pub(crate) positions: PositionsLayout,
    endpoint: Endpoint,
    pub(crate) in_read: bool,
}

/// Settings that indexed views, computed columns and the statements of this crate rely on (T-SQL reference,
/// "SET options that affect results"); a login's or database's defaults may differ.
const SESSION: &str = "SET ANSI_NULLS ON; SET ANSI_PADDING ON; SET ANSI_WARNINGS ON; SET ARITHABORT ON; \
     SET CONCAT_NULL_YIELDS_NULL ON; SET QUOTED_IDENTIFIER ON; SET NUMERIC_ROUNDABORT OFF; \
     SET XACT_ABORT ON; SET TEXTSIZE 2147483647;";

/// A statement of ours that took too long is none of the user's.
fn as_connecting(error: SqlServerError, endpoint: &Endpoint, limit: Duration) -> SqlServerError {
    match error.kind() {
        ErrorKind::StatementTimeout => SqlServerError::new(
            ErrorKind::Timeout,
            format!(
                "{endpoint} let icehost in, but did not answer within {} s",
                limit.as_secs_f64()
            ),
        )
        .with_hint("see what holds up the server, or allow more time with connect_timeout"),
        _ => error,
    }
}

impl Connection {
    /// Connects, logs in and asks the server what it is.
    ///
    /// # Errors
    /// [`ErrorKind::Connect`], [`ErrorKind::Tls`], [`ErrorKind::Login`], [`ErrorKind::Timeout`] and whatever
    /// the server reports.
    pub async fn open(endpoint: &Endpoint, options: &ConnectOptions) -> Result<Connection> {
        let mut client = options
            .servers
            .connect(endpoint, options.reconnect_timeout)
            .await?;
        // What is asked first takes no time: a server that does not answer it is as good as not there.
        let limit = endpoint
            .connect_timeout
            .unwrap_or(Endpoint::CONNECT_TIMEOUT);
        let idle = options.idle_timeout.map_or(limit, |idle| idle.min(limit));
        client.limit_waits(Some(idle), Some(limit));
        let lock_timeout = options
            .lock_timeout
            .and_then(|limit| i32::try_from(limit.as_millis()).ok())
            .unwrap_or(-1);
        client
            .batch(&format!("{SESSION} SET LOCK_TIMEOUT {lock_timeout};"))
            .await
            .map_err(|error| error.context(format!("preparing the session on {endpoint}")))
            .map_err(|error| as_connecting(error, endpoint, limit))?;
        let mut server = ServerInfo::ask(&mut client)
            .await
            .map_err(|error| as_connecting(error, endpoint, limit))?;
        client.limit_waits(options.idle_timeout, options.query_timeout);
        server.quirks.no_merge |= options.without_merge;
        client.quirks = server.quirks;
        tracing::debug!(
            %endpoint,
            product = server.product,
            version = server.version,
            database = server.database,
            quirks = ?server.quirks,
            "connected"
        );
        Ok(Connection {
            client,
            server,
            staging_tables: 0,
            positions: PositionsLayout::default(),
            endpoint: endpoint.clone(),
            in_read: false,
        })
    }

    /// What the server says of itself.
    pub fn server(&self) -> &ServerInfo {
        &self.server
    }

    /// Where the connection leads.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Describes a table or view by the catalog views.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] with like names as hint; [`ErrorKind::Unsupported`] for a column whose type
    /// icehost does not carry, naming column and type.
    pub async fn introspect(
        &mut self,
        name: &TableName,
        selection: &ColumnSelection,
    ) -> Result<SqlTable> {
        let mut table = introspect::introspect(&mut self.client, name, selection).await?;
        let no_creation_times = self.server.quirks.no_creation_times;
        table.created = table.created.filter(|_| !no_creation_times);
        Ok(table)
    }

    /// Those of the wanted permissions on a table that the login does not have; SELECT counts for the columns that
    /// are named, where there are any. A server that cannot tell has them all.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn missing_permissions(
        &mut self,
        table: &TableName,
        columns: &[&str],
        wanted: &[Permission],
    ) -> Result<Vec<Permission>> {
        permissions::missing(&mut self.client, table, columns, wanted).await
    }

    /// Whether the login may create tables in this schema of the connection's database. A server that cannot tell
    /// lets it.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn may_create_tables(&mut self, schema: &str) -> Result<bool> {
        if self.server.quirks.tells_permissions_of_tables_only {
            return Ok(true);
        }
        permissions::may_create_tables(&mut self.client, schema).await
    }

    /// Streams what the plan asks for. Dropping the [`Extraction`] early closes the connection, and with it
    /// the query on the server.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] and [`ErrorKind::Plan`] for a plan that cannot be lowered, and whatever the
    /// server reports.
    pub async fn extract<'c>(
        &'c mut self,
        table: &'c SqlTable,
        plan: &ValidExtractionPlan,
        options: ExtractOptions,
    ) -> Result<Extraction<'c>> {
        Extraction::begin(self, table, plan, options).await
    }
}
