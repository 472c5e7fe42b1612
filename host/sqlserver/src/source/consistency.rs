//! What a session sees while it reads.

use crate::connection::Connection;
use crate::error::{ErrorKind, Result};
use crate::introspect::{Fields, SNAPSHOTS_ON, SqlTable};
use crate::lower;

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

impl Connection {
    /// Starts a read: a SNAPSHOT transaction where the table's database allows it, so that what is read is of one
    /// state and waits for no writer. Elsewhere nothing is started, and the result says why.
    ///
    /// # Errors
    /// Only those of the connection; a server that refuses SNAPSHOT is no error.
    pub async fn begin_read(&mut self, table: &SqlTable) -> Result<ReadConsistency> {
        let answer = self
            .client
            .run(&lower::snapshot_isolation(&table.database))
            .await?;
        // Where the login does not see the database, it is told by the first read.
        let row = answer.rows().into_iter().next();
        let state = match row {
            Some(row) => Fields::of(row).optional_integer()?.unwrap_or(0),
            None => 0,
        };
        if state != SNAPSHOTS_ON {
            return Ok(ReadConsistency::ReadCommitted {
                reason: format!(
                    "the database {} {} (ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON allows it)",
                    table.database,
                    match state {
                        0 => "does not allow SNAPSHOT isolation",
                        _ => "is about to change whether it allows SNAPSHOT isolation",
                    }
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
}
