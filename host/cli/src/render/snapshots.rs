//! A table's snapshots.

use chrono::DateTime;
use icehost_lake::{LakeTable, SnapshotInfo};

use crate::args::Output;
use crate::render::line;

/// Prints the snapshots in the order of their commits.
pub(crate) fn print_snapshots(table: &LakeTable, output: Output) {
    let current = table.current_snapshot().map(|snapshot| snapshot.id);
    let snapshots = table.snapshots();
    match output {
        Output::Json => {
            let objects: Vec<serde_json::Value> = snapshots
                .iter()
                .map(|snapshot| object(snapshot, current))
                .collect();
            line(serde_json::json!({ "lake_table": table.name(), "snapshots": objects }));
        }
        Output::Text => {
            line(format!(
                "{:<20} {:>8}  {:<24} {:<10} {:>12} {:>12} {:>14}",
                "snapshot",
                "sequence",
                "committed",
                "operation",
                "added rows",
                "removed",
                "rows in all"
            ));
            for snapshot in &snapshots {
                line(row(snapshot, current));
            }
        }
    }
}

fn object(snapshot: &SnapshotInfo, current: Option<i64>) -> serde_json::Value {
    serde_json::json!({
        "snapshot_id": snapshot.id,
        "parent_snapshot_id": snapshot.parent,
        "sequence_number": snapshot.sequence_number,
        "committed_at": moment(snapshot.timestamp_ms),
        "operation": snapshot.operation,
        "current": Some(snapshot.id) == current,
        "rows": rows(snapshot),
        "summary": snapshot.summary,
    })
}

fn row(snapshot: &SnapshotInfo, current: Option<i64>) -> String {
    let number = |field: &str| snapshot.summary_number(field).unwrap_or(0);
    // Of a data file that left, the rows that were deleted before had their position deletes, which left too.
    let deleted = number("added-position-deletes")
        .saturating_add(number("deleted-records"))
        .saturating_sub(number("removed-position-deletes"));
    format!(
        "{:<20} {:>8}  {:<24} {:<10} {:>12} {:>12} {:>14}{}",
        snapshot.id,
        snapshot.sequence_number,
        moment(snapshot.timestamp_ms),
        snapshot.operation,
        number("added-records"),
        deleted,
        rows(snapshot).map_or_else(|| "?".to_owned(), |n| n.to_string()),
        if Some(snapshot.id) == current {
            "  current"
        } else {
            ""
        },
    )
}

/// Rows that a reader sees, as far as the summary tells.
pub(super) fn rows(snapshot: &SnapshotInfo) -> Option<u64> {
    let deleted = snapshot
        .summary_number("total-position-deletes")
        .unwrap_or(0);
    Some(
        snapshot
            .summary_number("total-records")?
            .saturating_sub(deleted),
    )
}

pub(super) fn moment(milliseconds: i64) -> String {
    DateTime::from_timestamp_millis(milliseconds).map_or_else(
        || milliseconds.to_string(),
        |moment| moment.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
    )
}
