//! What keeps the next run from being done, as far as that shows without writing.
//!
//! The questions are those that a run asks itself before it writes; where one is answered with an error, the next run
//! ends with it.

use icehost_untrusted::Hint;
use serde::{Serialize, Serializer};

use crate::SyncError;

/// Why the next run will stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// What it will say.
    pub error: String,
    /// What to do.
    #[serde(serialize_with = "as_text")]
    pub hint: Option<Hint>,
}

fn as_text<S: Serializer>(hint: &Option<Hint>, serializer: S) -> Result<S::Ok, S::Error> {
    hint.as_deref().serialize(serializer)
}

/// Why the next run will stop, as far as was asked.
#[derive(Debug, Default)]
pub(crate) struct Stops(pub(crate) Vec<Stop>);

impl Stops {
    /// What was answered; `None` where a run ends with the error.
    ///
    /// # Errors
    /// What passes, and what ends the comparison itself.
    pub(crate) fn note<T>(&mut self, asked: Result<T, SyncError>) -> Result<Option<T>, SyncError> {
        let error = match asked {
            Ok(answer) => return Ok(Some(answer)),
            Err(error) => error,
        };
        if error.is_transient() || matches!(error, SyncError::Cancelled | SyncError::Unsettled) {
            return Err(error);
        }
        let stop = Stop {
            error: error.to_string(),
            hint: error.hint(),
        };
        if !self.0.contains(&stop) {
            self.0.push(stop);
        }
        Ok(None)
    }
}
