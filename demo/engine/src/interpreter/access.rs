//! Opening tables: name resolution, locks, and the version that a statement sees.

use std::sync::Arc;

use super::Session;
use crate::ast::ObjectName;
use crate::error::{SqlResult, invalid_object, unsupported_clause};
use crate::locks::{Mode, Resource, Waiter};
use crate::session::{Cancel, IsolationLevel, SqlError};
use crate::storage::{Database, SnapshotState, Table, TableKind, TableVersion, Writing};
use crate::transaction::Snapshot;

/// A table opened for modification.
#[derive(Debug, Clone)]
pub(crate) struct OpenTable {
    pub(crate) table: Arc<Table>,
    pub(crate) database: Arc<Database>,
    pub(crate) version: Arc<TableVersion>,
}

impl Session {
    /// The database that a name lies in.
    pub(crate) fn database_of(&self, name: &ObjectName) -> SqlResult<Arc<Database>> {
        match &name.database {
            None => Ok(self.database.clone()),
            Some(database) => self.server.database(&database.0).ok_or_else(|| {
                SqlError::new(
                    911,
                    16,
                    1,
                    format!("Database '{}' does not exist. Make sure that the name is entered correctly.", database.0),
                )
                .ending_batch()
            }),
        }
    }

    /// The table of that name, if there is one.
    pub(crate) fn find_table(&self, name: &ObjectName) -> SqlResult<Option<Arc<Table>>> {
        if name.name.0.starts_with("##") {
            return Err(unsupported_clause("global temporary tables"));
        }
        if name.name.0.starts_with('#') {
            return Ok(self.temporary_table(&name.name.0));
        }
        let database = self.database_of(name)?;
        let schema = name
            .schema
            .as_ref()
            .map_or("dbo", |schema| schema.0.as_str());
        Ok(database.table(schema, &name.name.0, self.id))
    }

    fn waiter<'c>(&self, cancel: &'c Cancel) -> Waiter<'c> {
        Waiter {
            session: self.id,
            timeout: self.settings.lock_timeout,
            cancel,
        }
    }

    /// What the session sees of a table without asking for a lock: its own changes, or what is committed.
    pub(crate) fn visible_version(&self, table: &Table) -> Arc<TableVersion> {
        match self
            .transaction
            .as_ref()
            .and_then(|transaction| transaction.written.get(&table.id))
        {
            Some(written) => written.version.clone(),
            None => table.committed(),
        }
    }

    /// Opens a table for reading under the hints and the isolation level.
    pub(crate) fn open_for_read(
        &mut self,
        name: &ObjectName,
        hints: &[String],
        cancel: &Cancel,
    ) -> SqlResult<(Arc<Table>, Arc<TableVersion>)> {
        for hint in hints {
            if matches!(hint.as_str(), "READPAST" | "NOWAIT") {
                return Err(unsupported_clause(&format!("the table hint {hint}")));
            }
        }
        let table = self
            .find_table(name)?
            .ok_or_else(|| invalid_object(&name.to_string()))?;
        if table.kind != TableKind::User {
            let version = self.visible_version(&table);
            return Ok((table, version));
        }
        // "All queries that run against the secondary databases are automatically mapped to snapshot isolation
        // transaction level. Locking hints are ignored as well."
        let secondary = self
            .database_with_id(table.database_id)
            .is_some_and(|database| database.options.lock().writing == Writing::Secondary);
        if secondary {
            return self.open_in_snapshot(table);
        }
        let has = |hint: &str| hints.iter().any(|known| known == hint);
        let resource = Resource::Table(table.id);
        let isolation = self
            .transaction
            .as_ref()
            .map_or(self.settings.isolation, |transaction| transaction.isolation);
        if has("TABLOCKX") || has("XLOCK") {
            self.server
                .locks
                .acquire_or_error(self.waiter(cancel), resource, Mode::Exclusive)?;
        } else if has("UPDLOCK") {
            self.server
                .locks
                .acquire_or_error(self.waiter(cancel), resource, Mode::Update)?;
        } else if has("NOLOCK")
            || has("READUNCOMMITTED")
            || isolation == IsolationLevel::ReadUncommitted
        {
            let version = table.latest();
            return Ok((table, version));
        } else if has("HOLDLOCK") || has("SERIALIZABLE") || has("REPEATABLEREAD") {
            self.server
                .locks
                .acquire_or_error(self.waiter(cancel), resource, Mode::Shared)?;
        } else {
            match isolation {
                IsolationLevel::Snapshot => return self.open_in_snapshot(table),
                IsolationLevel::RepeatableRead | IsolationLevel::Serializable => {
                    self.server.locks.acquire_or_error(
                        self.waiter(cancel),
                        resource,
                        Mode::Shared,
                    )?;
                }
                _ => {
                    let versioned = self
                        .database_with_id(table.database_id)
                        .is_some_and(|database| database.options.lock().read_committed_snapshot);
                    if !versioned || has("READCOMMITTEDLOCK") {
                        let waiter = self.waiter(cancel);
                        self.server
                            .locks
                            .wait_until_free(waiter, resource)
                            .map_err(|refusal| refusal.error(self.id))?;
                    }
                }
            }
        }
        // The wait may have been for a DROP or for a rolled back CREATE.
        let table = self
            .find_table(name)?
            .ok_or_else(|| invalid_object(&name.to_string()))?;
        let version = self.visible_version(&table);
        Ok((table, version))
    }

    pub(crate) fn database_with_id(&self, id: i32) -> Option<Arc<Database>> {
        self.server
            .databases()
            .into_iter()
            .find(|database| database.id == id)
    }

    fn open_in_snapshot(
        &mut self,
        table: Arc<Table>,
    ) -> SqlResult<(Arc<Table>, Arc<TableVersion>)> {
        let version = self.snapshot_version(&table)?;
        Ok((table, version))
    }

    fn snapshot_version(&mut self, table: &Arc<Table>) -> SqlResult<Arc<TableVersion>> {
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
        snapshot.version(table.id).ok_or_else(|| {
            SqlError::new(
                3961,
                16,
                1,
                format!(
                    "Snapshot isolation transaction failed in database '{}' because the object accessed by the statement has been modified by a DDL statement in another concurrent transaction since the start of this transaction.",
                    self.database.name
                ),
            )
        })
    }

    /// Opens a table for modification: locks it for this session until the transaction ends.
    pub(crate) fn open_for_write(
        &mut self,
        name: &ObjectName,
        cancel: &Cancel,
    ) -> SqlResult<OpenTable> {
        let missing = || invalid_object(&name.to_string());
        let table = self.find_table(name)?.ok_or_else(missing)?;
        if table.kind != TableKind::User {
            let version = self.visible_version(&table);
            let database = self
                .server
                .database("tempdb")
                .unwrap_or_else(|| self.database.clone());
            return Ok(OpenTable {
                table,
                database,
                version,
            });
        }
        let database = self.database_of(name)?;
        self.refuse_if_read_only(&database)?;
        if let Some(transaction) = &mut self.transaction {
            transaction.begin_use(&database, false);
        }
        let snapshot = self
            .transaction
            .as_ref()
            .is_some_and(|transaction| transaction.isolation == IsolationLevel::Snapshot);
        let expected = if snapshot {
            Some(self.snapshot_version(&table)?)
        } else {
            None
        };
        self.server.locks.acquire_or_error(
            self.waiter(cancel),
            Resource::Table(table.id),
            Mode::Exclusive,
        )?;
        let table = self.find_table(name)?.ok_or_else(missing)?;
        let version = self.visible_version(&table);
        if let Some(expected) = expected
            && !Arc::ptr_eq(&expected, &version)
        {
            return Err(SqlError::new(
                3960,
                16,
                2,
                format!(
                    "Snapshot isolation transaction aborted due to update conflict. You cannot use snapshot isolation to access table '{}' directly or indirectly in database '{}' to update, delete, or insert the row that has been modified or deleted by another transaction. Retry the transaction or change the isolation level for the update/delete statement.",
                    table.display_name(),
                    self.database_of(name)?.name
                ),
            )
            .ending_batch());
        }
        Ok(OpenTable {
            database: self.database_of(name)?,
            table,
            version,
        })
    }

    /// Waits for the exclusive lock that DDL on a table needs.
    pub(crate) fn lock_exclusively(&mut self, table: &Table, cancel: &Cancel) -> SqlResult<()> {
        if table.kind != TableKind::User {
            return Ok(());
        }
        self.server.locks.acquire_or_error(
            self.waiter(cancel),
            Resource::Table(table.id),
            Mode::Exclusive,
        )
    }

    /// Keeps a statement's result: in the transaction, or at once for a table variable.
    pub(crate) fn store(&mut self, table: &Arc<Table>, version: Arc<TableVersion>) {
        match (&mut self.transaction, table.kind) {
            (_, TableKind::Variable) | (None, _) => table.publish(version),
            (Some(transaction), _) => transaction.write(table, version),
        }
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
