//! Rows that went, came or are there, as hashes of their key and image, within a bound of memory: what goes beyond it
//! is on disk, and comes back a part at a time.

use std::path::{Path, PathBuf};

use crate::changes::hasher::Hash;
use crate::error::{LakeError, Result};
use crate::staging::partitions::{PARTITIONS, Partitions};

/// What a record tells of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The earlier snapshot had it, and the later one has not, or not there.
    Went,
    /// The later snapshot has it, and the earlier one had not, or not there.
    Came,
    /// The later snapshot has it, and its key is, or may be, among those that are looked for.
    There,
}

/// A row. They sort by key, then by image, then by kind, and then as they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Record {
    /// Of its key, or of its image where it has none.
    pub(super) key: Hash,
    /// It has no key, or NULL in it: it is one with no other.
    pub(super) keyless: bool,
    /// Of the whole row; nothing for one that is only there.
    pub(super) image: Hash,
    pub(super) kind: Kind,
    /// Which of the plan's changes it went with, or else which of the later snapshot's data files it is in.
    pub(super) file: u32,
    /// Position in the file.
    pub(super) position: u64,
}

/// Memory that a record takes: as much again while the list of them grows.
const RECORD_BYTES: usize = 2 * size_of::<Record>();

/// Bits of a record's first byte.
const KEYLESS: u8 = 4;

impl Record {
    pub(super) fn is_one_with(&self, other: &Record) -> bool {
        self.key == other.key && self.keyless == other.keyless
    }

    fn write(&self, to: &mut Vec<u8>) {
        to.push(self.kind as u8 | if self.keyless { KEYLESS } else { 0 });
        to.extend(self.key.to_le_bytes());
        to.extend(self.image.to_le_bytes());
        to.extend(self.file.to_le_bytes());
        to.extend(self.position.to_le_bytes());
    }

    fn read(record: &[u8]) -> Option<Record> {
        let (&flags, rest) = record.split_first()?;
        let (key, rest) = rest.split_first_chunk()?;
        let (image, rest) = rest.split_first_chunk()?;
        let (file, rest) = rest.split_first_chunk()?;
        let (position, _) = rest.split_first_chunk()?;
        Some(Record {
            key: Hash::from_le_bytes(*key),
            keyless: flags & KEYLESS != 0,
            image: Hash::from_le_bytes(*image),
            kind: match flags & !KEYLESS {
                0 => Kind::Went,
                1 => Kind::Came,
                _ => Kind::There,
            },
            file: u32::from_le_bytes(*file),
            position: u64::from_le_bytes(*position),
        })
    }
}

/// All rows that changes are about.
#[derive(Debug)]
pub(super) struct Records {
    held: Vec<Record>,
    spilled: Option<Partitions>,
    /// Most records that are held.
    most: usize,
    /// Where the others are written, if that can be.
    directory: PathBuf,
}

impl Records {
    /// Of more than so many bytes, all are written to a file without a name: in the directory, or else where the
    /// system has temporary files, since a table need not be written to by who reads it.
    pub(super) fn new(most_bytes: usize, directory: &Path) -> Records {
        Records {
            held: Vec::new(),
            spilled: None,
            most: most_bytes / RECORD_BYTES,
            directory: directory.to_owned(),
        }
    }

    pub(super) fn add(&mut self, record: Record) -> Result<()> {
        match &mut self.spilled {
            Some(spilled) => write(spilled, &record),
            None => {
                self.held.push(record);
                match self.held.len() > self.most {
                    true => self.spill(),
                    false => Ok(()),
                }
            }
        }
    }

    fn spill(&mut self) -> Result<()> {
        tracing::debug!(rows = self.held.len(), "changed rows go on to a file");
        let mut spilled = Partitions::create_for_reader(&self.directory)?;
        for record in std::mem::take(&mut self.held) {
            write(&mut spilled, &record)?;
        }
        self.spilled = Some(spilled);
        Ok(())
    }

    /// Gives all of them, sorted, a part at a time. Rows with one key are in one part.
    pub(super) fn each_part(
        &mut self,
        take: &mut dyn FnMut(&[Record]) -> Result<()>,
    ) -> Result<()> {
        let Some(spilled) = &mut self.spilled else {
            self.held.sort_unstable();
            return take(&self.held);
        };
        spilled.seal()?;
        for partition in 0..PARTITIONS {
            let mut part = Vec::new();
            spilled.each(partition, &mut |record| {
                let record = Record::read(record)
                    .ok_or_else(|| LakeError::internal("a row in a temporary file is damaged"))?;
                part.push(record);
                Ok(())
            })?;
            part.sort_unstable();
            take(&part)?;
        }
        Ok(())
    }
}

fn write(to: &mut Partitions, record: &Record) -> Result<()> {
    // The hash is keyed: nobody can choose values that all fall into one.
    let partition = (record.key % PARTITIONS as Hash) as usize;
    to.add(partition, |to| record.write(to))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn record(n: u64) -> Record {
        let hash = Hash::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        Record {
            key: hash,
            keyless: n.is_multiple_of(3),
            image: !hash,
            kind: [Kind::Went, Kind::Came, Kind::There][n as usize % 3],
            file: n as u32 / 7,
            position: n,
        }
    }

    #[test]
    fn what_is_on_disk_comes_back_as_it_was_and_every_key_in_one_part() {
        let directory = tempfile::tempdir().unwrap();
        let parts = |most| {
            let mut records = Records::new(most, directory.path());
            for n in 0..5000 {
                records.add(record(n)).unwrap();
                records.add(record(n)).unwrap();
            }
            let mut parts: Vec<Vec<Record>> = Vec::new();
            records
                .each_part(&mut |part| {
                    parts.push(part.to_vec());
                    Ok(())
                })
                .unwrap();
            parts
        };
        let held = parts(usize::MAX);
        assert_eq!(held.len(), 1);
        let spilled = parts(1000 * RECORD_BYTES);
        assert_eq!(spilled.len(), PARTITIONS);
        let mut all = spilled.concat();
        assert!(spilled.iter().all(|part| part.is_sorted()));
        assert!(
            spilled
                .iter()
                .flat_map(|part| part.chunk_by(|a, b| a == b))
                .all(|same| same.len() == 2)
        );
        all.sort_unstable();
        assert_eq!(all, held[0]);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn who_may_not_write_to_the_table_reads_it_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let mut records = Records::new(0, &directory.path().join("nowhere"));
        records.add(record(1)).unwrap();
        assert!(records.spilled.is_some());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
