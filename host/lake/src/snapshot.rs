//! What a table's metadata says of its snapshots.

use std::collections::BTreeMap;

use iceberg::spec::{Snapshot, TableMetadata};

/// A snapshot, as the metadata describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// The snapshot's id.
    pub id: i64,
    /// The snapshot that it was made from; `None` for a table's first.
    pub parent: Option<i64>,
    /// Counts commits; 0 throughout in tables of format v1.
    pub sequence_number: i64,
    /// When it was committed: milliseconds since 1970-01-01T00:00Z.
    pub timestamp_ms: i64,
    /// `append`, `replace`, `overwrite` or `delete` (Iceberg table spec, "Optional Snapshot Summary
    /// Fields").
    pub operation: String,
    /// The other fields of the summary.
    pub summary: BTreeMap<String, String>,
}

impl SnapshotInfo {
    pub(crate) fn new(snapshot: &Snapshot) -> Self {
        let summary = snapshot.summary();
        SnapshotInfo {
            id: snapshot.snapshot_id(),
            parent: snapshot.parent_snapshot_id(),
            sequence_number: snapshot.sequence_number(),
            timestamp_ms: snapshot.timestamp_ms(),
            operation: summary.operation.as_str().to_owned(),
            summary: summary
                .additional_properties
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        }
    }

    /// A number in the summary.
    pub fn summary_number(&self, field: &str) -> Option<u64> {
        self.summary.get(field)?.parse().ok()
    }
}

/// All snapshots in the order of their commits.
pub(crate) fn in_commit_order(metadata: &TableMetadata) -> Vec<SnapshotInfo> {
    let mut snapshots: Vec<SnapshotInfo> = metadata
        .snapshots()
        .map(|snapshot| SnapshotInfo::new(snapshot))
        .collect();
    snapshots.sort_by_key(|s| (s.sequence_number, s.timestamp_ms, s.id));
    snapshots
}

/// The snapshot and its ancestors, youngest first, as far as the metadata still has them.
pub(crate) fn ancestors(metadata: &TableMetadata, from: i64) -> Vec<SnapshotInfo> {
    let mut line = Vec::new();
    let mut next = metadata.snapshot_by_id(from);
    // A cycle cannot happen in sound metadata; unsound metadata must not hang us.
    while let Some(snapshot) = next {
        if line.len() > metadata.snapshots().len() {
            break;
        }
        line.push(SnapshotInfo::new(snapshot));
        next = snapshot
            .parent_snapshot_id()
            .and_then(|id| metadata.snapshot_by_id(id));
    }
    line
}
