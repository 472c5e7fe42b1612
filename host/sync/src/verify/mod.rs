//! Whether source, lake and target agree, found out without writing anything.
//!
//! The source is read as a run would read it, through column rules and transformers, in one consistent read where the
//! database allows that, and compared with the lake's snapshot. The lake is compared with the target at the snapshot
//! that the target has reached. What differs is told by what becomes of it: the next run takes it away, nobody sees
//! it, or it is wrong.

mod compare;
mod judge;
mod report;
mod rows;
mod shape;
mod source_half;
mod target_half;
mod text;

use std::time::Instant;

use icehost_plan::{
    ChangeSource, Coverage, Expression, ExtractionPlan, Table, ValidExtractionPlan,
};
use tokio_util::sync::CancellationToken;

use crate::lake_to_target::Delivery;
use crate::report::milliseconds;
use crate::{LoadJob, Memory, Observer, Settings, SyncError, SyncJob};

pub use report::{Comparison, Difference, Differences, LeftOut, Verification};

/// How a comparison is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Differing keys that are named, of each class; the counts are exact all the same.
    pub limit: usize,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        VerifyOptions { limit: 20 }
    }
}

/// Compares source, lake and, where there is one, target.
///
/// # Errors
/// [`SyncError`] where they cannot be compared; that they differ is none.
pub async fn verify(
    job: &SyncJob,
    options: VerifyOptions,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> Result<Verification, SyncError> {
    let started = Instant::now();
    let retry = &job.settings.retry;
    let source = retry
        .run(observer, cancel, || {
            source_half::compare(job, options, observer, cancel)
        })
        .await?;
    let mut verification = Verification {
        table: Some(source.table),
        lake_table: job.lake.table.to_string(),
        snapshot_id: source.snapshot_id,
        watermark: source.watermark,
        lake: Some(source.comparison),
        ..Verification::default()
    };
    if let (Some((target, merging)), true) = (&job.target, source.lake_exists) {
        let half = target_half::TargetHalf {
            delivery: Delivery {
                lake: &job.lake,
                target,
                merging,
                full: false,
                exclude: &[],
            },
            lake_keeps_all: Some(source.lake_keeps_all),
            repeats: source.repeats,
            settings: &job.settings,
        };
        let compared = retry
            .run(observer, cancel, || half.compare(options, cancel))
            .await?;
        verification.target_table = Some(target.table.to_string());
        verification.target = Some(compared);
    }
    Ok(verification.finished(started))
}

/// Compares lake and target.
///
/// # Errors
/// Those of [`verify`].
pub async fn verify_load(
    job: &LoadJob,
    options: VerifyOptions,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> Result<Verification, SyncError> {
    let started = Instant::now();
    let half = target_half::TargetHalf {
        delivery: job.delivery(),
        lake_keeps_all: None,
        repeats: false,
        settings: &job.settings,
    };
    let retry = &job.settings.retry;
    let compared = retry
        .run(observer, cancel, || half.compare(options, cancel))
        .await?;
    let verification = Verification {
        lake_table: job.lake.table.to_string(),
        target_table: Some(job.target.table.to_string()),
        target: Some(compared),
        ..Verification::default()
    };
    Ok(verification.finished(started))
}

impl Verification {
    fn finished(mut self, started: Instant) -> Verification {
        self.total();
        self.duration_ms = milliseconds(started.elapsed());
        self
    }
}

/// What one connection and one comparison may take.
fn memory(settings: &Settings, columns: usize) -> Result<Memory, SyncError> {
    let budget = crate::MemoryBudget {
        connections: 1,
        ..settings.memory
    };
    budget.divide(columns)
}

/// A plan that reads these columns of a table's rows.
fn reading(
    table: &Table,
    columns: Vec<u32>,
    filter: Option<Expression>,
) -> Result<ValidExtractionPlan, SyncError> {
    let plan = ExtractionPlan {
        source: ChangeSource::Rows,
        coverage: Coverage::Full,
        columns,
        filter,
        order_by: Vec::new(),
        split_on: None,
        observe: Vec::new(),
    };
    plan.validate(table).map_err(|error| SyncError::Plan {
        doing: format!("planning to compare {}", table.name),
        error,
        hint: "please report this as a defect".to_owned(),
    })
}
