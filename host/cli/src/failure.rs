//! How a failed command is told.

use std::io::{IsTerminal, Write};

use icehost_componentize::Error as ComponentizeError;
use icehost_conformance::CaseError;
use icehost_lake::LakeError;
use icehost_sqlserver::SqlServerError;
use icehost_strategy::StrategyError;
use icehost_sync::SyncError;

use crate::args::Output;

/// One line that says what failed and why, and one that says what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    /// Further fields of the JSON object.
    details: serde_json::Map<String, serde_json::Value>,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Failure {
            message: message.into(),
            hint: Some(hint.into()),
            details: serde_json::Map::new(),
        }
    }

    /// The same, with the fields of an object for programs.
    pub(crate) fn with_details(mut self, object: serde_json::Value) -> Self {
        if let serde_json::Value::Object(fields) = object {
            self.details = fields;
        }
        self
    }

    /// `error: …` and `hint: …` on stderr; with JSON output also an object on stdout, so that a program
    /// that reads stdout always finds one.
    pub(crate) fn print(&self, output: Output) {
        let mut stderr = std::io::stderr().lock();
        let colour = stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let (red, cyan, reset) = if colour {
            ("\x1b[1;31m", "\x1b[36m", "\x1b[0m")
        } else {
            ("", "", "")
        };
        // Nothing can be said where stderr is closed.
        let _ = writeln!(stderr, "{red}error{reset}: {}", self.message);
        if let Some(hint) = &self.hint {
            let _ = writeln!(stderr, "{cyan}hint{reset}: {hint}");
        }
        if output == Output::Json {
            let mut object = serde_json::json!({ "error": self.message, "hint": self.hint });
            for (field, value) in &self.details {
                object[field] = value.clone();
            }
            let _ = writeln!(std::io::stdout().lock(), "{object}");
        }
    }
}

macro_rules! failure_from {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Failure {
                    message: error.to_string(),
                    hint: error.hint().map(Into::into),
                    details: serde_json::Map::new(),
                }
            }
        }
    )*};
}

failure_from!(
    CaseError,
    SyncError,
    LakeError,
    SqlServerError,
    StrategyError,
    ComponentizeError
);

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure {
            message: error.to_string(),
            hint: None,
            details: serde_json::Map::new(),
        }
    }
}
