//! Rows counted and added up, by buckets of their keys.

use icehost_sqlserver::{Checksum, RowForm};

use super::compare::hash;
use super::judge::Side;
use super::rows::Read;
use super::shape::Shape;
use crate::SyncError;

/// Buckets that keys fall into, as a power of two.
pub(super) const BUCKETS: u32 = 1 << 15;

/// A server that adds up its rows itself.
#[derive(Debug, Clone)]
pub(super) struct ServerSums {
    /// Whose rows.
    pub(super) side: Side,
    /// The form that it gives them.
    pub(super) form: RowForm,
    /// Whether rows that are compared with each other fall into one bucket. Else, as with keys of text, where equal ones
    /// may be spelled differently, the sums only tell that all rows are the same.
    pub(super) together: bool,
}

/// What both sides have in a bucket.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bucket {
    pub(super) expected: Checksum,
    pub(super) found: Checksum,
}

impl Bucket {
    /// Whether both sides have the same rows.
    pub(super) fn agrees(&self) -> bool {
        self.expected == self.found
    }

    pub(super) fn of(&mut self, side: Side) -> &mut Checksum {
        match side {
            Side::Expected => &mut self.expected,
            Side::Found => &mut self.found,
        }
    }
}

/// Into which buckets rows fall.
pub(super) struct Placing<'a> {
    pub(super) shape: &'a Shape,
    pub(super) server: Option<&'a ServerSums>,
}

impl Placing<'_> {
    /// The bucket of each row, and the hash that is added up.
    pub(super) fn rows(&self, read: &Read) -> Result<Vec<(usize, u128)>, SyncError> {
        let placed = match self.server {
            Some(server) => server
                .form
                .hash(&read.arrays)
                .into_iter()
                .map(|(key, row)| (RowForm::bucket(key, BUCKETS), row))
                .collect(),
            None => hash(self.shape, read)?
                .into_iter()
                .map(|hashed| (RowForm::bucket(hashed.group, BUCKETS), hashed.row))
                .collect(),
        };
        Ok(placed)
    }
}

/// Buckets that are compared at a time.
pub(super) struct Pass {
    buckets: Vec<bool>,
    /// Rows that fell into them, and at most as many as memory is for: a server says how many there are.
    pub(super) rows: usize,
}

impl Pass {
    pub(super) fn has(&self, bucket: usize) -> bool {
        self.buckets.get(bucket).copied().unwrap_or(false)
    }
}

/// The buckets in which the sides differ, so many rows at a time; a bucket with more is alone. Where rows that are
/// `alike` may be wrong all the same, all buckets in which there are several.
pub(super) fn passes(buckets: &[Bucket], capacity: u64, alike: bool) -> Vec<Pass> {
    let mut passes: Vec<Pass> = Vec::new();
    let mut room = 0;
    for (at, bucket) in buckets.iter().enumerate() {
        if bucket.agrees() && (alike || bucket.found.rows < 2) {
            continue;
        }
        let rows = bucket.expected.rows.saturating_add(bucket.found.rows);
        if passes.is_empty() || rows > room {
            passes.push(Pass {
                buckets: vec![false; BUCKETS as usize],
                rows: 0,
            });
            room = capacity;
        }
        room = room.saturating_sub(rows);
        if let Some(pass) = passes.last_mut() {
            let rows = (pass.rows as u64).saturating_add(rows).min(capacity);
            pass.rows = usize::try_from(rows).unwrap_or(usize::MAX);
            if let Some(has) = pass.buckets.get_mut(at) {
                *has = true;
            }
        }
    }
    passes
}

#[cfg(test)]
mod tests;
