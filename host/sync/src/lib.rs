//! The sync pipeline: the one place that knows both SQL Server and the lake.
//!
//! [`sync()`] runs a [`SyncJob`] (source → lake → target), [`load`] a [`LoadJob`] (lake → target), and
//! [`preview`] finds out what either would do. State commits with the data that it describes: the source's
//! watermark in the commit that holds the rows, the target's position in the transaction of
//! its merge. So a run may end anywhere; the next one goes on from there.

mod blocking;
mod by_key;
mod choice;
mod clock;
mod clocks;
mod column_rules;
mod counts;
mod created_again;
mod deletion_guard;
mod delivery_start;
mod delta;
mod delta_read;
mod detection;
mod error;
mod event;
mod examination;
mod expected_delivery;
mod filled_in;
mod first_load;
mod job;
mod journal;
mod key_doubts;
mod lake_keys;
mod lake_to_target;
mod landing_at_target;
mod landing_digest;
mod layout;
mod loss;
mod memory;
mod moved_back;
mod moved_rows;
mod newest;
mod operations;
mod permissions;
mod pipeline;
mod preparation;
pub mod preview;
mod range_scheduler;
mod range_task;
mod read_again;
mod repetition;
mod report;
mod retry;
mod row_shape;
mod run_time;
mod same_table;
mod source_to_lake;
mod staging_at_target;
mod stale_mark;
mod stop;
mod target_table;
mod transfer;
mod transforms;
mod verify;
mod visibility;
mod watermark_directory;
mod watermark_place;
mod watermark_record;
mod watermark_store;
mod withdrawals;

pub use column_rules::{ColumnRule, ColumnRules, HashKey};
use icehost_files::failpoint;

pub use deletion_guard::DeletionGuard;
pub use error::SyncError;
pub use event::{Event, Observer, Silent};
pub use examination::{Examination, Obstacle, Part};
pub use first_load::{SUMMARY_FIRST_LOAD, SUMMARY_RANGES};
pub use job::{
    CommitMode, Detection, FirstLoadSettings, Lake, LoadJob, Merging, Settings, Source, SyncJob,
    Target,
};
pub use layout::PROPERTY_SOURCE_COLUMNS;
pub use memory::{Memory, MemoryBudget};
pub use pipeline::{load, new_run_id, sync};
pub use preview::Preview;
pub use report::Report;
pub use retry::RetryPolicy;
pub use row_shape::RowShape;
pub use stop::is_settling;
pub use transforms::{Transforming, Transforms};
pub use verify::{
    Comparison, Difference, Differences, LeftOut, Repaired, Stop, Verification, VerifyOptions,
    verify, verify_load,
};
pub use watermark_directory::DirectoryWatermarks;
pub use watermark_place::PROPERTY_WATERMARK;
pub use watermark_record::{
    SUMMARY_RUN_ID, SUMMARY_STRATEGY_DIGEST, SUMMARY_WATERMARK, WatermarkRecord,
};
pub use watermark_store::{
    SnapshotWatermarks, StoredWatermark, WatermarkStore, last_watermark, write_watermark,
};
