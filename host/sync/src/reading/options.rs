//! How rows are read and staged: what a run's memory and settings make of it.

use icehost_lake::StageOptions;
use icehost_sqlserver::ExtractOptions;

use crate::{Memory, SyncJob};

/// `keys` are the ordinals of the columns that rows are told apart by.
pub(crate) fn extract_options(job: &SyncJob, memory: Memory, keys: &[u32]) -> ExtractOptions {
    ExtractOptions {
        keys: keys.to_vec(),
        private: job.source.rules.columns(),
        batch_bytes: memory.batch_bytes,
        largest_row: memory.row_bytes,
        time_precision: job.source.time_precision,
        ..ExtractOptions::default()
    }
}

pub(crate) fn stage_options(memory: Memory) -> StageOptions {
    StageOptions {
        row_group_bytes: memory.row_group_bytes,
        alone_bytes: 2 * memory.batch_bytes,
        key_bytes: memory.key_bytes,
        ..StageOptions::default()
    }
}
