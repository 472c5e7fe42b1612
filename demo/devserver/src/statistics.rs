//! What a server has been asked to do, for tests to look at.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many statements and bulk loads are remembered.
const REMEMBERED: usize = 10_000;
/// How much of a statement is remembered, in bytes.
const REMEMBERED_LENGTH: usize = 16 << 10;

/// A bulk load that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkLoad {
    /// The `INSERT BULK` statement that announced it.
    pub statement: String,
    /// Rows that reached the table.
    pub rows: u64,
}

/// Counters and the latest statements of one server.
#[derive(Debug, Default)]
pub struct Statistics {
    statements: Mutex<VecDeque<String>>,
    bulk_loads: Mutex<VecDeque<BulkLoad>>,
    logins: AtomicU64,
    wrong_logins: AtomicU64,
    open: AtomicUsize,
    attentions: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Statistics {
    /// The latest 10,000 statements, oldest first: batches, and the bodies of `sp_executesql` and of prepared
    /// statements each time they ran.
    #[must_use]
    pub fn statements_seen(&self) -> Vec<String> {
        lock(&self.statements).iter().cloned().collect()
    }

    /// The latest 10,000 bulk loads, oldest first.
    #[must_use]
    pub fn bulk_loads(&self) -> Vec<BulkLoad> {
        lock(&self.bulk_loads).iter().cloned().collect()
    }

    /// Logins that succeeded.
    #[must_use]
    pub fn logins(&self) -> u64 {
        self.logins.load(Ordering::Relaxed)
    }

    /// Logins with a wrong user or password.
    #[must_use]
    pub fn wrong_logins(&self) -> u64 {
        self.wrong_logins.load(Ordering::Relaxed)
    }

    /// Connections that are open now, logged in or not.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Attentions that clients sent.
    #[must_use]
    pub fn attentions(&self) -> u64 {
        self.attentions.load(Ordering::Relaxed)
    }

    pub(crate) fn statement(&self, text: &str) {
        let mut statements = lock(&self.statements);
        if statements.len() == REMEMBERED {
            statements.pop_front();
        }
        let end = text.floor_char_boundary(REMEMBERED_LENGTH);
        statements.push_back(text.get(..end).unwrap_or_default().to_owned());
    }

    pub(crate) fn bulk_load(&self, load: BulkLoad) {
        let mut loads = lock(&self.bulk_loads);
        if loads.len() == REMEMBERED {
            loads.pop_front();
        }
        loads.push_back(load);
    }

    pub(crate) fn login(&self) {
        self.logins.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn wrong_login(&self) {
        self.wrong_logins.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn attention(&self) {
        self.attentions.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection as open for as long as the guard lives.
    pub(crate) fn connection(&self) -> OpenConnection<'_> {
        self.open.fetch_add(1, Ordering::Relaxed);
        OpenConnection(&self.open)
    }
}

/// A connection that counts as open.
#[derive(Debug)]
pub(crate) struct OpenConnection<'a>(&'a AtomicUsize);

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
