//! How a failed command is told.

use icehost_componentize::Error as ComponentizeError;
use icehost_config::Problem;
use icehost_conformance::CaseError;
use icehost_lake::LakeError;
use icehost_registry::RegistryError;
use icehost_run::RunError;
use icehost_sqlserver::SqlServerError;
use icehost_strategy::StrategyError;
use icehost_sync::SyncError;
use icehost_untrusted::{self as untrusted, Hint};

use crate::advice::Advice;
use crate::args::Output;
use crate::render::line;
use crate::voice::{self, Level};

/// Most bytes of an error or a warning. What others say is cut much sooner, where it enters.
const MOST: usize = 16 << 10;

/// An error or a warning, as it leaves the program: one line in which nothing misleads, not endless, without what
/// looks like a secret.
pub(crate) fn shown(message: &str) -> String {
    untrusted::shown_up_to(&untrusted::without_secrets(message), MOST)
}

/// One line that says what failed and why, and one that says what to do.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    error: RunError,
    /// What stdout holds instead of message and hint, where there is more to say.
    object: Option<serde_json::Value>,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<Hint>) -> Self {
        RunError::new(message, hint).into()
    }

    /// The same failure with this object for stdout.
    pub(crate) fn with_object(mut self, object: serde_json::Value) -> Self {
        self.object = Some(object);
        self
    }

    /// The same failure, whose hint begins with what a misspelt name may have meant.
    pub(crate) fn with_guess(mut self, near: &str) -> Self {
        self.error = self.error.with_guess(near);
        self
    }

    /// The same failure, as that of one pipeline among others.
    pub(crate) fn of_pipeline(mut self, name: &str) -> Self {
        self.error.message = format!("{name}: {}", self.message());
        self.error.place = None;
        self
    }

    /// The same failure, whose commands are those of the run that failed.
    pub(crate) fn with_advice(mut self, advice: &Advice) -> Self {
        self.error = self.error.map(|text| advice.complete(text));
        self
    }

    /// Where, what failed and why: one line, as it can be shown.
    pub(crate) fn message(&self) -> String {
        shown(&self.error.to_string())
    }

    /// What to do.
    pub(crate) fn hint(&self) -> Option<Hint> {
        self.error.hint()
    }

    /// `error: …` and `hint: …` on stderr; with JSON output also an object on stdout, so that a program
    /// that reads stdout always finds one.
    pub(crate) fn print(&self, output: Output) {
        voice::say(Level::Error, &self.message(), self.hint().as_ref());
        if output == Output::Json {
            let plain =
                || serde_json::json!({ "error": self.message(), "hint": self.hint().as_deref() });
            let object = self.object.clone().unwrap_or_else(plain);
            line(object);
        }
    }
}

macro_rules! failure_from {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Failure { error: error.into(), object: None }
            }
        }
    )*};
}

failure_from!(
    RunError,
    SyncError,
    LakeError,
    RegistryError,
    SqlServerError,
    StrategyError,
    std::io::Error,
    Problem
);

macro_rules! failure_of_author {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                RunError {
                    place: None,
                    message: error.to_string(),
                    hint: error.hint().map(Into::into),
                }
                .into()
            }
        }
    )*};
}

failure_of_author!(CaseError, ComponentizeError);
