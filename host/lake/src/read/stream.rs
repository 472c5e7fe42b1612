//! Batches from a thread that may block to an asynchronous stream.

use std::ops::ControlFlow;
use std::pin::Pin;

use arrow_array::RecordBatch;
use futures::stream::{self, Stream, StreamExt};
use tokio::sync::{mpsc, oneshot};

use crate::error::{LakeError, Result};

/// Batches that wait for the reader.
const BUFFERED_BATCHES: usize = 2;
/// A batch that takes more memory, in bytes, is one of large rows: two usual ones take less.
const ALONE_BYTES: usize = 8 << 20;

/// A batch, and what is dropped when the reader is done with it.
type Sent = (RecordBatch, Option<oneshot::Sender<()>>);

/// Batches as they are read. After an error there are no more. Dropping the stream ends the reading.
pub type BatchStream = Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>;

/// Where a producing thread puts its batches.
pub(crate) struct Output(mpsc::Sender<Sent>);

impl Output {
    /// Hands a batch over; breaks when nobody reads any more. Empty batches are dropped. After a large one this
    /// waits until the reader asks for the next, so that no other is read into memory beside it.
    pub(crate) fn push(&self, batch: RecordBatch) -> ControlFlow<()> {
        if batch.num_rows() == 0 && batch.num_columns() > 0 {
            return ControlFlow::Continue(());
        }
        let (done, dropped) = match batch.get_array_memory_size() > ALONE_BYTES {
            true => {
                let (done, dropped) = oneshot::channel();
                (Some(done), Some(dropped))
            }
            false => (None, None),
        };
        if self.0.blocking_send((batch, done)).is_err() {
            return ControlFlow::Break(());
        }
        if let Some(dropped) = dropped {
            // Nothing is ever sent: it ends when the other side is dropped.
            let _ = dropped.blocking_recv();
        }
        ControlFlow::Continue(())
    }
}

/// Runs `produce` on a thread of its own.
pub(crate) fn produce(produce: impl FnOnce(&Output) -> Result<()> + Send + 'static) -> BatchStream {
    let (sender, receiver) = mpsc::channel(BUFFERED_BATCHES);
    let task = icehost_files::blocking::spawn(move || produce(&Output(sender)));
    // The thread's outcome comes last, so that a stream cut short never looks complete.
    let outcome = stream::once(async move {
        match task.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Err(error)),
            Err(join) => Some(Err(LakeError::internal(
                "the thread that reads data files stopped",
            )
            .with_source(join))),
        }
    })
    .filter_map(std::future::ready);
    let batches = stream::unfold((receiver, None), |(mut receiver, done)| async move {
        drop(done);
        let (batch, done) = receiver.recv().await?;
        Some((Ok(batch), (receiver, done)))
    });
    Box::pin(batches.chain(outcome))
}
