//! Rows counted and added up, by buckets of their keys.

use std::ops::Range;

use icehost_sqlserver::{Checksum, RowForm};

use super::compare::hash;
use super::judge::Side;
use super::rows::Read;
use super::shape::{Hashed, Shape};
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
        Ok(match self.server {
            Some(_) => self.places(read, &[]),
            None => self.places(read, &hash(self.shape, read)?),
        })
    }

    /// The same, where the rows are hashed already; their hashes count where no server adds up its own.
    pub(super) fn places(&self, read: &Read, hashed: &[Hashed]) -> Vec<(usize, u128)> {
        match self.server {
            Some(server) => server
                .form
                .hash(&read.arrays)
                .into_iter()
                .map(|(key, row)| (RowForm::bucket(key, BUCKETS), row))
                .collect(),
            None => hashed
                .iter()
                .map(|hashed| (RowForm::bucket(hashed.group, BUCKETS), hashed.row))
                .collect(),
        }
    }
}

/// The buckets that are compared, in parts.
pub(super) struct Passes {
    /// For each bucket, whether it is compared.
    compared: Vec<bool>,
    /// Where each part ends, and how many rows fell into it.
    parts: Vec<(usize, u64)>,
}

/// Buckets that are compared at a time.
pub(super) struct Pass<'a> {
    compared: &'a [bool],
    buckets: Range<usize>,
    /// Rows that fell into them.
    pub(super) rows: u64,
}

impl Passes {
    pub(super) fn each(&self) -> impl Iterator<Item = Pass<'_>> {
        let begins = [0]
            .into_iter()
            .chain(self.parts.iter().map(|(end, _)| *end));
        let parts = begins.zip(&self.parts);
        parts.map(|(begin, &(end, rows))| Pass {
            compared: &self.compared,
            buckets: begin..end,
            rows,
        })
    }
}

impl Pass<'_> {
    pub(super) fn has(&self, bucket: usize) -> bool {
        self.buckets.contains(&bucket) && self.compared.get(bucket).copied().unwrap_or(false)
    }
}

/// The buckets in which the sides differ, so many rows at a time; a bucket with more is alone. Where rows that are
/// `alike` may be wrong all the same, all buckets in which there are several.
pub(super) fn passes(buckets: &[Bucket], capacity: u64, alike: bool) -> Passes {
    let mut passes = Passes {
        compared: vec![false; buckets.len()],
        parts: Vec::new(),
    };
    let mut room = 0;
    for (at, (bucket, compared)) in buckets.iter().zip(&mut passes.compared).enumerate() {
        if bucket.agrees() && (alike || bucket.found.rows < 2) {
            continue;
        }
        *compared = true;
        let rows = bucket.expected.rows.saturating_add(bucket.found.rows);
        match passes.parts.last_mut() {
            Some(last) if rows <= room => *last = (at + 1, last.1 + rows),
            _ => {
                room = capacity;
                passes.parts.push((at + 1, rows));
            }
        }
        room = room.saturating_sub(rows);
    }
    passes
}

#[cfg(test)]
mod tests;
