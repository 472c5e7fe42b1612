//! File work away from the threads that drive the run.

use crate::SyncError;

/// Runs work on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SyncError> + Send + 'static,
) -> Result<T, SyncError> {
    icehost_files::blocking(work).await
}
