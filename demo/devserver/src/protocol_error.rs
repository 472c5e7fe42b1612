//! What can be wrong with the bytes a client sends.

use icehost_devengine::session::SqlError;

/// SQL Server's number for a malformed remote procedure call; the client keeps its connection.
const MALFORMED_RPC: u32 = 8009;

/// The number under which the development server refuses a part of TDS that it does not model.
pub(crate) const NOT_SUPPORTED: u32 = 50_001;

/// Bytes that are not the TDS that their place calls for, or TDS that this server does not model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProtocolError {
    /// The message ends inside of a field.
    #[error("the message ends within {reading}")]
    Truncated {
        /// What was being read.
        reading: &'static str,
    },
    /// A field holds what the protocol does not allow there.
    #[error("{0}")]
    Invalid(String),
    /// Sound TDS, refused.
    #[error("the development server does not support {0}")]
    Unsupported(String),
    /// More bytes than the server is willing to hold.
    #[error("{what} is longer than {limit} bytes, the most that the development server takes")]
    TooLong {
        /// What was being read.
        what: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
}

impl ProtocolError {
    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid(what.into())
    }

    /// The ERROR token that answers a request in which this was found.
    pub(crate) fn to_sql_error(&self) -> SqlError {
        let (number, message) = match self {
            Self::Unsupported(_) => (NOT_SUPPORTED, self.to_string()),
            _ => (
                MALFORMED_RPC,
                format!(
                    "The incoming tabular data stream (TDS) protocol stream is incorrect: {self}."
                ),
            ),
        };
        SqlError {
            number,
            state: 1,
            class: 16,
            message,
            line: 1,
            aborts_batch: false,
        }
    }
}
