//! Locks on whole tables and on application resources, with timeouts and deadlock detection.
//!
//! SQL Server locks rows, keys and ranges; here the table is the unit. What must block there blocks here,
//! and more does: two writers of different rows of one table wait for each other.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::error::SqlResult;
use crate::session::{Cancel, SqlError};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Resource {
    Table(i32),
    /// `sp_getapplock`: database and name.
    Application(i32, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    Shared,
    Update,
    Exclusive,
}

/// When a lock goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    Transaction,
    Session,
}

#[derive(Debug, Clone, Copy)]
struct Grant {
    session: u16,
    mode: Mode,
    span: Span,
    count: u32,
}

#[derive(Debug, Default)]
struct State {
    granted: HashMap<Resource, Vec<Grant>>,
    waiting: HashMap<u16, (Resource, Mode)>,
}

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

fn compatible(held: Mode, wanted: Mode) -> bool {
    matches!(
        (held, wanted),
        (Mode::Shared, Mode::Shared | Mode::Update) | (Mode::Update, Mode::Shared)
    )
}

impl State {
    fn blockers(&self, session: u16, resource: &Resource, mode: Mode) -> Vec<u16> {
        let grants = self.granted.get(resource).map_or(&[][..], Vec::as_slice);
        grants
            .iter()
            .filter(|grant| grant.session != session && !compatible(grant.mode, mode))
            .map(|grant| grant.session)
            .collect()
    }

    /// Whether those blockers wait, directly or not, for `session`.
    fn closes_cycle(&self, session: u16, resource: &Resource, mode: Mode) -> bool {
        let mut pending = self.blockers(session, resource, mode);
        let mut seen = Vec::new();
        while let Some(blocker) = pending.pop() {
            if blocker == session {
                return true;
            }
            if seen.contains(&blocker) {
                continue;
            }
            seen.push(blocker);
            if let Some((resource, mode)) = self.waiting.get(&blocker) {
                pending.extend(self.blockers(blocker, resource, *mode));
            }
        }
        false
    }

    fn grant(&mut self, session: u16, resource: Resource, mode: Mode, span: Span) {
        let grants = self.granted.entry(resource).or_default();
        match grants
            .iter_mut()
            .find(|grant| grant.session == session && grant.span == span)
        {
            Some(grant) => {
                grant.mode = grant.mode.max(mode);
                grant.count += 1;
            }
            None => grants.push(Grant {
                session,
                mode,
                span,
                count: 1,
            }),
        }
    }

    fn remove(&mut self, mut gone: impl FnMut(&Resource, &Grant) -> bool) {
        self.granted.retain(|resource, grants| {
            grants.retain(|grant| !gone(resource, grant));
            !grants.is_empty()
        });
    }
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
        self.wait(waiter, resource, mode, Some(span))
    }

    /// Waits until a lock could be had, without keeping it: what a READ COMMITTED reader needs.
    pub(crate) fn wait_until_free(
        &self,
        waiter: Waiter<'_>,
        resource: Resource,
    ) -> Result<(), Refusal> {
        self.wait(waiter, resource, Mode::Shared, None)
    }

    fn wait(
        &self,
        waiter: Waiter<'_>,
        resource: Resource,
        mode: Mode,
        span: Option<Span>,
    ) -> Result<(), Refusal> {
        let deadline = u64::try_from(waiter.timeout)
            .ok()
            .map(|ms| Instant::now() + Duration::from_millis(ms));
        let mut state = self.state.lock();
        let outcome = loop {
            if state.blockers(waiter.session, &resource, mode).is_empty() {
                break Ok(());
            }
            if state.closes_cycle(waiter.session, &resource, mode) {
                break Err(Refusal::Deadlock);
            }
            if waiter.cancel.load(Ordering::Relaxed) {
                break Err(Refusal::Cancelled);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break Err(Refusal::Timeout);
            }
            state
                .waiting
                .insert(waiter.session, (resource.clone(), mode));
            // Short, so that a cancellation is noticed.
            let nap = deadline.map_or(Duration::from_millis(20), |deadline| {
                deadline
                    .saturating_duration_since(Instant::now())
                    .min(Duration::from_millis(20))
            });
            self.released.wait_for(&mut state, nap);
        };
        state.waiting.remove(&waiter.session);
        if let (Ok(()), Some(span)) = (outcome, span) {
            state.grant(waiter.session, resource, mode, span);
        }
        outcome
    }

    /// The transaction of `session` has ended.
    pub(crate) fn end_transaction(&self, session: u16) {
        self.state
            .lock()
            .remove(|_, grant| grant.session == session && grant.span == Span::Transaction);
        self.released.notify_all();
    }

    /// The session has ended or was reset.
    pub(crate) fn end_session(&self, session: u16) {
        self.state
            .lock()
            .remove(|_, grant| grant.session == session);
        self.released.notify_all();
    }

    /// Gives one application lock back; whether it was held.
    pub(crate) fn release(&self, session: u16, resource: &Resource, span: Span) -> bool {
        let mut held = false;
        self.state.lock().remove(|other, grant| {
            if other != resource || grant.session != session || grant.span != span {
                return false;
            }
            held = true;
            // Counted by the caller's repeated acquisitions.
            grant.count <= 1
        });
        if held {
            let mut state = self.state.lock();
            if let Some(grants) = state.granted.get_mut(resource) {
                for grant in grants
                    .iter_mut()
                    .filter(|grant| grant.session == session && grant.span == span)
                {
                    grant.count -= 1;
                }
            }
        }
        self.released.notify_all();
        held
    }

    /// The strongest mode in which `session` holds a resource.
    pub(crate) fn held(&self, session: u16, resource: &Resource) -> Option<Mode> {
        let state = self.state.lock();
        state
            .granted
            .get(resource)?
            .iter()
            .filter(|grant| grant.session == session)
            .map(|grant| grant.mode)
            .max()
    }
}

impl Locks {
    /// As [`Self::acquire`], with the refusal as an error.
    pub(crate) fn acquire_or_error(
        &self,
        waiter: Waiter<'_>,
        resource: Resource,
        mode: Mode,
    ) -> SqlResult<()> {
        self.acquire(waiter, resource, mode, Span::Transaction)
            .map_err(|refusal| refusal.error(waiter.session))
    }
}
