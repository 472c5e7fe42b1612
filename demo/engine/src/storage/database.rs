//! A database: schemas, tables by name, options and the rowversion counter.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;

use super::Table;
use crate::error::SqlResult;
use crate::session::SqlError;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DatabaseOptions {
    pub(crate) allow_snapshot: bool,
    pub(crate) read_committed_snapshot: bool,
}

/// A table's entry: DDL in an open transaction is seen by its own session only.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) table: Arc<Table>,
    /// The session that has dropped the table and not yet committed.
    pub(crate) dropped_by: Option<u16>,
}

#[derive(Debug, Default)]
struct Objects {
    /// Name and id.
    schemas: Vec<(String, i32)>,
    /// By folded schema and name.
    tables: HashMap<(String, String), Vec<Entry>>,
}

/// `@@DBTS` and the values that open transactions have taken.
#[derive(Debug, Default)]
struct RowVersions {
    last: u64,
    /// The first value of each transaction that is still open, by transaction.
    active: BTreeMap<u64, u64>,
}

#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) id: i32,
    pub(crate) name: String,
    pub(crate) created: (i32, u64),
    pub(crate) options: Mutex<DatabaseOptions>,
    objects: Mutex<Objects>,
    row_versions: Mutex<RowVersions>,
}

impl Database {
    pub(crate) fn new(id: i32, name: &str, created: (i32, u64)) -> Self {
        let schemas = vec![
            ("dbo".to_owned(), 1),
            ("guest".to_owned(), 2),
            ("INFORMATION_SCHEMA".to_owned(), 3),
            ("sys".to_owned(), 4),
        ];
        Self {
            id,
            name: name.to_owned(),
            created,
            options: Mutex::new(DatabaseOptions::default()),
            objects: Mutex::new(Objects {
                schemas,
                tables: HashMap::new(),
            }),
            // A new database's counter starts at 2000 on SQL Server too.
            row_versions: Mutex::new(RowVersions {
                last: 2000,
                active: BTreeMap::new(),
            }),
        }
    }

    pub(crate) fn schemas(&self) -> Vec<(String, i32)> {
        self.objects.lock().schemas.clone()
    }

    /// A schema's name as it was created, and its id.
    pub(crate) fn schema(&self, name: &str) -> Option<(String, i32)> {
        let folded = name.to_lowercase();
        self.objects
            .lock()
            .schemas
            .iter()
            .find(|(schema, _)| schema.to_lowercase() == folded)
            .cloned()
    }

    pub(crate) fn create_schema(&self, name: &str) -> SqlResult<()> {
        if self.schema(name).is_some() {
            return Err(SqlError::new(
                2714,
                16,
                1,
                format!("There is already an object named '{name}' in the database."),
            ));
        }
        let mut objects = self.objects.lock();
        let id = objects
            .schemas
            .iter()
            .map(|(_, id)| *id)
            .max()
            .unwrap_or(4)
            .max(4)
            + 1;
        objects.schemas.push((name.to_owned(), id));
        Ok(())
    }

    pub(crate) fn drop_schema(&self, name: &str) {
        let folded = name.to_lowercase();
        self.objects
            .lock()
            .schemas
            .retain(|(schema, _)| schema.to_lowercase() != folded);
    }

    /// The table that `session` sees under that name.
    pub(crate) fn table(&self, schema: &str, name: &str, session: u16) -> Option<Arc<Table>> {
        let key = (schema.to_lowercase(), name.to_lowercase());
        let objects = self.objects.lock();
        let entries = objects.tables.get(&key)?;
        entries
            .iter()
            .rev()
            .find(|entry| entry.dropped_by != Some(session))
            .map(|entry| entry.table.clone())
    }

    /// All tables that `session` sees, ordered by id.
    pub(crate) fn tables(&self, session: u16) -> Vec<Arc<Table>> {
        let objects = self.objects.lock();
        let mut tables: Vec<Arc<Table>> = objects
            .tables
            .values()
            .flatten()
            .filter(|entry| entry.dropped_by != Some(session))
            .map(|entry| entry.table.clone())
            .collect();
        tables.sort_by_key(|table| table.id);
        tables
    }

    pub(crate) fn add(&self, table: Arc<Table>) {
        let key = (table.schema.to_lowercase(), table.name.to_lowercase());
        self.objects
            .lock()
            .tables
            .entry(key)
            .or_default()
            .push(Entry {
                table,
                dropped_by: None,
            });
    }

    /// Takes a table out for good: a committed DROP, or a rolled back CREATE.
    pub(crate) fn remove(&self, table: &Table) {
        let key = (table.schema.to_lowercase(), table.name.to_lowercase());
        let mut objects = self.objects.lock();
        if let Some(entries) = objects.tables.get_mut(&key) {
            entries.retain(|entry| entry.table.id != table.id);
            if entries.is_empty() {
                objects.tables.remove(&key);
            }
        }
    }

    /// Hides a table from the session that drops it, or shows it again.
    pub(crate) fn mark_dropped(&self, table: &Table, session: Option<u16>) {
        let key = (table.schema.to_lowercase(), table.name.to_lowercase());
        if let Some(entries) = self.objects.lock().tables.get_mut(&key) {
            for entry in entries
                .iter_mut()
                .filter(|entry| entry.table.id == table.id)
            {
                entry.dropped_by = session;
            }
        }
    }

    /// The next rowversion, taken by a transaction.
    pub(crate) fn next_row_version(&self, transaction: u64) -> u64 {
        let mut versions = self.row_versions.lock();
        versions.last += 1;
        let value = versions.last;
        versions.active.entry(transaction).or_insert(value);
        value
    }

    /// The transaction has ended, its rowversions are visible or gone.
    pub(crate) fn end_row_versions(&self, transaction: u64) {
        self.row_versions.lock().active.remove(&transaction);
    }

    /// `@@DBTS`.
    pub(crate) fn last_row_version(&self) -> u64 {
        self.row_versions.lock().last
    }

    /// `MIN_ACTIVE_ROWVERSION()`: the lowest value of an open transaction, else `@@DBTS + 1`.
    pub(crate) fn min_active_row_version(&self) -> u64 {
        let versions = self.row_versions.lock();
        versions
            .active
            .values()
            .copied()
            .min()
            .unwrap_or(versions.last + 1)
    }
}
