//! The keys of a delta, collected while its rows are staged.

use std::collections::HashMap;

use arrow_array::ArrayRef;
use icehost_plan::LakeType;

use crate::keys::KeyFold;
use crate::row_change::{Matched, NotMatched};
use crate::staging::key_bounds::KeyBounds;

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
    order: Option<Box<[u8]>>,
}

/// One entry for each key of the delta. Takes about a hundred bytes a key, and sixteen more for each part of it
/// that is a number, a time or a UUID.
#[derive(Debug)]
pub(crate) struct DeltaKeys {
    index: HashMap<Box<[u8]>, u32>,
    pub(crate) entries: Vec<KeyEntry>,
    /// Rows that were written before a later one with the same key.
    pub(crate) superseded: Vec<StagedRow>,
    /// Where the keys can be at all.
    pub(crate) bounds: KeyBounds,
}

impl DeltaKeys {
    /// `fields` are the field ids and types of the key columns, in key order.
    pub(crate) fn new(fields: &[(i32, LakeType)], fold: &KeyFold) -> Self {
        DeltaKeys {
            index: HashMap::new(),
            entries: Vec::new(),
            superseded: Vec::new(),
            bounds: KeyBounds::new(fields, fold),
        }
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
                self.index.insert(key.into(), self.entries.len() as u32);
                self.entries.push(entry);
            }
        }
    }

    /// Notes a batch's key columns, in key order, to tell by them where the keys cannot be.
    pub(crate) fn note(&mut self, columns: &[ArrayRef]) {
        self.bounds.note(columns);
    }

    /// To be called when every batch has been noted.
    pub(crate) fn seal(&mut self) {
        self.bounds.seal();
    }
}
