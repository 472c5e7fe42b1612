//! What a staged delta means for the table as a commit finds it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use arrow_select::filter::filter_record_batch;
use iceberg::spec::DataFile;
use roaring::RoaringTreemap;

use crate::error::{LakeError, LakeErrorKind, Result};
use crate::keys::KeyEncoder;
use crate::read::data_file::Pick;
use crate::read::deletes::Deletes;
use crate::read::live_files::{LiveFile, TableFiles};
use crate::schema::LakeColumn;
use crate::staging::Staged;
use crate::staging::delta_keys::{DeltaKeys, StagedRow};
use crate::table::LakeTable;

/// Rows in a batch of keys.
const BATCH_ROWS: usize = 8192;

/// Positions by data file, in the order that position delete files want.
pub(crate) type Positions = BTreeMap<String, RoaringTreemap>;

/// The rows that a commit adds and takes out.
#[derive(Debug, Default)]
pub(crate) struct Effect {
    /// The staged files that hold at least one row that counts.
    pub(crate) data: Vec<DataFile>,
    /// Position deletes, of earlier snapshots' files and of the staged ones.
    pub(crate) deletes: Positions,
    /// Rows in `data`, less those that are deleted at once.
    pub(crate) rows_appended: u64,
    /// Rows of earlier snapshots that are deleted.
    pub(crate) rows_removed: u64,
    /// Those of them that go for no other reason than that the delta does not have them.
    pub(crate) absent: Absent,
}

/// Rows of the table that a complete delta does not have, and that go for no other reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Absent {
    /// Rows that would go.
    pub rows: u64,
    /// The table's live rows, those among them.
    pub of: u64,
}

impl Effect {
    pub(crate) fn is_empty(&self) -> bool {
        self.data.is_empty() && self.deletes.is_empty()
    }

    /// Settles a staged delta against the table's rows.
    pub(crate) fn of(staged: &Staged, base: &LakeTable) -> Result<Effect> {
        let mut effect = Effect::default();
        let (removed, superseded, absent) = match &staged.keys {
            None if !staged.change.keys.is_empty()
                && !staged.vouched
                && base.current_snapshot().is_some() =>
            {
                return Err(LakeError::new(
                    LakeErrorKind::Conflict,
                    format!(
                        "lake table {} was empty when the rows were staged, and no longer is",
                        base.display
                    ),
                )
                .with_hint("run again: the rows are then matched by their keys"));
            }
            None => (Positions::new(), Vec::new(), Absent::default()),
            Some((keys, encoder)) => settle(staged, keys, encoder, base)?,
        };
        effect.rows_removed = removed.values().map(RoaringTreemap::len).sum();
        effect.deletes = removed;
        effect.absent = absent;
        effect.add_staged(&staged.data_files, &superseded);
        Ok(effect)
    }

    fn add_staged(&mut self, files: &[DataFile], superseded: &[StagedRow]) {
        for (index, file) in (0u32..).zip(files) {
            let gone: RoaringTreemap = superseded
                .iter()
                .filter(|row| row.file == index)
                .map(|row| row.position)
                .collect();
            if gone.len() == file.record_count() {
                continue;
            }
            self.rows_appended += file.record_count() - gone.len();
            if !gone.is_empty() {
                self.deletes.insert(file.file_path().to_owned(), gone);
            }
            self.data.push(file.clone());
        }
    }
}

/// The table's rows that go, the staged rows that do not count, and how many of the former are only absent.
fn settle(
    staged: &Staged,
    keys: &DeltaKeys,
    encoder: &KeyEncoder,
    base: &LakeTable,
) -> Result<(Positions, Vec<StagedRow>, Absent)> {
    let mut absent = Absent::default();
    let mut found = vec![false; keys.entries.len()];
    let mut removed = Positions::new();
    let everything = staged.change.delete_unlisted;
    let snapshot = base.metadata.current_snapshot_id();
    if let (Some(snapshot), true) = (snapshot, everything || !keys.entries.is_empty()) {
        let files = TableFiles::new(base);
        let live = files.live_files(snapshot)?;
        let candidates: Vec<&LiveFile> = live
            .data
            .iter()
            .filter(|file| everything || keys.bounds.may_be_in(file.file()))
            .collect();
        tracing::debug!(
            table = %base.display,
            of = live.data.len(),
            read = candidates.len(),
            "match keys against data files"
        );
        let wanted: HashSet<&str> = candidates.iter().map(|file| file.path()).collect();
        let deletes = Deletes::load(&files, &live.deletes, Some(&wanted))?;
        let columns = key_columns(staged, base)?;
        for file in candidates {
            let mut gone = RoaringTreemap::new();
            let sink = &mut |batch: arrow_array::RecordBatch, positions: &[u64]| {
                // Of the rows that were read, few have a key of the delta; the others are not worth encoding.
                let among = match everything {
                    true => None,
                    false => keys.bounds.among(batch.columns()),
                };
                let (batch, positions) = match &among {
                    None => (batch, Cow::Borrowed(positions)),
                    Some(among) => (
                        filter_record_batch(&batch, among)?,
                        Cow::Owned(
                            among
                                .values()
                                .set_indices()
                                .filter_map(|row| positions.get(row).copied())
                                .collect(),
                        ),
                    ),
                };
                let encoded = encoder.encode(batch.columns())?;
                absent.of += positions.len() as u64;
                for (row, &position) in positions.iter().enumerate() {
                    let entry = match encoded.is_null(row) {
                        true => None,
                        false => keys.find(encoded.bytes(row)),
                    };
                    let goes = match entry {
                        None => {
                            absent.rows += u64::from(everything);
                            everything
                        }
                        Some(entry) => {
                            if let Some(found) = found.get_mut(entry) {
                                *found = true;
                            }
                            keys.entries
                                .get(entry)
                                .is_some_and(|e| e.decision.removes())
                        }
                    };
                    if goes {
                        gone.insert(position);
                    }
                }
                Ok(ControlFlow::Continue(()))
            };
            let pick = match everything {
                true => Pick::Except(deletes.positions(file)),
                false => Pick::Near(&keys.bounds, deletes.positions(file)),
            };
            let _all_read = deletes.read_picked(&files, file, &columns, &pick, BATCH_ROWS, sink)?;
            if !gone.is_empty() {
                removed.insert(file.path().to_owned(), gone);
            }
        }
    }
    let mut superseded = keys.superseded.clone();
    for (entry, found) in keys.entries.iter().zip(found) {
        if !entry.decision.writes(found) {
            superseded.extend(entry.row);
        }
    }
    // Unless the whole table was read, what was read of it says nothing.
    let absent = match everything {
        true => absent,
        false => Absent::default(),
    };
    Ok((removed, superseded, absent))
}

fn key_columns(staged: &Staged, base: &LakeTable) -> Result<Vec<LakeColumn>> {
    let ordinals: Vec<u32> = staged.change.keys.iter().map(|key| key.target).collect();
    base.select(Some(&ordinals))
}
