//! The server: its databases and what all sessions share.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::{Mutex, RwLock};

use crate::datetime::{EPOCH_1900, TICKS_PER_DAY};
use crate::error::SqlResult;
use crate::locks::Locks;
use crate::session::SqlError;
use crate::storage::Database;

/// Days from 1900-01-01 to 1970-01-01.
const UNIX_DAY: i32 = 25_567;

/// One server instance: any number of databases, any number of sessions.
#[derive(Debug)]
pub struct Server {
    databases: RwLock<Vec<Arc<Database>>>,
    pub(crate) locks: Locks,
    /// Held while a transaction publishes its tables, so that a snapshot sees all of them or none.
    pub(crate) commits: Mutex<()>,
    next_object: AtomicI32,
    next_transaction: AtomicU64,
    sessions: Mutex<BTreeSet<u16>>,
}

/// The time as `datetime2` holds it: days since 0001-01-01 and 100 ns ticks, in UTC. The server's time
/// zone is UTC.
pub(crate) fn now() -> (i32, u64) {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let ticks = (elapsed.as_nanos() / 100) as u64;
    (
        EPOCH_1900 + UNIX_DAY + (ticks / TICKS_PER_DAY) as i32,
        ticks % TICKS_PER_DAY,
    )
}

impl Server {
    /// A server with the databases `master` and `tempdb`.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let created = now();
        let databases = vec![
            Arc::new(Database::new(1, "master", created)),
            Arc::new(Database::new(2, "tempdb", created)),
        ];
        Arc::new(Self {
            databases: RwLock::new(databases),
            locks: Locks::default(),
            commits: Mutex::new(()),
            next_object: AtomicI32::new(885_578_193),
            next_transaction: AtomicU64::new(0x0000_0034_0000_0001),
            sessions: Mutex::new(BTreeSet::new()),
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
        let id = databases
            .iter()
            .map(|database| database.id)
            .max()
            .unwrap_or(0)
            .max(4)
            + 1;
        databases.push(Arc::new(Database::new(id, name, now())));
        Ok(())
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

    pub(crate) fn next_object_id(&self) -> i32 {
        self.next_object.fetch_add(16, Ordering::Relaxed)
    }

    pub(crate) fn next_transaction_id(&self) -> u64 {
        self.next_transaction.fetch_add(1, Ordering::Relaxed)
    }

    /// A session number that is free, from 51 on.
    pub(crate) fn register_session(&self) -> SqlResult<u16> {
        let mut sessions = self.sessions.lock();
        let id = (51..u16::MAX)
            .find(|id| !sessions.contains(id))
            .ok_or_else(|| {
                SqlError::new(
                    17809,
                    20,
                    1,
                    "Could not connect because the maximum number of connections has been reached.",
                )
            })?;
        sessions.insert(id);
        Ok(id)
    }

    pub(crate) fn end_session(&self, id: u16) {
        self.locks.end_session(id);
        self.sessions.lock().remove(&id);
    }

    pub(crate) fn session_ids(&self) -> Vec<u16> {
        self.sessions.lock().iter().copied().collect()
    }
}
