//! Ctrl-C and SIGTERM.

use tokio_util::sync::CancellationToken;

use crate::render::note;

/// A token that the first Ctrl-C or SIGTERM cancels; the run then stops at the next batch. The second one
/// ends the process at once.
pub(crate) fn cancel_on_signal() -> CancellationToken {
    let token = CancellationToken::new();
    let cancel = token.clone();
    tokio::spawn(async move {
        signal().await;
        note("stopping at the next batch; once more to stop at once");
        cancel.cancel();
        signal().await;
        std::process::exit(1);
    });
    token
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        },
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}

#[cfg(not(unix))]
async fn signal() {
    let _ = tokio::signal::ctrl_c().await;
}
