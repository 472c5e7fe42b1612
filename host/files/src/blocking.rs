//! Work that may block, away from the threads that drive everything else.
//!
//! Computing and reading files by the piece is done on threads of Tokio's blocking pool. Where such work has to
//! [`wait`] for something asynchronous, it does so on its own thread; and where that comes down to file work
//! again, as it does for local files, it is done right there, without a second thread.

use std::cell::Cell;
use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

thread_local! {
    static MAY_BLOCK: Cell<bool> = const { Cell::new(false) };
}

/// A thread that was to do the work panicked, or never began.
#[derive(Debug, thiserror::Error)]
#[error("a background thread stopped: {0}")]
pub struct ThreadFailed(#[from] JoinError);

/// Runs work on a thread that may block, or at once where this is one. Begun, it runs to its end, although the
/// future be dropped.
///
/// # Errors
/// Those of the work; [`ThreadFailed`].
pub async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<ThreadFailed> + Send + 'static,
{
    if MAY_BLOCK.get() {
        return work();
    }
    match spawn(work).await {
        Ok(outcome) => outcome,
        Err(failed) => Err(ThreadFailed(failed).into()),
    }
}

/// Starts work on a thread that may block.
pub fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    spawn_blocking(move || {
        let _until_the_end = Marked::set();
        work()
    })
}

/// Waits for something asynchronous on a thread that may block.
///
/// Must be called inside a Tokio runtime, on no thread that drives it.
pub fn wait<F: Future>(future: F) -> F::Output {
    Handle::current().block_on(future)
}

/// The thread may block as long as this lives.
struct Marked {
    before: bool,
}

impl Marked {
    fn set() -> Marked {
        Marked {
            before: MAY_BLOCK.replace(true),
        }
    }
}

impl Drop for Marked {
    fn drop(&mut self) {
        MAY_BLOCK.set(self.before);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::thread::{ThreadId, current};

    use super::*;

    async fn here() -> ThreadId {
        blocking(|| Ok::<_, ThreadFailed>(current().id()))
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn work_that_waits_for_work_does_it_itself() {
        assert_ne!(here().await, current().id());
        let (outer, inner) = spawn(|| (current().id(), wait(here()))).await.unwrap();
        assert_eq!(outer, inner);
        // The mark is gone with the work, whatever its end.
        assert!(spawn(|| panic!("it ends")).await.is_err());
        let marked = spawn_blocking(|| MAY_BLOCK.get()).await.unwrap();
        assert!(!marked);
    }
}
