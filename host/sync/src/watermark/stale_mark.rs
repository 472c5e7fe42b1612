//! What a run has found wrong with its source, until somebody says how to go on.
//!
//! A source that was restored, or emptied and filled again, shows it only until something comes that is newer than the
//! mark; the rows below, which nobody has read, stay missing. So what a strategy says of a mark that the source does
//! not bear out is kept as a property of the lake table, and ends every run that would go on from that very mark. One
//! that is set or cleared is another mark, and takes the property away.

use icehost_lake::{LakeError, LakeTable, TableUpdate};
use serde::{Deserialize, Serialize};

use crate::watermark::place::is_at;
use crate::watermark::record::{StoredWatermark, WatermarkRecord};
use crate::watermark::store::WatermarkStore;
use crate::{Event, Observer, Silent, SyncError};

/// Table property that holds what was found.
pub(crate) const PROPERTY_STALE_WATERMARK: &str = "icehost.stale-watermark";
/// Most characters of a message that are kept.
const MOST_CHARACTERS: usize = 2000;

/// What was found, and of which mark.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Found {
    /// The snapshot of the watermark that cannot be gone on from.
    snapshot_id: i64,
    /// The run that wrote it.
    run_id: String,
    /// When it was found, in RFC 3339.
    time: String,
    /// What was found.
    message: String,
}

impl Found {
    fn is_of(&self, stored: &StoredWatermark) -> bool {
        self.snapshot_id == stored.snapshot_id && self.run_id == stored.record.run_id
    }
}

/// Refuses to go on from a watermark of which an earlier run has found that the source does not bear it out.
pub(crate) fn check(lake: &LakeTable, stored: Option<&StoredWatermark>) -> Result<(), SyncError> {
    let (Some(stored), Some(text)) = (stored, lake.properties().remove(PROPERTY_STALE_WATERMARK))
    else {
        return Ok(());
    };
    let found: Found = serde_json::from_str(&text).map_err(|e| {
        SyncError::watermark(
            format!(
                "the property {PROPERTY_STALE_WATERMARK} of lake table {}, by which an earlier run says what is wrong \
                 with the watermark, cannot be read: {e}",
                lake.name()
            ),
            ways_on(&stored.record),
        )
    })?;
    match found.is_of(stored) {
        false => Ok(()),
        true => Err(SyncError::watermark(
            format!(
                "an earlier run of lake table {} stopped at {}, and the watermark is still the same: {}",
                lake.name(),
                found.time,
                found.message
            ),
            ways_on(&stored.record),
        )),
    }
}

/// What to do where a mark cannot be gone on from.
pub(crate) fn ways_on(record: &WatermarkRecord) -> String {
    format!(
        "`icehost watermark set` with an earlier mark reads again from there and leaves out what the lake has; {}",
        record.ways_on("nothing can have been missed")
    )
}

/// What a strategy says of a mark that the source does not bear out, with the ways on that the lake table leaves: the
/// strategy does not know how its rows land.
pub(crate) fn told(error: SyncError, stored: Option<&StoredWatermark>) -> SyncError {
    let stored = stored.filter(|stored| stored.record.keeps_every_row());
    match (&error, stored) {
        (SyncError::Strategy(said), Some(stored)) if said.contradicts_watermark() => {
            SyncError::SourceWentBack {
                message: error.to_string(),
                hint: ways_on(&stored.record),
            }
        }
        _ => error,
    }
}

/// Keeps what a run has ended with, if it is that the source does not bear the watermark out. Gives the error.
///
/// What a strategy says before it has seen anything of the source is about its settings, and is not kept.
pub(crate) async fn keep(
    watermarks: &dyn WatermarkStore,
    lake: &LakeTable,
    error: SyncError,
    observer: &dyn Observer,
) -> SyncError {
    let is_kept = match &error {
        SyncError::Strategy(said) => said.contradicts_watermark(),
        SyncError::SourceWentBack { .. } => true,
        _ => false,
    };
    if !is_kept || !lake.exists() {
        return error;
    }
    let Ok(Some(stored)) = watermarks.load(lake, &Silent).await else {
        return error;
    };
    if let Err(reason) = write(lake, stored, &error).await {
        observer.event(Event::Warning(&format!(
            "what is wrong could not be noted in lake table {}: a later run goes on as soon as something newer has come: {reason}",
            lake.name()
        )));
    }
    error
}

async fn write(
    lake: &LakeTable,
    stored: StoredWatermark,
    error: &SyncError,
) -> Result<(), SyncError> {
    let found = Found {
        snapshot_id: stored.snapshot_id,
        run_id: stored.record.run_id.clone(),
        time: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        message: error.to_string().chars().take(MOST_CHARACTERS).collect(),
    };
    let text = serde_json::to_string(&found).map_err(|e| SyncError::internal(e.to_string()))?;
    let guard = move |table: &LakeTable| match is_at(table, Some(&stored)) {
        Ok(true) => Ok(()),
        Ok(false) => Err(LakeError::guard("the watermark has moved meanwhile")),
        Err(e) => Err(LakeError::guard(e.to_string())),
    };
    let set = lake.set_property(PROPERTY_STALE_WATERMARK, &text, Box::new(guard));
    set.await.map_err(|error| SyncError::Lake {
        doing: format!("noting it in lake table {}", lake.name()),
        error: Box::new(error),
    })
}

/// Takes the property away: what belongs in each commit of another watermark.
pub(crate) fn settled() -> TableUpdate {
    TableUpdate::RemoveProperties {
        removals: vec![PROPERTY_STALE_WATERMARK.to_owned()],
    }
}

#[cfg(test)]
mod tests;
