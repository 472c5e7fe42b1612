//! Messages to the host's log, which cuts long ones and drops floods.

pub use crate::bindings::base::icehost::strategy::logging::Level;

/// Whether the host would show a message of this level.
pub fn enabled(level: Level) -> bool {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::base::icehost::strategy::logging::enabled(level);
    #[cfg(not(target_arch = "wasm32"))]
    {
        let _ = level;
        true
    }
}

/// Sends a message, with named details. In native tests it goes to stderr, which `cargo test` captures.
pub fn log(level: Level, message: &str, fields: &[(String, String)]) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::base::icehost::strategy::logging::log(level, message, fields);
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("{level:?}: {message} {fields:?}");
}

/// Logs a formatted message at a level.
///
/// ```
/// use icehost_sdk::log::Level;
/// icehost_sdk::log!(Level::Info, "cursor column is '{}'", "ModifiedDate");
/// ```
#[macro_export]
macro_rules! log {
    ($level:expr, $($message:tt)+) => {{
        let level = $level;
        if $crate::log::enabled(level) {
            $crate::log::log(level, &::std::format!($($message)+), &[]);
        }
    }};
}

/// Logs at level debug.
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { $crate::log!($crate::log::Level::Debug, $($message)+) };
}

/// Logs at level info.
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => { $crate::log!($crate::log::Level::Info, $($message)+) };
}

/// Logs at level warn.
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => { $crate::log!($crate::log::Level::Warn, $($message)+) };
}
