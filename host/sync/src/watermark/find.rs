//! The watermark that a lake table has: the one to go on from, and the last that anybody wrote.

use icehost_lake::LakeTable;

use crate::SyncError;
use crate::blocking::blocking;
use crate::error::Doing;
use crate::watermark::place::{Kept, Place, kept, place};
use crate::watermark::record::StoredWatermark;

/// The watermark to go on from. `copy` is what is known of it outside of the table.
///
/// # Errors
/// The table has rows, and nothing says how far its source was read for them: to read everything may be
/// wrong, and to read nothing too.
pub(crate) async fn find(
    table: &LakeTable,
    copy: Option<Kept>,
) -> Result<Option<StoredWatermark>, SyncError> {
    let place = {
        let table = table.clone();
        blocking(move || place(&table, copy)).await?
    };
    match place {
        Place::At(stored) => Ok(Some(*stored)),
        // Ranges that are there count as read, or are replaced by their keys.
        Place::Cleared | Place::Empty | Place::FirstLoad => Ok(None),
        Place::Unknown => {
            let rows = table
                .has_rows()
                .await
                .doing(|| format!("looking for rows in lake table {}", table.name()))?;
            match rows {
                false => Ok(None),
                true => Err(SyncError::watermark(
                    format!(
                        "lake table {} has rows, and no watermark that says how far its source was read for them",
                        table.name()
                    ),
                    "say it with `icehost watermark set`, or have everything read with `icehost watermark clear`; \
                     a table that others write needs another lake table beside it",
                )),
            }
        }
    }
}

/// The last watermark that anybody wrote, whether or not the table still stands there: where its marks are
/// to be replaced, strategy and source stay.
pub async fn last_watermark(table: &LakeTable) -> Option<StoredWatermark> {
    let of = table.clone();
    let place = blocking(move || match place(&of, None) {
        Ok(Place::At(stored)) => Ok(Some(*stored)),
        _ => Ok(kept(&of).ok().flatten().and_then(Kept::stored)),
    });
    place.await.ok().flatten()
}
