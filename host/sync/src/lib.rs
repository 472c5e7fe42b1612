//! The sync pipeline: the one place that knows both SQL Server and the lake.
//!
//! [`sync()`] runs a [`SyncJob`] (source → lake → target), [`load`] a [`LoadJob`] (lake → target), and
//! [`preview`] finds out what either would do. State commits with the data that it describes: the source's
//! watermark in the commit that holds the rows, the target's position in the transaction of
//! its merge. So a run may end anywhere; the next one goes on from there.

mod blocking;
mod bounds;
mod delivery;
mod detection;
mod error;
mod event;
mod examination;
mod first_load;
mod job;
mod lake_to_target;
mod landing;
mod pipeline;
pub mod preview;
mod reading;
mod report;
mod rows;
mod run;
mod source;
mod source_to_lake;
mod verify;
mod watermark;

use icehost_files::failpoint;
pub use rows::column_rules::{ColumnRule, ColumnRules, HashKey};

pub use bounds::deletion_guard::DeletionGuard;
pub use bounds::memory::{Memory, MemoryBudget};
pub use bounds::retry::RetryPolicy;
pub use bounds::stop::is_settling;
pub use error::SyncError;
pub use event::{Event, Observer, Silent};
pub use examination::{Examination, Obstacle, Part};
pub use first_load::snapshots::SUMMARY_RANGES;
pub use job::{
    CommitMode, Detection, FirstLoadSettings, Lake, LoadJob, Merging, Settings, Source, SyncJob,
    Target,
};
pub use pipeline::{load, new_run_id, sync};
pub use preview::Preview;
pub use report::Report;
pub use rows::source_columns::PROPERTY_SOURCE_COLUMNS;
pub use rows::transforms::{Transforming, Transforms};
pub use verify::{
    Comparison, Difference, Differences, LeftOut, Repaired, Stop, Verification, VerifyOptions,
    verify, verify_load,
};
pub use watermark::directory::DirectoryWatermarks;
pub use watermark::find::last_watermark;
pub use watermark::place::PROPERTY_WATERMARK;
pub use watermark::record::{
    SUMMARY_FIRST_LOAD, SUMMARY_RUN_ID, SUMMARY_STRATEGY_DIGEST, SUMMARY_WATERMARK,
    StoredWatermark, WatermarkRecord,
};
pub use watermark::row_shape::RowShape;
pub use watermark::store::{SnapshotWatermarks, WatermarkStore};
pub use watermark::write::write_watermark;
