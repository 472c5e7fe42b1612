//! Rows, as far as they have to be remembered to be compared.

use icehost_lake::Turn;

use crate::verify::compare::shape::Hash;

/// Which side a row is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// The side that is taken as it is: the source, or the lake where the target is looked at.
    Expected,
    /// The side that is compared with it.
    Found,
}

/// A row, as far as it has to be remembered to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Rows that have it in common are compared with each other.
    pub(crate) group: Hash,
    /// The whole row.
    pub(crate) row: Hash,
    /// The key's spelling, as far as that may make it another key.
    pub(crate) spelling: Hash,
    /// Whose row.
    pub(crate) side: Side,
    /// The source's cursor is NULL in it, and the strategy passes over such rows.
    pub(crate) passed_over: bool,
    /// How often it was read.
    pub(crate) times: u64,
    /// The order in which it was read, the last time.
    pub(crate) sequence: u64,
    /// Its place in the order by which a merge chooses among rows with one key, the lowest first; empty where there
    /// is none.
    pub(crate) rank: Box<[u8]>,
    /// When it came to the lake, the last time.
    pub(crate) turn: Turn,
    /// How often it came again with no other row of its key in between.
    pub(crate) directly: u64,
}

/// Sorts rows by their key and what they are, and brings those together that are the same. The last one stands for
/// all: of rows that are the same in a merge's order, it is the one that counts.
pub(crate) fn fold(entries: &mut Vec<Entry>) {
    count_directly(entries);
    entries.sort_unstable_by_key(|entry| (entry.group, entry.row, entry.side, entry.sequence));
    entries.dedup_by(|next, kept| {
        let same = (next.group, next.row, next.side) == (kept.group, kept.row, kept.side);
        if same {
            kept.times += next.times;
            kept.directly += next.directly;
            kept.sequence = next.sequence;
            kept.turn = next.turn;
        }
        same
    });
}

/// Counts what came again directly. What was brought together before is there once, so nothing is counted twice.
fn count_directly(entries: &mut [Entry]) {
    if entries.iter().all(|entry| entry.turn == Turn::UNKNOWN) {
        return;
    }
    entries.sort_unstable_by_key(|entry| (entry.group, entry.side, entry.sequence));
    let mut last: Option<((Hash, Side, Hash), Turn)> = None;
    for entry in entries {
        let this = (entry.group, entry.side, entry.row);
        if last.is_some_and(|(same, turn)| same == this && entry.turn.follows(turn)) {
            entry.directly += entry.times;
        }
        last = Some((this, entry.turn));
    }
}
