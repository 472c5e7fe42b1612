//! Rows that would be delivered a second time.
//!
//! A merge that matches rows by a key takes them as they come, also twice. One that only adds them does not:
//! what is read again is there again, and nobody says so. Such a merge goes with a delta that holds what is
//! new since the watermark, and with a table that has no rows yet.

use icehost_lake::LakeTable;
use icehost_plan::Coverage;

use crate::SyncError;
use crate::detection::detected::Detected;
use crate::error::Doing;
use crate::failpoint::{self, stands};
use crate::watermark::place::is_of_first_load;

/// Refuses to read everything into a table that has rows, where the merge would add them once more.
///
/// # Errors
/// Nothing has been written.
pub(crate) async fn refuse(lake: &LakeTable, detected: &Detected) -> Result<(), SyncError> {
    let everything = detected.stored.is_none() || detected.plan.coverage == Coverage::Full;
    if !everything || detected.change.rows.has_key() || !stands(failpoint::GUARD_REPETITION) {
        return Ok(());
    }
    let rows = lake
        .has_rows()
        .await
        .doing(|| format!("looking for rows in lake table {}", lake.name()))?;
    if !rows {
        return Ok(());
    }
    let line = lake.current_snapshot();
    let line = line.map_or_else(Vec::new, |current| lake.ancestors(current.id));
    let (why, hint) = match detected.stored {
        // Which of the source's rows they are nobody knows, and no mark would say it.
        None if line.iter().any(is_of_first_load) => (
            "they are a part of a first load that was not finished and of which nobody knows which part",
            "merge by a key (--lake-merge upsert), or sync into a new lake table",
        ),
        None => (
            "there is no watermark, so that every row of the source would be read",
            "say how far its rows go with `icehost watermark set`, merge by a key (--lake-merge upsert), or \
             sync into a new lake table",
        ),
        Some(_) => (
            "the strategy reads every row of the source in each run",
            "merge by a key (--lake-merge upsert), or go on with a strategy that reads what is new: say with \
             `icehost watermark set --strategy … --mark …` how far it would have read by now",
        ),
    };
    Err(SyncError::settings(
        format!(
            "lake table {} has rows, and {why}: the lake's merge strategy, which matches none, would add them a second time",
            lake.name()
        ),
        hint,
    ))
}
