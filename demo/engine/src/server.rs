//! The server: its databases and what all sessions share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use crate::clock::Clock;
use crate::error::SqlResult;
use crate::locks::Locks;
use crate::session::SqlError;
use crate::storage::{Database, SnapshotState};

/// The server's name where none is given.
const DEFAULT_SERVER_NAME: &str = "icehost-devserver";

/// One server instance: any number of databases, any number of sessions.
#[derive(Debug)]
pub struct Server {
    name: String,
    clock: Clock,
    databases: RwLock<Vec<Arc<Database>>>,
    pub(crate) locks: Locks,
    /// Held while a transaction publishes its tables, so that a snapshot sees all of them or none.
    pub(crate) commits: Mutex<()>,
    next_object: AtomicI32,
    next_transaction: AtomicU64,
    /// Each session's current database.
    sessions: Mutex<BTreeMap<u16, i32>>,
}

impl Server {
    /// A server with the databases `master` and `tempdb`.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::named(DEFAULT_SERVER_NAME)
    }

    /// As [`Self::new`], with a name: `MACHINE` or `MACHINE\INSTANCE`.
    #[must_use]
    pub fn named(name: &str) -> Arc<Self> {
        let clock = Clock::default();
        let created = clock.local();
        let databases = vec![
            Arc::new(Database::new(1, "master", created)),
            Arc::new(Database::new(2, "tempdb", created)),
        ];
        // "Snapshot isolation is ON for master and msdb" (T-SQL reference, ALTER DATABASE SET options).
        databases[0].options.lock().snapshot = SnapshotState::On;
        Arc::new(Self {
            name: name.to_owned(),
            clock,
            databases: RwLock::new(databases),
            locks: Locks::default(),
            commits: Mutex::new(()),
            next_object: AtomicI32::new(885_578_193),
            next_transaction: AtomicU64::new(0x0000_0034_0000_0001),
            sessions: Mutex::new(BTreeMap::new()),
        })
    }

    /// Creates an empty database.
    ///
    /// # Errors
    /// 1801 where a database of that name exists.
    pub fn create_database(&self, name: &str) -> SqlResult<()> {
        let mut databases = self.databases.write();
        let folded = name.to_lowercase();
        if databases
            .iter()
            .any(|database| database.name.to_lowercase() == folded)
        {
            return Err(SqlError::new(
                1801,
                16,
                3,
                format!("Database '{name}' already exists. Choose a different database name."),
            ));
        }
        // The lowest that is free: a dropped database's number is given again.
        let id = (5..)
            .find(|id| databases.iter().all(|database| database.id != *id))
            .unwrap_or(i32::MAX);
        databases.push(Arc::new(Database::new(id, name, self.clock.local())));
        Ok(())
    }

    /// The server's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// `@@SERVERNAME`: the machine, and behind a backslash the instance unless it is the default one.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The machine's and the instance's names.
    pub(crate) fn machine_and_instance(&self) -> (&str, Option<&str>) {
        match self.name.split_once('\\') {
            Some((machine, instance)) => (machine, Some(instance)),
            None => (&self.name, None),
        }
    }

    /// The names of all databases.
    #[must_use]
    pub fn database_names(&self) -> Vec<String> {
        self.databases
            .read()
            .iter()
            .map(|database| database.name.clone())
            .collect()
    }

    pub(crate) fn databases(&self) -> Vec<Arc<Database>> {
        self.databases.read().clone()
    }

    pub(crate) fn database(&self, name: &str) -> Option<Arc<Database>> {
        let folded = name.to_lowercase();
        self.databases
            .read()
            .iter()
            .find(|database| database.name.to_lowercase() == folded)
            .cloned()
    }

    pub(crate) fn drop_database(&self, name: &str) {
        let folded = name.to_lowercase();
        self.databases
            .write()
            .retain(|database| database.name.to_lowercase() != folded);
    }

    /// A number that no other object of this server has or had: of a table, within the engine, or of a
    /// constraint or trigger, as the catalog shows it.
    pub(crate) fn next_object_id(&self) -> i32 {
        self.next_object.fetch_add(16, Ordering::Relaxed)
    }

    pub(crate) fn next_transaction_id(&self) -> u64 {
        self.next_transaction.fetch_add(1, Ordering::Relaxed)
    }

    /// A session number that is free, from 51 on.
    pub(crate) fn register_session(&self, database: i32) -> SqlResult<u16> {
        let mut sessions = self.sessions.lock();
        let id = (51..u16::MAX)
            .find(|id| !sessions.contains_key(id))
            .ok_or_else(|| {
                SqlError::new(
                    17809,
                    20,
                    1,
                    "Could not connect because the maximum number of connections has been reached.",
                )
            })?;
        sessions.insert(id, database);
        Ok(id)
    }

    pub(crate) fn end_session(&self, id: u16) {
        self.locks.end_session(id);
        self.sessions.lock().remove(&id);
    }

    pub(crate) fn note_database(&self, session: u16, database: i32) {
        self.sessions.lock().insert(session, database);
    }

    /// The sessions whose current database that is.
    pub(crate) fn sessions_in(&self, database: i32) -> Vec<u16> {
        let sessions = self.sessions.lock();
        let within = sessions.iter().filter(|(_, current)| **current == database);
        within.map(|(id, _)| *id).collect()
    }

    pub(crate) fn session_ids(&self) -> Vec<u16> {
        self.sessions.lock().keys().copied().collect()
    }
}
