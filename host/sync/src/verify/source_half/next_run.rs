//! The next run's own reading, without its writing.
//!
//! What a run says of a source that went back, it says once it has read: how many rows are new tells whether a largest
//! value below the mark is a table that was filled again. So the delta is read as the run reads it.

use std::sync::Arc;

use arrow_array::RecordBatch;
use icehost_lake::LakeTable;
use icehost_sqlserver::Extracted;

use crate::detection::detected::Detected;
use crate::landing::advance::advance;
use crate::reading::delta::{Purpose, extract};
use crate::run::Run;
use crate::source::open::OpenSource;
use crate::verify::fits::Fits;
use crate::{Silent, SyncError};

/// Reads what the next run reads of a source that has a mark, asks for the mark after it, and looks whether the rows fit
/// the target. The source is at the read
/// that `detected` is of.
///
/// # Errors
/// What the run would end with.
pub(crate) async fn read(
    run: &Run<'_>,
    source: &mut OpenSource,
    lake: &LakeTable,
    detected: &Detected,
    fits: Option<Arc<Fits>>,
) -> Result<(), SyncError> {
    let run = Run::new(run.job, &Silent, run.cancel);
    let look = match &fits {
        Some(fits) => fits.looking(),
        None => Arc::new(|_: &RecordBatch| {}),
    };
    let read = extract(&run, source, lake, detected, Purpose::Look(look)).await?;
    if read.extracted.rows == 0 {
        return Ok(());
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
    fits.map_or(Ok(()), |fits| fits.told())
}
