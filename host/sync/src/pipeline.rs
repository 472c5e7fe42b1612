//! The whole story: source → lake → target.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::delivery::table as target_table;
use crate::error::Doing;
use crate::failpoint::{self, stands};
use crate::lake_to_target;
use crate::report::milliseconds;
use crate::run::Run;
use crate::source::same_table;
use crate::source_to_lake;
use crate::{LoadJob, Observer, Report, SyncError, SyncJob, Target};

/// A new run's id.
pub fn new_run_id() -> String {
    Uuid::now_v7().to_string()
}

/// Moves what changed in the source to the lake, and what changed in the lake to the target.
///
/// Each half is all or nothing, and is tried again as a whole after failures that pass. A failure of the
/// second half leaves the first one's snapshot; the next run then has nothing to extract and delivers it.
///
/// A first load that an earlier run began ends under the bounds of that run; what came since is read behind it.
///
/// Cancellation takes effect within a second, wherever the run is. It does not interrupt a commit, to the lake or to the
/// target, and leaves no staged files behind.
///
/// # Errors
/// [`SyncError`]; nothing has advanced in the half that failed.
pub async fn sync(
    job: &SyncJob,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> Result<Report, SyncError> {
    let started = Instant::now();
    let retry = &job.settings.retry;
    let mut report = Report {
        table: job.source.table.to_string(),
        lake_table: job.lake.table.to_string(),
        ..Report::default()
    };

    if let Some((target, _)) = &job.target {
        let look = || {
            Box::pin(async {
                same_table::refuse(&job.source, target).await?;
                look_ahead(job, target).await
            })
        };
        retry
            .run_within(Duration::ZERO, observer, cancel, look)
            .await?;
    }
    let new_warehouse = !warehouse_exists(job).await?;
    let land = || Box::pin(source_to_lake::attempt(Run::new(job, observer, cancel)));
    let mut landed = retry.run(observer, cancel, land).await?;
    if landed.under_earlier_bounds && stands(failpoint::GUARD_EARLIER_BOUNDS) {
        let since = retry.run(observer, cancel, land).await?;
        landed.followed_by(since);
    }
    report.landed(landed, started.elapsed());
    if new_warehouse && warehouse_exists(job).await.unwrap_or(true) {
        let directory = job.lake.warehouse.address();
        tracing::info!(directory, "created the warehouse");
        report.warehouse_created = Some(directory);
    }

    if let Some(delivery) = job.delivery() {
        let delivering = Instant::now();
        let delivered = retry
            .run(observer, cancel, || {
                Box::pin(lake_to_target::attempt(Run::new(
                    &delivery, observer, cancel,
                )))
            })
            .await?;
        let target = delivery.target.table.to_string();
        report.delivered(delivered, target, delivering.elapsed());
    }
    report.duration_ms = milliseconds(started.elapsed());
    Ok(report)
}

async fn warehouse_exists(job: &SyncJob) -> Result<bool, SyncError> {
    let exists = job.lake.warehouse.exists().await;
    exists.doing(|| format!("opening lake table {}", job.lake.table))
}

/// Before a first sync, whether the target can be reached and is there: what it reads may be much, and most mistakes are
/// made then. Whether it takes the lake's columns is asked once the source's are known. Later, a target that is away does not keep the lake from following its source.
async fn look_ahead(job: &SyncJob, target: &Target) -> Result<(), SyncError> {
    let name = &job.lake.table;
    let there = job.lake.warehouse.has_table(name).await;
    if there.doing(|| format!("opening lake table {name}"))? {
        return Ok(());
    }
    target_table::find(target).await.map(drop)
}

/// Moves what changed in the lake to the target.
///
/// # Errors
/// [`SyncError`]; nothing has advanced.
pub async fn load(
    job: &LoadJob,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> Result<Report, SyncError> {
    let started = Instant::now();
    let delivery = job.delivery();
    let delivered = job
        .settings
        .retry
        .run(observer, cancel, || {
            Box::pin(lake_to_target::attempt(Run::new(
                &delivery, observer, cancel,
            )))
        })
        .await?;
    let mut report = Report {
        table: job.target.table.to_string(),
        lake_table: job.lake.table.to_string(),
        ..Report::default()
    };
    report.delivered(delivered, job.target.table.to_string(), started.elapsed());
    report.duration_ms = milliseconds(started.elapsed());
    Ok(report)
}
