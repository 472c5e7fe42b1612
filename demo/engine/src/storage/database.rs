//! A database: schemas, tables by name, options and the rowversion counter.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use parking_lot::Mutex;

use super::{Security, Table};
use crate::ast::ObjectName;
use crate::error::SqlResult;
use crate::session::SqlError;

/// `snapshot_isolation_state` of `sys.databases`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum SnapshotState {
    #[default]
    Off,
    On,
    /// Waiting for the SNAPSHOT transactions that are open.
    ToOff,
    /// Waiting for the transactions that began to write while it was off.
    ToOn,
}

impl SnapshotState {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::On => 1,
            Self::ToOff => 2,
            Self::ToOn => 3,
        }
    }

    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Off => "OFF",
            Self::On => "ON",
            Self::ToOff => "IN_TRANSITION_TO_OFF",
            Self::ToOn => "IN_TRANSITION_TO_ON",
        }
    }
}

/// Who may write to a database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Writing {
    #[default]
    Allowed,
    /// `SET READ_ONLY`.
    ReadOnly,
    /// A readable secondary replica of an availability group: read-only, and every read under SNAPSHOT
    /// isolation (SQL Server documentation, "Offload read-only workload to secondary replica").
    Secondary,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovery {
    Full,
    BulkLogged,
    Simple,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct DatabaseOptions {
    pub(crate) snapshot: SnapshotState,
    pub(crate) read_committed_snapshot: bool,
    pub(crate) writing: Writing,
    pub(crate) recovery: Recovery,
}

impl DatabaseOptions {
    /// Whether a SNAPSHOT transaction may begin here.
    pub(crate) fn allows_snapshots(&self) -> bool {
        self.snapshot == SnapshotState::On || self.writing == Writing::Secondary
    }
}

/// What tells a database from every other, and from an earlier self (`sys.databases`,
/// `sys.database_recovery_status`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    pub(crate) service_broker: [u8; 16],
    pub(crate) database: [u8; 16],
    pub(crate) family: [u8; 16],
    pub(crate) recovery_fork: [u8; 16],
}

/// Another name for a table or view.
#[derive(Debug)]
pub(crate) struct Synonym {
    pub(crate) object_id: i32,
    pub(crate) name: String,
    pub(crate) schema: String,
    pub(crate) schema_id: i32,
    pub(crate) created: (i32, u64),
    pub(crate) base: ObjectName,
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
    synonyms: Vec<Arc<Synonym>>,
}

/// `@@DBTS` and the values that open transactions have taken.
#[derive(Debug, Default)]
struct RowVersions {
    last: u64,
    /// The first value of each transaction that is still open, by transaction.
    active: BTreeMap<u64, u64>,
}

/// `object_id` of a database's first table, and what lies between two. An `object_id` is unique within its
/// database and no further: the first tables of two new databases have the same, as on SQL Server. It is not
/// given again after a DROP.
const FIRST_TABLE: i32 = 245_575_913;
const BETWEEN_TABLES: i32 = 32;

fn new_guid() -> [u8; 16] {
    uuid::Uuid::new_v4().into_bytes()
}

#[derive(Debug, Default)]
struct OpenTransactions {
    writing: BTreeSet<u64>,
    in_snapshot: BTreeSet<u64>,
}

#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) id: i32,
    pub(crate) name: String,
    pub(crate) created: (i32, u64),
    pub(crate) options: Mutex<DatabaseOptions>,
    pub(crate) security: Mutex<Security>,
    identity: Mutex<Identity>,
    /// The transactions that have written here, and those that read a snapshot of it.
    transactions: Mutex<OpenTransactions>,
    /// Of the next table.
    next_object: AtomicI32,
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
            security: Mutex::new(Security::default()),
            options: Mutex::new(DatabaseOptions {
                snapshot: SnapshotState::Off,
                read_committed_snapshot: false,
                writing: Writing::Allowed,
                recovery: Recovery::Simple,
            }),
            transactions: Mutex::new(OpenTransactions::default()),
            identity: Mutex::new(Identity {
                service_broker: new_guid(),
                database: new_guid(),
                family: new_guid(),
                recovery_fork: new_guid(),
            }),
            next_object: AtomicI32::new(FIRST_TABLE),
            objects: Mutex::new(Objects {
                schemas,
                tables: HashMap::new(),
                synonyms: Vec::new(),
            }),
            // A new database's counter starts at 2000 on SQL Server too.
            row_versions: Mutex::new(RowVersions {
                last: 2000,
                active: BTreeMap::new(),
            }),
        }
    }

    pub(crate) fn identity(&self) -> Identity {
        *self.identity.lock()
    }

    /// `SET NEW_BROKER`.
    pub(crate) fn renew_broker(&self) {
        self.identity.lock().service_broker = new_guid();
    }

    /// Notes that an open transaction writes here, or reads a snapshot.
    pub(crate) fn begin_use(&self, transaction: u64, in_snapshot: bool) {
        let mut open = self.transactions.lock();
        if in_snapshot {
            open.in_snapshot.insert(transaction);
        } else {
            open.writing.insert(transaction);
        }
    }

    pub(crate) fn end_use(&self, transaction: u64) {
        let mut open = self.transactions.lock();
        open.writing.remove(&transaction);
        open.in_snapshot.remove(&transaction);
    }

    /// The open transactions that write here, or those that read a snapshot.
    pub(crate) fn open_transactions(&self, in_snapshot: bool) -> BTreeSet<u64> {
        let open = self.transactions.lock();
        if in_snapshot {
            open.in_snapshot.clone()
        } else {
            open.writing.clone()
        }
    }

    /// The `object_id` of a new table.
    pub(crate) fn next_object_id(&self) -> i32 {
        self.next_object
            .fetch_add(BETWEEN_TABLES, Ordering::Relaxed)
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

    pub(crate) fn synonyms(&self) -> Vec<Arc<Synonym>> {
        self.objects.lock().synonyms.clone()
    }

    pub(crate) fn synonym(&self, schema: &str, name: &str) -> Option<Arc<Synonym>> {
        let same = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
        let synonyms = self.synonyms();
        let mut synonyms = synonyms.into_iter();
        synonyms.find(|known| same(&known.schema, schema) && same(&known.name, name))
    }

    pub(crate) fn add_synonym(&self, synonym: Synonym) {
        self.objects.lock().synonyms.push(Arc::new(synonym));
    }

    pub(crate) fn drop_synonym(&self, object_id: i32) {
        let mut objects = self.objects.lock();
        objects
            .synonyms
            .retain(|known| known.object_id != object_id);
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
