//! Why a run, or what it needs, failed.

use std::fmt;

use icehost_config::{Place, Problem};
use icehost_lake::LakeError;
use icehost_registry::RegistryError;
use icehost_sqlserver::SqlServerError;
use icehost_strategy::StrategyError;
use icehost_sync::SyncError;
use icehost_untrusted::{self as untrusted, Hint};

/// What failed and why, in one line, and what to do next. `Display` is the line, with the place in front.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunError {
    /// Where in a configuration file.
    pub place: Option<Place>,
    /// What failed and why.
    pub message: String,
    /// What to do next; see [`RunError::hint`].
    pub hint: Option<Hint>,
}

impl RunError {
    /// An error with advice.
    pub fn new(message: impl Into<String>, hint: impl Into<Hint>) -> RunError {
        RunError {
            place: None,
            message: message.into(),
            hint: Some(hint.into()),
        }
    }

    /// A defect of icehost.
    pub fn internal(message: impl Into<String>) -> RunError {
        RunError::new(message, "please report this as a defect")
    }

    /// The same error, whose hint begins with what a misspelt name may have meant.
    #[must_use]
    pub fn with_guess(mut self, near: &str) -> RunError {
        let guess = format!("did you mean '{near}'?");
        self.hint = Some(match self.hint {
            Some(hint) => {
                let mut lines = hint.lines();
                let first = lines.next().unwrap_or_default();
                lines.fold(Hint::from(format!("{guess} {first}")), Hint::and)
            }
            None => guess.into(),
        });
        self
    }

    /// The same error, at this place where it has none of its own.
    #[must_use]
    pub fn at(mut self, place: Option<&Place>) -> RunError {
        self.place = self.place.or_else(|| place.cloned());
        self
    }

    /// The same error with message and hint rewritten, each line of it by itself.
    #[must_use]
    pub fn map(mut self, text: impl Fn(&str) -> String) -> RunError {
        self.message = text(&self.message);
        self.hint = self.hint.map(|hint| hint.map(text));
        self
    }

    /// What to do. Where the system refused the process something, whatever was asked for, only that helps.
    pub fn hint(&self) -> Option<Hint> {
        match untrusted::shortage_told(&self.message) {
            Some(hint) => Some(hint.into()),
            None => self.hint.clone(),
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for RunError {}

macro_rules! error_from {
    ($($error:ty),*) => {$(
        impl From<$error> for RunError {
            fn from(error: $error) -> Self {
                RunError {
                    place: None,
                    message: error.to_string(),
                    hint: error.hint().map(Into::into),
                }
            }
        }
    )*};
}

error_from!(
    SyncError,
    LakeError,
    RegistryError,
    SqlServerError,
    StrategyError
);

impl From<std::io::Error> for RunError {
    fn from(error: std::io::Error) -> Self {
        RunError {
            place: None,
            message: error.to_string(),
            hint: None,
        }
    }
}

impl From<Problem> for RunError {
    fn from(problem: Problem) -> Self {
        RunError {
            place: problem.place,
            message: problem.message,
            hint: problem.hint,
        }
    }
}
