//! What components log, forwarded to `tracing`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::bindings::logging::{Host, Level};
use crate::bindings::previous::{first, second};
use crate::limits::Limits;
use icehost_untrusted::shown_up_to;

/// Most bytes of one message.
const MAX_MESSAGE: usize = 2048;
/// Most fields that are shown with a message, and most bytes of each.
const MAX_FIELDS: usize = 16;
const MAX_FIELD: usize = 256;

/// Most warnings that are remembered.
const MAX_TOLD: usize = 256;

/// The warnings that components of one engine have given. A strategy is asked several times in a run, and says the
/// same each time.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<HashSet<(Arc<str>, String)>>);

impl Told {
    /// Whether it is the first time, as far as that is remembered.
    fn is_first(&self, plugin: &Arc<str>, text: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() >= MAX_TOLD || told.insert((Arc::clone(plugin), text.to_owned()))
    }
}

/// The log of one call.
#[derive(Debug)]
pub(crate) struct GuestLog {
    plugin: Arc<str>,
    told: Arc<Told>,
    lines: usize,
    bytes: usize,
    dropped: u64,
    last_error: Option<String>,
}

impl GuestLog {
    pub(crate) fn new(plugin: Arc<str>, told: Arc<Told>, limits: &Limits) -> Self {
        GuestLog {
            plugin,
            told,
            lines: limits.log_lines,
            bytes: limits.log_bytes,
            dropped: 0,
            last_error: None,
        }
    }

    /// The last message of level error: where a component trapped, usually why.
    pub(crate) fn last_error(&mut self) -> Option<String> {
        self.last_error.take()
    }

    fn write(&mut self, level: Level, message: &str, fields: &[(String, String)]) {
        let mut text = shown_up_to(message, MAX_MESSAGE);
        for (name, value) in fields.iter().take(MAX_FIELDS) {
            let (name, value) = (shown_up_to(name, MAX_FIELD), shown_up_to(value, MAX_FIELD));
            text.push_str(&format!(" {name}={value}"));
        }
        if level == Level::Error {
            self.last_error = Some(text.clone());
        }
        if self.lines == 0 || self.bytes < text.len() {
            self.dropped += 1;
            return;
        }
        self.lines -= 1;
        self.bytes -= text.len();
        let plugin = &*self.plugin;
        match level {
            Level::Trace => tracing::trace!(target: "icehost::plugin", plugin, "{text}"),
            Level::Debug => tracing::debug!(target: "icehost::plugin", plugin, "{text}"),
            Level::Info => tracing::info!(target: "icehost::plugin", plugin, "{text}"),
            Level::Warn if !self.told.is_first(&self.plugin, &text) => {}
            Level::Warn => tracing::warn!(target: "icehost::plugin", plugin, "{text}"),
            Level::Error => tracing::error!(target: "icehost::plugin", plugin, "{text}"),
        }
    }
}

impl Drop for GuestLog {
    fn drop(&mut self) {
        if self.dropped > 0 {
            tracing::warn!(
                target: "icehost::plugin",
                plugin = &*self.plugin,
                dropped = self.dropped,
                "the strategy logged too much: {} messages were dropped",
                self.dropped
            );
        }
    }
}

impl Host for GuestLog {
    fn enabled(&mut self, level: Level) -> wasmtime::Result<bool> {
        Ok(match level {
            Level::Trace => tracing::enabled!(target: "icehost::plugin", tracing::Level::TRACE),
            Level::Debug => tracing::enabled!(target: "icehost::plugin", tracing::Level::DEBUG),
            Level::Info => tracing::enabled!(target: "icehost::plugin", tracing::Level::INFO),
            Level::Warn => tracing::enabled!(target: "icehost::plugin", tracing::Level::WARN),
            Level::Error => tracing::enabled!(target: "icehost::plugin", tracing::Level::ERROR),
        })
    }

    fn log(
        &mut self,
        level: Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        self.write(level, &message, &fields);
        Ok(())
    }
}

/// The same for components of a previous version, whose levels are a type of their own.
macro_rules! previous {
    ($logging:path) => {
        const _: () = {
            use $logging as previous;

            impl previous::Host for GuestLog {
                fn enabled(&mut self, level: previous::Level) -> wasmtime::Result<bool> {
                    Host::enabled(self, present(level))
                }

                fn log(
                    &mut self,
                    level: previous::Level,
                    message: String,
                    fields: Vec<(String, String)>,
                ) -> wasmtime::Result<()> {
                    Host::log(self, present(level), message, fields)
                }
            }

            fn present(level: previous::Level) -> Level {
                match level {
                    previous::Level::Trace => Level::Trace,
                    previous::Level::Debug => Level::Debug,
                    previous::Level::Info => Level::Info,
                    previous::Level::Warn => Level::Warn,
                    previous::Level::Error => Level::Error,
                }
            }
        };
    };
}

previous!(first::logging);
previous!(second::logging);
