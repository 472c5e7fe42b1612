//! The first load of a table, in ranges of its key: several connections at once, and resumable.
//!
//! All ranges are read under the upper bound that the change detector probed before: a row that changes
//! afterwards moves above it and belongs to the next run, wherever the load is by then. So connections need
//! not share one view of the table, and a range that was read yesterday fits one that is read today.
//!
//! A range that has been read stays in its files and in the [journal](crate::journal) until all are in.

mod observed;
mod route;

use std::collections::BTreeMap;
use std::sync::Arc;

use icehost_lake::{LakeError, LakeTable, StageOptions};
use icehost_plan::KeyRange;
use icehost_sqlserver::{Connection, Extracted};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) use route::route;

use crate::counts;
use crate::detection::{self, Detected, OpenSource, SourceNames};
use crate::error::Doing;
use crate::failpoint::{self, failpoint, stands};
use crate::journal::{Journal, LoadRecord};
use crate::preparation::Preparation;
use crate::range_scheduler::{self, Message, Running};
use crate::range_task::{RangeContext, RangeDone};
use crate::source_to_lake::{self, Commit, Landed};
use crate::stop;
use crate::{CommitMode, Event, Observer, SyncError, SyncJob, WatermarkRecord};

/// Snapshot summary entry that identifies the first load that the snapshot is of.
pub const SUMMARY_FIRST_LOAD: &str = "icehost.first-load";
/// Snapshot summary entry that says which of its ranges the snapshot holds: numbers from 0 separated by
/// commas, or `all`.
pub const SUMMARY_RANGES: &str = "icehost.first-load-ranges";

/// A first load that is ready to be worked on.
pub(crate) struct FirstLoad {
    journal: Journal,
    record: LoadRecord,
    /// Ordinals of the columns that the ranges are of.
    key: Vec<u32>,
    /// Ranges that an earlier run has read.
    resumed: usize,
    /// An earlier run has begun it, and read the bounds.
    continued: bool,
    /// The connections beside the source's own.
    connections: Vec<Connection>,
}

/// A run, and who watches and stops it.
pub(crate) struct Run<'a> {
    pub(crate) run_id: Uuid,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) cancel: &'a CancellationToken,
}

/// What a run needs all along.
struct Load<'a> {
    job: &'a SyncJob,
    source: &'a OpenSourceParts,
    detected: &'a Detected,
    run_id: Uuid,
    observer: &'a dyn Observer,
    journal: Journal,
    record: LoadRecord,
    /// The table as of the last commit.
    lake: LakeTable,
    /// Rows and bytes of each range so far.
    progress: Vec<(u64, u64)>,
    /// The lake gets as many rows as are read.
    comparable: bool,
}

/// The source without its connection, which works on ranges.
pub(crate) struct OpenSourceParts {
    pub(crate) table: icehost_sqlserver::SqlTable,
    pub(crate) identity: String,
    pub(crate) on_server: Option<String>,
}

impl FirstLoad {
    /// Reads what is missing, and commits.
    pub(crate) async fn run(
        self,
        job: &SyncJob,
        source: OpenSource,
        lake: LakeTable,
        detected: &Detected,
        run: Run<'_>,
    ) -> Result<Landed, SyncError> {
        let Run {
            run_id,
            observer,
            cancel,
        } = run;
        let memory = source.memory(job)?;
        let comparable = counts::are_comparable(&source, detected);
        let OpenSource {
            connection,
            table,
            identity,
            on_server,
            ..
        } = source;
        observer.event(Event::Extracting {
            row_estimate: table.table.row_estimate,
        });
        let context = RangeContext {
            table: table.clone(),
            plan: detected.plan.clone(),
            key: self.key,
            lake: lake.clone(),
            change: detected.change.rows.clone(),
            preparation: Preparation::new(&job.source, &table.table, detected)?,
            extract: source_to_lake::extract_options(
                job,
                memory,
                &detected.change.key_columns(&table),
            ),
            stage: StageOptions {
                unique_keys: detected.change.unique_keys,
                unmatched: true,
                ..source_to_lake::stage_options(memory)
            },
            run_id,
        };
        let pending: Vec<(usize, KeyRange)> = self
            .record
            .ranges
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.done.is_none())
            .map(|(index, entry)| (index, entry.range.clone()))
            .collect();
        let parts = OpenSourceParts {
            table,
            identity,
            on_server,
        };
        let mut load = Load {
            job,
            source: &parts,
            detected,
            run_id,
            observer,
            journal: self.journal,
            progress: vec![(0, 0); self.record.ranges.len()],
            record: self.record,
            lake,
            comparable,
        };
        load.tell_progress();
        // Not more connections than there are ranges.
        let mut connections = vec![connection];
        connections.extend(self.connections);
        connections.truncate(pending.len().max(1));
        let running = range_scheduler::start(
            Arc::new(context),
            &job.source,
            &job.settings.retry,
            connections,
            pending,
            cancel,
        );
        if let Err(error) = load.read(running).await {
            return Err(load.interrupted(error, cancel));
        }
        failpoint(failpoint::AFTER_EXTRACT)?;
        let ranges = load.record.ranges.len() as u64;
        let mut landed = load.land().await?;
        landed.ranges = Some(ranges);
        landed.ranges_resumed = Some(self.resumed as u64);
        landed.under_earlier_bounds = self.continued;
        Ok(landed)
    }
}

impl Load<'_> {
    /// Takes in ranges until all are there.
    async fn read(&mut self, mut running: Running) -> Result<(), SyncError> {
        let mut outcome = Ok(());
        while let Some(message) = running.next().await {
            if let Err(error) = self.take(message).await {
                running.stop();
                // The first says why; what ends behind it is still written down.
                if outcome.is_ok() {
                    outcome = Err(error);
                }
            }
        }
        let finished = running.finish().await;
        outcome.and(finished)
    }

    async fn take(&mut self, message: Message) -> Result<(), SyncError> {
        match message {
            Message::Warning(text) => self.observer.event(Event::Warning(&text)),
            Message::Progress { range, rows, bytes } => {
                if let Some(progress) = self.progress.get_mut(range) {
                    *progress = (rows, bytes);
                }
                self.tell_rows();
            }
            Message::Done { range, done } => {
                if let Some(progress) = self.progress.get_mut(range) {
                    *progress = (done.rows, done.bytes);
                }
                self.record_done(range, done).await?;
                self.tell_rows();
                self.tell_progress();
            }
        }
        Ok(())
    }

    /// Writes down that a range is there and, where each has a commit of its own, commits it.
    async fn record_done(&mut self, range: usize, done: RangeDone) -> Result<(), SyncError> {
        if let Some(entry) = self.record.ranges.get_mut(range) {
            entry.done = Some(done);
        }
        self.journal.write(&self.record).await?;
        failpoint(failpoint::RANGE_RECORDED)?;
        if self.job.settings.first_load.commit == CommitMode::PerRange {
            self.commit_finished().await?;
        }
        Ok(())
    }

    /// Commits, one by one, ranges that are read and not committed. Once all are read, one is left for the
    /// commit that carries the watermark; ranges without rows go with that one too.
    async fn commit_finished(&mut self) -> Result<(), SyncError> {
        let complete = self.record.done() == self.record.ranges.len();
        loop {
            let open = self.open_ranges().into_iter();
            let with_rows: Vec<usize> = open
                .filter(|&range| self.rows(range).is_some_and(|rows| rows > 0))
                .collect();
            match with_rows.as_slice() {
                [] => return Ok(()),
                [_] if complete => return Ok(()),
                [range, ..] => self.commit(&[*range], None).await?,
            };
            self.journal.write(&self.record).await?;
        }
    }

    /// Ranges that no snapshot holds.
    fn open_ranges(&self) -> Vec<usize> {
        let ranges = self.record.ranges.iter().enumerate();
        ranges
            .filter(|(_, entry)| entry.snapshot_id.is_none())
            .map(|(index, _)| index)
            .collect()
    }

    /// Rows of a range; `None` while it is not read.
    fn rows(&self, range: usize) -> Option<u64> {
        Some(self.record.ranges.get(range)?.done.as_ref()?.rows)
    }

    /// Everything has been read: commits what is not yet committed, with the watermark.
    async fn land(mut self) -> Result<Landed, SyncError> {
        let extracted = self.extracted();
        let mut landed = Landed::new(self.run_id, self.detected, &self.lake);
        landed.rows_extracted = extracted.rows;
        let of_rows = source_to_lake::warnings(&self.source.table, &extracted);
        landed.warnings.extend(of_rows);
        for warning in &landed.warnings {
            self.observer.event(Event::Warning(warning));
        }
        if extracted.rows == 0 {
            self.journal.remove().await?;
            return Ok(landed);
        }
        // Ranges that are committed one by one leave the last one to the watermark.
        if self.job.settings.first_load.commit == CommitMode::PerRange {
            self.commit_finished().await?;
        }
        let record = source_to_lake::advance(
            self.job,
            &self.source.table,
            SourceNames {
                identity: &self.source.identity,
                on_server: self.source.on_server.as_deref(),
            },
            self.detected,
            extracted.clone(),
            extracted.rows,
            self.run_id,
        )
        .await?;
        let every_row = self.every_row();
        let source_rows = self.source_rows().await?;
        let record = WatermarkRecord {
            source_rows,
            every_row,
            ..record
        };
        let open = self.open_ranges();
        let stored = self.commit(&open, Some(&record)).await?;
        // What is committed is told as such, though the user asks to stop.
        let _landed = stop::hold();
        landed.rows_appended = extracted.rows;
        landed.snapshot_id = Some(stored);
        landed.snapshot_created = true;
        self.journal.remove().await?;
        let stored = crate::StoredWatermark {
            record,
            snapshot_id: stored,
            sequence_number: self
                .lake
                .current_snapshot()
                .map_or(0, |snapshot| snapshot.sequence_number),
        };
        source_to_lake::copy_watermark(self.job, &self.lake, stored, self.observer, &mut landed)
            .await;
        if let (Some(rows), true, Some(true)) = (source_rows, self.comparable, every_row) {
            let lake = self.lake.name();
            let gone = counts::gone(&self.source.table, lake, extracted.rows, rows);
            landed.warn(gone, self.observer);
        }
        Ok(landed)
    }

    /// Rows that the source has now that all ranges are read, as it estimates: those of a range that was read before
    /// may be gone.
    async fn source_rows(&self) -> Result<Option<u64>, SyncError> {
        if !self.comparable {
            return Ok(self.source.table.table.row_estimate);
        }
        let (_, now) = detection::find(&self.job.source).await?;
        Ok(now.table.row_estimate)
    }

    /// Whether no transformer has left out a row; `None` where an earlier version has read a range and did not say.
    fn every_row(&self) -> Option<bool> {
        let untouched = self.job.source.transforms.is_empty().then_some(0);
        let done = self.record.ranges.iter().filter_map(|r| r.done.as_ref());
        let dropped: Option<Vec<u64>> = done.map(|done| done.dropped.or(untouched)).collect();
        Some(dropped?.iter().all(|rows| *rows == 0))
    }

    /// Commits these ranges as one snapshot; gives its id.
    async fn commit(
        &mut self,
        ranges: &[usize],
        watermark: Option<&crate::WatermarkRecord>,
    ) -> Result<i64, SyncError> {
        let total = self.record.ranges.len();
        let kept = ranges
            .iter()
            .filter_map(|&range| self.record.ranges.get(range)?.done.as_ref())
            .map(|done| done.files.clone())
            .collect();
        let partly = self.record.partly_committed();
        let staged = self
            .lake
            .adopt(kept, self.detected.change.rows.clone(), partly)
            .await
            .doing(|| format!("committing to lake table {}", self.lake.name()))?;
        let id = self.record.id;
        let numbers = if ranges.len() == total {
            "all".to_owned()
        } else {
            let numbers: Vec<String> = ranges.iter().map(usize::to_string).collect();
            numbers.join(",")
        };
        let ours: Vec<usize> = ranges.to_vec();
        let commit = Commit {
            staged,
            watermark,
            summary: vec![
                (SUMMARY_FIRST_LOAD, id.to_string()),
                (SUMMARY_RANGES, numbers),
            ],
            // The last range may have no rows, but it has the watermark.
            allow_empty: watermark.is_some(),
            guard: Box::new(move |table: &LakeTable| only_ours(table, id, &ours, total)),
            server: None,
        };
        let before = self.detected.stored.as_ref();
        let committed =
            source_to_lake::commit(self.job, &self.lake, commit, before, self.run_id).await?;
        let committed = committed.ok_or_else(|| {
            SyncError::internal(format!(
                "ranges of the first load of lake table {} were read, but no snapshot was made",
                self.lake.name()
            ))
        })?;
        let _committed = stop::hold();
        failpoint(failpoint::RANGES_COMMITTED)?;
        self.observer.event(Event::Committed {
            snapshot_id: committed.snapshot_id,
            rows: committed.rows_appended,
        });
        for &range in ranges {
            if let Some(entry) = self.record.ranges.get_mut(range) {
                entry.snapshot_id = Some(committed.snapshot_id);
            }
        }
        self.lake = committed.table;
        Ok(committed.snapshot_id)
    }

    /// What is known of all ranges together.
    fn extracted(&self) -> Extracted {
        let mut whole = Extracted {
            rows: 0,
            bytes: 0,
            observed: Vec::new(),
            truncated: Vec::new(),
            offsets_lost: Vec::new(),
        };
        for done in self.record.ranges.iter().filter_map(|r| r.done.as_ref()) {
            whole.rows += done.rows;
            whole.bytes += done.bytes;
            observed::combine(
                &self.detected.plan.observe,
                &mut whole.observed,
                &done.observed,
            );
            add_names(&mut whole.truncated, &done.truncated);
            add_names(&mut whole.offsets_lost, &done.offsets_lost);
        }
        whole
    }

    fn tell_rows(&self) {
        let (rows, bytes) = self
            .progress
            .iter()
            .fold((0, 0), |(rows, bytes), (r, b)| (rows + r, bytes + b));
        self.observer.event(Event::Extracted { rows, bytes });
    }

    fn tell_progress(&self) {
        self.observer.event(Event::Ranges {
            done: self.record.done() as u64,
            total: self.record.ranges.len() as u64,
        });
    }

    /// Says what stays for the next run.
    fn interrupted(&self, error: SyncError, cancel: &CancellationToken) -> SyncError {
        let (done, total) = (self.record.done(), self.record.ranges.len());
        if matches!(error, SyncError::Cancelled) && cancel.is_cancelled() {
            return SyncError::Interrupted { done, total };
        }
        self.observer.event(Event::Warning(&format!(
            "{done} of {total} ranges of the first load have been read and stay; the next run reads the others"
        )));
        error
    }
}

/// Refuses a table that holds anything but other ranges of the same load.
fn only_ours(table: &LakeTable, id: Uuid, ranges: &[usize], total: usize) -> Result<(), LakeError> {
    let Some(current) = table.current_snapshot() else {
        return Ok(());
    };
    for snapshot in table.ancestors(current.id) {
        if route::load_id(&snapshot.summary) != Some(id) {
            return Err(LakeError::guard(format!(
                "snapshot {} of lake table {} was made by somebody else while the first load was under way",
                snapshot.id,
                table.name()
            ))
            .with_hint("load into a table that nobody else writes to; --restart starts over"));
        }
        let there = ranges_of(&snapshot.summary, total);
        if there.iter().any(|range| ranges.contains(range)) {
            return Err(LakeError::guard(format!(
                "snapshot {} of lake table {} holds a range already that was to be committed",
                snapshot.id,
                table.name()
            ))
            .with_hint("run again: the journal is then set right"));
        }
    }
    Ok(())
}

/// The ranges that a snapshot of a first load holds.
fn ranges_of(summary: &BTreeMap<String, String>, total: usize) -> Vec<usize> {
    match summary.get(SUMMARY_RANGES).map(String::as_str) {
        None => Vec::new(),
        Some(_) if !stands(failpoint::GUARD_RANGES) => Vec::new(),
        Some("all") => (0..total).collect(),
        Some(list) => list.split(',').filter_map(|n| n.parse().ok()).collect(),
    }
}

fn add_names(all: &mut Vec<String>, more: &[String]) {
    for name in more {
        if !all.contains(name) {
            all.push(name.clone());
        }
    }
}
