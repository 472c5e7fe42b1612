//! The watermark that goes with the rows: what the change detector makes of them, and whether it is worth a snapshot.

use icehost_lake::LakeTable;
use icehost_plan::Outcome;
use icehost_sqlserver::{Extracted, SqlTable};
use icehost_strategy::Context;

use crate::detection::detected::Detected;
use crate::landing::landed::Landed;
use crate::run::Run;
use crate::source::created_again;
use crate::source::open::SourceNames;
use crate::watermark::record::{StoredWatermark, WatermarkRecord};
use crate::watermark::row_shape::RowShape;
use crate::{SyncError, SyncJob};

/// From so many rows on that were read and change nothing, a snapshot for the watermark alone costs less than
/// reading them again in each run.
const WORTH_A_SNAPSHOT: u64 = 10_000;

/// The watermark that the change detector wants committed with the rows. `extracted` does not count rows that were
/// read again; `told` are those of them that the detector is told of.
pub(crate) async fn advance(
    run: &Run<'_>,
    source: &SqlTable,
    names: SourceNames<'_>,
    detected: &Detected,
    extracted: Extracted,
    told: u64,
) -> Result<WatermarkRecord, SyncError> {
    let job = run.job;
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
        run_id: run.id.to_string(),
        rows: extracted.rows,
        time: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        source_rows: source.table.row_estimate,
        expected_rows: None,
        every_row: None,
        source_table: created_again::which(source),
        source_digest: names.on_server.map(str::to_owned),
        shape: Some(
            RowShape::of(job, &detected.change)
                .from(source)
                .after(detected),
        ),
    })
}

/// Whether the new watermark is worth a snapshot although no row changes: without it the next run would read
/// again many rows that it need not.
pub(crate) async fn spares_reading(
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
    run: &Run<'_>,
    lake: &LakeTable,
    stored: StoredWatermark,
    landed: &mut Landed,
) {
    let watermarks = &run.job.settings.watermarks;
    if let Err(error) = watermarks.committed(lake, &stored).await {
        let warning = error.to_string();
        run.warn(&warning);
        landed.warnings.push(warning);
    }
    landed.watermark = Some(stored.record.watermark);
}
