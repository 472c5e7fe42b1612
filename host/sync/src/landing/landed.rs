//! What has landed in the lake.

use icehost_lake::LakeTable;
use icehost_plan::Watermark;
use uuid::Uuid;

use crate::detection::detected::Detected;
use crate::{Event, Observer};

/// What the first half did.
pub(crate) struct Landed {
    pub(crate) run_id: Uuid,
    pub(crate) first_sync: bool,
    pub(crate) rows_extracted: u64,
    pub(crate) rows_read_again: u64,
    pub(crate) rows_appended: u64,
    pub(crate) rows_removed: u64,
    pub(crate) snapshot_id: Option<i64>,
    pub(crate) snapshot_created: bool,
    pub(crate) watermark: Option<Watermark>,
    pub(crate) warnings: Vec<String>,
    /// Ranges that the table was read in; `None` where it was read in one piece.
    pub(crate) ranges: Option<u64>,
    /// Those of them that an earlier run had read.
    pub(crate) ranges_resumed: Option<u64>,
    /// The rows were read up to what an earlier run, which was interrupted, found as the source's state: what came
    /// since is not among them.
    pub(crate) under_earlier_bounds: bool,
}

impl Landed {
    /// Nothing has landed yet.
    pub(crate) fn new(run_id: Uuid, detected: &Detected, lake: &LakeTable) -> Landed {
        Landed {
            run_id,
            first_sync: detected.stored.is_none(),
            rows_extracted: 0,
            rows_read_again: 0,
            rows_appended: 0,
            rows_removed: 0,
            snapshot_id: lake.current_snapshot().map(|snapshot| snapshot.id),
            snapshot_created: false,
            watermark: detected.stored.as_ref().map(|s| s.watermark().clone()),
            warnings: detected.warnings.clone(),
            ranges: None,
            ranges_resumed: None,
            under_earlier_bounds: false,
        }
    }

    /// Adds what was read behind it.
    pub(crate) fn followed_by(&mut self, since: Landed) {
        self.run_id = since.run_id;
        self.rows_extracted += since.rows_extracted;
        self.rows_read_again += since.rows_read_again;
        self.rows_appended += since.rows_appended;
        self.rows_removed += since.rows_removed;
        self.snapshot_id = since.snapshot_id;
        self.snapshot_created |= since.snapshot_created;
        self.watermark = since.watermark;
        for warning in since.warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }

    pub(crate) fn warn(&mut self, warning: Option<String>, observer: &dyn Observer) {
        if let Some(warning) = warning {
            observer.event(Event::Warning(&warning));
            self.warnings.push(warning);
        }
    }
}
