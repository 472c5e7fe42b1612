//! A connection and what can be done with it.

use std::time::Duration;

use icehost_plan::{Probe, ValidExtractionPlan, Value};

use crate::driver::{self, Client};
use crate::endpoint::Endpoint;
use crate::error::{ErrorKind, Result, SqlServerError};
use crate::extract::{self, ExtractOptions, Extraction};
use crate::introspect::{self, ColumnSelection, Fields, SqlTable};
use crate::load::PositionsLayout;
use crate::lower;
use crate::name::TableName;
use crate::permissions::{self, Permission};
use crate::server_info::ServerInfo;

/// How a connection behaves once it is open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectOptions {
    /// How long a statement waits for a lock before error 1222; `None` waits without end.
    pub lock_timeout: Option<Duration>,
    /// Treat the server as one without `MERGE`, so that loads use `UPDATE`, `INSERT` and `DELETE`.
    pub without_merge: bool,
}

/// What a session between [`Connection::begin_read`] and [`Connection::end_read`] sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadConsistency {
    /// One state of the database: everything committed when the first query ran.
    Snapshot,
    /// Every row as committed when it is read; a scan can skip or repeat rows that move meanwhile.
    ReadCommitted {
        /// Why it is not a snapshot.
        reason: String,
    },
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
    in_read: bool,
}

/// Settings that indexed views, computed columns and the statements of this crate rely on (T-SQL reference,
/// "SET options that affect results"); a login's or database's defaults may differ.
const SESSION: &str = "SET ANSI_NULLS ON; SET ANSI_PADDING ON; SET ANSI_WARNINGS ON; SET ARITHABORT ON; \
     SET CONCAT_NULL_YIELDS_NULL ON; SET QUOTED_IDENTIFIER ON; SET NUMERIC_ROUNDABORT OFF; \
     SET XACT_ABORT ON; SET TEXTSIZE 2147483647;";

impl Connection {
    /// Connects, logs in and asks the server what it is.
    ///
    /// # Errors
    /// [`ErrorKind::Connect`], [`ErrorKind::Tls`], [`ErrorKind::Login`], [`ErrorKind::Timeout`] and whatever
    /// the server reports.
    pub async fn open(endpoint: &Endpoint, options: &ConnectOptions) -> Result<Connection> {
        let mut client = driver::connect(endpoint).await?;
        let lock_timeout = options
            .lock_timeout
            .and_then(|limit| i32::try_from(limit.as_millis()).ok())
            .unwrap_or(-1);
        client
            .batch(&format!("{SESSION} SET LOCK_TIMEOUT {lock_timeout};"))
            .await
            .map_err(|error| error.context(format!("preparing the session on {endpoint}")))?;
        let mut server = ServerInfo::ask(&mut client).await?;
        server.has_merge &= !options.without_merge;
        client.misreads_datetime = server.is_babelfish;
        tracing::debug!(
            %endpoint,
            product = server.product,
            version = server.version,
            database = server.database,
            has_merge = server.has_merge,
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
        introspect::introspect(&mut self.client, name, selection).await
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
        if self.server.is_babelfish {
            // It answers for tables only: of databases and schemas every user but dbo has no permission.
            return Ok(true);
        }
        permissions::may_create_tables(&mut self.client, schema).await
    }

    /// Starts a read: a SNAPSHOT transaction where the database allows it, so that probes and rows are of one
    /// state and no writer waits. Elsewhere nothing is started, and the result says why.
    ///
    /// # Errors
    /// Only those of the connection; a server that refuses SNAPSHOT is no error.
    pub async fn begin_read(&mut self) -> Result<ReadConsistency> {
        let answer = self
            .client
            .batch(
                "SELECT d.name, d.snapshot_isolation_state FROM sys.databases AS d WHERE d.name = DB_NAME();",
            )
            .await?;
        let mut fields = Fields::of(answer.rows().into_iter().next().unwrap_or_default());
        let (database, allowed) = (fields.text()?, fields.flag()?);
        if !allowed {
            return Ok(ReadConsistency::ReadCommitted {
                reason: format!(
                    "the database {database} does not allow SNAPSHOT isolation (ALTER DATABASE … SET \
                     ALLOW_SNAPSHOT_ISOLATION ON allows it)"
                ),
            });
        }
        let begun = self
            .client
            .batch("SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRANSACTION;")
            .await;
        match begun {
            Ok(_) => {
                self.in_read = true;
                Ok(ReadConsistency::Snapshot)
            }
            Err(error) if matches!(error.kind(), ErrorKind::Server(_)) => {
                self.reset_isolation().await?;
                Ok(ReadConsistency::ReadCommitted {
                    reason: error.to_string(),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Ends what [`Connection::begin_read`] started.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn end_read(&mut self) -> Result<()> {
        if std::mem::take(&mut self.in_read) {
            self.reset_isolation().await?;
        }
        Ok(())
    }

    async fn reset_isolation(&mut self) -> Result<()> {
        self.client
            .batch(
                "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION; SET TRANSACTION ISOLATION LEVEL READ COMMITTED;",
            )
            .await?;
        Ok(())
    }

    /// Reads probes in one round trip, at full precision: ticks of 100 ns, all digits of decimals.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a probe that is not SQL Server's, and whatever the server reports.
    pub async fn probe(&mut self, table: &SqlTable, probes: &[Probe]) -> Result<Vec<Value>> {
        if probes.is_empty() {
            return Ok(Vec::new());
        }
        let statement = lower::probes(table, probes)?;
        let answer = self
            .client
            .run(&statement)
            .await
            .map_err(|error| error.context(format!("probing {}", table.name)))?;
        let row = answer.rows().into_iter().next().unwrap_or_default();
        if row.len() != probes.len() {
            return Err(SqlServerError::protocol(format!(
                "probing {}: {} values came for {} probes",
                table.name,
                row.len(),
                probes.len()
            )));
        }
        Ok(row.into_iter().map(extract::value).collect())
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
