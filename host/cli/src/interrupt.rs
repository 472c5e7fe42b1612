//! Ctrl-C and SIGTERM.

use std::future::Future;
use std::time::{Duration, Instant};

use icehost_run::ErrorKind;
use icehost_sync::is_settling;
use tokio_util::sync::CancellationToken;

use crate::args::Output;
use crate::failure::Failure;
use crate::render::note;

/// How long a command may take to end by itself once it is asked to: a run ends within half a second of it.
const MOMENT: Duration = Duration::from_millis(900);
/// How long a thread may be at work that cannot be given up. Nothing in icehost should be.
const BUSY: Duration = Duration::from_secs(3);
/// How long what must not be torn may take.
const SETTLING: Duration = Duration::from_secs(12);
/// How often it is looked whether that is over.
const LOOK: Duration = Duration::from_millis(20);

/// Listens for Ctrl-C and SIGTERM, on a thread of its own: it hears them whatever the others do. The first one cancels the
/// token, and the command ends within a second, or when what it is about to commit is committed. The second one ends the
/// process at once.
pub(crate) fn listen(output: Output) -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let cancel = token.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("icehost-signals".to_owned())
        .spawn(move || runtime.block_on(heed(&cancel, output)))?;
    Ok(token)
}

async fn heed(cancel: &CancellationToken, output: Output) {
    signal().await;
    note("stopping; once more to stop at once");
    cancel.cancel();
    tokio::select! {
        () = signal() => {
            note("stopped at once: what was under way is left as it is, and the next run goes on from there");
            end(&stopped(), output)
        }
        () = settled(BUSY) => end(&stopped(), output),
    }
}

fn end(failure: &Failure, output: Output) {
    failure.print(output);
    std::process::exit(1);
}

/// After a while, and once nothing is under way that must not be torn, or has been for too long.
async fn settled(moment: Duration) {
    let asked = Instant::now();
    tokio::time::sleep(moment).await;
    if !is_settling() {
        return;
    }
    while is_settling() && asked.elapsed() < SETTLING {
        tokio::time::sleep(LOOK).await;
    }
    // The command was held back by that. It knows what has become of it, and has yet to say so.
    tokio::time::sleep(moment).await;
}

/// Runs a command until it ends or is stopped.
///
/// # Errors
/// Those of the command, or that it was stopped.
pub(crate) async fn unless_stopped(
    cancel: &CancellationToken,
    command: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    tokio::pin!(command);
    tokio::select! {
        biased;
        ended = &mut command => return ended,
        () = cancel.cancelled() => {}
    }
    tokio::select! {
        biased;
        ended = &mut command => ended,
        () = settled(MOMENT) => Err(stopped()),
    }
}

/// Ends a runtime: what threads of their own still do to files they may end, for a while.
pub(crate) fn wind_down(runtime: tokio::runtime::Runtime, cancel: &CancellationToken) {
    runtime.shutdown_timeout(match cancel.is_cancelled() {
        true => MOMENT,
        false => SETTLING,
    });
}

fn stopped() -> Failure {
    Failure::new(
        ErrorKind::Cancelled,
        "stopped before it was done",
        "run the same command again to go on",
    )
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
