//! Work that may block, away from the threads that drive everything else.
//!
//! Computing and reading files by the piece is done on threads of Tokio's blocking pool. Where such work has to
//! [`wait`] for something asynchronous, it does so on its own thread; and where that comes down to file work
//! again, as it does for local files, it is done right there, without a second thread.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

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

/// Waits for something asynchronous on a thread that may block; also within work that something else here waits
/// for.
///
/// Must be called inside a Tokio runtime, on no thread that drives it.
pub fn wait<F: Future>(future: F) -> F::Output {
    if !MAY_BLOCK.get() {
        // Tokio refuses the threads that drive it.
        return Handle::current().block_on(future);
    }
    let signal = Arc::new(Signal {
        woken: AtomicBool::new(false),
        sleeper: thread::current(),
    });
    let waker = Waker::from(Arc::clone(&signal));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        signal.sleep();
    }
}

/// Whether a future is to be polled again. Each has its own: a thread that waits within its waiting is woken for
/// the one and must not forget the other.
struct Signal {
    woken: AtomicBool,
    sleeper: Thread,
}

impl Signal {
    fn sleep(&self) {
        while !self.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.sleeper.unpark();
    }
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
    use std::time::Duration;

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
        // And so does work that waits within that.
        let innermost = async { blocking(|| Ok::<_, ThreadFailed>(wait(here()))).await };
        let (outer, inner) = spawn(|| (current().id(), wait(innermost))).await.unwrap();
        assert_eq!(outer, inner.unwrap());
        // The mark is gone with the work, whatever its end.
        assert!(spawn(|| panic!("it ends")).await.is_err());
        let marked = spawn_blocking(|| MAY_BLOCK.get()).await.unwrap();
        assert!(!marked);
    }

    #[tokio::test]
    async fn waiting_within_waiting_forgets_no_wake_up() {
        async fn tick() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        async fn nested(depth: u32) {
            for _ in 0..3 {
                tick().await;
                if depth > 0 {
                    let deeper = move || {
                        wait(nested(depth - 1));
                        Ok::<_, ThreadFailed>(())
                    };
                    let both = async { tokio::join!(blocking(deeper), tick()) };
                    both.await.0.unwrap();
                }
            }
        }
        let work = spawn(|| wait(nested(3)));
        let done = tokio::time::timeout(Duration::from_secs(60), work).await;
        done.unwrap().unwrap();
    }
}
