//! The source's table: found, described, and ready for a consistent read.

use icehost_plan::{Probe, Table, Value};
use icehost_sqlserver::{Connection, ReadConsistency, SqlTable};

use crate::bounds::memory::Memory;
use crate::error::Doing;
use crate::rows::source_columns::SourceColumns;
use crate::rows::transforms::Declared;
use crate::source::ahead_of_clock;
use crate::watermark::record::source_digest;
use crate::{ColumnRules, Source, SyncError, SyncJob};

/// The source, opened and described.
pub(crate) struct OpenSource {
    pub(crate) connection: Connection,
    pub(crate) table: SqlTable,
    /// What the watermark calls it.
    pub(crate) identity: String,
    /// What it is among all tables, as the watermark has it.
    pub(crate) on_server: Option<String>,
    /// What becomes of its columns.
    pub(crate) transforms: Declared,
}

/// What a watermark calls the source, and what the source is among all tables.
#[derive(Clone, Copy)]
pub(crate) struct SourceNames<'a> {
    pub(crate) identity: &'a str,
    pub(crate) on_server: Option<&'a str>,
}

impl OpenSource {
    pub(crate) async fn open(source: &Source) -> Result<OpenSource, SyncError> {
        let (mut connection, table) = find(source).await?;
        let on_server = connection.table_on_server(&table.name).await;
        let on_server = on_server.doing(|| format!("opening source table {}", table.name))?;
        let identity = identity(source, &table);
        let transforms = source.transforms.declare(&table.table).await?;
        Ok(OpenSource {
            connection,
            table,
            identity,
            on_server: on_server.as_ref().and_then(source_digest),
            transforms,
        })
    }

    /// What the watermark has of it.
    pub(crate) fn names(&self) -> SourceNames<'_> {
        SourceNames {
            identity: &self.identity,
            on_server: self.on_server.as_deref(),
        }
    }

    /// The table as it goes to the lake.
    pub(crate) fn landing(&self) -> Table {
        self.transforms.table(&self.table.table)
    }

    /// What a lake table is to remember of its columns.
    pub(crate) fn columns(&self, rules: &ColumnRules) -> Result<SourceColumns, SyncError> {
        SourceColumns::of(&self.table, &self.landing(), rules)
    }

    /// What each connection may take for this table.
    pub(crate) fn memory(&self, job: &SyncJob) -> Result<Memory, SyncError> {
        job.settings.memory.divide(self.table.columns.len())
    }

    /// Reads probes, and then starts the read of the rows: a bound that was read beforehand is sound on a server
    /// that fixes a snapshot when its transaction begins, as on one that does so with its first query. The probes
    /// have a snapshot of their own, so that they wait for no writer.
    ///
    /// Of a column of moments that has been probed for its largest value together with the server's time, the
    /// largest value is one that the clock may have reached; what lies ahead of it is told in a warning.
    pub(crate) async fn probe(
        &mut self,
        probes: &[Probe],
    ) -> Result<(Vec<Value>, Vec<String>), SyncError> {
        let table = &self.table;
        let doing = || format!("probing source table {}", table.name);
        let connection = &mut self.connection;
        connection.end_read().await.doing(doing)?;
        if !table.traits.memory_optimized {
            connection.begin_read(table).await.doing(doing)?;
        }
        let mut readings = connection.probe(table, probes).await.doing(doing)?;
        let warnings = ahead_of_clock::hold_back(connection, table, probes, &mut readings).await?;
        connection.end_read().await.doing(doing)?;
        Ok((readings, warnings))
    }

    /// Starts a consistent read where the server can give one, and says so where it cannot.
    pub(crate) async fn begin_read(&mut self) -> Result<(), SyncError> {
        if self.table.traits.memory_optimized {
            // Error 41332: a session under SNAPSHOT isolation cannot read it. It needs none: each statement that
            // stands alone reads it as of one moment (In-Memory OLTP, "Transactions with memory-optimized
            // tables").
            tracing::info!("each statement reads the memory-optimised table as of one moment");
            return Ok(());
        }
        let consistency = self
            .connection
            .begin_read(&self.table)
            .await
            .doing(|| format!("starting to read source table {}", self.table.name))?;
        match consistency {
            ReadConsistency::Snapshot => tracing::info!("reading under SNAPSHOT isolation"),
            ReadConsistency::ReadCommitted { reason } => tracing::warn!(
                "reading {} under READ COMMITTED, where a scan may skip or repeat rows that move: {reason}",
                self.table.name
            ),
        }
        Ok(())
    }
}

/// Connects and describes the table.
pub(crate) async fn find(source: &Source) -> Result<(Connection, SqlTable), SyncError> {
    let doing = || format!("opening source table {}", source.table);
    let mut connection = Connection::open(&source.endpoint, &source.connect)
        .await
        .doing(doing)?;
    let table = connection
        .introspect(&source.table, &source.columns)
        .await
        .doing(doing)?;
    table.check_source().doing(doing)?;
    Ok((connection, table))
}

/// What a watermark calls the source.
pub(crate) fn identity(source: &Source, table: &SqlTable) -> String {
    let given = source.name.clone();
    given.unwrap_or_else(|| format!("{}.{}", table.database, table.name))
}
