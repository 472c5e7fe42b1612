//! The first half: detect, extract, stage, commit.

use icehost_lake::LakeTable;
use icehost_plan::Coverage;
use icehost_sqlserver::Extracted;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bounds::stop;
use crate::detection::keys::{AskSource, check_unique};
use crate::detection::row_shape;
use crate::error::Doing;
use crate::failpoint::{self, failpoint, stands};
use crate::first_load::route::route;
use crate::landing::advance::{advance, copy_watermark, spares_reading};
use crate::landing::commit::{Commit, commit};
use crate::landing::landed::Landed;
use crate::landing::table::{ensure_table, open_lake};
use crate::reading::counts::Counts;
use crate::reading::delta::{Purpose, Read, extract};
use crate::reading::warnings::warnings;
use crate::run::Run;
use crate::source::open::OpenSource;
use crate::source::{same_table, server_clock};
use crate::watermark::record::StoredWatermark;
use crate::watermark::stale_mark;
use crate::{Event, Observer, SyncError, SyncJob};

/// One attempt, from the connection to the commit. It leaves nothing behind where it fails.
pub(crate) async fn attempt(
    job: &SyncJob,
    run_id: Uuid,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> Result<Landed, SyncError> {
    let mut source = OpenSource::open(&job.source).await?;
    if let Some((target, _)) = &job.target {
        same_table::refuse_under_view(&mut source, target).await?;
    }
    let mut lake = open_lake(&job.lake, &job.source.rules, &source).await?;
    if !lake.exists()
        && let Some(delivery) = job.delivery()
    {
        delivery.look_ahead(&lake).await?;
    }
    lake.mend_hint()
        .await
        .doing(|| format!("opening lake table {}", job.lake.table))?;
    server_clock::compare(&mut source).await?;
    let misdated = server_clock::tell(&lake, observer);
    let run = Run {
        run_id,
        observer,
        cancel,
    };
    match land(job, source, &mut lake, misdated, run).await {
        Ok(landed) => Ok(landed),
        Err(error) => {
            Err(stale_mark::keep(&*job.settings.watermarks, &lake, error, observer).await)
        }
    }
}

/// The same, once source and lake are open.
async fn land(
    job: &SyncJob,
    mut source: OpenSource,
    lake: &mut LakeTable,
    misdated: Option<String>,
    run: Run<'_>,
) -> Result<Landed, SyncError> {
    let (run_id, observer) = (run.run_id, run.observer);
    let (detected, load) = route(job, &mut source, lake, observer).await?;
    let reshaped = row_shape::check(job, detected.stored.as_ref(), &detected)?;
    failpoint(failpoint::AFTER_DETECT)?;
    if let Some(load) = load {
        return load.run(job, source, lake.clone(), &detected, run).await;
    }

    let Read {
        extracted,
        staged,
        apart,
        dropped,
        told: left,
    } = extract(job, &mut source, lake, &detected, &run, Purpose::Commit).await?;
    let mut landed = Landed::new(run_id, &detected, lake);
    landed.rows_read_again = staged.rows_held();
    landed.rows_extracted = extracted.rows.saturating_sub(landed.rows_read_again);
    if landed.rows_extracted > 0 {
        check_unique(&mut source, &detected.change, &job.source).await?;
    }
    let new = landed.rows_extracted;
    let counts = Counts::take(&mut source, lake, &detected, new, dropped).await?;
    source
        .connection
        .end_read()
        .await
        .doing(|| format!("ending the read of source table {}", source.table.name))?;
    failpoint(failpoint::AFTER_EXTRACT)?;

    landed.warnings.extend(warnings(&source.table, &extracted));
    for warning in &landed.warnings {
        observer.event(Event::Warning(warning));
    }
    landed.warnings.extend(misdated);
    landed.warn(reshaped, observer);
    for left in left {
        landed.warn(Some(left), observer);
    }
    // Where every row was to be read, none is an answer: all that the lake has is gone.
    let all_gone = detected.plan.coverage == Coverage::Full
        && detected.change.rows.deletes_unlisted()
        && lake.current_snapshot().is_some()
        && stands(failpoint::GUARD_EMPTY_READ);
    if extracted.rows == 0 && !all_gone {
        // No snapshot, and so no new watermark: nothing lies between the old one and the upper bound.
        staged.discard();
        ensure_table(job, &source, lake).await?;
        let told = counts.tell(&source, lake, &detected, false).await;
        landed.warn(told, observer);
        return Ok(landed);
    }
    let rows = landed.rows_extracted;
    let record = advance(
        job,
        &source.table,
        source.names(),
        &detected,
        Extracted { rows, ..extracted },
        rows.saturating_sub(apart),
        run_id,
    )
    .await?;
    let record = counts.noted(record);
    let read = rows + landed.rows_read_again;
    let spares = spares_reading(job, &source.table, &detected, &record, read).await;
    if rows == 0 && !spares && !all_gone {
        staged.discard();
        let told = counts.tell(&source, lake, &detected, false).await;
        landed.warn(told, observer);
        return Ok(landed);
    }
    let commit_of = Commit {
        staged,
        watermark: Some(&record),
        summary: Vec::new(),
        allow_empty: spares,
        guard: Box::new(|_| Ok(())),
        server: Some(AskSource::new(&mut source.connection, &detected.change)),
    };
    let seen = detected.stored.as_ref();
    let Some(committed) = commit(job, lake, commit_of, seen, run_id).await? else {
        // A transformer has dropped every row, and the lake has none of them. They are read again.
        ensure_table(job, &source, lake).await?;
        return Ok(landed);
    };
    // What is committed is told as such, though the user asks to stop.
    let _landed = stop::hold();
    landed.rows_appended = committed.rows_appended;
    landed.rows_removed = committed.rows_removed;
    landed.snapshot_id = Some(committed.snapshot_id);
    landed.snapshot_created = true;
    observer.event(Event::Committed {
        snapshot_id: committed.snapshot_id,
        rows: committed.rows_appended,
    });
    let stored = StoredWatermark {
        record,
        snapshot_id: committed.snapshot_id,
        sequence_number: committed.sequence_number,
    };
    copy_watermark(job, &committed.table, stored, observer, &mut landed).await;
    let told = counts
        .tell(&source, &committed.table, &detected, true)
        .await;
    landed.warn(told, observer);
    Ok(landed)
}
