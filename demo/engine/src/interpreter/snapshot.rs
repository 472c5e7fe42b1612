//! SNAPSHOT isolation: the versions that a transaction reads, and its conflicts.

use std::sync::Arc;

use super::Session;
use crate::error::{SqlResult, unsupported_clause};
use crate::locks::{Mode, Resource};
use crate::session::{IsolationLevel, SqlError};
use crate::storage::{Database, SnapshotState, Table, TableVersion};
use crate::transaction::Snapshot;

impl Session {
    pub(crate) fn in_snapshot(&self) -> bool {
        self.transaction
            .as_ref()
            .is_some_and(|transaction| transaction.isolation == IsolationLevel::Snapshot)
    }

    pub(super) fn open_in_snapshot(
        &mut self,
        table: Arc<Table>,
    ) -> SqlResult<(Arc<Table>, Arc<TableVersion>)> {
        let version = self.snapshot_version(&table)?;
        Ok((table, version))
    }

    /// What a SNAPSHOT transaction reads under a hint that locks: its snapshot, as long as nothing has changed
    /// since. Whether SQL Server would tell of a conflict while it reads is not documented.
    pub(super) fn open_locked_in_snapshot(
        &mut self,
        table: Arc<Table>,
    ) -> SqlResult<(Arc<Table>, Arc<TableVersion>)> {
        let version = self.snapshot_version(&table)?;
        if !self.is_unchanged(&table, &version) {
            return Err(unsupported_clause(
                "a hint that locks, under SNAPSHOT isolation, on a table that has changed since",
            ));
        }
        Ok((table, version))
    }

    pub(super) fn snapshot_version(&mut self, table: &Arc<Table>) -> SqlResult<Arc<TableVersion>> {
        let Some(database) = self.database_with_id(table.database_id) else {
            return Ok(table.committed());
        };
        let options = *database.options.lock();
        let taken = self
            .transaction
            .as_ref()
            .and_then(|transaction| transaction.snapshot.as_ref());
        match taken {
            Some(snapshot) if snapshot.allowed_by(database.id) => {}
            // Allowed since, but not when the transaction began.
            Some(_) if options.allows_snapshots() => return Err(snapshot_refused(3957, &database)),
            None if options.allows_snapshots() => {}
            _ if options.snapshot == SnapshotState::ToOn => {
                return Err(snapshot_refused(3956, &database));
            }
            _ => return Err(snapshot_refused(3952, &database)),
        }
        let (server, id) = (self.server.clone(), self.id);
        let Some(transaction) = self.transaction.as_mut() else {
            return Ok(table.committed());
        };
        transaction.begin_use(&database, true);
        if let Some(written) = transaction.written.get(&table.id) {
            return Ok(written.version.clone());
        }
        let snapshot = transaction
            .snapshot
            .get_or_insert_with(|| Snapshot::take(&server, id));
        let seen = snapshot.version(table.id);
        let committed = table.committed();
        // The catalog has no versions: "snapshot isolation does not support versioning of metadata".
        if let Some(seen) = seen
            && Arc::ptr_eq(&seen.definition, &committed.definition)
        {
            return Ok(seen);
        }
        // A table that the transaction itself has made.
        if self.server.locks.held(id, &Resource::Table(table.id)) == Some(Mode::Exclusive) {
            return Ok(committed);
        }
        Err(SqlError::new(
            3961,
            16,
            1,
            format!(
                "Snapshot isolation transaction failed in database '{}' because the object accessed by the statement has been modified by a DDL statement in another concurrent transaction since the start of this transaction. It is disallowed because the metadata is not versioned. A concurrent update to metadata can lead to inconsistency if mixed with snapshot isolation.",
                database.name
            ),
        ))
    }

    /// Whether a snapshot's version of a table is still the committed one.
    pub(super) fn is_unchanged(&self, table: &Table, version: &Arc<TableVersion>) -> bool {
        let written = self
            .transaction
            .as_ref()
            .and_then(|transaction| transaction.written.get(&table.id));
        match written {
            Some(written) if written.is_whole() => true,
            Some(written) => Arc::ptr_eq(&written.base, &table.committed()),
            None => Arc::ptr_eq(version, &table.committed()),
        }
    }

    /// 3960.
    pub(crate) fn update_conflict(&self, table: &Table, database: &Database) -> SqlError {
        SqlError::new(
            3960,
            16,
            2,
            format!(
                "Snapshot isolation transaction aborted due to update conflict. You cannot use snapshot isolation to access table '{}' directly or indirectly in database '{}' to update, delete, or insert the row that has been modified or deleted by another transaction. Retry the transaction or change the isolation level for the update/delete statement.",
                table.display_name(),
                database.name
            ),
        )
        .ending_batch()
    }
}

/// 3952, 3956 and 3957: SNAPSHOT isolation where the database does not allow it, does not yet, or did not when
/// the transaction began.
fn snapshot_refused(number: u32, database: &Database) -> SqlError {
    let name = &database.name;
    let message = match number {
        3952 => format!(
            "Snapshot isolation transaction failed accessing database '{name}' because snapshot isolation is not allowed in this database. Use ALTER DATABASE to allow snapshot isolation."
        ),
        3956 => format!(
            "Snapshot isolation transaction failed to start in database '{name}' because the ALTER DATABASE command which enables snapshot isolation for this database has not finished yet. The database is in transition to pending ON state. You must wait until the ALTER DATABASE Command completes successfully."
        ),
        _ => format!(
            "Snapshot isolation transaction failed in database '{name}' because the database did not allow snapshot isolation when the current transaction started. It may help to retry the transaction."
        ),
    };
    SqlError::new(number, 16, 1, message)
}
