//! Whether source, lake and target agree, found out without writing anything; and, where that is asked for, what is
//! wrong delivered again.
//!
//! The source is read as a run would read it, through column rules and transformers, in one consistent read where the
//! database allows that, and compared with the lake's snapshot. The lake is compared with the target at the snapshot
//! that the target has reached. What differs is told by what becomes of it: the next run takes it away, nobody sees
//! it, or it is wrong.

mod apart;
mod came;
mod compare;
mod fits;
mod fold;
mod identity;
mod judge;
mod lake_repair;
mod newest;
mod next_run;
mod one_row;
mod order;
mod rehearsal;
mod repair;
mod report;
mod rows;
mod shape;
mod source_half;
mod source_rules;
mod states;
mod stops;
mod sums;
mod target_half;
mod target_position;
mod target_repair;
mod target_rules;
mod text;
mod undelivered;
mod versions;
mod written;

use std::time::Instant;

use icehost_plan::{
    ChangeSource, Coverage, Expression, ExtractionPlan, Table, ValidExtractionPlan,
};
use tokio_util::sync::CancellationToken;

use crate::report::milliseconds;
use crate::run::Run;
use crate::target::delivery::Delivery;
use crate::{LoadJob, Memory, Observer, Settings, SyncError, SyncJob};

pub use report::{Comparison, Difference, Differences, LeftOut, Repaired, Verification};
pub use stops::Stop;

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
    /// Wrong keys that a repair remembers at a time: what a quarter of a row group takes, at 32 bytes each.
    fn remembered(&self, share: Memory) -> usize {
        match self.repair {
            true => VerifyOptions::wrong_keys(share),
            false => 0,
        }
    }

    /// As many keys as there is room for.
    fn wrong_keys(share: Memory) -> usize {
        (share.row_group_bytes / 4 / 32).max(1)
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

/// Compares source, lake and, where there is one, target; repairs what is wrong, where that is asked for, and then
/// compares again.
///
/// # Errors
/// [`SyncError`] where they cannot be compared; that they differ is none.
pub async fn verify(
    job: &SyncJob,
    options: &VerifyOptions,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> Result<Verification, SyncError> {
    let once = || compare_sync(job, options, observer, cancel);
    repeated(options, once).await
}

async fn compare_sync(
    job: &SyncJob,
    options: &VerifyOptions,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> Result<Verification, SyncError> {
    let retry = &job.settings.retry;
    let source = retry
        .run(observer, cancel, || {
            source_half::compare(Run::new(job, observer, cancel), options)
        })
        .await?;
    let mut verification = Verification {
        table: Some(source.table),
        lake_table: job.lake.table.to_string(),
        snapshot_id: source.snapshot_id,
        watermark: source.watermark,
        lake: Some(source.comparison),
        next_run_stops: source.stops,
        ..Verification::default()
    };
    let mut repaired = Repaired {
        lake_rows: source.repaired,
        target_rows: 0,
    };
    if let Some((target, merging)) = &job.target {
        let half = target_half::TargetHalf {
            delivery: Delivery {
                lake: &job.lake,
                target,
                merging,
                full: false,
                trust_position: false,
                exclude: &options.exclude,
                deletions: job.settings.deletions,
                most_bytes: job.settings.memory.held_bytes(),
            },
            lake_keeps_all: Some(source.lake_keeps_all),
            again: source.again,
            to_come: source.to_come,
            source_columns: &source.columns,
            settings: &job.settings,
        };
        let compared = retry
            .run(observer, cancel, || half.compare(options, cancel))
            .await?;
        verification.target_table = Some(target.table.to_string());
        let mut comparison = compared.comparison;
        let told = one_row::look(job, &compared.knows_by, &mut comparison, options.limit).await?;
        verification.target = Some(comparison);
        verification.next_run_stops.extend(compared.stops);
        verification.next_run_stops.extend(told);
        repaired.target_rows = compared.repaired;
    }
    if let Some(error) = source.not_repaired {
        return Err(error);
    }
    verification.repaired = options.repair.then_some(repaired);
    verification.total();
    Ok(verification)
}

/// Compares, and compares again after each repair, until nothing is wrong or a repair has not helped.
async fn repeated<F: Future<Output = Result<Verification, SyncError>>>(
    options: &VerifyOptions,
    compare: impl Fn() -> F,
) -> Result<Verification, SyncError> {
    let started = Instant::now();
    let mut all = Repaired::default();
    let mut least = u64::MAX;
    let mut verification = loop {
        let verification = compare().await?;
        if let Some(repaired) = verification.repaired {
            all.lake_rows += repaired.lake_rows;
            all.target_rows += repaired.target_rows;
        }
        if !options.repair || verification.wrong == 0 || verification.wrong >= least {
            break verification;
        }
        least = verification.wrong;
    };
    verification.repaired = options.repair.then_some(all);
    verification.duration_ms = milliseconds(started.elapsed());
    Ok(verification)
}

/// Compares lake and target, and repairs as [`verify`] does.
///
/// # Errors
/// Those of [`verify`].
pub async fn verify_load(
    job: &LoadJob,
    options: &VerifyOptions,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> Result<Verification, SyncError> {
    let once = || compare_load(job, options, observer, cancel);
    repeated(options, once).await
}

async fn compare_load(
    job: &LoadJob,
    options: &VerifyOptions,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> Result<Verification, SyncError> {
    let half = target_half::TargetHalf {
        delivery: job.delivery(),
        lake_keeps_all: None,
        again: judge::Again::Between,
        to_come: false,
        source_columns: &[],
        settings: &job.settings,
    };
    let retry = &job.settings.retry;
    let compared = retry
        .run(observer, cancel, || half.compare(options, cancel))
        .await?;
    let mut verification = Verification {
        lake_table: job.lake.table.to_string(),
        target_table: Some(job.target.table.to_string()),
        target: Some(compared.comparison),
        repaired: options.repair.then_some(Repaired {
            lake_rows: 0,
            target_rows: compared.repaired,
        }),
        next_run_stops: compared.stops,
        ..Verification::default()
    };
    verification.total();
    Ok(verification)
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
    valid(plan, table)
}

fn valid(plan: ExtractionPlan, table: &Table) -> Result<ValidExtractionPlan, SyncError> {
    plan.validate(table).map_err(|error| SyncError::Plan {
        doing: format!("planning to compare {}", table.name),
        error,
        hint: "please report this as a defect".to_owned(),
    })
}
