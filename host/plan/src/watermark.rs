//! How far a source has been read.

use serde::{Deserialize, Serialize};

use crate::{PlanError, Value};

/// Largest number of marks in a watermark.
pub const MAX_MARKS: usize = 64;
/// Largest total size of a watermark's names, texts and bytes.
pub const MAX_WATERMARK_BYTES: usize = 16 * 1024;

/// A strategy's whole state: `watermark` in the contract.
///
/// It is committed with the rows that it describes, in the same Iceberg snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watermark {
    /// The strategy's own layout version.
    pub format: u32,
    /// Named, typed, and visible to operators.
    pub marks: Vec<(String, Value)>,
}

impl Watermark {
    /// Refuses a watermark that is too large, names a mark twice or holds an impossible value.
    pub fn validate(&self) -> Result<(), PlanError> {
        if self.marks.len() > MAX_MARKS {
            return Err(PlanError::new(format!(
                "a watermark has at most {MAX_MARKS} marks, not {}",
                self.marks.len()
            )));
        }
        let bytes: usize = self
            .marks
            .iter()
            .map(|(name, value)| name.len() + value.payload_bytes())
            .sum();
        if bytes > MAX_WATERMARK_BYTES {
            return Err(PlanError::new(format!(
                "a watermark has at most {MAX_WATERMARK_BYTES} bytes, not {bytes}"
            )));
        }
        for (i, (name, value)) in self.marks.iter().enumerate() {
            if name.is_empty() || name.chars().any(char::is_control) {
                return Err(PlanError::new(format!(
                    "mark {i} has an empty name or one with control characters"
                )));
            }
            if self.marks[..i].iter().any(|(other, _)| other == name) {
                return Err(PlanError::new(format!("mark '{name}' stands twice")));
            }
            value
                .validate()
                .map_err(|e| e.at(format!("mark '{name}'")))?;
        }
        Ok(())
    }

    /// The mark of this name.
    pub fn mark(&self, name: &str) -> Option<&Value> {
        self.marks
            .iter()
            .find_map(|(mark, value)| (mark == name).then_some(value))
    }
}
