//! Of the versions of a row in a lake that keeps all of them, the one that counts: the one that came last.

use crate::verify::compare::entry::{Entry, Side};

/// The expected rows among those of one key that are found, but that another one came after. Where nothing tells which
/// one came last, as after a compaction, any that may have is taken for it.
pub(crate) fn overtaken(entries: &[Entry]) -> Vec<&Entry> {
    let of = |side| {
        let entries = entries.iter();
        entries.filter(move |entry: &&Entry| entry.side == side)
    };
    let is_overtaken = |wanted: &&Entry| {
        let others = || of(Side::Expected).filter(|entry| entry.row != wanted.row);
        // Read while it moved, or no key of the source's own.
        if others().any(|entry| entry.spelling == wanted.spelling) {
            return false;
        }
        // Keys that differ in their spelling alone, and are there at a time: each for itself.
        let alone = others().next().is_none();
        let same_key = |entry: &&Entry| alone || entry.spelling == wanted.spelling;
        let found: Vec<&Entry> = of(Side::Found).filter(same_key).collect();
        let may_be_last = last(found.clone());
        found.iter().any(|entry| entry.row == wanted.row)
            && !may_be_last.iter().any(|entry| entry.row == wanted.row)
    };
    of(Side::Expected).filter(is_overtaken).collect()
}

/// Those of which one came last.
fn last(mut entries: Vec<&Entry>) -> Vec<&Entry> {
    entries.sort_unstable_by_key(|entry| entry.sequence);
    let mut last: Vec<&Entry> = Vec::new();
    for entry in entries {
        if last.iter().all(|before| entry.turn.follows(before.turn)) {
            last.clear();
        }
        last.push(entry);
    }
    last
}
