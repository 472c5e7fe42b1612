//! What can go wrong in the lake, and what to do about it.

use std::fmt;

use crate::storage::local::LeadsNowhere;

/// The result of a lake operation.
pub type Result<T, E = LakeError> = std::result::Result<T, E>;

/// The kinds of [`LakeError`] that a caller can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LakeErrorKind {
    /// The name cannot be a table's.
    InvalidName,
    /// The table is not there.
    TableNotFound,
    /// The table is there, where it must not be; also when somebody else created it meanwhile.
    TableExists,
    /// The table has no such snapshot.
    SnapshotNotFound,
    /// The snapshot from which changes are asked for is no ancestor of the one they are asked up to: it has
    /// expired, or the table was rolled back. Only a full read helps.
    PositionLost,
    /// One row of each key is asked for, and nothing tells which of several rows of a key is the newest.
    VersionsUnordered,
    /// Another writer was faster, more often than this one was willing to try again.
    Conflict,
    /// The caller's own guard refused the state that the commit met.
    GuardRefused,
    /// The caller's own guard refused how many rows would be deleted.
    DeletionsRefused,
    /// The caller asked to stop.
    Stopped,
    /// No answer came to a commit, and whether it was made could not be found out.
    Unsettled,
    /// Only the server knows which keys are one, and it could not be asked.
    KeysUnknown,
    /// Something in the table or in the plan that icehost does not carry out, by name.
    Unsupported,
    /// There is not enough memory for what the table's files hold, by the run's limit.
    NoRoom,
    /// A row or a batch that does not fit the table.
    InvalidData,
    /// Files that do not say what the Iceberg spec wants.
    Corrupt,
    /// The file system failed.
    Io,
    /// A defect of icehost.
    Internal,
}

/// An operation on the lake that failed: what was tried, on what and why, and a hint at what to do next.
///
/// `Display` is one lower-case line without the hint.
#[derive(Debug)]
pub struct LakeError {
    kind: LakeErrorKind,
    message: String,
    hint: Option<String>,
    transient: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl LakeError {
    /// An error of this kind.
    pub fn new(kind: LakeErrorKind, message: impl Into<String>) -> Self {
        LakeError {
            kind,
            message: message.into(),
            hint: None,
            transient: kind == LakeErrorKind::Conflict,
            source: None,
        }
    }

    /// The state that a commit met is not the one that it was prepared for; what a guard returns.
    pub fn guard(message: impl Into<String>) -> Self {
        LakeError::new(LakeErrorKind::GuardRefused, message)
    }

    /// The same error with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error with advice, unless the system's own reason has some: where a disk is full or the process may
    /// open no more files, nothing else helps.
    #[must_use]
    pub(crate) fn or_hint(self, hint: impl Into<String>) -> Self {
        match self.hint {
            Some(_) => self,
            None => self.with_hint(hint),
        }
    }

    /// The same error with its cause, which `Display` appends.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error, marked as one that may pass when the whole operation is tried again.
    #[must_use]
    pub fn transient(mut self) -> Self {
        self.transient = true;
        self
    }

    /// What kind of error it is.
    pub fn kind(&self) -> LakeErrorKind {
        self.kind
    }

    /// What to do next, where there is something to say.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Whether trying the whole operation again may help.
    pub fn is_transient(&self) -> bool {
        self.transient
    }

    /// A file operation that failed. `doing` is a phrase like `read`.
    pub(crate) fn io(doing: &str, location: &str, error: std::io::Error) -> Self {
        use std::io::ErrorKind as E;
        let hint = match error.kind() {
            E::StorageFull | E::QuotaExceeded => Some("free some space and run again"),
            E::PermissionDenied => Some("check the permissions of the warehouse directory"),
            E::ReadOnlyFilesystem => Some("the file system is mounted read-only"),
            E::NotADirectory => Some(
                "a file stands where a directory is wanted: move it away, or name another warehouse or table",
            ),
            _ if LeadsNowhere::is_why(&error) => Some(LeadsNowhere::HINT),
            _ => icehost_untrusted::shortage(&error),
        };
        let transient = matches!(
            error.kind(),
            E::TimedOut | E::Interrupted | E::ResourceBusy | E::StaleNetworkFileHandle
        );
        LakeError {
            kind: LakeErrorKind::Io,
            message: format!("cannot {doing} {location}"),
            hint: hint.map(str::to_owned),
            transient,
            source: Some(error.into()),
        }
    }

    /// A file that cannot be understood.
    pub(crate) fn corrupt(
        what: &str,
        location: &str,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        LakeError::new(
            LakeErrorKind::Corrupt,
            format!("the {what} {location} cannot be read"),
        )
        .with_source(error)
    }

    /// What must not happen.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        LakeError::new(LakeErrorKind::Internal, message)
            .with_hint("this is a defect of icehost; please report it")
    }

    /// Something that is refused by name.
    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        LakeError::new(LakeErrorKind::Unsupported, message)
    }
}

impl fmt::Display for LakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for LakeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}

impl From<arrow_schema::ArrowError> for LakeError {
    fn from(error: arrow_schema::ArrowError) -> Self {
        LakeError::new(LakeErrorKind::InvalidData, "cannot process a batch").with_source(error)
    }
}

impl From<iceberg::Error> for LakeError {
    fn from(error: iceberg::Error) -> Self {
        LakeError::new(
            LakeErrorKind::Corrupt,
            "cannot process the table's metadata",
        )
        .with_source(error)
    }
}

impl From<icehost_files::failpoint::Failed> for LakeError {
    fn from(failed: icehost_files::failpoint::Failed) -> Self {
        LakeError::new(LakeErrorKind::Io, failed.to_string())
    }
}

impl From<icehost_files::ThreadFailed> for LakeError {
    fn from(failed: icehost_files::ThreadFailed) -> Self {
        LakeError::internal(failed.to_string())
    }
}

/// Runs file work on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    icehost_files::blocking(work).await
}
