//! Why a run, or what it needs, failed.

use std::fmt;

use icehost_config::{Place, Problem};
use icehost_lake::LakeError;
use icehost_registry::RegistryError;
use icehost_sqlserver::SqlServerError;
use icehost_strategy::StrategyError;
use icehost_sync::SyncError;
use icehost_untrusted::{self as untrusted, Hint, SystemRefusal};

use crate::kind::{ErrorKind, Told};

/// What failed and why, in one line, and what to do next. `Display` is the line, with the place in front.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunError {
    /// Where in a configuration file.
    pub place: Option<Place>,
    /// What failed and why.
    pub message: String,
    hint: Option<Hint>,
    kind: ErrorKind,
    transient: bool,
}

impl RunError {
    /// An error with advice, which does not pass by itself.
    pub fn new(kind: ErrorKind, message: impl Into<String>, hint: impl Into<Hint>) -> RunError {
        RunError::told(kind, message, Some(hint.into()))
    }

    /// An error with advice, if there is any, which does not pass by itself.
    pub fn told(kind: ErrorKind, message: impl Into<String>, hint: Option<Hint>) -> RunError {
        RunError {
            place: None,
            message: message.into(),
            hint,
            kind,
            transient: false,
        }
    }

    /// Settings that are wrong, or do not go together.
    pub fn config(message: impl Into<String>, hint: impl Into<Hint>) -> RunError {
        RunError::new(ErrorKind::Config, message, hint)
    }

    /// A defect of icehost.
    pub fn internal(message: impl Into<String>) -> RunError {
        RunError::new(
            ErrorKind::Internal,
            message,
            "please report this as a defect",
        )
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

    /// The same error with other advice.
    #[must_use]
    pub fn with_hint(mut self, hint: Hint) -> RunError {
        self.hint = Some(hint);
        self
    }

    /// The same error, which may pass or not.
    #[must_use]
    pub fn passing(mut self, transient: bool) -> RunError {
        self.transient = transient;
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
            None => {
                let own = self.hint.clone();
                own.or_else(|| general_hint(self.kind(), &self.message).map(Hint::from))
            }
        }
    }
}

/// What to do about an error of which nobody has said that: by what the system refused, or by its kind.
fn general_hint(kind: ErrorKind, message: &str) -> Option<&'static str> {
    /// Too many links, by the system's number (`ELOOP`).
    const LINKS_IN_A_CIRCLE: &str = "(os error 40)";
    match untrusted::refusal_told(message) {
        _ if message.contains(LINKS_IN_A_CIRCLE) => Some(
            "links lead round in a circle there: see with ls -l where each of them leads, and put what is wanted in the \
             place of one",
        ),
        Some(SystemRefusal::Permission) => {
            Some("see who may read and write there, and as which user icehost runs")
        }
        Some(SystemRefusal::Shortage) => {
            Some("free some space where it is written, or choose another place, and run again")
        }
        None => match kind {
            ErrorKind::Io => {
                Some("see what stands there, and whether this user may read and write it")
            }
            ErrorKind::Lake => Some(
                "see what stands there: a file that is damaged or missing has to be brought back from a copy, and a table \
                 that others have changed can go back to an earlier snapshot",
            ),
            _ => None,
        },
    }
}

impl RunError {
    /// What sort of failure it is. Where the system refused the process something, that is what it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind.unless_refused(&self.message)
    }

    /// Whether it may pass though nothing is changed, so that running again later may do. `false` where that is not known.
    pub fn is_transient(&self) -> bool {
        self.transient
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
                let Told { kind, transient } = Told::from(&error);
                RunError {
                    place: None,
                    message: error.to_string(),
                    hint: error.hint().map(Into::into),
                    kind,
                    transient,
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
        RunError::told(ErrorKind::Io, error.to_string(), None)
    }
}

impl From<Problem> for RunError {
    fn from(problem: Problem) -> Self {
        RunError {
            place: problem.place,
            message: problem.message,
            hint: problem.hint,
            kind: ErrorKind::Config,
            transient: false,
        }
    }
}
