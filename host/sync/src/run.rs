//! A run, as it is carried from room to room.

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Observer;

/// A run, and who watches and stops it.
pub(crate) struct Run<'a> {
    pub(crate) run_id: Uuid,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) cancel: &'a CancellationToken,
}
