//! Logs on stderr.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// What is shown where `RUST_LOG` does not say: warnings and errors, but the driver's, which come as errors
/// of ours with more to say; and that a large component is compiled, which takes a while.
const DEFAULT: &str = "warn,tiberius=off,icehost::compile=info";

/// Sends `tracing` events to stderr. `RUST_LOG` chooses what is shown.
pub(crate) fn start() {
    let chosen = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let filter = EnvFilter::builder().parse_lossy(match chosen.is_empty() {
        true => DEFAULT,
        false => &chosen,
    });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .init();
}
