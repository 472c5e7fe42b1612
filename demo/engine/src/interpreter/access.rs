//! Opening tables: name resolution, locks, and the version that a statement sees.

use std::sync::Arc;

use super::Session;
use crate::ast::ObjectName;
use crate::error::{SqlResult, invalid_object, unsupported_clause};
use crate::locks::{Mode, Resource, Waiter};
use crate::session::{Cancel, IsolationLevel, SqlError};
use crate::storage::{Changed, Database, Synonym, Table, TableKind, TableVersion, Writing};

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

    pub(crate) fn find_synonym(&self, name: &ObjectName) -> SqlResult<Option<Arc<Synonym>>> {
        let database = self.database_of(name)?;
        let schema = name
            .schema
            .as_ref()
            .map_or("dbo", |schema| schema.0.as_str());
        Ok(database.synonym(schema, &name.name.0))
    }

    /// What a name is read as: a synonym's base object, in the synonym's own database where it names none. "A synonym
    /// cannot be the base object for another synonym" (T-SQL reference, "CREATE SYNONYM"), so there is one step.
    pub(crate) fn behind_synonym(&self, name: &ObjectName) -> SqlResult<Option<ObjectName>> {
        if name.name.0.starts_with('#') || self.find_table(name)?.is_some() {
            return Ok(None);
        }
        let Some(synonym) = self.find_synonym(name)? else {
            return Ok(None);
        };
        let mut base = synonym.base.clone();
        if base.database.is_none() {
            base.database.clone_from(&name.database);
        }
        Ok(Some(base))
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

    /// Whether what a statement has read must stay as it is.
    pub(crate) fn is_serializable(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| {
            matches!(
                transaction.isolation,
                IsolationLevel::Serializable | IsolationLevel::RepeatableRead
            )
        })
    }

    /// Opens a table for modification.
    pub(crate) fn open_for_write(
        &mut self,
        name: &ObjectName,
        access: Access,
        cancel: &Cancel,
    ) -> SqlResult<OpenTable> {
        let missing = || invalid_object(&name.to_string());
        if self.behind_synonym(name)?.is_some() {
            return Err(unsupported_clause("changes through a synonym"));
        }
        let table = self.find_table(name)?.ok_or_else(missing)?;
        if table.is_view() {
            return Err(unsupported_clause("changes of a view, or through one"));
        }
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
