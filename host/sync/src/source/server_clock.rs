//! Whether this machine's clock can be believed.
//!
//! Snapshots are dated by it. A date far in the future stays in a table's history for as long, and there is
//! another clock at hand: the source's.

use chrono::{DateTime, SecondsFormat, Utc};
use icehost_lake::LakeTable;
use icehost_plan::value::TICKS_PER_SECOND;
use icehost_plan::{Probe, Value};

use crate::error::Doing;
use crate::source::open::OpenSource;
use crate::{Event, Observer, SyncError};

/// Farthest that the two may be apart, in seconds. Less passes soon, and servers' clocks are wrong too.
const FARTHEST: i64 = 24 * 3600;

/// Compares this machine's clock with the source's.
///
/// # Errors
/// They are more than a day apart. Nothing has been written.
pub(crate) async fn compare(source: &mut OpenSource) -> Result<(), SyncError> {
    let name = &source.table.name;
    let readings = source
        .connection
        .probe(&source.table, &[Probe::SourceTime])
        .await
        .doing(|| format!("asking the server of {name} for its time"))?;
    let Some(Value::Timestamp(ticks)) = readings.first() else {
        return Ok(());
    };
    let theirs = DateTime::from_timestamp(ticks.div_euclid(TICKS_PER_SECOND), 0);
    let ours = Utc::now();
    match theirs {
        Some(theirs) if (ours - theirs).num_seconds().abs() > FARTHEST => Err(SyncError::settings(
            format!(
                "this machine's clock says {}, and that of the server of {name} {}: the lake's snapshots would be dated wrong",
                text(ours),
                text(theirs)
            ),
            "set the clock right that is wrong, and run again",
        )),
        _ => Ok(()),
    }
}

/// Says where a lake table's history lies ahead of a clock that was found to be right. Gives the warning.
pub(crate) fn tell(lake: &LakeTable, observer: &dyn Observer) -> Option<String> {
    let latest = DateTime::from_timestamp_millis(lake.ahead_of_clock()?)?;
    let warning = format!(
        "lake table {} was last changed at {}, by a clock that was wrong: the snapshots of that time keep their \
         dates, and the next commit sets the history right by which readers travel in time",
        lake.name(),
        text(latest)
    );
    observer.event(Event::Warning(&warning));
    Some(warning)
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
