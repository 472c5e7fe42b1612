//! Records on disk, in partitions by a hash, for what does not fit into memory at once.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{LakeError, Result};
use crate::metadata_files::create_dir_all;

/// How many partitions: of ten million keys, each has as many as fit into six MiB, of a hundred million into sixty.
pub(crate) const PARTITIONS: usize = 256;
/// What is written at once of a partition. All of them together are held in memory before that.
const BLOCK: usize = 4 << 10;
/// Of each record, before it.
const LENGTH: usize = size_of::<u32>();

/// Which partition a key belongs to; the same in all files of one purpose, and nobody's to foresee.
#[derive(Debug, Clone, Default)]
pub(crate) struct Partitioner(RandomState);

impl Partitioner {
    pub(crate) fn of(&self, key: &[u8]) -> usize {
        // The lowest bits of the hash; there are far fewer partitions than a usize has values.
        self.0.hash_one(key) as usize % PARTITIONS
    }
}

/// Records in partitions, each in the order in which they came. The file has no name: it is gone with this value,
/// whatever ends the process.
#[derive(Debug)]
pub(crate) struct Partitions {
    file: File,
    /// The directory that it is in, for messages.
    directory: PathBuf,
    end: u64,
    partitions: Vec<Partition>,
}

#[derive(Debug, Default)]
struct Partition {
    /// Places and lengths of its blocks.
    blocks: Vec<(u64, u32)>,
    /// What is not written yet.
    buffer: Vec<u8>,
}

impl Partitions {
    pub(crate) fn create(directory: &Path) -> Result<Partitions> {
        create_dir_all(directory)?;
        let file = tempfile::tempfile_in(directory)
            .map_err(|e| LakeError::io("make a temporary file in", directory, e))?;
        Ok(Partitions {
            file,
            directory: directory.to_owned(),
            end: 0,
            partitions: (0..PARTITIONS).map(|_| Partition::default()).collect(),
        })
    }

    /// In a directory of a table that is only read, or else where the system has temporary files: who reads a table need
    /// not be able to write to it.
    pub(crate) fn create_for_reader(directory: &Path) -> Result<Partitions> {
        match tempfile::tempfile_in(directory) {
            Ok(_can_be_made) => Self::create(directory),
            Err(_) => Self::create(&std::env::temp_dir()),
        }
    }

    /// Takes a record, which `write` appends to what it is given.
    pub(crate) fn add(&mut self, partition: usize, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        let Some(to) = self.partitions.get_mut(partition) else {
            return Err(LakeError::internal("a key belongs to no partition"));
        };
        let start = to.buffer.len();
        to.buffer.extend([0; LENGTH]);
        write(&mut to.buffer);
        let length = (to.buffer.len() - start - LENGTH) as u32;
        if let Some(place) = to.buffer.get_mut(start..start + LENGTH) {
            place.copy_from_slice(&length.to_le_bytes());
        }
        match to.buffer.len() < BLOCK {
            true => Ok(()),
            false => self.write(partition),
        }
    }

    fn write(&mut self, partition: usize) -> Result<()> {
        let Some(from) = self.partitions.get_mut(partition) else {
            return Ok(());
        };
        let length = from.buffer.len() as u32;
        if length == 0 {
            return Ok(());
        }
        let written = self
            .file
            .seek(SeekFrom::Start(self.end))
            .and_then(|_| self.file.write_all(&from.buffer));
        written.map_err(|e| LakeError::io("write a temporary file in", &self.directory, e))?;
        from.blocks.push((self.end, length));
        from.buffer.clear();
        self.end += u64::from(length);
        Ok(())
    }

    /// Writes what is held of all of them.
    pub(crate) fn seal(&mut self) -> Result<()> {
        for partition in 0..PARTITIONS {
            self.write(partition)?;
        }
        for partition in &mut self.partitions {
            partition.buffer = Vec::new();
        }
        Ok(())
    }

    /// Gives each record of a partition, in the order in which they came.
    pub(crate) fn each(
        &self,
        partition: usize,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let Some(from) = self.partitions.get(partition) else {
            return Ok(());
        };
        let mut block = Vec::new();
        for &(place, length) in &from.blocks {
            block.resize(length as usize, 0);
            let mut file = &self.file;
            let read = file
                .seek(SeekFrom::Start(place))
                .and_then(|_| file.read_exact(&mut block));
            read.map_err(|e| LakeError::io("read a temporary file in", &self.directory, e))?;
            self.records(&block, take)?;
        }
        self.records(&from.buffer, take)
    }

    fn records(&self, mut block: &[u8], take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        while let Some((length, rest)) = block.split_first_chunk::<LENGTH>() {
            let length = u32::from_le_bytes(*length) as usize;
            let (record, rest) = rest
                .split_at_checked(length)
                .ok_or_else(|| LakeError::internal("a record of a temporary file is cut off"))?;
            take(record)?;
            block = rest;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_in_their_order_and_the_file_has_no_name() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("data");
        let mut partitions = Partitions::create(&place).unwrap();
        let partitioner = Partitioner::default();
        let key = |n: u32| format!("key {n} {}", "x".repeat(n as usize % 100));
        for n in 0..200_000 {
            let key = key(n);
            let partition = partitioner.of(key.as_bytes());
            partitions
                .add(partition, |to| to.extend(key.as_bytes()))
                .unwrap();
        }
        assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0);
        partitions.seal().unwrap();
        let mut seen = 0;
        for partition in 0..PARTITIONS {
            let mut before = None;
            partitions
                .each(partition, &mut |record| {
                    let text = std::str::from_utf8(record).unwrap();
                    let number: u32 = text.split(' ').nth(1).unwrap().parse().unwrap();
                    assert_eq!(text, key(number));
                    assert_eq!(partitioner.of(record), partition);
                    assert!(before < Some(number));
                    before = Some(number);
                    seen += 1;
                    Ok(())
                })
                .unwrap();
        }
        assert_eq!(seen, 200_000);
    }
}
