//! Rows counted and added up, by buckets of their keys.

use std::ops::Range;

use icehost_plan::{LakeType, SqlType};
use icehost_sqlserver::{Blanks, Checksum, RowForm};

use crate::SyncError;
use crate::verify::compare::entry::Side;
use crate::verify::compare::hash::hash;
use crate::verify::compare::rows::Read;
use crate::verify::compare::shape::{Hashed, Shape};

/// Buckets that keys fall into, as a power of two.
pub(crate) const BUCKETS: u32 = 1 << 15;

/// A server that adds up its rows itself.
#[derive(Debug, Clone)]
pub(crate) struct ServerSums {
    /// Whose rows.
    pub(crate) side: Side,
    /// The form that it gives them.
    pub(crate) form: RowForm,
    /// Whether rows that are compared with each other fall into one bucket. Else, as with keys of text, where equal ones
    /// may be spelled differently, the sums only tell that all rows are the same.
    pub(crate) together: bool,
}

/// What both sides have in a bucket.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bucket {
    pub(crate) expected: Checksum,
    pub(crate) found: Checksum,
}

impl Bucket {
    /// Whether both sides have the same rows.
    pub(crate) fn agrees(&self) -> bool {
        self.expected == self.found
    }

    pub(crate) fn of(&mut self, side: Side) -> &mut Checksum {
        match side {
            Side::Expected => &mut self.expected,
            Side::Found => &mut self.found,
        }
    }
}

/// Into which buckets rows fall.
pub(crate) struct Placing<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) server: Option<&'a ServerSums>,
}

impl Placing<'_> {
    /// The bucket of each row, and the hash that is added up.
    pub(crate) fn rows(&self, read: &Read) -> Result<Vec<(usize, u128)>, SyncError> {
        Ok(match self.server {
            Some(_) => self.places(read, &[]),
            None => self.places(read, &hash(self.shape, read)?),
        })
    }

    /// The same, where the rows are hashed already; their hashes count where no server adds up its own.
    pub(crate) fn places(&self, read: &Read, hashed: &[Hashed]) -> Vec<(usize, u128)> {
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
pub(crate) struct Passes {
    /// For each bucket, whether it is compared.
    compared: Vec<bool>,
    /// Where each part ends, and how many rows fell into it.
    parts: Vec<(usize, u64)>,
}

/// Buckets that are compared at a time.
pub(crate) struct Pass<'a> {
    compared: &'a [bool],
    buckets: Range<usize>,
    /// Rows that fell into them.
    pub(crate) rows: u64,
}

impl Passes {
    pub(crate) fn each(&self) -> impl Iterator<Item = Pass<'_>> {
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
    pub(crate) fn has(&self, bucket: usize) -> bool {
        self.buckets.contains(&bucket) && self.compared.get(bucket).copied().unwrap_or(false)
    }
}

/// The buckets in which the sides differ, so many rows at a time; a bucket with more is alone. Where rows that are
/// `alike` may be wrong all the same, all buckets in which there are several.
pub(crate) fn passes(buckets: &[Bucket], capacity: u64, alike: bool) -> Passes {
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

/// How a server adds up rows with columns of these types.
pub(crate) fn server_sums(side: Side, types: Vec<SqlType>, shape: &Shape) -> Option<ServerSums> {
    let same_bytes = |&at: &usize| {
        let sql_type = types.get(at);
        sql_type
            .is_some_and(|sql_type| !matches!(sql_type.lake(), LakeType::String | LakeType::Binary))
    };
    if types.is_empty() || types.len() != shape.columns.len() {
        return None;
    }
    let key: Vec<usize> = match shape.key.is_empty() {
        true => (0..types.len()).collect(),
        false => shape.key.clone(),
    };
    // The lake has the source's blanks; a target adds its own to what the lake has.
    let blanks = match side {
        Side::Expected => Blanks::Kept,
        Side::Found => Blanks::Cut,
    };
    Some(ServerSums {
        side,
        together: !shape.key.is_empty() && key.iter().all(same_bytes),
        form: RowForm::new(types, key, blanks),
    })
}

#[cfg(test)]
mod tests;
