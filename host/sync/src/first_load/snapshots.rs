//! What snapshots hold of a first load: which load they are of, and which of its ranges.

use std::collections::BTreeMap;

use icehost_lake::{LakeError, LakeTable, Lineage};
use uuid::Uuid;

use crate::SyncError;
use crate::blocking::blocking;
use crate::failpoint::{self, stands};
use crate::first_load::journal::LoadRecord;
use crate::watermark::record::SUMMARY_FIRST_LOAD;

/// Snapshot summary entry that says which of its ranges the snapshot holds: numbers from 0 separated by
/// commas, or `all`.
pub const SUMMARY_RANGES: &str = "icehost.first-load-ranges";

/// Refuses a table that holds anything but other ranges of the same load.
pub(crate) fn only_ours(
    table: &LakeTable,
    id: Uuid,
    ranges: &[usize],
    total: usize,
) -> Result<(), LakeError> {
    let Some(current) = table.current_snapshot() else {
        return Ok(());
    };
    for snapshot in table.ancestors(current.id) {
        if load_id(&snapshot.summary) != Some(id) {
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

/// Marks the ranges that snapshots hold, and no others: a run may have ended between a commit and its note in the
/// journal, and the table may have been rolled back since.
pub(crate) async fn note_commits(
    lake: &LakeTable,
    record: &mut LoadRecord,
) -> Result<(), SyncError> {
    let line = match lake.current_snapshot() {
        Some(current) => {
            let lake = lake.clone();
            blocking(move || Ok(lake.lineage(current.id, &|_| false))).await?
        }
        None => Lineage {
            snapshots: Vec::new(),
            complete: true,
        },
    };
    let mut there = BTreeMap::new();
    for snapshot in &line.snapshots {
        if load_id(&snapshot.summary) == Some(record.id) {
            let ranges = ranges_of(&snapshot.summary, record.ranges.len());
            there.extend(ranges.into_iter().map(|range| (range, snapshot.id)));
        }
    }
    for (index, entry) in record.ranges.iter_mut().enumerate() {
        match (there.get(&index).copied(), entry.snapshot_id) {
            (None, Some(noted)) if !line.complete => {
                return Err(SyncError::settings(
                    format!(
                        "whether lake table {} still has range {index} of its first load cannot be told: snapshot {noted}, which brought it, has expired or was rolled back",
                        lake.name()
                    ),
                    "have everything read again with `icehost watermark clear` and then --restart; a merge without a key needs a new lake table",
                ));
            }
            (None, Some(_)) if !stands(failpoint::GUARD_ROLLED_BACK_RANGES) => {}
            (known, _) => entry.snapshot_id = known,
        }
    }
    // What is committed must have been read; without its counts the watermark could not be made.
    let lost = record
        .ranges
        .iter()
        .any(|entry| entry.snapshot_id.is_some() && entry.done.is_none());
    match lost {
        false => Ok(()),
        true => Err(SyncError::settings(
            format!(
                "the journal of the first load of lake table {} does not know of ranges that are committed",
                lake.name()
            ),
            "it was changed by hand or restored from a backup: sync into a new lake table",
        )),
    }
}

/// Identifies the load that a snapshot belongs to.
fn load_id(summary: &BTreeMap<String, String>) -> Option<Uuid> {
    summary.get(SUMMARY_FIRST_LOAD)?.parse().ok()
}

#[cfg(test)]
mod tests;
