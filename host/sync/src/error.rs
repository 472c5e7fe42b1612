//! What can end a run.

use icehost_lake::{LakeError, LakeErrorKind};
use icehost_plan::PlanError;
use icehost_sqlserver::SqlServerError;
use icehost_strategy::StrategyError;
use icehost_untrusted::Hint;

/// A failed run: the layer's own error, with what was being done.
///
/// `Display` is one lower-case line; [`SyncError::hint`] says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// SQL Server, the source or the target, refused or was lost.
    #[error("{doing}: {error}")]
    SqlServer {
        /// For example `reading source table dbo.Customers`.
        doing: String,
        /// Why it failed.
        #[source]
        error: Box<SqlServerError>,
    },
    /// The lake could not be read or written.
    #[error("{doing}: {error}")]
    Lake {
        /// For example `committing to demo.customers`.
        doing: String,
        /// Why it failed.
        #[source]
        error: Box<LakeError>,
    },
    /// A strategy failed, or returned what the host will not act on.
    #[error(transparent)]
    Strategy(Box<StrategyError>),
    /// A plan is sound but does not fit the tables.
    #[error("{doing}: {error}")]
    Plan {
        /// What the plan was for.
        doing: String,
        /// What does not fit.
        #[source]
        error: PlanError,
        /// What to do.
        hint: String,
    },
    /// The source's, lake's and target's tables do not fit together.
    #[error("{message}")]
    Schema {
        /// What does not fit, by table and column.
        message: String,
        /// What to do.
        hint: String,
    },
    /// A login may not do, or is not shown, what the run needs.
    #[error("{message}")]
    Permission {
        /// What it may not.
        message: String,
        /// How to grant it.
        hint: String,
    },
    /// Another run is at work on what this one needs for itself.
    #[error("{message}")]
    Busy {
        /// On what.
        message: String,
        /// What to do.
        hint: String,
    },
    /// A defect of icehost.
    #[error("{message}")]
    Internal {
        /// What was being done, and what went wrong.
        message: String,
    },
    /// The stored watermark cannot be read, written or continued from.
    #[error("{message}")]
    Watermark {
        /// What is wrong with it.
        message: String,
        /// What to do.
        hint: String,
        /// Another run moved it; starting again is right.
        moved: bool,
    },
    /// Rows of the source have gone back behind what was read of them, as after a restore.
    #[error("{message}")]
    SourceWentBack {
        /// What was found.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The target does not fit its position in the lake, and what would follow is not for icehost to decide.
    #[error("{message}")]
    Position {
        /// What was found.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The settings cannot be carried out, or do not go with what an earlier run has left.
    #[error("{message}")]
    Settings {
        /// What does not go.
        message: String,
        /// What to do.
        hint: String,
    },
    /// Too many rows would be deleted only because a complete read did not find them.
    #[error("{message}")]
    Deletions {
        /// How many of how many, of which table.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The user asked to stop a first load that is read in ranges.
    #[error("stopped before it was done; {done} of {total} ranges of the first load are kept")]
    Interrupted {
        /// Ranges that have been read.
        done: usize,
        /// Ranges in all.
        total: usize,
    },
    /// The user asked to stop.
    #[error("stopped before it was done; nothing was committed by the half that was running")]
    Cancelled,
    /// The user asked to stop while something was being committed, and no answer came.
    #[error("stopped while a commit was under way, and whether it was done is not known")]
    Unsettled,
}

impl SyncError {
    /// What to do next, where there is something to do.
    pub fn hint(&self) -> Option<Hint> {
        match self {
            SyncError::SqlServer { error, .. } => error.hint().map(Hint::from),
            SyncError::Lake { error, .. } if error.kind() == LakeErrorKind::PositionLost => {
                Some(Hint::new(
                    "deliver every row once with `icehost load --full`; the changes after it can be told again",
                ))
            }
            SyncError::Lake { error, .. } => error.hint().map(Hint::from),
            SyncError::Strategy(error) => error.hint(),
            SyncError::Plan { hint, .. }
            | SyncError::Schema { hint, .. }
            | SyncError::Permission { hint, .. }
            | SyncError::Busy { hint, .. }
            | SyncError::Settings { hint, .. }
            | SyncError::Deletions { hint, .. }
            | SyncError::Position { hint, .. }
            | SyncError::SourceWentBack { hint, .. }
            | SyncError::Watermark { hint, .. } => Some(Hint::new(hint)),
            SyncError::Interrupted { .. } => Some(Hint::new(
                "run the same command again: it resumes, and reads only the ranges that are missing",
            )),
            SyncError::Internal { .. } => Some(Hint::new("please report this as a defect")),
            SyncError::Cancelled => Some(Hint::new("run the same command again to go on")),
            SyncError::Unsettled => Some(Hint::new(
                "run the same command again: it finds out, and goes on from there",
            )),
        }
    }

    /// Whether the same run may well succeed if it starts again.
    pub fn is_transient(&self) -> bool {
        match self {
            SyncError::SqlServer { error, .. } => error.is_transient(),
            // It was not there when this run looked: another one has created it.
            SyncError::Lake { error, .. } => {
                error.is_transient() || error.kind() == LakeErrorKind::TableExists
            }
            SyncError::Watermark { moved, .. } => *moved,
            SyncError::Strategy(_)
            | SyncError::Plan { .. }
            | SyncError::Schema { .. }
            | SyncError::Permission { .. }
            | SyncError::Busy { .. }
            | SyncError::Internal { .. }
            | SyncError::SourceWentBack { .. }
            | SyncError::Position { .. }
            | SyncError::Settings { .. }
            | SyncError::Deletions { .. }
            | SyncError::Interrupted { .. }
            | SyncError::Cancelled
            | SyncError::Unsettled => false,
        }
    }

    pub(crate) fn cancelled() -> Self {
        SyncError::Cancelled
    }

    pub(crate) fn settings(message: impl Into<String>, hint: impl Into<String>) -> Self {
        SyncError::Settings {
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// A defect of icehost, with what was being done.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        SyncError::Internal {
            message: message.into(),
        }
    }

    pub(crate) fn permission(message: impl Into<String>, hint: impl Into<String>) -> Self {
        SyncError::Permission {
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// Another run was faster; starting again is right.
    pub(crate) fn moved() -> Self {
        SyncError::Watermark {
            message: "another sync of this table was faster".to_owned(),
            hint: "run again".to_owned(),
            moved: true,
        }
    }

    pub(crate) fn position(message: impl Into<String>, hint: impl Into<String>) -> Self {
        SyncError::Position {
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub(crate) fn watermark(message: impl Into<String>, hint: impl Into<String>) -> Self {
        SyncError::Watermark {
            message: message.into(),
            hint: hint.into(),
            moved: false,
        }
    }

    pub(crate) fn schema(message: impl Into<String>, hint: impl Into<String>) -> Self {
        SyncError::Schema {
            message: message.into(),
            hint: hint.into(),
        }
    }
}

impl From<icehost_files::failpoint::Failed> for SyncError {
    fn from(failed: icehost_files::failpoint::Failed) -> Self {
        SyncError::schema(failed.to_string(), "run again without the failpoint")
    }
}

impl From<icehost_files::ThreadFailed> for SyncError {
    fn from(failed: icehost_files::ThreadFailed) -> Self {
        SyncError::internal(failed.to_string())
    }
}

impl From<StrategyError> for SyncError {
    fn from(error: StrategyError) -> Self {
        SyncError::Strategy(Box::new(error))
    }
}

/// Says what was being done when a layer failed.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, SyncError>;
}

impl<T> Doing<T> for Result<T, SqlServerError> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, SyncError> {
        self.map_err(|error| SyncError::SqlServer {
            doing: what(),
            error: Box::new(error),
        })
    }
}

impl<T> Doing<T> for Result<T, LakeError> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, SyncError> {
        self.map_err(|error| SyncError::Lake {
            doing: what(),
            error: Box::new(error),
        })
    }
}
