//! A delta's rows against those that the table holds.

use arrow_array::RecordBatch;

use crate::error::Result;
use crate::held::unseen::{SAME, SEEN};
use crate::held::{Entry, HeldRows, IMAGE, first_two};

impl HeldRows {
    /// Which rows of a delta, as they would be written, the table holds. Without an identity each row of the table
    /// counts once.
    pub(crate) fn among(&mut self, image: &RecordBatch) -> Result<Vec<bool>> {
        let held = match self.entries.is_empty() {
            true => vec![false; image.num_rows()],
            false => {
                let sought = self.entries_of(image.columns())?;
                sought.iter().map(|entry| self.meet(entry)).collect()
            }
        };
        if let Some(apart) = &self.apart {
            let is_new = |row: usize| held.get(row) == Some(&false);
            self.rows_apart += apart.count(image, is_new);
        }
        Ok(held)
    }

    /// Rows of the delta that the table does not hold and that lie above the value of
    /// [`HeldRequest::apart`].
    pub fn rows_apart(&self) -> u64 {
        self.rows_apart
    }

    /// Whether the table holds a row of the delta.
    fn meet(&mut self, entry: &Entry) -> bool {
        let wanted = first_two(entry);
        let first = self.entries.partition_point(|e| first_two(e) < wanted);
        let Some(known) = self.entries.get_mut(first..) else {
            return false;
        };
        let last = known.partition_point(|e| first_two(e) == wanted);
        let Some(known) = known.get_mut(..last) else {
            return false;
        };
        if self.identity.is_none() {
            let Some(known) = known.first_mut() else {
                return false;
            };
            let left = known[2] > 0;
            known[2] -= u64::from(left);
            return left;
        }
        let held = known.iter().any(|known| known[2] & IMAGE == entry[2]);
        let state = if held { SAME } else { SEEN };
        for found in self.found.iter_mut().skip(first).take(known.len()) {
            *found = state.max(*found);
        }
        held
    }

    /// What the delta has brought of an identity; `None` where it was not looked for.
    pub(super) fn state_of(&self, identity: &[u8]) -> Option<u8> {
        let hash = self.hasher.hash(identity);
        let wanted = [(hash >> 64) as u64, hash as u64];
        let at = self.entries.binary_search_by_key(&wanted, first_two);
        self.found.get(at.ok()?).copied()
    }
}
