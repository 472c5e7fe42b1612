//! Why a registry was of no use.

use crate::text::shown;

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// What was given is unusable: a reference, a key, a file.
    Usage,
    /// The registry does not have it.
    NotFound,
    /// The registry wants a login, or another one.
    Denied,
    /// The registry cannot be reached, or does not answer.
    Unreachable,
    /// What the registry sent is refused.
    Refused,
    /// The lock file does not have it, or has it under other conditions.
    NotLocked,
    /// It is not on this machine, and nothing may be fetched.
    Offline,
}

/// A failure: what was tried, on what, why not, and what to do. Never shows a credential.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct RegistryError {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, RegistryError>;

impl RegistryError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        RegistryError {
            kind,
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What was sent is not what was asked for, or not what it should be.
    pub(crate) fn refused(what: &str, why: impl AsRef<str>) -> Self {
        RegistryError::new(
            ErrorKind::Refused,
            format!("{what} is refused: {}", shown(why.as_ref())),
        )
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What to do next.
    pub fn hint(&self) -> Option<&str> {
        let own = self.hint.as_deref();
        own.or_else(|| hint_for_kind(self.kind))
    }
}

/// What to do about a failure of which nothing more is known than its kind.
fn hint_for_kind(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::NotFound => Some("check the reference, and that it was pushed there"),
        ErrorKind::Denied => {
            Some("log in with 'docker login', with a login that has the right to do this")
        }
        ErrorKind::Unreachable => Some("check host and network, and try again later"),
        ErrorKind::Refused => Some(
            "nothing of it was kept: check the reference; where it is right, the registry or something in between is at \
             fault, and who pushed it can push it anew",
        ),
        ErrorKind::NotLocked => Some("`icehost plugin lock` writes down what the file names"),
        ErrorKind::Offline => Some("run once where the registry can be reached"),
        ErrorKind::Usage => None,
    }
}
