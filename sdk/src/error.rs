//! Errors with which a strategy ends a run.

pub use crate::bindings::detection::icehost::strategy::types::Error;
use crate::{ColumnId, Failure};

/// Why a strategy cannot plan. The host shows `message` to the user, with the strategy's name.
///
/// `code` is stable and for machines, `message` one lower-case line for people.
impl Error {
    /// An error of this kind.
    pub fn new(kind: Failure, code: impl Into<String>, message: impl Into<String>) -> Self {
        Error {
            kind,
            code: code.into(),
            message: message.into(),
            column: None,
        }
    }

    /// The options contradict each other or the table.
    pub fn invalid_options(code: impl Into<String>, message: impl Into<String>) -> Self {
        Error::new(Failure::InvalidOptions, code, message)
    }

    /// The strategy cannot serve this table.
    pub fn unsupported_table(code: impl Into<String>, message: impl Into<String>) -> Self {
        Error::new(Failure::UnsupportedTable, code, message)
    }

    /// The watermark no longer covers the source: only a full read helps.
    pub fn stale_watermark(code: impl Into<String>, message: impl Into<String>) -> Self {
        Error::new(Failure::StaleWatermark, code, message)
    }

    /// The rows are not what the strategy can work with.
    pub fn bad_data(code: impl Into<String>, message: impl Into<String>) -> Self {
        Error::new(Failure::BadData, code, message)
    }

    /// The host or the strategy broke the contract.
    pub fn internal(code: impl Into<String>, message: impl Into<String>) -> Self {
        Error::new(Failure::Internal, code, message)
    }

    /// The same error, about this column.
    pub fn about(mut self, column: ColumnId) -> Self {
        self.column = Some(column);
        self
    }
}
