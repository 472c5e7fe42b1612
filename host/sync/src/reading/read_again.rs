//! Rows that are read again, and that the lake has already.
//!
//! A cursor reads again what lies just below its mark, in every run: rows come there late. Whatever of it the lake
//! holds, column for column as it would be written, is left out before it is staged. So reading again changes
//! nothing, under any merge, and makes no snapshot.

use icehost_lake::{HELD_ROW_BYTES, HeldRequest, HeldRows, LakeTable};
use icehost_plan::Coverage;

use crate::detection::detected::Detected;
use crate::error::Doing;
use crate::failpoint::{self, stands};
use crate::run::Run;
use crate::source::open::OpenSource;
use crate::watermark::record::{SUMMARY_RUN_ID, SUMMARY_STRATEGY_DIGEST};
use crate::{SyncError, SyncJob};

/// What the lake holds of the rows that a plan reads; `None` where none need be left out: the plan reads
/// everything, or nothing for a second time that could be told.
pub(crate) async fn held(
    run: &Run<'_>,
    source: &OpenSource,
    lake: &LakeTable,
    detected: &Detected,
) -> Result<Option<HeldRows>, SyncError> {
    let job = run.job;
    let again =
        detected.plan.coverage == Coverage::Incremental && lake.current_snapshot().is_some();
    if !again || !stands(failpoint::GUARD_READ_AGAIN) {
        return Ok(None);
    }
    let Some(bound) = detected.plan.lower_bound() else {
        return Ok(None);
    };
    let change = &detected.change;
    let carried = carried(job, source, detected, bound.column)?;
    let identity = match change.rows.has_key() {
        true => change.rows.key_columns(),
        false => primary_key(source, detected),
    };
    if identity.is_empty() {
        // Rows are told apart by all their columns together, the bound's among them.
        match carried {
            None => return Err(indistinguishable(source, bound.column)),
            Some(_) if !bound.is_whole() => return Ok(None),
            Some(_) => {}
        }
    }
    let most_bytes = job.settings.memory.held_bytes();
    let request = HeldRequest {
        change: change.rows.clone(),
        identity,
        // Of values whose order not all servers share, or that files do not tell of, the whole lake is looked at.
        from: carried
            .filter(|_| bound.is_ordered())
            .map(|column| (column, bound.least, bound.or_null)),
        apart: detected.last_of_clock(&source.table, bound.column),
        copies: others_were_at_work(lake),
        most_bytes,
    };
    let held = lake.held(request).await.doing(|| {
        format!(
            "looking for rows that lake table {} has already",
            lake.name()
        )
    })?;
    if held.is_some() {
        return Ok(held);
    }
    let most = most_bytes / HELD_ROW_BYTES;
    let many = format!(
        "more than {most} rows of {} are to be read again, too many to compare with lake table {}",
        source.table.name,
        lake.name()
    );
    if !change.rows.has_key() {
        return Err(SyncError::settings(
            format!("{many}: they would be added a second time"),
            "raise --memory-limit, of which a quarter is for them, or look back less far",
        ));
    }
    run.warn(&format!(
        "{many}: they are written again; a higher --memory-limit, of which a quarter is for them, would leave them out"
    ));
    Ok(None)
}

/// Whether others have committed to the lake since the last run: what they did may have put rows beside those that
/// are there, and a merge that keeps one row of each key is to find one.
fn others_were_at_work(lake: &LakeTable) -> bool {
    let Some(current) = lake.current_snapshot() else {
        return false;
    };
    for snapshot in lake.ancestors(current.id) {
        if snapshot.summary.contains_key(SUMMARY_STRATEGY_DIGEST) {
            return false;
        }
        if !snapshot.summary.contains_key(SUMMARY_RUN_ID) {
            return true;
        }
    }
    true
}

/// Where a column of the source stands in the delta, if it is carried as it is.
fn carried(
    job: &SyncJob,
    source: &OpenSource,
    detected: &Detected,
    column: u32,
) -> Result<Option<u32>, SyncError> {
    let table = &source.table.table;
    let rules = job.source.rules.resolve(table)?;
    let Some(name) = table.columns.get(column as usize).map(|c| &c.name) else {
        return Ok(None);
    };
    let changed = rules.iter().any(|(ruled, _)| *ruled == column) || source.transforms.writes(name);
    Ok(match changed {
        true => None,
        false => in_delta(detected, name),
    })
}

/// The source's primary key in the delta; empty where it has none or not all of it is carried.
fn primary_key(source: &OpenSource, detected: &Detected) -> Vec<u32> {
    let table = &source.table.table;
    let names = table.key().into_iter().map(|ordinal| {
        let column = table.columns.get(ordinal as usize)?;
        in_delta(detected, &column.name)
    });
    names.collect::<Option<Vec<u32>>>().unwrap_or_default()
}

fn in_delta(detected: &Detected, name: &str) -> Option<u32> {
    let columns = &detected.change.columns;
    let position = columns.iter().position(|column| column.name == *name)?;
    u32::try_from(position).ok()
}

fn indistinguishable(source: &OpenSource, column: u32) -> SyncError {
    let columns = &source.table.table.columns;
    let name = columns.get(column as usize).map_or("", |c| &c.name);
    SyncError::settings(
        format!(
            "{} has no primary key, and '{name}', by which its changes are found, is changed on its way to the lake: a row that is read again could not be told from a new one",
            source.table.name
        ),
        format!(
            "carry '{name}' as it is, or merge by a key with --lake-merge upsert --lake-merge-option keys=…"
        ),
    )
}
