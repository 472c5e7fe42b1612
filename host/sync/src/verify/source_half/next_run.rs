//! The next run's own reading, without its writing.
//!
//! What a run says of a source that went back, it says once it has read: how many rows are new tells whether a largest
//! value below the mark is a table that was filled again. So the delta is read as the run reads it.

use std::sync::Arc;

use arrow_array::RecordBatch;
use icehost_lake::{LakeTable, Look};
use icehost_sqlserver::Extracted;

use crate::detection::detected::Detected;
use crate::landing::advance::advance;
use crate::reading::delta::{Purpose, extract};
use crate::run::Run;
use crate::source::open::OpenSource;
use crate::verify::ahead::{self, Ahead};
use crate::{Silent, SyncError};

/// Reads what the next run reads of a source that has a mark, asks for the mark after it, and holds the rows against
/// the target. The source is at the read that `detected` is of. What could not be asked of them.
///
/// # Errors
/// What the run would end with.
pub(crate) async fn read(
    run: &Run<'_>,
    source: &mut OpenSource,
    lake: &LakeTable,
    detected: &Detected,
    ahead: Option<Ahead>,
) -> Result<Vec<String>, SyncError> {
    let run = Run::new(run.job, &Silent, run.cancel);
    let (rows, parts) = ahead::rows();
    let look: Box<dyn Fn() -> Look + Send + Sync> = match &ahead {
        Some(_) => Box::new(move || rows.look()),
        None => Box::new(|| -> Look { Arc::new(|_: &RecordBatch| {}) }),
    };
    let held = async {
        let Some(ahead) = ahead else {
            return Ok(Vec::new());
        };
        tokio::select! {
            held = ahead.hold(parts) => held,
            () = run.cancel.cancelled() => Err(SyncError::cancelled()),
        }
    };
    let reading = extract(&run, source, lake, detected, Purpose::Look(look));
    let (read, held) = tokio::join!(reading, Box::pin(held));
    let read = read?;
    if read.extracted.rows == 0 {
        return held;
    }
    let rows = read.extracted.rows.saturating_sub(read.staged.rows_held());
    let told = rows.saturating_sub(read.apart);
    let (table, names) = (&source.table, source.names());
    let extracted = Extracted {
        rows,
        ..read.extracted
    };
    let advanced = advance(&run, table, names, detected, extracted, told).await;
    advanced?;
    held
}
