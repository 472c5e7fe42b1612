//! What is wrong with a case file.

/// A case file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {what}")]
pub struct CaseError {
    file: String,
    what: String,
}

impl CaseError {
    pub(crate) fn new(file: &str, what: impl Into<String>) -> CaseError {
        CaseError {
            file: file.to_owned(),
            what: what.into(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some("the tutorial describes case files: docs/tutorial.md")
    }
}
