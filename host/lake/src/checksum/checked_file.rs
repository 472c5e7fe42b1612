//! The side that reads: a file that hands out no byte that is not what was written.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use crc32fast::Hasher;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};

use crate::checksum::summed_file::{End, REACH, find_end};
use crate::checksum::{BLOCK, BLOCKS_KEY, END_KEY, from_digits};
use crate::storage::StoredFile;

/// Read at once of what has been checked: page headers are read byte by byte.
const SMALL: usize = 8 << 10;

/// A Parquet file under its checksums, if it has any. Each block is checked once, when it is first needed.
#[derive(Clone)]
pub(crate) struct CheckedFile(Arc<Checked>);

struct Checked {
    file: Box<dyn StoredFile>,
    length: u64,
    end: Option<End>,
    blocks: OnceLock<Blocks>,
    damage: OnceLock<Range<u64>>,
}

struct Blocks {
    sums: Vec<u32>,
    checked: Vec<AtomicBool>,
    /// Where they end.
    end: u64,
}

impl CheckedFile {
    /// Takes up a file, and looks for the checksum of its end.
    pub(crate) fn new(file: Box<dyn StoredFile>) -> io::Result<Self> {
        let length = file.length();
        let from = length.saturating_sub(REACH);
        let mut last = vec![0; (length - from) as usize];
        file.read_at(from, &mut last)?;
        let end = find_end(&last, from);
        Ok(CheckedFile(Arc::new(Checked {
            file,
            length,
            end,
            blocks: OnceLock::new(),
            damage: OnceLock::new(),
        })))
    }

    /// Checks the end of the file, which holds the footer and the indexes of pages. To be called before they
    /// are read.
    pub(crate) fn check_end(&self) -> io::Result<()> {
        let Some(end) = self.0.end else {
            return Ok(());
        };
        if end.start > end.place {
            return Err(self.0.damage(0..self.0.length));
        }
        let zeros = end.place..end.place + 8;
        let mut hasher = Hasher::new();
        let mut buffer = vec![0; BLOCK];
        let mut place = end.start;
        while place < self.0.length {
            let part = (self.0.length - place).min(BLOCK as u64);
            let bytes = buffer.split_at_mut(part as usize).0;
            self.0.read_at(place, bytes)?;
            for (byte, at) in bytes.iter_mut().zip(place..) {
                if zeros.contains(&at) {
                    *byte = b'0';
                }
            }
            hasher.update(bytes);
            place += part;
        }
        match hasher.finalize() == end.sum {
            true => Ok(()),
            false => Err(self.0.damage(end.start..self.0.length)),
        }
    }

    /// Takes up the checksums of the blocks, which are checked from then on. To be called before rows are read.
    pub(crate) fn expect_blocks(&self, footer: &ParquetMetaData) -> io::Result<()> {
        let entries = footer.file_metadata().key_value_metadata();
        let entry = |key: &str| entries?.iter().find(|entry| entry.key == key);
        let (blocks, end) = match (entry(BLOCKS_KEY), self.0.end) {
            (None, None) if entry(END_KEY).is_none() => return Ok(()),
            (Some(blocks), Some(end)) => (blocks, end),
            // What says that there are checksums is damaged itself.
            _ => return Err(self.0.damage(0..self.0.length)),
        };
        let digits = blocks.value.as_deref().unwrap_or_default().as_bytes();
        let sums: Option<Vec<u32>> = digits.chunks(8).map(from_digits).collect();
        match sums {
            Some(sums) if sums.len() as u64 == end.start.div_ceil(BLOCK as u64) => {
                let _first = self.0.blocks.set(Blocks {
                    checked: sums.iter().map(|_| AtomicBool::new(false)).collect(),
                    sums,
                    end: end.start,
                });
                Ok(())
            }
            _ => Err(self.0.damage(0..self.0.length)),
        }
    }

    /// Which bytes were found not to be what was written.
    pub(crate) fn damage_found(&self) -> Option<&Range<u64>> {
        self.0.damage.get()
    }
}

impl Checked {
    fn damage(&self, bytes: Range<u64>) -> io::Error {
        let _first = self.damage.set(bytes);
        io::Error::new(
            io::ErrorKind::InvalidData,
            "bytes do not have their checksum",
        )
    }

    fn read_at(&self, place: u64, into: &mut [u8]) -> io::Result<()> {
        self.file.read_at(place, into)
    }

    /// The block that a place lies in, where that has not been checked.
    fn unchecked(&self, place: u64) -> Option<Range<u64>> {
        let blocks = self.blocks.get().filter(|blocks| place < blocks.end)?;
        let index = place / BLOCK as u64;
        let checked = blocks.checked.get(index as usize)?;
        (!checked.load(Ordering::Relaxed)).then(|| blocks.range(index))
    }

    /// Checks all of a block.
    fn check(&self, block: Range<u64>, bytes: &[u8]) -> io::Result<()> {
        let index = (block.start / BLOCK as u64) as usize;
        let Some(blocks) = self.blocks.get() else {
            return Ok(());
        };
        match (blocks.sums.get(index), blocks.checked.get(index)) {
            (Some(sum), Some(checked)) if crc32fast::hash(bytes) == *sum => {
                checked.store(true, Ordering::Relaxed);
                Ok(())
            }
            _ => Err(self.damage(block)),
        }
    }
}

impl Blocks {
    fn range(&self, index: u64) -> Range<u64> {
        let start = index * BLOCK as u64;
        start..self.end.min(start + BLOCK as u64)
    }
}

impl Length for CheckedFile {
    fn len(&self) -> u64 {
        self.0.length
    }
}

impl ChunkReader for CheckedFile {
    type T = CheckedRead;

    fn get_read(&self, start: u64) -> ParquetResult<CheckedRead> {
        Ok(CheckedRead {
            file: Arc::clone(&self.0),
            place: start,
            buffer: Vec::new(),
            taken: 0,
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let file = &self.0;
        let end = start
            .checked_add(length as u64)
            .filter(|end| *end <= file.length);
        let Some(end) = end else {
            return Err(ParquetError::EOF(format!(
                "{length} bytes at {start} of a file of {}",
                file.length
            )));
        };
        if length == 0 {
            return Ok(Bytes::new());
        }
        // Blocks that have not been checked are read as a whole.
        let from = file.unchecked(start).map_or(start, |block| block.start);
        let to = file.unchecked(end - 1).map_or(end, |block| block.end);
        let mut bytes = vec![0; (to - from) as usize];
        file.read_at(from, &mut bytes)?;
        let mut place = from;
        while place < to {
            let next = (place / BLOCK as u64 + 1) * BLOCK as u64;
            if let Some(block) = file.unchecked(place) {
                let part = (block.start - from) as usize..(block.end - from) as usize;
                file.check(block, bytes.get(part).unwrap_or_default())?;
            }
            place = next;
        }
        let wanted = (start - from) as usize;
        Ok(Bytes::from(bytes).slice(wanted..wanted + length))
    }
}

/// Reads on from a place.
pub(crate) struct CheckedRead {
    file: Arc<Checked>,
    /// Behind what is in the buffer.
    place: u64,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are behind us.
    taken: usize,
}

impl Read for CheckedRead {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.buffer.len() {
            match self.refill(into)? {
                0 => {}
                read => return Ok(read),
            }
        }
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let count = rest.len().min(into.len());
        let (now, _) = rest.split_at(count);
        into.split_at_mut(count).0.copy_from_slice(now);
        self.taken += count;
        Ok(count)
    }
}

impl CheckedRead {
    /// Reads into the buffer, or past it where what is asked for is large; then gives the bytes read.
    fn refill(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.buffer.clear();
        self.taken = 0;
        let unchecked = self.file.unchecked(self.place);
        let left = match &unchecked {
            Some(block) => block.end - self.place,
            None => {
                let blocks = self.file.blocks.get();
                let end = blocks.map(|blocks| blocks.end);
                match end.filter(|end| self.place < *end) {
                    Some(end) => end.min((self.place / BLOCK as u64 + 1) * BLOCK as u64),
                    None => self.file.length,
                }
                .saturating_sub(self.place)
            }
        };
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let place = self.place;
        match unchecked {
            None if into.len() >= SMALL => {
                let part = into.split_at_mut(left.min(into.len())).0;
                self.file.read_at(place, part)?;
                self.place += part.len() as u64;
                Ok(part.len())
            }
            None => {
                self.buffer.resize(left.min(SMALL), 0);
                self.file.read_at(place, &mut self.buffer)?;
                self.place += self.buffer.len() as u64;
                Ok(0)
            }
            Some(block) if block.start == place && into.len() >= left => {
                let part = into.split_at_mut(left).0;
                self.file.read_at(place, part)?;
                self.file.check(block, part)?;
                self.place += part.len() as u64;
                Ok(part.len())
            }
            Some(block) => {
                self.buffer.resize((block.end - block.start) as usize, 0);
                self.file.read_at(block.start, &mut self.buffer)?;
                self.file.check(block.clone(), &self.buffer)?;
                self.taken = (place - block.start) as usize;
                self.place = block.end;
                Ok(0)
            }
        }
    }
}

#[cfg(test)]
mod tests;
