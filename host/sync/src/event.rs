//! What a run tells while it goes on.

use std::time::Duration;

use crate::SyncError;

/// A step of a run, for progress displays and logs.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The source is being asked what changed.
    Detecting,
    /// Rows are being read from the source.
    Extracting {
        /// How many, about: the whole table is read, and the server has an estimate of its rows.
        row_estimate: Option<u64>,
    },
    /// So many rows have been read and staged as files.
    Extracted {
        /// Rows so far.
        rows: u64,
        /// Their size in memory so far, in bytes.
        bytes: u64,
    },
    /// So many of the ranges of a first load have been read, in this run or in earlier ones.
    Ranges {
        /// Ranges that have been read.
        done: u64,
        /// Ranges in all.
        total: u64,
    },
    /// The delta is in the lake.
    Committed {
        /// The new snapshot.
        snapshot_id: i64,
        /// Rows in its data files.
        rows: u64,
    },
    /// Rows are being read from the lake and staged at the target.
    Loading {
        /// At most so many rows.
        rows: u64,
    },
    /// So many rows are in the target's staging table.
    Loaded {
        /// Rows so far.
        rows: u64,
        /// Their size in memory so far, in bytes.
        bytes: u64,
    },
    /// The staged rows are being merged.
    Merging {
        /// Rows in the staging table.
        rows: u64,
    },
    /// The merge is committed.
    Merged,
    /// Something that the user should know but that stops nothing.
    Warning(&'a str),
    /// A transient failure; the half starts again.
    Retrying {
        /// The attempt that failed, from 1.
        attempt: u32,
        /// Attempts in all.
        of: u32,
        /// How long it waits.
        delay: Duration,
        /// Why it failed.
        error: &'a SyncError,
    },
}

/// Receives events. Calls come from the run's own task and should not block.
pub trait Observer: Send + Sync {
    /// One step.
    fn event(&self, event: Event<'_>);
}

/// Ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: Event<'_>) {}
}
