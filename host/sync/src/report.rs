//! What a run did, as one JSON object.

use std::time::Duration;

use icehost_plan::Watermark;
use serde::Serialize;

use crate::lake_to_target::Delivered;
use crate::landing::landed::Landed;

/// The result of a run. A field is `null` where its half did not run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The source table, or the target's where only that half ran.
    pub table: String,
    /// The lake table.
    pub lake_table: String,
    /// The target table.
    pub target_table: Option<String>,
    /// The warehouse's directory, where this run has created it.
    pub warehouse_created: Option<String>,
    /// Identifies the run in the snapshot summary and in the target's position row.
    pub run_id: String,
    /// Whether this was the first sync of the table: no watermark yet.
    pub first_sync: Option<bool>,
    /// Rows read from the source, less those that were read again.
    pub rows_extracted: Option<u64>,
    /// Rows that were read again and left out, since the lake has them as they are.
    pub rows_read_again: Option<u64>,
    /// Ranges that a first load was read in; `null` where the table was read in one piece.
    pub ranges: Option<u64>,
    /// Those of them that an earlier, interrupted run had read. The counts of rows are of all ranges.
    pub ranges_resumed: Option<u64>,
    /// Rows written to data files.
    pub rows_appended: Option<u64>,
    /// Rows that position deletes take out.
    pub rows_removed: Option<u64>,
    /// The snapshot that the lake stands at: the new one, or the current one where nothing changed.
    pub snapshot_id: Option<i64>,
    /// Whether this run made that snapshot.
    pub snapshot_created: Option<bool>,
    /// Rows inserted into the target.
    pub rows_inserted: Option<u64>,
    /// Rows updated in the target.
    pub rows_updated: Option<u64>,
    /// Rows deleted from the target.
    pub rows_deleted: Option<u64>,
    /// Older versions of a key, and repeated rows, left out before the merge.
    pub duplicates_removed: Option<u64>,
    /// The source's watermark after the run.
    pub watermark: Option<Watermark>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// Time in strategies.
    pub component_ms: f64,
    /// Time from the source to the committed snapshot.
    pub lake_ms: Option<f64>,
    /// Time from the lake to the committed merge.
    pub target_ms: Option<f64>,
    /// Time in all.
    pub duration_ms: f64,
}

impl Report {
    pub(crate) fn landed(&mut self, landed: Landed, took: Duration) {
        self.run_id = landed.run_id.to_string();
        self.first_sync = Some(landed.first_sync);
        self.rows_extracted = Some(landed.rows_extracted);
        self.rows_read_again = Some(landed.rows_read_again);
        self.ranges = landed.ranges;
        self.ranges_resumed = landed.ranges_resumed;
        self.rows_appended = Some(landed.rows_appended);
        self.rows_removed = Some(landed.rows_removed);
        self.snapshot_id = landed.snapshot_id;
        self.snapshot_created = Some(landed.snapshot_created);
        self.watermark = landed.watermark;
        self.warnings.extend(landed.warnings);
        self.lake_ms = Some(milliseconds(took));
    }

    pub(crate) fn delivered(&mut self, delivered: Delivered, target: String, took: Duration) {
        if self.run_id.is_empty() {
            self.run_id = delivered.run_id.to_string();
        }
        self.target_table = Some(target);
        self.warnings.extend(delivered.warnings);
        self.snapshot_id = delivered.snapshot_id.or(self.snapshot_id);
        self.rows_inserted = Some(delivered.counts.inserted);
        self.rows_updated = Some(delivered.counts.updated);
        self.rows_deleted = Some(delivered.counts.deleted);
        self.duplicates_removed = Some(delivered.counts.duplicates_removed);
        self.target_ms = Some(milliseconds(took));
    }

    /// Notes the time that strategies took, which the caller's runtime knows.
    pub fn set_component_time(&mut self, time: Duration) {
        self.component_ms = milliseconds(time);
    }
}

/// Milliseconds with microseconds behind the point.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
