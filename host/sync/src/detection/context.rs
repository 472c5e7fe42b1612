//! What a change detector is shown.

use icehost_plan::Table;
use icehost_strategy::Context;

use crate::watermark::record::StoredWatermark;
use crate::{Detection, SyncError};

/// What a detector is shown; its watermark must be one of this strategy and this source.
pub(crate) fn context<'a>(
    detection: &'a Detection,
    table: &'a Table,
    identity: &str,
    stored: Option<&'a StoredWatermark>,
) -> Result<Context<'a>, SyncError> {
    if let Some(stored) = stored {
        let strategy = &detection.strategy.strategy().description().name;
        stored.record.check_belongs_to(strategy, identity)?;
    }
    Ok(Context {
        table,
        options: &detection.options,
        watermark: stored.map(StoredWatermark::watermark),
    })
}
