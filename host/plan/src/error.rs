//! What is wrong with a plan, a value or a watermark.

/// A plan, value or watermark that the host will not act on.
///
/// `Display` is one lower-case line that names the place (`filter.nodes[3]`, `clauses[1]`) and the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PlanError {
    message: String,
}

impl PlanError {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        PlanError {
            message: message.into(),
        }
    }

    /// The same error, found at `place`.
    pub fn at(self, place: impl std::fmt::Display) -> Self {
        PlanError {
            message: format!("{place}: {}", self.message),
        }
    }
}
