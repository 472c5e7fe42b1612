//! The first half: detect, extract, stage, commit.

use std::sync::Arc;

use icehost_lake::{
    CommitRequest, Committed, Guard, LakeError, LakeErrorKind, LakeTable, StageOptions, Staged,
};
use icehost_plan::{Coverage, Outcome, Watermark};
use icehost_sqlserver::{ExtractOptions, Extracted, SqlTable};
use icehost_strategy::Context;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clocks;
use crate::counts::Counts;
use crate::created_again;
use crate::delta_read::{Purpose, Read, extract};
use crate::detection::{Detected, OpenSource, SourceNames};
use crate::error::Doing;
use crate::failpoint::{self, failpoint, stands};
use crate::first_load::{Run, route};
use crate::lake_keys::{AskSource, check_unique};
use crate::layout;
use crate::row_shape::{self, RowShape};
use crate::same_table;
use crate::stale_mark;
use crate::stop::{self, OfAttempt};
use crate::visibility;
use crate::watermark_place::property;
use crate::watermark_record::{
    SUMMARY_RUN_ID, SUMMARY_STRATEGY_DIGEST, SUMMARY_WATERMARK, WatermarkRecord,
};
use crate::watermark_store::{StoredWatermark, is_at};
use crate::{ColumnRules, Event, Lake, Memory, Observer, SyncError, SyncJob};

/// What the first half did.
pub(crate) struct Landed {
    pub(crate) run_id: Uuid,
    pub(crate) first_sync: bool,
    pub(crate) rows_extracted: u64,
    pub(crate) rows_read_again: u64,
    pub(crate) rows_appended: u64,
    pub(crate) rows_removed: u64,
    pub(crate) snapshot_id: Option<i64>,
    pub(crate) snapshot_created: bool,
    pub(crate) watermark: Option<Watermark>,
    pub(crate) warnings: Vec<String>,
    /// Ranges that the table was read in; `None` where it was read in one piece.
    pub(crate) ranges: Option<u64>,
    /// Those of them that an earlier run had read.
    pub(crate) ranges_resumed: Option<u64>,
    /// The rows were read up to what an earlier run, which was interrupted, found as the source's state: what came
    /// since is not among them.
    pub(crate) under_earlier_bounds: bool,
}

impl Landed {
    /// Nothing has landed yet.
    pub(crate) fn new(run_id: Uuid, detected: &Detected, lake: &LakeTable) -> Landed {
        Landed {
            run_id,
            first_sync: detected.stored.is_none(),
            rows_extracted: 0,
            rows_read_again: 0,
            rows_appended: 0,
            rows_removed: 0,
            snapshot_id: lake.current_snapshot().map(|snapshot| snapshot.id),
            snapshot_created: false,
            watermark: detected.stored.as_ref().map(|s| s.watermark().clone()),
            warnings: detected.warnings.clone(),
            ranges: None,
            ranges_resumed: None,
            under_earlier_bounds: false,
        }
    }

    /// Adds what was read behind it.
    pub(crate) fn followed_by(&mut self, since: Landed) {
        self.run_id = since.run_id;
        self.rows_extracted += since.rows_extracted;
        self.rows_read_again += since.rows_read_again;
        self.rows_appended += since.rows_appended;
        self.rows_removed += since.rows_removed;
        self.snapshot_id = since.snapshot_id;
        self.snapshot_created |= since.snapshot_created;
        self.watermark = since.watermark;
        for warning in since.warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }

    pub(crate) fn warn(&mut self, warning: Option<String>, observer: &dyn Observer) {
        if let Some(warning) = warning {
            observer.event(Event::Warning(&warning));
            self.warnings.push(warning);
        }
    }
}

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
    clocks::compare(&mut source).await?;
    let misdated = clocks::tell(&lake, observer);
    let run = Run {
        run_id,
        observer,
        cancel,
    };
    match land(job, source, &mut lake, misdated, run).await {
        Ok(landed) => Ok(landed),
        Err(error) => Err(stale_mark::keep(job, &lake, error, observer).await),
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

/// From so many rows on that were read and change nothing, a snapshot for the watermark alone costs less than
/// reading them again in each run.
const WORTH_A_SNAPSHOT: u64 = 10_000;

/// Whether the new watermark is worth a snapshot although no row changes: without it the next run would read
/// again many rows that it need not.
async fn spares_reading(
    job: &SyncJob,
    source: &SqlTable,
    detected: &Detected,
    record: &WatermarkRecord,
    read: u64,
) -> bool {
    if read < WORTH_A_SNAPSHOT {
        return false;
    }
    let context = Context {
        table: &source.table,
        options: &job.detection.options,
        watermark: Some(&record.watermark),
    };
    let detector = job.source.rules.guard(&job.detection.strategy);
    let next = detector.plan(&context, &detected.readings).await;
    next.is_ok_and(|next| next.filter != detected.plan.filter)
}

/// Tells the watermark store of a commit. The commit stands whatever becomes of a copy of its watermark.
pub(crate) async fn copy_watermark(
    job: &SyncJob,
    lake: &LakeTable,
    stored: StoredWatermark,
    observer: &dyn Observer,
    landed: &mut Landed,
) {
    if let Err(error) = job.settings.watermarks.committed(lake, &stored).await {
        let warning = error.to_string();
        observer.event(Event::Warning(&warning));
        landed.warnings.push(warning);
    }
    landed.watermark = Some(stored.record.watermark);
}

/// The table, or one that comes into being with its first commit.
pub(crate) async fn open_lake(
    lake: &Lake,
    rules: &ColumnRules,
    source: &OpenSource,
) -> Result<LakeTable, SyncError> {
    let (warehouse, name) = (&lake.warehouse, &lake.table);
    let doing = || format!("opening lake table {name}");
    match warehouse.find(name).await.doing(doing)? {
        Some(table) => {
            table.check_writable().doing(doing)?;
            Ok(table)
        }
        None => {
            warehouse.check_place().await.doing(doing)?;
            let new = layout::new_lake_table(&source.landing(), rules)?;
            warehouse.prepare_create(name, &new).await.doing(doing)
        }
    }
}

/// The table, without a snapshot.
pub(crate) async fn create_empty(
    job: &SyncJob,
    source: &OpenSource,
) -> Result<LakeTable, SyncError> {
    let new = layout::new_lake_table(&source.landing(), &job.source.rules)?;
    job.lake
        .warehouse
        .create_table(&job.lake.table, &new)
        .await
        .doing(|| format!("creating lake table {}", job.lake.table))
}

/// An empty source still gives a table to look at and to load from.
async fn ensure_table(
    job: &SyncJob,
    source: &OpenSource,
    lake: &mut LakeTable,
) -> Result<(), SyncError> {
    if !lake.exists() {
        *lake = create_empty(job, source).await?;
        tracing::info!(table = lake.name(), "created the table, without a snapshot");
    }
    Ok(())
}

/// `keys` are the ordinals of the columns that rows are told apart by.
pub(crate) fn extract_options(job: &SyncJob, memory: Memory, keys: &[u32]) -> ExtractOptions {
    ExtractOptions {
        keys: keys.to_vec(),
        private: job.source.rules.columns(),
        batch_bytes: memory.batch_bytes,
        largest_row: memory.row_bytes,
        time_precision: job.source.time_precision,
        ..ExtractOptions::default()
    }
}

pub(crate) fn stage_options(memory: Memory) -> StageOptions {
    StageOptions {
        row_group_bytes: memory.row_group_bytes,
        alone_bytes: 2 * memory.batch_bytes,
        key_bytes: memory.key_bytes,
        ..StageOptions::default()
    }
}

/// The watermark that the change detector wants committed with the rows. `extracted` does not count rows that were
/// read again; `told` are those of them that the detector is told of.
pub(crate) async fn advance(
    job: &SyncJob,
    source: &SqlTable,
    names: SourceNames<'_>,
    detected: &Detected,
    extracted: Extracted,
    told: u64,
    run_id: Uuid,
) -> Result<WatermarkRecord, SyncError> {
    let context = Context {
        table: &source.table,
        options: &job.detection.options,
        watermark: detected.stored.as_ref().map(StoredWatermark::watermark),
    };
    let outcome = Outcome {
        rows: told,
        readings: detected.readings.clone(),
        observed: extracted.observed,
    };
    let detector = job.source.rules.guard(&job.detection.strategy);
    Ok(WatermarkRecord {
        strategy: detector.strategy().description().name.clone(),
        source: names.identity.to_owned(),
        watermark: detector.advance(&context, &outcome).await?,
        run_id: run_id.to_string(),
        rows: extracted.rows,
        time: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        source_rows: source.table.row_estimate,
        expected_rows: None,
        every_row: None,
        source_table: created_again::which(source),
        source_digest: names.on_server.map(str::to_owned),
        shape: Some(RowShape::of(job, &detected.change).after(detected)),
    })
}

/// A snapshot to be made.
pub(crate) struct Commit<'a> {
    pub(crate) staged: Staged,
    /// Where the source has been read up to with it.
    pub(crate) watermark: Option<&'a WatermarkRecord>,
    /// Further fields of its summary.
    pub(crate) summary: Vec<(&'static str, String)>,
    /// Make it although it has no rows.
    pub(crate) allow_empty: bool,
    /// What else may keep it from being made.
    pub(crate) guard: Guard,
    /// Who knows which keys are one; `None` where rows are not matched.
    pub(crate) server: Option<AskSource<'a>>,
}

/// Commits staged files with the watermark, provided that nobody moved the watermark meanwhile: their delta
/// would then hold rows of ours, and ours rows of theirs. `seen` is the watermark that the run went on from.
/// `None` where nothing changes and no empty snapshot is to be made.
pub(crate) async fn commit(
    job: &SyncJob,
    lake: &LakeTable,
    commit: Commit<'_>,
    seen: Option<&StoredWatermark>,
    run_id: Uuid,
) -> Result<Option<Committed>, SyncError> {
    let doing = || format!("committing to lake table {}", job.lake.table);
    let digest = job.detection.strategy.strategy().digest();
    let mut summary = commit.summary;
    summary.push((SUMMARY_RUN_ID, run_id.to_string()));
    summary.push((SUMMARY_STRATEGY_DIGEST, digest));
    if let Some(record) = commit.watermark {
        summary.push((SUMMARY_WATERMARK, record.to_summary()?));
    }
    let guard = commit.guard;
    let seen = seen.cloned();
    let request = CommitRequest {
        staged: Some(commit.staged),
        summary: summary
            .into_iter()
            .map(|(field, value)| (field.to_owned(), value))
            .collect(),
        guard: Some(Box::new(move |table| {
            let unmoved =
                is_at(table, seen.as_ref()).map_err(|e| LakeError::guard(e.to_string()))?;
            match unmoved || !stands(failpoint::GUARD_WATERMARK) {
                true => {
                    stale_mark::check(table, seen.as_ref())
                        .map_err(|e| LakeError::guard(e.to_string()).transient())?;
                    guard(table)
                }
                false => Err(LakeError::guard(
                    "another sync of this table has moved the watermark meanwhile",
                )
                .transient()),
            }
        })),
        absence: Some(job.settings.deletions.of_lake(job.lake.table.to_string())),
        allow_empty: commit.allow_empty,
        clock_vouched: true,
        snapshot_updates: commit.watermark.map(|record| property(Some(record))),
        stopping: Some(Arc::new(OfAttempt::new())),
        ..CommitRequest::default()
    };
    let committed = match commit.server {
        Some(mut server) => lake.commit_asking(request, &mut server).await,
        None => lake.commit(request).await,
    };
    match committed {
        Err(error) if error.kind() == LakeErrorKind::Stopped => Err(SyncError::cancelled()),
        committed => committed.doing(doing),
    }
}

/// What Iceberg could not hold.
pub(crate) fn warnings(source: &SqlTable, extracted: &Extracted) -> Vec<String> {
    let named = |columns: &[String]| {
        let quoted: Vec<String> = columns.iter().map(|name| format!("'{name}'")).collect();
        quoted.join(", ")
    };
    let table = &source.name;
    let mut warnings = visibility::warnings(source);
    if !extracted.truncated.is_empty() {
        warnings.push(format!(
            "{table}: the 100 ns digit of {} was cut off, as Iceberg holds microseconds (--time-precision error refuses such values)",
            named(&extracted.truncated)
        ));
    }
    if !extracted.offsets_lost.is_empty() {
        warnings.push(format!(
            "{table}: values of {} are now in UTC, as Iceberg holds the moment without the offset",
            named(&extracted.offsets_lost)
        ));
    }
    warnings
}
