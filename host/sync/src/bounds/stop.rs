//! Stopping: what waits is given up, and what must not be torn is ended first.
//!
//! An attempt runs within [`stoppable`]. When the user asks to stop, it has a moment to end by itself at the next batch,
//! and is then dropped, whatever it waits for: connections are closed, the server rolls back, staged files are removed.
//! What must not be torn, the commit of a transaction or the publication of a snapshot, holds it back for as long as it
//! takes, within bounds.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use icehost_lake::Stopping;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::SyncError;

/// How long an attempt may go on to its next batch.
pub(crate) const ATTEMPT: Duration = Duration::from_millis(500);
/// The same for work within an attempt, which has something to do once that has ended.
pub(crate) const PART: Duration = Duration::from_millis(250);
/// How long what must not be torn may take: the answer to a COMMIT may never come.
const SETTLING: Duration = Duration::from_secs(10);

/// What of this process must not be torn just now.
static SETTLING_NOW: AtomicUsize = AtomicUsize::new(0);

tokio::task_local! {
    static SCOPE: Scope;
}

/// An attempt and what holds it back.
#[derive(Clone, Default)]
struct Scope {
    cancel: CancellationToken,
    held: Arc<Held>,
}

#[derive(Default)]
struct Held {
    count: AtomicUsize,
    freed: Notify,
    /// Of the work that this is a part of: it is held back as well.
    whole: Option<Arc<Held>>,
}

/// While it lives, the attempt that it was taken in is not dropped, and the process should not end.
pub(crate) struct Hold(Arc<Held>);

impl Hold {
    fn new(held: Arc<Held>) -> Hold {
        held.take();
        SETTLING_NOW.fetch_add(1, Ordering::SeqCst);
        Hold(held)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        SETTLING_NOW.fetch_sub(1, Ordering::SeqCst);
        self.0.give_back();
    }
}

impl Held {
    fn take(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        if let Some(whole) = &self.whole {
            whole.take();
        }
    }

    fn give_back(&self) {
        if self.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.freed.notify_waiters();
        }
        if let Some(whole) = &self.whole {
            whole.give_back();
        }
    }

    async fn free(&self) {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.count.load(Ordering::SeqCst) == 0 {
                return;
            }
            freed.await;
        }
    }
}

/// Whether something of this process is under way that must not be torn: a commit, above all. Who ends the process
/// should wait for it, for some seconds at most.
pub fn is_settling() -> bool {
    SETTLING_NOW.load(Ordering::SeqCst) > 0
}

/// Keeps the attempt from being dropped until the guard is.
pub(crate) fn hold() -> Hold {
    let held = SCOPE.try_with(|scope| Arc::clone(&scope.held));
    Hold::new(held.unwrap_or_default())
}

/// The attempt's own: for who commits to the lake.
#[derive(Clone)]
pub(crate) struct OfAttempt(Scope);

impl OfAttempt {
    pub(crate) fn new() -> OfAttempt {
        OfAttempt(SCOPE.try_with(Clone::clone).unwrap_or_default())
    }

    /// For a transaction's commit.
    pub(crate) fn hold(&self) -> Hold {
        Hold::new(Arc::clone(&self.0.held))
    }
}

impl Stopping for OfAttempt {
    fn is_asked(&self) -> bool {
        self.0.cancel.is_cancelled()
    }

    fn hold(&self) -> Box<dyn Any + Send> {
        Box::new(OfAttempt::hold(self))
    }
}

/// Runs work until it ends or the user asks to stop. It then has `moment` to end by itself; what it holds is waited for.
///
/// # Errors
/// Those of the work, and [`SyncError::Cancelled`]; [`SyncError::Unsettled`] where what must not be torn did not end.
pub(crate) fn stoppable<T>(
    cancel: &CancellationToken,
    moment: Duration,
    work: impl Future<Output = Result<T, SyncError>>,
) -> impl Future<Output = Result<T, SyncError>> {
    // On the heap: an attempt is a large future, and each caller's frame would have room for it again.
    ended_or_stopped(cancel, moment, Box::pin(work))
}

async fn ended_or_stopped<T>(
    cancel: &CancellationToken,
    moment: Duration,
    work: Pin<Box<impl Future<Output = Result<T, SyncError>>>>,
) -> Result<T, SyncError> {
    let whole = SCOPE.try_with(|scope| Arc::clone(&scope.held)).ok();
    let scope = Scope {
        cancel: cancel.clone(),
        held: Arc::new(Held {
            whole,
            ..Held::default()
        }),
    };
    let held = Arc::clone(&scope.held);
    let work = SCOPE.scope(scope, work);
    tokio::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = cancel.cancelled() => {}
    }
    let patience = async {
        tokio::time::sleep(moment).await;
        tokio::time::timeout(SETTLING, held.free()).await
    };
    tokio::select! {
        biased;
        done = &mut work => done,
        settled = patience => Err(match settled {
            Ok(()) => SyncError::Cancelled,
            Err(_) => SyncError::Unsettled,
        }),
    }
}
