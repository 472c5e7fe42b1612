//! The first half: detect, extract, stage, commit.

use icehost_lake::{Committed, LakeError, LakeTable, Staged};
use icehost_plan::Coverage;
use icehost_sqlserver::Extracted;

use crate::bounds::stop;
use crate::detection::detected::Detected;
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
use crate::watermark::record::{StoredWatermark, WatermarkRecord};
use crate::watermark::stale_mark;
use crate::{Event, SyncError};

/// One attempt, from the connection to the commit. It leaves nothing behind where it fails.
pub(crate) async fn attempt(run: Run<'_>) -> Result<Landed, SyncError> {
    let job = run.job;
    let mut source = OpenSource::open(&job.source).await?;
    if let Some((target, _)) = &job.target {
        same_table::refuse_under_view(&mut source, target).await?;
    }
    let mut lake = open_lake(&job.lake, &job.source.rules, &source).await?;
    if !lake.exists()
        && let Some(delivery) = job.delivery()
    {
        delivery.look_ahead(&job.source, &lake).await?;
    }
    let unmended = lake.mend_hint().await.err();
    server_clock::compare(&mut source).await?;
    let misdated = server_clock::tell(&lake, run.observer);
    match land(&run, source, &mut lake, misdated).await {
        Ok(mut landed) => {
            // A commit of this run has pointed the hint at its own version, or has said why not.
            if let Some(error) = unmended.filter(|_| !landed.snapshot_created) {
                landed.warn(Some(behind(&lake, &error)), run.observer);
            }
            Ok(landed)
        }
        Err(error) => {
            let watermarks = &*job.settings.watermarks;
            Err(stale_mark::keep(watermarks, &lake, error, run.observer).await)
        }
    }
}

/// That readers which look no further than the hint see an earlier version.
fn behind(lake: &LakeTable, error: &LakeError) -> String {
    let advice = error
        .hint()
        .map_or_else(String::new, |hint| format!(" ({hint})"));
    format!(
        "the newest version of lake table {} cannot be made known to readers that go by version-hint.text: {error}{advice}",
        lake.name()
    )
}

/// The same, once source and lake are open: in ranges, or in one piece.
async fn land(
    run: &Run<'_>,
    mut source: OpenSource,
    lake: &mut LakeTable,
    misdated: Option<String>,
) -> Result<Landed, SyncError> {
    let (detected, load) = route(run, &mut source, lake).await?;
    let reshaped = row_shape::check(run.job, detected.stored.as_ref(), &detected)?;
    failpoint(failpoint::AFTER_DETECT)?;
    if let Some(load) = load {
        return load.run(run, source, lake.clone(), &detected).await;
    }
    let mut whole = InOnePiece {
        run,
        source,
        lake,
        detected: &detected,
    };
    let (read, mut landed, counts) = whole.read(misdated, reshaped).await?;
    whole.land(read, &counts, &mut landed).await?;
    Ok(landed)
}

/// A delta that is read in one piece.
struct InOnePiece<'a> {
    run: &'a Run<'a>,
    source: OpenSource,
    /// As of the last commit before it.
    lake: &'a mut LakeTable,
    detected: &'a Detected,
}

impl InOnePiece<'_> {
    /// Reads it into files, and ends the read of the source.
    async fn read(
        &mut self,
        misdated: Option<String>,
        reshaped: Option<String>,
    ) -> Result<(Read, Landed, Counts), SyncError> {
        let (run, source, detected) = (self.run, &mut self.source, self.detected);
        let read = extract(run, source, self.lake, detected, Purpose::Commit).await?;
        let mut landed = Landed::new(run.id, detected, self.lake);
        landed.rows_read_again = read.staged.rows_held();
        landed.rows_extracted = read.extracted.rows.saturating_sub(landed.rows_read_again);
        if landed.rows_extracted > 0 {
            check_unique(source, &detected.change, &run.job.source).await?;
        }
        let new = landed.rows_extracted;
        let counts = Counts::take(source, self.lake, detected, new, read.dropped).await?;
        source
            .connection
            .end_read()
            .await
            .doing(|| format!("ending the read of source table {}", source.table.name))?;
        failpoint(failpoint::AFTER_EXTRACT)?;

        let of_rows = warnings(&source.table, &read.extracted);
        landed.warnings.extend(of_rows);
        for warning in &landed.warnings {
            run.warn(warning);
        }
        landed.warnings.extend(misdated);
        landed.warn(reshaped, run.observer);
        for left in &read.told {
            landed.warn(Some(left.clone()), run.observer);
        }
        Ok((read, landed, counts))
    }

    /// Commits it with its watermark, where there is anything to commit.
    async fn land(
        &mut self,
        read: Read,
        counts: &Counts,
        landed: &mut Landed,
    ) -> Result<(), SyncError> {
        let (run, detected) = (self.run, self.detected);
        let Read {
            extracted,
            staged,
            apart,
            ..
        } = read;
        // Where every row was to be read, none is an answer: all that the lake has is gone.
        let all_gone = detected.plan.coverage == Coverage::Full
            && detected.change.rows.deletes_unlisted()
            && self.lake.current_snapshot().is_some()
            && stands(failpoint::GUARD_EMPTY_READ);
        if extracted.rows == 0 && !all_gone {
            // No snapshot, and so no new watermark: nothing lies between the old one and the upper bound.
            staged.discard();
            ensure_table(run.job, &self.source, self.lake).await?;
            let told = counts.tell(&self.source, self.lake, detected, false).await;
            landed.warn(told, run.observer);
            return Ok(());
        }
        let rows = landed.rows_extracted;
        let new = Extracted { rows, ..extracted };
        let (table, names) = (&self.source.table, self.source.names());
        let told = rows.saturating_sub(apart);
        let record = advance(run, table, names, detected, new, told).await?;
        let record = counts.noted(record);
        let read = rows + landed.rows_read_again;
        let spares = spares_reading(run.job, table, detected, &record, read).await;
        if rows == 0 && !spares && !all_gone {
            staged.discard();
            let told = counts.tell(&self.source, self.lake, detected, false).await;
            landed.warn(told, run.observer);
            return Ok(());
        }
        let Some(committed) = self.commit(staged, &record, spares).await? else {
            // A transformer has dropped every row, and the lake has none of them. They are read again.
            return ensure_table(run.job, &self.source, self.lake).await;
        };
        // What is committed is told as such, though the user asks to stop.
        let _landed = stop::hold();
        self.tell(committed, record, counts, landed).await;
        Ok(())
    }

    async fn commit(
        &mut self,
        staged: Staged,
        record: &WatermarkRecord,
        spares: bool,
    ) -> Result<Option<Committed>, SyncError> {
        let commit_of = Commit {
            staged,
            watermark: Some(record),
            update: self.detected.columns.clone(),
            summary: Vec::new(),
            allow_empty: spares,
            guard: Box::new(|_| Ok(())),
            server: Some(AskSource::new(
                &mut self.source.connection,
                &self.detected.change,
            )),
        };
        let seen = self.detected.stored.as_ref();
        commit(self.run, self.lake, commit_of, seen).await
    }

    /// Says what is committed, and what the lake then lacks or has too much.
    async fn tell(
        &self,
        committed: Committed,
        record: WatermarkRecord,
        counts: &Counts,
        landed: &mut Landed,
    ) {
        let run = self.run;
        landed.warn(committed.warning, run.observer);
        landed.rows_appended = committed.rows_appended;
        landed.rows_removed = committed.rows_removed;
        landed.snapshot_id = Some(committed.snapshot_id);
        landed.snapshot_created = true;
        run.observer.event(Event::Committed {
            snapshot_id: committed.snapshot_id,
            rows: committed.rows_appended,
        });
        let stored = StoredWatermark {
            record,
            snapshot_id: committed.snapshot_id,
            sequence_number: committed.sequence_number,
        };
        copy_watermark(run, &committed.table, stored, landed).await;
        let told = counts
            .tell(&self.source, &committed.table, self.detected, true)
            .await;
        landed.warn(told, run.observer);
    }
}
