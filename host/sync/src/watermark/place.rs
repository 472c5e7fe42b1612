//! Where a lake table's watermark stands: in the snapshot's summary, and in a property of the table.
//!
//! Both are written by the commit that holds the rows. The summary is what counts, as it goes where its
//! snapshot goes: a table that is rolled back has the watermark of the state that is there again. But
//! snapshots expire, and their summaries with them. The property stays; it says which snapshot it was
//! written with, and counts as long as nothing says that the table's state does not descend from that one.

use icehost_lake::{LakeTable, Lineage, SnapshotInfo};
use serde::{Deserialize, Serialize};

use crate::SyncError;
use crate::watermark::record::{
    SUMMARY_FIRST_LOAD, SUMMARY_WATERMARK, StoredWatermark, WatermarkRecord,
};

/// Table property that holds the main branch's watermark with the commit that it was written with. Those of
/// other branches are to be called `icehost.watermark.BRANCH`.
pub const PROPERTY_WATERMARK: &str = "icehost.watermark";

/// A watermark, or the word that it was cleared, outside of the snapshot that it was committed with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Kept {
    pub(crate) snapshot_id: i64,
    pub(crate) sequence_number: i64,
    /// `None` where it was cleared.
    pub(crate) record: Option<WatermarkRecord>,
}

impl Kept {
    pub(crate) fn of(stored: &StoredWatermark) -> Kept {
        Kept {
            snapshot_id: stored.snapshot_id,
            sequence_number: stored.sequence_number,
            record: Some(stored.record.clone()),
        }
    }

    pub(crate) fn stored(self) -> Option<StoredWatermark> {
        let (snapshot_id, sequence_number) = (self.snapshot_id, self.sequence_number);
        self.record.map(|record| StoredWatermark {
            record,
            snapshot_id,
            sequence_number,
        })
    }
}

/// What a lake table says of how far its source has been read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Place {
    /// So far.
    At(Box<StoredWatermark>),
    /// Somebody said that everything is to be read.
    Cleared,
    /// The table is empty so far.
    Empty,
    /// A first load in ranges has put rows there, and did not come to its end.
    FirstLoad,
    /// There are snapshots, and none is known to have carried a watermark.
    Unknown,
}

/// What the property holds.
pub(crate) fn kept(table: &LakeTable) -> Result<Option<Kept>, SyncError> {
    let Some(text) = table.properties().remove(PROPERTY_WATERMARK) else {
        return Ok(None);
    };
    let malformed = |reason: String| {
        SyncError::watermark(
            format!(
                "the property {PROPERTY_WATERMARK} of lake table {} cannot be read: {reason}",
                table.name()
            ),
            "set the watermark with `icehost watermark set`, or start over with `icehost watermark clear`",
        )
    };
    let kept: Kept = serde_json::from_str(&text).map_err(|e| malformed(e.to_string()))?;
    if let Some(record) = &kept.record {
        let sound = record.watermark.validate();
        sound.map_err(|e| malformed(e.to_string()))?;
    }
    Ok(Some(kept))
}

/// Where the table stands. `copy` counts where the table has no property, as tables of earlier versions.
///
/// Must run on a thread that may block, inside a Tokio runtime.
pub(crate) fn place(table: &LakeTable, copy: Option<Kept>) -> Result<Place, SyncError> {
    let line = match table.current_snapshot() {
        None => Lineage {
            snapshots: Vec::new(),
            complete: true,
        },
        Some(current) => table.lineage(current.id, &|snapshot| {
            snapshot.summary.contains_key(SUMMARY_WATERMARK)
        }),
    };
    if let Some(marked) = line.snapshots.last()
        && let Some(text) = marked.summary.get(SUMMARY_WATERMARK)
    {
        let record = WatermarkRecord::from_summary(text, marked.id)?;
        return Ok(at(Kept {
            snapshot_id: marked.id,
            sequence_number: marked.sequence_number,
            record,
        }));
    }
    let Some(kept) = self::kept(table)?.or(copy) else {
        return Ok(match line.snapshots.as_slice() {
            [] => Place::Empty,
            all if line.complete && all.iter().all(is_of_first_load) => Place::FirstLoad,
            _ => Place::Unknown,
        });
    };
    match contradiction(&line, &kept) {
        None => Ok(at(kept)),
        Some(why) => Err(SyncError::watermark(
            format!(
                "the watermark of lake table {} was written with snapshot {}, and {why}",
                table.name(),
                kept.snapshot_id
            ),
            "the table was rolled back or replaced: say how far its rows go with `icehost watermark set`, or \
             have everything read again with `icehost watermark clear`",
        )),
    }
}

/// Whether the table still stands where a run found it; what guards of commits ask.
///
/// Must run on a thread that may block, inside a Tokio runtime.
pub(crate) fn is_at(table: &LakeTable, seen: Option<&StoredWatermark>) -> Result<bool, SyncError> {
    // What was seen may be known from a copy alone.
    let now = match place(table, seen.map(Kept::of))? {
        Place::At(stored) => Some(stored.snapshot_id),
        Place::Cleared | Place::Empty | Place::FirstLoad | Place::Unknown => None,
    };
    Ok(now == seen.map(|stored| stored.snapshot_id))
}

fn at(kept: Kept) -> Place {
    match kept.stored() {
        Some(stored) => Place::At(Box::new(stored)),
        None => Place::Cleared,
    }
}

pub(crate) fn is_of_first_load(snapshot: &SnapshotInfo) -> bool {
    snapshot.summary.contains_key(SUMMARY_FIRST_LOAD)
}

/// What says that the line does not come from the snapshot that the watermark was written with.
///
/// Sequence numbers never fall in a table, whatever becomes of its branches (Iceberg table spec, "Sequence
/// Numbers"). So if all that is known of the line is younger than the snapshot, this can be behind its
/// oldest; if something is not, and it is none of them, the line has passed it by.
fn contradiction(line: &Lineage, kept: &Kept) -> Option<String> {
    let (Some(current), Some(oldest)) = (line.snapshots.first(), line.snapshots.last()) else {
        return Some("the table has no snapshot any more".to_owned());
    };
    let descends = |snapshot: &SnapshotInfo| {
        snapshot.id == kept.snapshot_id || snapshot.parent == Some(kept.snapshot_id)
    };
    if line.snapshots.iter().any(descends) {
        return None;
    }
    if current.sequence_number <= kept.sequence_number {
        return Some(format!("the current one, {}, is older", current.id));
    }
    let closed = line.complete || oldest.parent.is_none();
    if closed || oldest.sequence_number <= kept.sequence_number {
        return Some(format!(
            "the current one, {}, is not known to descend from it",
            current.id
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of snapshots, youngest first, each with its sequence number for an id.
    fn line(numbers: &[i64], parent: Option<i64>) -> Lineage {
        let parents = numbers.iter().skip(1).copied().map(Some).chain([parent]);
        let snapshots = numbers
            .iter()
            .zip(parents)
            .map(|(&id, parent)| SnapshotInfo {
                id,
                parent,
                sequence_number: id,
                timestamp_ms: 0,
                operation: "replace".to_owned(),
                summary: std::collections::BTreeMap::new(),
            });
        Lineage {
            snapshots: snapshots.collect(),
            complete: parent.is_none(),
        }
    }

    #[test]
    fn the_property_counts_unless_the_line_contradicts() {
        let kept = Kept {
            snapshot_id: 5,
            sequence_number: 5,
            record: None,
        };
        for (what, line, sound) in [
            (
                "the snapshot is current, its summary lost",
                line(&[5], Some(4)),
                true,
            ),
            ("it is an ancestor", line(&[7, 6, 5], Some(4)), true),
            (
                "it is the parent of the oldest",
                line(&[7, 6], Some(5)),
                true,
            ),
            ("it expired with more of them", line(&[9, 8], Some(7)), true),
            ("rolled back", line(&[4, 3], None), false),
            (
                "rolled back, and the rest expired",
                line(&[4], Some(3)),
                false,
            ),
            ("rolled back, and went on", line(&[6, 4], Some(3)), false),
            ("rolled back to nothing", line(&[], None), false),
            (
                "another snapshot has its number",
                {
                    let mut other = line(&[5], Some(4));
                    for snapshot in &mut other.snapshots {
                        snapshot.id = 50;
                    }
                    other
                },
                false,
            ),
            ("replaced: a line of its own", line(&[7, 6], None), false),
            (
                "perhaps replaced, perhaps expired",
                {
                    let mut orphan = line(&[7, 6], None);
                    orphan.complete = false;
                    orphan
                },
                false,
            ),
        ] {
            assert_eq!(contradiction(&line, &kept).is_none(), sound, "{what}");
        }
    }
}
