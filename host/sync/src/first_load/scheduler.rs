//! Runs the tasks of a first load, several at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use icehost_plan::KeyRange;
use icehost_sqlserver::{Connection, ReadConsistency};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::bounds::stop;
use crate::error::Doing;
use crate::first_load::range::{RangeContext, RangeDone};
use crate::source::open::OpenSource;
use crate::{Event, Observer, RetryPolicy, Source, SyncError};

/// Messages that may wait for the coordinator.
const WAITING: usize = 64;

/// What the tasks report.
pub(crate) enum Message {
    /// Rows and bytes of a range so far.
    Progress { range: usize, rows: u64, bytes: u64 },
    /// A range is in files.
    Done { range: usize, done: RangeDone },
    /// Something that the user should know.
    Warning(String),
}

/// Tasks under way. Dropped, they are aborted.
pub(crate) struct Running {
    messages: mpsc::Receiver<Message>,
    workers: JoinSet<Result<(), SyncError>>,
    stop: CancellationToken,
}

/// What a connection's worker needs.
struct Worker {
    context: Arc<RangeContext>,
    source: Source,
    retry: RetryPolicy,
    pending: Arc<Mutex<VecDeque<(usize, KeyRange)>>>,
    messages: mpsc::Sender<Message>,
    stop: CancellationToken,
}

/// Opens a connection for a range and starts its read at the present moment.
pub(crate) async fn open_reader(source: &Source) -> Result<Connection, SyncError> {
    let OpenSource {
        mut connection,
        table,
        ..
    } = OpenSource::open(source).await?;
    let doing = || format!("starting to read source table {}", table.name);
    if table.traits.memory_optimized {
        // See `OpenSource::begin_read`.
        return Ok(connection);
    }
    if connection.begin_read(&table).await.doing(doing)? == ReadConsistency::Snapshot {
        connection.pin_read(&table).await.doing(doing)?;
    }
    Ok(connection)
}

/// Starts one worker per connection on the ranges.
pub(crate) fn start(
    context: Arc<RangeContext>,
    source: &Source,
    retry: &RetryPolicy,
    connections: Vec<Connection>,
    ranges: Vec<(usize, KeyRange)>,
    cancel: &CancellationToken,
) -> Running {
    let (sender, messages) = mpsc::channel(WAITING);
    let stop = cancel.child_token();
    let pending = Arc::new(Mutex::new(VecDeque::from(ranges)));
    let mut workers = JoinSet::new();
    for connection in connections {
        let worker = Worker {
            context: Arc::clone(&context),
            source: source.clone(),
            retry: retry.clone(),
            pending: Arc::clone(&pending),
            messages: sender.clone(),
            stop: stop.clone(),
        };
        workers.spawn(worker.work(connection));
    }
    Running {
        messages,
        workers,
        stop,
    }
}

impl Running {
    /// The next message; `None` when all workers have ended.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        self.messages.recv().await
    }

    /// Lets no further range begin, and ends those under way at their next batch.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// The first failure, once [`Running::next`] has given `None`.
    pub(crate) async fn finish(mut self) -> Result<(), SyncError> {
        let mut outcome = Ok(());
        while let Some(joined) = self.workers.join_next().await {
            let result = joined.unwrap_or_else(|error| {
                Err(SyncError::settings(
                    format!("a task that reads a range failed: {error}"),
                    "please report this as a defect",
                ))
            });
            // That one was stopped says less than why it was.
            if let (Ok(()) | Err(SyncError::Cancelled), Err(error)) = (&outcome, result) {
                outcome = Err(error);
            }
        }
        outcome
    }
}

impl Worker {
    async fn work(self, connection: Connection) -> Result<(), SyncError> {
        let result = self.work_on(connection).await;
        if result.is_err() {
            self.stop.cancel();
        }
        result
    }

    async fn work_on(&self, connection: Connection) -> Result<(), SyncError> {
        let connection = tokio::sync::Mutex::new(Some(connection));
        while let Some((index, range)) = self.take() {
            let forward = Forward(self.messages.clone());
            let done = self
                .retry
                .run_within(stop::PART, &forward, &self.stop, || {
                    self.attempt(&connection, index, &range)
                })
                .await?;
            let message = Message::Done { range: index, done };
            // The coordinator went away: its own error says why.
            if self.messages.send(message).await.is_err() {
                return Err(SyncError::cancelled());
            }
        }
        if self.stop.is_cancelled() {
            return Err(SyncError::cancelled());
        }
        Ok(())
    }

    fn take(&self) -> Option<(usize, KeyRange)> {
        if self.stop.is_cancelled() {
            return None;
        }
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.pop_front()
    }

    /// One attempt at a range, on the worker's connection or, after a failure, on a new one.
    async fn attempt(
        &self,
        slot: &tokio::sync::Mutex<Option<Connection>>,
        index: usize,
        range: &KeyRange,
    ) -> Result<RangeDone, SyncError> {
        let mut slot = slot.lock().await;
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => open_reader(&self.source).await?,
        };
        let messages = self.messages.clone();
        let progress = move |rows, bytes| {
            let message = Message::Progress {
                range: index,
                rows,
                bytes,
            };
            // A count that finds no room is made up for by the next.
            let _skipped = messages.try_send(message);
        };
        let done = self
            .context
            .run(&mut connection, range, progress, &self.stop)
            .await?;
        *slot = Some(connection);
        Ok(done)
    }
}

/// Hands on what a retry has to say.
struct Forward(mpsc::Sender<Message>);

impl Observer for Forward {
    fn event(&self, event: Event<'_>) {
        if let Event::Retrying {
            attempt,
            of,
            delay,
            error,
        } = event
        {
            let text = format!(
                "attempt {attempt} of {of} at a range failed, trying again in {:.1} s: {error}",
                delay.as_secs_f64()
            );
            let _full = self.0.try_send(Message::Warning(text));
        }
    }
}
