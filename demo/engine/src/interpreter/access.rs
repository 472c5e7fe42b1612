//! Opening tables: name resolution, locks, and the version that a statement sees.

use std::sync::Arc;

use super::Session;
use crate::ast::ObjectName;
use crate::error::{SqlResult, invalid_object, unsupported_clause};
use crate::locks::{Mode, Resource, Waiter};
use crate::session::{Cancel, IsolationLevel, SqlError};
use crate::storage::{Changed, Database, SnapshotState, Table, TableKind, TableVersion, Writing};
use crate::transaction::Snapshot;

/// A table opened for modification.
#[derive(Debug, Clone)]
pub(crate) struct OpenTable {
    pub(crate) table: Arc<Table>,
    pub(crate) database: Arc<Database>,
    pub(crate) version: Arc<TableVersion>,
}

/// What a modification will want of its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// The table for itself, until the transaction ends: DDL, TRUNCATE, and the hints that ask for it.
    Table,
    /// To look through it for rows to change.
    Scan,
    /// Rows that it names or adds.
    Rows,
}

impl Access {
    /// How UPDATE and DELETE open their table, before it is known whether they name a row by its key.
    pub(crate) fn at_first(self) -> Self {
        match self {
            Self::Scan => Self::Rows,
            other => other,
        }
    }
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

    pub(crate) fn waiter<'c>(&self, cancel: &'c Cancel) -> Waiter<'c> {
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

    /// What a statement sees that reads committed rows: its transaction's changes on what others have committed.
    pub(crate) fn current_version(&mut self, table: &Table) -> Arc<TableVersion> {
        self.current_on_base(table).1
    }

    /// As [`Self::current_version`], after the committed version that it stands on.
    pub(crate) fn current_on_base(
        &mut self,
        table: &Table,
    ) -> (Arc<TableVersion>, Arc<TableVersion>) {
        let refreshed = self
            .transaction
            .as_mut()
            .and_then(|transaction| transaction.refresh(table));
        refreshed.unwrap_or_else(|| {
            let committed = table.committed();
            (committed.clone(), committed)
        })
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
        self.permit_in_memory(&table.latest_definition(), hints)?;
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
                        match &mut self.scans {
                            Some(scans) => scans.push(table.clone()),
                            None => {
                                self.wait_to_scan(&table, Mode::Shared, cancel)?;
                            }
                        }
                    }
                }
            }
        }
        // The wait may have been for a DROP or for a rolled back CREATE.
        let table = self
            .find_table(name)?
            .ok_or_else(|| invalid_object(&name.to_string()))?;
        if isolation == IsolationLevel::Snapshot {
            return self.open_locked_in_snapshot(table);
        }
        let version = self.current_version(&table);
        Ok((table, version))
    }

    /// What a SNAPSHOT transaction reads under a hint that locks: its snapshot, as long as nothing has changed
    /// since. Whether SQL Server would tell of a conflict while it reads is not documented.
    fn open_locked_in_snapshot(
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

    /// Waits until the transactions that hold rows of a table have ended.
    pub(crate) fn wait_to_scan(
        &self,
        table: &Table,
        mode: Mode,
        cancel: &Cancel,
    ) -> SqlResult<bool> {
        self.server
            .locks
            .wait_for_scan(self.waiter(cancel), table.id, mode)
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

    /// Whether what a statement has read must stay as it is.
    pub(crate) fn is_serializable(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| {
            matches!(
                transaction.isolation,
                IsolationLevel::Serializable | IsolationLevel::RepeatableRead
            )
        })
    }

    pub(crate) fn in_snapshot(&self) -> bool {
        self.transaction
            .as_ref()
            .is_some_and(|transaction| transaction.isolation == IsolationLevel::Snapshot)
    }

    /// Opens a table for modification.
    pub(crate) fn open_for_write(
        &mut self,
        name: &ObjectName,
        access: Access,
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
        self.permit_in_memory(&table.latest_definition(), &[])?;
        let expected = if self.in_snapshot() {
            Some(self.snapshot_version(&table)?)
        } else {
            None
        };
        match access {
            Access::Table => self.server.locks.acquire_or_error(
                self.waiter(cancel),
                Resource::Table(table.id),
                Mode::Exclusive,
            )?,
            Access::Scan if expected.is_none() => {
                self.wait_to_scan(&table, Mode::Update, cancel)?;
            }
            Access::Scan | Access::Rows => {}
        }
        let table = self.find_table(name)?.ok_or_else(missing)?;
        let version = match expected {
            None => self.current_version(&table),
            Some(version) => {
                // Who takes the whole table meets whatever has changed of it.
                if access == Access::Table && !self.is_unchanged(&table, &version) {
                    return Err(self.update_conflict(&table, &database));
                }
                version
            }
        };
        Ok(OpenTable {
            database,
            table,
            version,
        })
    }

    /// Whether a snapshot's version of a table is still the committed one.
    fn is_unchanged(&self, table: &Table, version: &Arc<TableVersion>) -> bool {
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

    /// Keeps a statement's changes of rows, made on `base`.
    pub(crate) fn store_rows(
        &mut self,
        table: &Arc<Table>,
        versions: (Arc<TableVersion>, Arc<TableVersion>),
        changes: Changed,
    ) {
        if let Some(transaction) = &mut self.transaction {
            transaction.write_rows(table, versions, changes);
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
