//! Batches from a thread that may block to an asynchronous stream.

use std::ops::ControlFlow;
use std::pin::Pin;

use arrow_array::RecordBatch;
use futures::stream::{self, Stream, StreamExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::error::{LakeError, Result};

/// Batches that wait for the reader.
const BUFFERED_BATCHES: usize = 2;

/// Batches as they are read. After an error there are no more. Dropping the stream ends the reading.
pub type BatchStream = Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>;

/// Where a producing thread puts its batches.
pub(crate) struct Output(mpsc::Sender<RecordBatch>);

impl Output {
    /// Hands a batch over; breaks when nobody reads any more. Empty batches are dropped.
    pub(crate) fn push(&self, batch: RecordBatch) -> ControlFlow<()> {
        if batch.num_rows() == 0 && batch.num_columns() > 0 {
            return ControlFlow::Continue(());
        }
        match self.0.blocking_send(batch) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
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
    Box::pin(ReceiverStream::new(receiver).map(Ok).chain(outcome))
}
