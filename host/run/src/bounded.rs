//! Tasks, so many at a time: the one loop for everything that is done side by side.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;

use futures::{FutureExt, Stream, StreamExt};
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

/// How one of several tasks ended.
#[derive(Debug)]
pub struct Ended<L, T> {
    /// Which one, as it was called when it came.
    pub of: L,
    /// What it gave, or why it gave nothing.
    pub outcome: Result<T, NotDone>,
}

/// Why a task gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotDone {
    /// It never began: the user asked to stop before its turn.
    NotBegun,
    /// It panicked. A defect; with what it said.
    Panicked(String),
}

impl fmt::Display for NotDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotDone::NotBegun => f.write_str("stopped before it began"),
            NotDone::Panicked(said) => f.write_str(said),
        }
    }
}

/// Tasks that run at most so many at a time, each on the runtime's threads. See [`bounded`].
pub struct Bounded<L, F, T> {
    /// Those that have not begun; `None` when no more will.
    waiting: Option<Waiting<L, F>>,
    at_once: usize,
    cancel: CancellationToken,
    running: JoinSet<T>,
    /// Which one each of the running tasks is.
    names: HashMap<Id, L>,
}

type Waiting<L, F> = Pin<Box<dyn Stream<Item = (L, F)> + Send>>;

/// Runs tasks as they come, each with what it is called by, at most `at_once` at a time, and gives the outcome of each as
/// soon as it ends.
///
/// A task is asked for only when there is room for it, so the stream may be endless, as that of a service is; and one that
/// ends in failure or panics ends nothing but itself. Once `cancel` is cancelled none begins any more: of those that are at
/// hand it is said, and the stream is not waited for. Those that run have to heed it themselves, and are waited for.
/// Dropping it drops them.
pub fn bounded<L, F, T>(
    tasks: impl Stream<Item = (L, F)> + Send + 'static,
    at_once: NonZeroUsize,
    cancel: &CancellationToken,
) -> Bounded<L, F, T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    Bounded {
        waiting: Some(Box::pin(tasks)),
        at_once: at_once.get(),
        cancel: cancel.clone(),
        running: JoinSet::new(),
        names: HashMap::new(),
    }
}

impl<L, F, T> Bounded<L, F, T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    /// The next one that ends; `None` when all have. Nothing is lost where the wait for it is given up.
    pub async fn next(&mut self) -> Option<Ended<L, T>> {
        loop {
            if self.cancel.is_cancelled()
                && let Some(of) = self.not_begun()
            {
                let outcome = Err(NotDone::NotBegun);
                return Some(Ended { of, outcome });
            }
            let has_room = self.running.len() < self.at_once;
            let joined = match &mut self.waiting {
                None => self.running.join_next_with_id().await?,
                Some(waiting) => tokio::select! {
                    biased;
                    () = self.cancel.cancelled() => continue,
                    task = waiting.next(), if has_room => {
                        match task {
                            Some((of, task)) => {
                                self.names.insert(self.running.spawn(task).id(), of);
                            }
                            None => self.waiting = None,
                        }
                        continue;
                    }
                    Some(joined) = self.running.join_next_with_id() => joined,
                },
            };
            let (id, outcome) = match joined {
                Ok((id, done)) => (id, Ok(done)),
                Err(error) => (error.id(), Err(NotDone::Panicked(error.to_string()))),
            };
            // Each that runs has one.
            if let Some(of) = self.names.remove(&id) {
                return Some(Ended { of, outcome });
            }
        }
    }

    /// The next one that waits and is at hand, which is not begun.
    fn not_begun(&mut self) -> Option<L> {
        let next = self.waiting.as_mut()?.next().now_or_never().flatten();
        if next.is_none() {
            self.waiting = None;
        }
        next.map(|(of, _)| of)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
