//! How a comparison is told, and what it may take.

use crate::verify::compare::wrong_keys::WrongKeys;
use crate::{Memory, MemoryBudget, Settings, SyncError};

/// How a comparison is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Differing keys that are named, of each class; the counts are exact all the same.
    pub limit: usize,
    /// Deliver again what is wrong, until nothing is or nothing helps.
    pub repair: bool,
    /// Lake columns that the target of a sync does not take, as where it was loaded without them.
    pub exclude: Vec<String>,
}

impl VerifyOptions {
    /// Wrong keys that a repair remembers at a time: what a quarter of a row group takes.
    pub(crate) fn remembered(&self, share: Memory) -> usize {
        match self.repair {
            true => VerifyOptions::wrong_keys(share),
            false => 0,
        }
    }

    /// As many keys as there is room for.
    pub(crate) fn wrong_keys(share: Memory) -> usize {
        (share.row_group_bytes / 4 / WrongKeys::EACH).max(1)
    }
}

impl Default for VerifyOptions {
    fn default() -> Self {
        VerifyOptions {
            limit: 20,
            repair: false,
            exclude: Vec::new(),
        }
    }
}

/// What one connection and one comparison may take.
pub(crate) fn memory(settings: &Settings, columns: usize) -> Result<Memory, SyncError> {
    let budget = MemoryBudget {
        connections: 1,
        ..settings.memory
    };
    budget.divide(columns)
}
