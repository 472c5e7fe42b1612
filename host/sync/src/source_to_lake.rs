//! The first half: detect, extract, stage, commit.

use icehost_lake::{CommitRequest, Committed, LakeError, LakeTable, StageOptions, Staged};
use icehost_plan::{Outcome, Watermark};
use icehost_sqlserver::{ExtractOptions, Extracted};
use icehost_strategy::Context;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::detection::{Detected, OpenSource, detect};
use crate::error::Doing;
use crate::failpoint::failpoint;
use crate::layout;
use crate::watermark_record::{
    SUMMARY_RUN_ID, SUMMARY_STRATEGY_DIGEST, SUMMARY_WATERMARK, WatermarkRecord,
};
use crate::watermark_store::{StoredWatermark, snapshot_watermark};
use crate::{Event, Observer, SyncError, SyncJob};

/// Batches that may wait between the reader and the writer.
const BATCHES_BETWEEN: usize = 1;

/// What the first half did.
pub(crate) struct Landed {
    pub(crate) run_id: Uuid,
    pub(crate) first_sync: bool,
    pub(crate) rows_extracted: u64,
    pub(crate) rows_appended: u64,
    pub(crate) rows_removed: u64,
    pub(crate) snapshot_id: Option<i64>,
    pub(crate) snapshot_created: bool,
    pub(crate) watermark: Option<Watermark>,
    pub(crate) warnings: Vec<String>,
}

/// One attempt, from the connection to the commit. It leaves nothing behind where it fails.
pub(crate) async fn attempt(
    job: &SyncJob,
    run_id: Uuid,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> Result<Landed, SyncError> {
    let mut source = OpenSource::open(&job.source).await?;
    let mut lake = open_lake(job, &source).await?;
    lake.mend_hint()
        .await
        .doing(|| format!("opening lake table {}", job.lake.table))?;
    source.begin_read().await?;
    let detected = detect(job, &mut source, &lake, observer).await?;
    failpoint("sync::after-detect")?;

    let (extracted, staged) =
        extract(job, &mut source, &lake, &detected, run_id, observer, cancel).await?;
    source
        .connection
        .end_read()
        .await
        .doing(|| format!("ending the read of source table {}", source.table.name))?;
    failpoint("sync::after-extract")?;

    let mut landed = Landed {
        run_id,
        first_sync: detected.stored.is_none(),
        rows_extracted: extracted.rows,
        rows_appended: 0,
        rows_removed: 0,
        snapshot_id: lake.current_snapshot().map(|snapshot| snapshot.id),
        snapshot_created: false,
        watermark: detected.stored.as_ref().map(|s| s.watermark().clone()),
        warnings: warnings(&source, &extracted),
    };
    for warning in &landed.warnings {
        observer.event(Event::Warning(warning));
    }
    if extracted.rows == 0 {
        // No snapshot, and so no new watermark: nothing lies between the old one and the upper bound. An
        // empty source still gives a table to look at and to load from.
        if !lake.exists() {
            lake = create_empty(job, &source).await?;
            tracing::info!(table = lake.name(), "created the table, without a snapshot");
        }
        staged.discard();
        return Ok(landed);
    }
    let record = advance(job, &source, &detected, &extracted, run_id).await?;
    let committed = commit(job, &lake, staged, &record, detected.stored, run_id).await?;
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
    // The commit stands whatever becomes of a copy of its watermark.
    if let Err(error) = job
        .settings
        .watermarks
        .committed(&committed.table, &stored)
        .await
    {
        let warning = error.to_string();
        observer.event(Event::Warning(&warning));
        landed.warnings.push(warning);
    }
    landed.watermark = Some(stored.record.watermark);
    Ok(landed)
}

/// The table, or one that comes into being with its first commit.
pub(crate) async fn open_lake(job: &SyncJob, source: &OpenSource) -> Result<LakeTable, SyncError> {
    let (warehouse, name) = (&job.lake.warehouse, &job.lake.table);
    let doing = || format!("opening lake table {name}");
    match warehouse.find(name).await.doing(doing)? {
        Some(table) => Ok(table),
        None => {
            let new = layout::new_lake_table(&source.table.table)?;
            warehouse.prepare_create(name, &new).await.doing(doing)
        }
    }
}

async fn create_empty(job: &SyncJob, source: &OpenSource) -> Result<LakeTable, SyncError> {
    let new = layout::new_lake_table(&source.table.table)?;
    job.lake
        .warehouse
        .create_table(&job.lake.table, &new)
        .await
        .doing(|| format!("creating lake table {}", job.lake.table))
}

/// Reads from the source while what came before is encoded and written.
async fn extract(
    job: &SyncJob,
    source: &mut OpenSource,
    lake: &LakeTable,
    detected: &Detected,
    run_id: Uuid,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> Result<(Extracted, Staged), SyncError> {
    let reading = || format!("reading source table {}", job.source.table);
    let writing = || format!("writing files of lake table {}", job.lake.table);
    let options = ExtractOptions {
        batch_bytes: job.settings.batch_bytes,
        time_precision: job.source.time_precision,
        ..ExtractOptions::default()
    };
    observer.event(Event::Extracting {
        row_estimate: source.table.table.row_estimate,
    });
    let stage_options = StageOptions {
        unique_keys: detected.change.unique_keys,
        ..StageOptions::default()
    };
    let mut writer = lake
        .stage(run_id, detected.change.rows.clone(), stage_options)
        .await
        .doing(writing)?;
    let mut extraction = source
        .connection
        .extract(&source.table, &detected.plan, options)
        .await
        .doing(reading)?;

    let (sender, mut receiver) = mpsc::channel(BATCHES_BETWEEN);
    let read = async move {
        while let Some(batch) = tokio::select! {
            batch = extraction.next_batch() => batch.doing(reading)?,
            () = cancel.cancelled() => return Err(SyncError::cancelled()),
        } {
            // The writer went away: its own error says why.
            if sender.send(batch).await.is_err() {
                break;
            }
        }
        drop(sender);
        Ok(extraction)
    };
    let write = async move {
        let (mut rows, mut bytes) = (0, 0);
        while let Some(batch) = receiver.recv().await {
            rows += batch.num_rows() as u64;
            bytes += batch.get_array_memory_size() as u64;
            writer.write(batch).await.doing(writing)?;
            failpoint("sync::while-staging")?;
            observer.event(Event::Extracted { rows, bytes });
        }
        Ok(writer)
    };
    let (extraction, writer) = tokio::try_join!(read, write)?;
    let staged = writer.finish().await.doing(writing)?;
    Ok((extraction.finish().doing(reading)?, staged))
}

/// The watermark that the change detector wants committed with the rows.
async fn advance(
    job: &SyncJob,
    source: &OpenSource,
    detected: &Detected,
    extracted: &Extracted,
    run_id: Uuid,
) -> Result<WatermarkRecord, SyncError> {
    let context = Context {
        table: &source.table.table,
        options: &job.detection.options,
        watermark: detected.stored.as_ref().map(StoredWatermark::watermark),
    };
    let outcome = Outcome {
        rows: extracted.rows,
        readings: detected.readings.clone(),
        observed: extracted.observed.clone(),
    };
    let detector = &job.detection.strategy;
    Ok(WatermarkRecord {
        strategy: detector.strategy().description().name.clone(),
        source: source.identity.clone(),
        watermark: detector.advance(&context, &outcome).await?,
        run_id: run_id.to_string(),
        rows: extracted.rows,
        time: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
    })
}

/// Commits the staged files with the watermark, provided that nobody moved the watermark meanwhile: their
/// delta would then hold rows of ours, and ours rows of theirs.
async fn commit(
    job: &SyncJob,
    lake: &LakeTable,
    staged: Staged,
    record: &WatermarkRecord,
    before: Option<StoredWatermark>,
    run_id: Uuid,
) -> Result<Committed, SyncError> {
    let doing = || format!("committing to lake table {}", job.lake.table);
    let digest = job.detection.strategy.strategy().digest();
    let seen = before.map(|stored| stored.snapshot_id);
    let request = CommitRequest {
        staged: Some(staged),
        summary: [
            (SUMMARY_RUN_ID, run_id.to_string()),
            (SUMMARY_STRATEGY_DIGEST, digest),
            (SUMMARY_WATERMARK, record.to_summary()?),
        ]
        .map(|(field, value)| (field.to_owned(), value))
        .into(),
        guard: Some(Box::new(move |table| {
            let now = snapshot_watermark(table).map_err(|e| LakeError::guard(e.to_string()))?;
            match now.map(|stored| stored.snapshot_id) == seen {
                true => Ok(()),
                false => Err(LakeError::guard(
                    "another sync of this table has moved the watermark meanwhile",
                )
                .transient()),
            }
        })),
        allow_empty: false,
    };
    let committed = lake.commit(request).await.doing(doing)?;
    committed.ok_or_else(|| {
        SyncError::watermark(
            format!("{}: rows were staged, but no snapshot was made", doing()),
            "please report this as a defect",
        )
    })
}

/// What Iceberg could not hold.
fn warnings(source: &OpenSource, extracted: &Extracted) -> Vec<String> {
    let named = |columns: &[String]| {
        let quoted: Vec<String> = columns.iter().map(|name| format!("'{name}'")).collect();
        quoted.join(", ")
    };
    let table = &source.table.name;
    let mut warnings = Vec::new();
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
