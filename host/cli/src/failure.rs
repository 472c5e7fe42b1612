//! How a failed command is told.

use icehost_componentize::Error as ComponentizeError;
use icehost_config::Problem;
use icehost_conformance::CaseError;
use icehost_lake::LakeError;
use icehost_registry::RegistryError;
use icehost_run::{ErrorKind, RunError};
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
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>, hint: impl Into<Hint>) -> Self {
        RunError::new(kind, message, hint).into()
    }

    /// What was given is wrong, or does not go together.
    pub(crate) fn config(message: impl Into<String>, hint: impl Into<Hint>) -> Self {
        RunError::config(message, hint).into()
    }

    /// The same failure, which may pass or not.
    pub(crate) fn passing(mut self, transient: bool) -> Self {
        self.error = self.error.passing(transient);
        self
    }

    /// The same failure with other advice.
    pub(crate) fn with_hint(mut self, hint: Hint) -> Self {
        self.error = self.error.with_hint(hint);
        self
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
            let plain = || self.told_in(serde_json::json!({}));
            let object = self.object.clone().unwrap_or_else(plain);
            line(object);
        }
    }

    /// The object with what it says of the failure: every object that has `error` has these.
    pub(crate) fn told_in(&self, mut object: serde_json::Value) -> serde_json::Value {
        if let Some(fields) = object.as_object_mut() {
            fields.insert("error".to_owned(), self.message().into());
            fields.insert("hint".to_owned(), self.hint().as_deref().into());
            fields.insert("kind".to_owned(), self.error.kind().name().into());
            fields.insert("transient".to_owned(), self.error.is_transient().into());
        }
        object
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

impl From<CaseError> for Failure {
    fn from(error: CaseError) -> Self {
        let hint = error.hint().map(Hint::from);
        RunError::told(ErrorKind::Config, error.to_string(), hint).into()
    }
}

impl From<ComponentizeError> for Failure {
    fn from(error: ComponentizeError) -> Self {
        let kind = match &error {
            ComponentizeError::MissingTool { .. } | ComponentizeError::NoToolchain => {
                ErrorKind::Config
            }
            ComponentizeError::Io { .. } => ErrorKind::Io,
            ComponentizeError::NoProject { .. }
            | ComponentizeError::Manifest { .. }
            | ComponentizeError::Contract { .. }
            | ComponentizeError::Tool { .. }
            | ComponentizeError::Workspace { .. }
            | ComponentizeError::NoCdylib { .. }
            | ComponentizeError::Cargo { .. }
            | ComponentizeError::UnexpectedOutput { .. }
            | ComponentizeError::NotAModule
            | ComponentizeError::NoComponentType
            | ComponentizeError::Encode { .. } => ErrorKind::Strategy,
        };
        let hint = error.hint().map(Hint::from);
        RunError::told(kind, error.to_string(), hint).into()
    }
}
