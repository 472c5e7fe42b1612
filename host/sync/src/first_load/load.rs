//! A first load at work: takes in ranges as they are read, and writes them down.

use std::sync::Arc;

use icehost_lake::{LakeTable, StageOptions};
use icehost_plan::KeyRange;
use icehost_sqlserver::{Connection, Extracted};

use crate::bounds::stop;
use crate::detection::detected::Detected;
use crate::error::Doing;
use crate::failpoint::{self, failpoint};
use crate::first_load::journal::{Journal, LoadRecord};
use crate::first_load::observed;
use crate::first_load::range::{RangeContext, RangeDone};
use crate::first_load::scheduler::{self, Message, Running};
use crate::first_load::snapshots::{SUMMARY_RANGES, only_ours};
use crate::landing::advance::{advance, copy_watermark};
use crate::landing::commit::{self, Commit};
use crate::landing::landed::Landed;
use crate::reading::counts;
use crate::reading::options::{extract_options, stage_options};
use crate::reading::preparation::Preparation;
use crate::reading::warnings::warnings;
use crate::run::Run;
use crate::source::open::{self, OpenSource, SourceNames};
use crate::watermark::record::{SUMMARY_FIRST_LOAD, StoredWatermark, WatermarkRecord};
use crate::{CommitMode, Event, SyncError};

/// A first load that is ready to be worked on.
pub(crate) struct FirstLoad {
    pub(crate) journal: Journal,
    pub(crate) record: LoadRecord,
    /// Ordinals of the columns that the ranges are of.
    pub(crate) key: Vec<u32>,
    /// Ranges that an earlier run has read.
    pub(crate) resumed: usize,
    /// An earlier run has begun it, and read the bounds.
    pub(crate) continued: bool,
    /// The connections beside the source's own.
    pub(crate) connections: Vec<Connection>,
}

/// What a run needs all along.
struct Load<'a> {
    run: &'a Run<'a>,
    source: &'a OpenSourceParts,
    detected: &'a Detected,
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
        run: &Run<'_>,
        source: OpenSource,
        lake: LakeTable,
        detected: &Detected,
    ) -> Result<Landed, SyncError> {
        let job = run.job;
        let memory = source.memory(job)?;
        let comparable = counts::are_comparable(&source, detected);
        let OpenSource {
            connection,
            table,
            identity,
            on_server,
            ..
        } = source;
        run.observer.event(Event::Extracting {
            row_estimate: table.table.row_estimate,
        });
        let context = RangeContext {
            table: table.clone(),
            plan: detected.plan.clone(),
            key: self.key,
            lake: lake.clone(),
            change: detected.change.rows.clone(),
            preparation: Preparation::new(&job.source, &table.table, detected)?,
            extract: extract_options(job, memory, &detected.change.key_columns(&table)),
            stage: StageOptions {
                unique_keys: detected.change.unique_keys,
                unmatched: true,
                ..stage_options(memory)
            },
            run_id: run.id,
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
            run,
            source: &parts,
            detected,
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
        let running = scheduler::start(
            Arc::new(context),
            &job.source,
            &job.settings.retry,
            connections,
            pending,
            run.cancel,
        );
        if let Err(error) = load.read(running).await {
            return Err(load.interrupted(error));
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
            Message::Warning(text) => self.run.warn(&text),
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
        if self.run.job.settings.first_load.commit == CommitMode::PerRange {
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
                [range, ..] => {
                    let (_, warning) = self.commit(&[*range], None).await?;
                    if let Some(warning) = warning {
                        self.run.warn(&warning);
                    }
                }
            }
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
        let mut landed = Landed::new(self.run.id, self.detected, &self.lake);
        landed.rows_extracted = extracted.rows;
        let of_rows = warnings(&self.source.table, &extracted);
        landed.warnings.extend(of_rows);
        for warning in &landed.warnings {
            self.run.warn(warning);
        }
        if extracted.rows == 0 {
            self.journal.remove().await?;
            return Ok(landed);
        }
        // Ranges that are committed one by one leave the last one to the watermark.
        if self.run.job.settings.first_load.commit == CommitMode::PerRange {
            self.commit_finished().await?;
        }
        let record = advance(
            self.run,
            &self.source.table,
            SourceNames {
                identity: &self.source.identity,
                on_server: self.source.on_server.as_deref(),
            },
            self.detected,
            extracted.clone(),
            extracted.rows,
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
        let (stored, warning) = self.commit(&open, Some(&record)).await?;
        // What is committed is told as such, though the user asks to stop.
        let _landed = stop::hold();
        landed.rows_appended = extracted.rows;
        landed.snapshot_id = Some(stored);
        landed.snapshot_created = true;
        landed.warn(warning, self.run.observer);
        // Of a load that is in the lake it says no more than the lake does, and the next run removes it.
        if let Err(error) = self.journal.remove().await {
            landed.warn(Some(error.to_string()), self.run.observer);
        }
        let stored = StoredWatermark {
            record,
            snapshot_id: stored,
            sequence_number: self
                .lake
                .current_snapshot()
                .map_or(0, |snapshot| snapshot.sequence_number),
        };
        copy_watermark(self.run, &self.lake, stored, &mut landed).await;
        if let (Some(rows), true, Some(true)) = (source_rows, self.comparable, every_row) {
            let lake = self.lake.name();
            let gone = counts::gone(&self.source.table, lake, extracted.rows, rows);
            landed.warn(gone, self.run.observer);
        }
        Ok(landed)
    }

    /// Rows that the source has now that all ranges are read, as it estimates: those of a range that was read before
    /// may be gone.
    async fn source_rows(&self) -> Result<Option<u64>, SyncError> {
        if !self.comparable {
            return Ok(self.source.table.table.row_estimate);
        }
        let (_, now) = open::find(&self.run.job.source).await?;
        Ok(now.table.row_estimate)
    }

    /// Whether no transformer has left out a row; `None` where an earlier version has read a range and did not say.
    fn every_row(&self) -> Option<bool> {
        let untouched = self.run.job.source.transforms.is_empty().then_some(0);
        let done = self.record.ranges.iter().filter_map(|r| r.done.as_ref());
        let dropped: Option<Vec<u64>> = done.map(|done| done.dropped.or(untouched)).collect();
        Some(dropped?.iter().all(|rows| *rows == 0))
    }

    /// Commits these ranges as one snapshot; gives its id, and what went wrong behind it.
    async fn commit(
        &mut self,
        ranges: &[usize],
        watermark: Option<&WatermarkRecord>,
    ) -> Result<(i64, Option<String>), SyncError> {
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
            update: self.detected.columns.clone(),
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
        let committed = commit::commit(self.run, &self.lake, commit, before).await?;
        let committed = committed.ok_or_else(|| {
            SyncError::internal(format!(
                "ranges of the first load of lake table {} were read, but no snapshot was made",
                self.lake.name()
            ))
        })?;
        let _committed = stop::hold();
        failpoint(failpoint::RANGES_COMMITTED)?;
        self.run.observer.event(Event::Committed {
            snapshot_id: committed.snapshot_id,
            rows: committed.rows_appended,
        });
        for &range in ranges {
            if let Some(entry) = self.record.ranges.get_mut(range) {
                entry.snapshot_id = Some(committed.snapshot_id);
            }
        }
        self.lake = committed.table;
        Ok((committed.snapshot_id, committed.warning))
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
        self.run.observer.event(Event::Extracted { rows, bytes });
    }

    fn tell_progress(&self) {
        self.run.observer.event(Event::Ranges {
            done: self.record.done() as u64,
            total: self.record.ranges.len() as u64,
        });
    }

    /// Says what stays for the next run.
    fn interrupted(&self, error: SyncError) -> SyncError {
        let (done, total) = (self.record.done(), self.record.ranges.len());
        if matches!(error, SyncError::Cancelled) && self.run.cancel.is_cancelled() {
            return SyncError::Interrupted { done, total };
        }
        self.run.warn(&format!(
            "{done} of {total} ranges of the first load have been read and stay; the next run reads the others"
        ));
        error
    }
}

fn add_names(all: &mut Vec<String>, more: &[String]) {
    for name in more {
        if !all.contains(name) {
            all.push(name.clone());
        }
    }
}
