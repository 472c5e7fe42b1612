//! The keys of a delta, collected while its rows are staged.

use std::collections::{BTreeMap, HashMap};

use roaring::RoaringTreemap;

use crate::row_change::{Matched, NotMatched};

/// What becomes of a delta's row, in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) matched: Matched,
    pub(crate) not_matched: NotMatched,
}

impl Decision {
    /// Whether the row stands in the table afterwards in at least one case, so that it must be written.
    pub(crate) fn may_write(self) -> bool {
        self.matched == Matched::Replace || self.not_matched == NotMatched::Insert
    }

    /// Whether the row stands in the table afterwards.
    pub(crate) fn writes(self, found: bool) -> bool {
        match found {
            true => self.matched == Matched::Replace,
            false => self.not_matched == NotMatched::Insert,
        }
    }

    /// Whether a row of the table with this key goes.
    pub(crate) fn removes(self) -> bool {
        self.matched != Matched::Keep
    }
}

/// A row in a staged file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StagedRow {
    /// Which of the staged files.
    pub(crate) file: u32,
    /// Position in it, from 0.
    pub(crate) position: u64,
}

/// The row of the delta that counts for its key.
#[derive(Debug)]
pub(crate) struct KeyEntry {
    pub(crate) decision: Decision,
    /// Where it was written, if it was.
    pub(crate) row: Option<StagedRow>,
    /// Whether keys that are spelled otherwise may be one with it.
    pub(crate) uncertain: bool,
    /// Its place in the plan's order, where the plan has one.
    pub(crate) order: Option<Box<[u8]>>,
}

/// Rows of staged files, by file.
#[derive(Debug, Clone, Default)]
pub(crate) struct StagedRows(BTreeMap<u32, RoaringTreemap>);

impl StagedRows {
    pub(crate) fn extend(&mut self, rows: impl IntoIterator<Item = StagedRow>) {
        for row in rows {
            self.0.entry(row.file).or_default().insert(row.position);
        }
    }

    /// The positions in a file, if there are any.
    pub(crate) fn of(&self, file: u32) -> Option<&RoaringTreemap> {
        self.0.get(&file)
    }

    /// Takes the others, too.
    pub(crate) fn join(&mut self, others: &StagedRows) {
        for (file, rows) in &others.0 {
            *self.0.entry(*file).or_default() |= rows;
        }
    }
}

/// What an entry takes beside its key and its place in the order, in bytes: the entry, two allocations, and a place in
/// an index that is half full.
pub(crate) const ENTRY: usize = 128;

/// One entry for each key of the delta, or of a part of it.
#[derive(Debug, Default)]
pub(crate) struct DeltaKeys {
    index: HashMap<Box<[u8]>, u32>,
    pub(crate) entries: Vec<KeyEntry>,
    /// Rows that were written before a later one with the same key, or after one that counts.
    pub(crate) superseded: StagedRows,
    /// What it takes, roughly.
    bytes: usize,
}

impl DeltaKeys {
    /// What it takes in memory, roughly, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The entry of a key.
    pub(crate) fn find(&self, key: &[u8]) -> Option<usize> {
        self.index.get(key).map(|&entry| entry as usize)
    }

    /// Every key with its entry.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&[u8], u32)> {
        self.index.iter().map(|(key, entry)| (key.as_ref(), *entry))
    }

    /// Whether a row with this key and place in the order would count, rather than the one known.
    pub(crate) fn wins(&self, key: &[u8], order: Option<&[u8]>) -> bool {
        match self.find(key).and_then(|entry| self.entries.get(entry)) {
            None => true,
            // Of equals the last to arrive counts.
            Some(known) => order <= known.order.as_deref(),
        }
    }

    /// Enters a row that [`DeltaKeys::wins`]; a row that it supersedes is remembered.
    pub(crate) fn enter(
        &mut self,
        key: &[u8],
        order: Option<&[u8]>,
        decision: Decision,
        (row, uncertain): (Option<StagedRow>, bool),
    ) {
        let entry = KeyEntry {
            decision,
            row,
            uncertain,
            order: order.map(Into::into),
        };
        match self.find(key) {
            Some(known) => {
                if let Some(slot) = self.entries.get_mut(known) {
                    let before = std::mem::replace(slot, entry);
                    self.superseded.extend(before.row);
                }
            }
            None => {
                self.bytes += ENTRY + key.len() + order.map_or(0, <[u8]>::len);
                self.index.insert(key.into(), self.entries.len() as u32);
                self.entries.push(entry);
            }
        }
    }
}
