//! Locks on rows, keys, tables and application resources, with timeouts and deadlock detection.
//!
//! A writer holds its rows and the keys that it has written or removed until its transaction ends, and after
//! [`ESCALATION`] rows of one statement the table, as SQL Server escalates ("Lock escalation"). Who reads or
//! changes by scanning waits for the transactions that hold rows of the table when the scan begins; a scan of SQL
//! Server waits at each row that it comes to. Ranges of keys (SERIALIZABLE, HOLDLOCK) and rows that were only
//! read (REPEATABLE READ) are locked by the table, which blocks more than SQL Server does.

mod state;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::error::SqlResult;
use crate::session::{Cancel, SqlError};
use state::{State, Wanted};

pub(crate) use state::{Mode, Resource, Span};

/// A statement that changes more rows of a table than this asks for the table.
pub(crate) const ESCALATION: usize = 5000;

/// How a wait ended without the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Timeout,
    Deadlock,
    Cancelled,
}

impl Refusal {
    /// 1222, 1205, or the silent end of a cancelled batch.
    pub(crate) fn error(self, session: u16) -> SqlError {
        match self {
            Self::Timeout => SqlError::new(1222, 16, 45, "Lock request time out period exceeded."),
            Self::Deadlock => SqlError::new(
                1205,
                13,
                51,
                format!(
                    "Transaction (Process ID {session}) was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction."
                ),
            )
            .ending_batch(),
            Self::Cancelled => cancelled(),
        }
    }
}

/// The batch was cancelled by an attention; the wire reports that in its own way.
pub(crate) fn cancelled() -> SqlError {
    SqlError::new(3617, 11, 1, "The query was cancelled by the client.").ending_batch()
}

/// Who asks: the session, how long it waits (milliseconds, negative for ever) and what stops it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiter<'a> {
    pub(crate) session: u16,
    pub(crate) timeout: i64,
    pub(crate) cancel: &'a Cancel,
}

#[derive(Debug, Default)]
pub(crate) struct Locks {
    state: Mutex<State>,
    released: Condvar,
}

impl Locks {
    /// Waits for a lock and keeps it.
    pub(crate) fn acquire(
        &self,
        waiter: Waiter<'_>,
        resource: Resource,
        mode: Mode,
        span: Span,
    ) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        let wanted = Wanted::Lock(resource.clone(), mode);
        self.wait(&mut state, waiter, wanted)?;
        state.grant(waiter.session, resource, mode, span);
        Ok(())
    }

    /// As [`Self::acquire`] for a transaction, with the refusal as an error.
    pub(crate) fn acquire_or_error(
        &self,
        waiter: Waiter<'_>,
        resource: Resource,
        mode: Mode,
    ) -> SqlResult<()> {
        self.acquire(waiter, resource, mode, Span::Transaction)
            .map_err(|refusal| refusal.error(waiter.session))
    }

    /// Waits for exclusive locks on rows and keys, one after the other, and keeps them until the transaction
    /// ends.
    pub(crate) fn acquire_rows(
        &self,
        waiter: Waiter<'_>,
        resources: impl Iterator<Item = Resource>,
    ) -> SqlResult<()> {
        let mut state = self.state.lock();
        for resource in resources {
            let wanted = Wanted::Lock(resource.clone(), Mode::Exclusive);
            self.wait(&mut state, waiter, wanted)
                .map_err(|refusal| refusal.error(waiter.session))?;
            state.grant(waiter.session, resource, Mode::Exclusive, Span::Transaction);
        }
        Ok(())
    }

    /// Takes a whole table until the transaction ends, unless somebody is in the way.
    pub(crate) fn try_table(&self, session: u16, table: i32) -> bool {
        let mut state = self.state.lock();
        let wanted = Wanted::Lock(Resource::Table(table), Mode::Exclusive);
        let free = state.blockers(session, &wanted).is_empty();
        if free {
            let resource = Resource::Table(table);
            state.grant(session, resource, Mode::Exclusive, Span::Transaction);
        }
        free
    }

    /// Waits until a lock could be had, without keeping it: what a READ COMMITTED reader of a key needs. Returns
    /// whether there was anything to wait for.
    pub(crate) fn wait_until_free(
        &self,
        waiter: Waiter<'_>,
        resource: Resource,
    ) -> SqlResult<bool> {
        let mut state = self.state.lock();
        let wanted = Wanted::Lock(resource, Mode::Shared);
        self.wait(&mut state, waiter, wanted)
            .map_err(|refusal| refusal.error(waiter.session))
    }

    /// Waits until a table can be scanned, to read it (shared) or for rows to change (update). Returns whether
    /// there was anything to wait for.
    pub(crate) fn wait_for_scan(
        &self,
        waiter: Waiter<'_>,
        table: i32,
        mode: Mode,
    ) -> SqlResult<bool> {
        let mut state = self.state.lock();
        let since = state
            .row_holders(waiter.session, table)
            .into_iter()
            .map(|other| (other, state.ended(other)))
            .collect();
        self.wait(&mut state, waiter, Wanted::Scan(table, mode, since))
            .map_err(|refusal| refusal.error(waiter.session))
    }

    /// Waits; `true` where there was anything to wait for.
    fn wait(
        &self,
        state: &mut MutexGuard<'_, State>,
        waiter: Waiter<'_>,
        wanted: Wanted,
    ) -> Result<bool, Refusal> {
        if state.blockers(waiter.session, &wanted).is_empty() {
            return Ok(false);
        }
        let deadline = u64::try_from(waiter.timeout)
            .ok()
            .map(|ms| Instant::now() + Duration::from_millis(ms));
        let outcome = loop {
            if state.blockers(waiter.session, &wanted).is_empty() {
                break Ok(true);
            }
            if state.closes_cycle(waiter.session, &wanted) {
                break Err(Refusal::Deadlock);
            }
            if waiter.cancel.load(Ordering::Relaxed) {
                break Err(Refusal::Cancelled);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break Err(Refusal::Timeout);
            }
            state.waiting.insert(waiter.session, wanted.clone());
            // Short, so that a cancellation is noticed.
            let nap = deadline.map_or(Duration::from_millis(20), |deadline| {
                deadline
                    .saturating_duration_since(Instant::now())
                    .min(Duration::from_millis(20))
            });
            self.released.wait_for(state, nap);
        };
        state.waiting.remove(&waiter.session);
        outcome
    }

    /// The transaction of `session` has ended.
    pub(crate) fn end_transaction(&self, session: u16) {
        self.state.lock().release(session, Some(Span::Transaction));
        self.released.notify_all();
    }

    /// The session has ended or was reset.
    pub(crate) fn end_session(&self, session: u16) {
        self.state.lock().release(session, None);
        self.released.notify_all();
    }

    /// Gives one application lock back; whether it was held.
    pub(crate) fn release(&self, session: u16, resource: &Resource, span: Span) -> bool {
        let held = self.state.lock().give_back(session, resource, span);
        self.released.notify_all();
        held
    }

    /// The strongest mode in which `session` holds a resource.
    pub(crate) fn held(&self, session: u16, resource: &Resource) -> Option<Mode> {
        self.state.lock().held(session, resource)
    }
}
