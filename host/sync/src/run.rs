//! A run, as it is carried from room to room.

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Event, Observer, SyncJob};

/// One attempt at a job: what is to be done, under which id, who watches it and who stops it.
pub(crate) struct Run<'a, J = SyncJob> {
    pub(crate) job: &'a J,
    /// It stands in the snapshot's summary and in the target's position.
    pub(crate) id: Uuid,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) cancel: &'a CancellationToken,
}

impl<'a, J> Run<'a, J> {
    /// Under an id of its own.
    pub(crate) fn new(
        job: &'a J,
        observer: &'a dyn Observer,
        cancel: &'a CancellationToken,
    ) -> Run<'a, J> {
        Run {
            job,
            id: Uuid::now_v7(),
            observer,
            cancel,
        }
    }

    /// Tells the user something that stops nothing.
    pub(crate) fn warn(&self, warning: &str) {
        self.observer.event(Event::Warning(warning));
    }
}
