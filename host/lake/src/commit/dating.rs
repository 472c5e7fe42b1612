//! When a commit was made, where a clock was wrong.
//!
//! The history must not go back in time by more than a minute: readers refuse such metadata. So a single
//! commit of a machine whose clock says 2200 would date every later one 2200 too, and neither time travel nor
//! expiry by age would work again. The dates of the snapshots stay as they are, but what orders them, the
//! snapshot log, the metadata log and `last-updated-ms` (Iceberg table spec, "Table Metadata Fields"), can be
//! set right: then new snapshots have dates of their own, and time travel goes by the log.

use std::sync::Arc;

use serde_json::Value;

use crate::error::{LakeError, Result};
use crate::table::LakeTable;

/// How far ahead of this machine's clock dates may lie that are left as they are: the clocks of several
/// writers differ, and soon the differences are past.
const TOLERATED_MS: i64 = 24 * 3600 * 1000;

impl LakeTable {
    /// When the table was last changed, as its metadata says, in milliseconds since 1970-01-01T00:00Z, where
    /// that lies more than a day ahead of this machine's clock.
    pub fn ahead_of_clock(&self) -> Option<i64> {
        let latest = self.metadata.last_updated_ms();
        (latest > now().saturating_add(TOLERATED_MS)).then_some(latest)
    }
}

/// Sets a history right whose dates lie ahead of the clock.
pub(crate) fn set_right(base: &mut LakeTable) -> Result<()> {
    let Some(latest) = base.ahead_of_clock() else {
        return Ok(());
    };
    let now = now();
    let failed = |e: serde_json::Error| {
        LakeError::internal(format!(
            "cannot set the dates of lake table {} right",
            base.display
        ))
        .with_source(e)
    };
    let mut metadata = serde_json::to_value(&*base.metadata).map_err(failed)?;
    let hold = |date: &mut Value| {
        if date.as_i64().is_some_and(|ms| ms > now) {
            *date = now.into();
        }
    };
    if let Some(updated) = metadata.get_mut("last-updated-ms") {
        hold(updated);
    }
    for log in ["snapshot-log", "metadata-log"] {
        let entries = metadata.get_mut(log).and_then(Value::as_array_mut);
        for date in entries
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.get_mut("timestamp-ms"))
        {
            hold(date);
        }
    }
    base.metadata = Arc::new(serde_json::from_value(metadata).map_err(failed)?);
    tracing::warn!(
        table = %base.display,
        latest,
        "the table's history lay ahead of the clock, and is set right"
    );
    Ok(())
}

fn now() -> i64 {
    chrono::Utc::now().timestamp_millis()
}
