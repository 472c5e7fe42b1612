//! Source, lake and target: both halves compared, and compared again after a repair.

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::delivery::task::Delivery;
use crate::report::milliseconds;
use crate::run::Run;
use crate::verify::compare::judge::Again;
use crate::verify::options::VerifyOptions;
use crate::verify::report::{Repaired, Verification};
use crate::verify::source_half;
use crate::verify::source_half::one_row;
use crate::verify::target_half::compare::TargetHalf;
use crate::{LoadJob, Observer, SyncError, SyncJob};

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
            source_half::compare::compare(Run::new(job, observer, cancel), options)
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
        let half = TargetHalf {
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
    let half = TargetHalf {
        delivery: job.delivery(),
        lake_keeps_all: None,
        again: Again::Between,
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
