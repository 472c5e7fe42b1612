//! The keys of a delta within a bound of memory: what goes beyond it is on disk, and comes back a part at a time.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use arrow_array::ArrayRef;
use icehost_plan::LakeType;

use crate::error::{LakeError, Result};
use crate::keys::KeyFold;
use crate::row_change::{Matched, NotMatched};
use crate::staging::delta_keys::{Decision, DeltaKeys, ENTRY, KeyEntry, StagedRow, StagedRows};
use crate::staging::key_bounds::KeyBounds;
use crate::staging::partitions::{PARTITIONS, Partitioner, Partitions};

/// Of the memory that keys may take, what is for the places where they can be.
const PART_OF_BOUNDS: usize = 2;

/// All keys of a delta.
#[derive(Debug)]
pub(crate) struct KeySet {
    pub(crate) keys: Keys,
    /// Where the keys can be at all.
    pub(crate) bounds: KeyBounds,
    /// Most that they may take in memory, in bytes.
    most: usize,
    /// Where what goes beyond it is written.
    directory: PathBuf,
}

/// Where they are.
#[derive(Debug)]
pub(crate) enum Keys {
    Held(DeltaKeys),
    Spilled(Spilled),
}

/// A row of the delta, and its key.
pub(crate) struct KeyedRow<'a> {
    pub(crate) key: &'a [u8],
    /// Its place in the plan's order, where the plan has one.
    pub(crate) order: Option<&'a [u8]>,
    pub(crate) decision: Decision,
    /// Where it would be written, if it is.
    pub(crate) row: Option<StagedRow>,
    /// Whether keys that are spelled otherwise may be one with it.
    pub(crate) uncertain: bool,
}

/// What became of a row that was entered.
pub(crate) struct Entered {
    /// Whether it counts, as far as that is known yet; it need not be written otherwise.
    pub(crate) counts: bool,
    /// Whether its key is known to have been entered before.
    pub(crate) repeated: bool,
}

impl KeySet {
    /// `fields` are the field ids and types of the key columns, in key order. Of more than `most` bytes the rest is
    /// written to a file without a name in the directory.
    pub(crate) fn new(
        fields: &[(i32, LakeType)],
        fold: &KeyFold,
        most: usize,
        directory: &Path,
    ) -> Self {
        KeySet {
            keys: Keys::Held(DeltaKeys::default()),
            bounds: KeyBounds::new(fields, fold).within(most / PART_OF_BOUNDS),
            most: most - most / PART_OF_BOUNDS,
            directory: directory.to_owned(),
        }
    }

    /// Notes a batch's key columns, in key order, to tell by them where the keys cannot be.
    pub(crate) fn note(&mut self, columns: &[ArrayRef]) {
        self.bounds.note(columns);
    }

    /// To be called when every row has been entered.
    pub(crate) fn seal(&mut self) -> Result<()> {
        self.bounds.seal();
        match &mut self.keys {
            Keys::Held(_) => Ok(()),
            Keys::Spilled(spilled) => spilled.rows.seal(),
        }
    }

    /// Enters a row.
    pub(crate) fn enter(&mut self, row: &KeyedRow<'_>) -> Result<Entered> {
        let held = match &mut self.keys {
            Keys::Held(held) => held,
            Keys::Spilled(spilled) => {
                spilled.add(row)?;
                return Ok(Entered {
                    counts: true,
                    repeated: false,
                });
            }
        };
        let entered = Entered {
            counts: held.wins(row.key, row.order),
            repeated: held.find(row.key).is_some(),
        };
        if entered.counts {
            held.enter(row.key, row.order, row.decision, (row.row, row.uncertain));
            if held.bytes() > self.most {
                let held = std::mem::take(held);
                self.keys = Keys::Spilled(Spilled::of(held, &self.directory)?);
            }
        }
        Ok(entered)
    }
}

/// Keys on disk. A part of them is what [`DeltaKeys`] would have been of it.
#[derive(Debug)]
pub(crate) struct Spilled {
    pub(crate) partitioner: Partitioner,
    rows: Partitions,
    directory: PathBuf,
    /// Rows that others had superseded before anything was written.
    superseded: StagedRows,
    /// What they would take in memory, roughly, in bytes.
    bytes: usize,
}

impl Spilled {
    fn of(held: DeltaKeys, directory: &Path) -> Result<Spilled> {
        tracing::debug!(keys = held.entries.len(), "keys go on to a file");
        let mut spilled = Spilled {
            partitioner: Partitioner::default(),
            rows: Partitions::create(directory)?,
            directory: directory.to_owned(),
            superseded: held.superseded.clone(),
            bytes: 0,
        };
        for (key, entry) in held.each() {
            if let Some(entry) = held.entries.get(entry as usize) {
                let KeyEntry {
                    decision,
                    row,
                    uncertain,
                    order,
                } = entry;
                spilled.add(&KeyedRow {
                    key,
                    order: order.as_deref(),
                    decision: *decision,
                    row: *row,
                    uncertain: *uncertain,
                })?;
            }
        }
        Ok(spilled)
    }

    fn add(&mut self, row: &KeyedRow<'_>) -> Result<()> {
        self.bytes += ENTRY + row.key.len() + row.order.map_or(0, <[u8]>::len);
        let partition = self.partitioner.of(row.key);
        self.rows.add(partition, |to| row.write(to))
    }

    /// Another file in the same place and of the same partitions.
    pub(crate) fn beside(&self) -> Result<Partitions> {
        Partitions::create(&self.directory)
    }

    /// What they would take in memory, roughly, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Rows that are known not to count, beside those of the parts.
    pub(crate) fn superseded(&self) -> &StagedRows {
        &self.superseded
    }

    /// The keys of a partition.
    pub(crate) fn part(&self, partition: usize) -> Result<DeltaKeys> {
        let mut keys = DeltaKeys::default();
        self.rows.each(partition, &mut |record| {
            let row = KeyedRow::read(record).ok_or_else(damaged)?;
            match keys.wins(row.key, row.order) {
                true => keys.enter(row.key, row.order, row.decision, (row.row, row.uncertain)),
                // It was written before that was known.
                false => keys.superseded.extend(row.row),
            }
            Ok(())
        })?;
        Ok(keys)
    }

    /// A key that several rows have.
    pub(crate) fn repeated(&self) -> Result<Option<Vec<u8>>> {
        let mut repeated = None;
        for partition in 0..PARTITIONS {
            let mut seen: HashSet<Box<[u8]>> = HashSet::new();
            self.rows.each(partition, &mut |record| {
                let row = KeyedRow::read(record).ok_or_else(damaged)?;
                if repeated.is_none() && !seen.insert(row.key.into()) {
                    repeated = Some(row.key.to_owned());
                }
                Ok(())
            })?;
            if repeated.is_some() {
                break;
            }
        }
        Ok(repeated)
    }
}

fn damaged() -> LakeError {
    LakeError::internal("a key in a temporary file is damaged")
}

/// Bits of a record's first byte.
const REPLACE: u8 = 1;
const DELETE: u8 = 2;
const INSERT: u8 = 4;
const UNCERTAIN: u8 = 8;
const WRITTEN: u8 = 16;
const ORDERED: u8 = 32;

impl<'a> KeyedRow<'a> {
    fn write(&self, to: &mut Vec<u8>) {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        to.push(
            flag(self.decision.matched == Matched::Replace, REPLACE)
                | flag(self.decision.matched == Matched::Delete, DELETE)
                | flag(self.decision.not_matched == NotMatched::Insert, INSERT)
                | flag(self.uncertain, UNCERTAIN)
                | flag(self.row.is_some(), WRITTEN)
                | flag(self.order.is_some(), ORDERED),
        );
        if let Some(row) = self.row {
            to.extend(row.file.to_le_bytes());
            to.extend(row.position.to_le_bytes());
        }
        if let Some(order) = self.order {
            to.extend((order.len() as u32).to_le_bytes());
            to.extend(order);
        }
        to.extend(self.key);
    }

    fn read(record: &'a [u8]) -> Option<KeyedRow<'a>> {
        let (&flags, mut rest) = record.split_first()?;
        let is = |flag: u8| flags & flag != 0;
        let mut row = None;
        if is(WRITTEN) {
            let (file, after) = rest.split_first_chunk()?;
            let (position, after) = after.split_first_chunk()?;
            rest = after;
            row = Some(StagedRow {
                file: u32::from_le_bytes(*file),
                position: u64::from_le_bytes(*position),
            });
        }
        let mut order = None;
        if is(ORDERED) {
            let (length, after) = rest.split_first_chunk()?;
            let (value, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            order = Some(value);
            rest = after;
        }
        Some(KeyedRow {
            key: rest,
            order,
            decision: Decision {
                matched: match (is(REPLACE), is(DELETE)) {
                    (true, _) => Matched::Replace,
                    (_, true) => Matched::Delete,
                    _ => Matched::Keep,
                },
                not_matched: match is(INSERT) {
                    true => NotMatched::Insert,
                    false => NotMatched::Ignore,
                },
            },
            row,
            uncertain: is(UNCERTAIN),
        })
    }
}
