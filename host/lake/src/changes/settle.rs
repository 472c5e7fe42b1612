//! Which rows of those that went and came are delivered, and as what: key by key.

use std::collections::BTreeMap;

use roaring::RoaringTreemap;

use crate::changes::records::{Kind, Record, Records};
use crate::error::Result;

/// Positions in files, by their numbers.
pub(super) type Rows = BTreeMap<u32, RoaringTreemap>;

/// Whether a file's new rows may have been overtaken: one of their keys that was there before may have been committed
/// after them, or others of the key are wanted anyway.
pub(super) type Overtaken<'a> = &'a dyn Fn(u32) -> bool;

/// Keys that have to be looked for among all rows that are there: a row for each, whose key it is.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// By change.
    pub(super) went: Rows,
    /// By data file of the later snapshot.
    pub(super) came: Rows,
}

impl Wanted {
    pub(super) fn is_empty(&self) -> bool {
        self.went.is_empty() && self.came.is_empty()
    }
}

/// What is delivered.
#[derive(Debug, Default)]
pub(super) struct Delivered {
    /// By change.
    pub(super) deleted: Rows,
    /// By data file of the later snapshot, as the others.
    pub(super) inserted: Rows,
    pub(super) updated: Rows,
}

/// What a row is, seen beside those that have the same image.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It went and came again elsewhere, as it was.
    Moved,
    /// It went for good.
    Gone,
    /// It was there before, elsewhere.
    Again,
    New,
    There,
}

/// Tells the role of each row of a key. Of rows with one image the first are those that were only written again.
fn each_role(key: &[Record], mut take: impl FnMut(&Record, Role)) {
    for image in key.chunk_by(|a, b| a.image == b.image) {
        let went = image.partition_point(|record| record.kind < Kind::Came);
        let came = image.partition_point(|record| record.kind < Kind::There) - went;
        let (mut gone, mut again) = (went.saturating_sub(came), went.min(came));
        for record in image {
            let role = match record.kind {
                Kind::Went if gone > 0 => {
                    gone -= 1;
                    Role::Gone
                }
                Kind::Went => Role::Moved,
                Kind::Came if again > 0 => {
                    again -= 1;
                    Role::Again
                }
                Kind::Came => Role::New,
                Kind::There => Role::There,
            };
            take(record, role);
        }
    }
}

/// What is known of a key.
#[derive(Default)]
struct Known {
    keyless: bool,
    new: bool,
    gone: bool,
    /// It is looked for among all rows; one that has it.
    wanted: Option<Record>,
    /// A row that is there has it.
    there: bool,
}

impl Known {
    fn of(key: &[Record], overtaken: Overtaken<'_>) -> Known {
        let mut known = Known {
            keyless: key.first().is_some_and(|record| record.keyless),
            ..Known::default()
        };
        let (mut came, mut went) = (None, None);
        each_role(key, |record, role| match role {
            Role::New => {
                known.new = true;
                if overtaken(record.file) {
                    came.get_or_insert(*record);
                }
            }
            Role::Gone => {
                known.gone = true;
                went.get_or_insert(*record);
            }
            Role::There => known.there = true,
            Role::Moved | Role::Again => {}
        });
        if !known.keyless {
            known.wanted = came.or(went.filter(|_| !known.new));
        }
        known
    }

    /// Whether a row that has the key is delivered though it is not new.
    fn delivers_all(&self) -> bool {
        !self.keyless && self.new
    }

    fn is_gone(&self) -> bool {
        self.keyless || !(self.new || (self.wanted.is_some() && self.there))
    }
}

fn each_key(part: &[Record]) -> impl Iterator<Item = &[Record]> {
    part.chunk_by(Record::is_one_with)
}

/// The keys that have to be looked for.
pub(super) fn wanted(records: &mut Records, overtaken: Overtaken<'_>) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    records.each_part(&mut |part| {
        for key in each_key(part) {
            if let Some(record) = Known::of(key, overtaken).wanted {
                let rows = match record.kind {
                    Kind::Went => &mut wanted.went,
                    Kind::Came | Kind::There => &mut wanted.came,
                };
                insert(rows, &record);
            }
        }
        Ok(())
    })?;
    Ok(wanted)
}

/// What is delivered, now that the rows that are there are known. `alike` are rows of the later snapshot that the
/// reader may take for ones with a key that was looked for.
pub(super) fn delivered(
    records: &mut Records,
    overtaken: Overtaken<'_>,
    alike: Rows,
) -> Result<Delivered> {
    let mut delivered = Delivered {
        updated: alike,
        ..Delivered::default()
    };
    records.each_part(&mut |part| {
        for key in each_key(part) {
            let known = Known::of(key, overtaken);
            let changed = !known.keyless && known.new && known.gone;
            each_role(key, |record, role| match role {
                Role::Gone if known.is_gone() => insert(&mut delivered.deleted, record),
                Role::New if !changed => insert(&mut delivered.inserted, record),
                Role::New => insert(&mut delivered.updated, record),
                Role::Again if known.delivers_all() => insert(&mut delivered.updated, record),
                Role::There if known.wanted.is_some() => insert(&mut delivered.updated, record),
                Role::Gone | Role::Moved | Role::Again | Role::There => {}
            });
        }
        Ok(())
    })?;
    // A new row that is also found among those that are there is new.
    for (file, inserted) in &delivered.inserted {
        if let Some(updated) = delivered.updated.get_mut(file) {
            *updated -= inserted;
        }
    }
    delivered.updated.retain(|_, rows| !rows.is_empty());
    Ok(delivered)
}

fn insert(rows: &mut Rows, record: &Record) {
    rows.entry(record.file).or_default().insert(record.position);
}
