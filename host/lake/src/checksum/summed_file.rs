//! The side that writes: a file whose blocks are summed up as they go by.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use crc32fast::Hasher;
use parquet::file::metadata::KeyValue;

use crate::checksum::{BLOCK, BLOCKS_KEY, END_KEY, digits, from_digits, rfind};

/// What the footer's last entry lies within, from the end of the file on: behind it are the name of the writer
/// and three bytes a column.
const REACH: u64 = 64 << 10;

/// A new file that sums up what is written to it: block by block until it is sealed, the rest in one.
pub(crate) struct SummedFile {
    file: File,
    /// The checksums of the blocks that are full.
    blocks: Vec<u32>,
    /// Of the block that is not.
    hasher: Hasher,
    /// Bytes in that block.
    filled: usize,
    length: u64,
    sealed: bool,
}

impl SummedFile {
    /// `file` is empty.
    pub(crate) fn new(file: File) -> Self {
        SummedFile {
            file,
            blocks: Vec::new(),
            hasher: Hasher::new(),
            filled: 0,
            length: 0,
            sealed: false,
        }
    }

    /// Ends the blocks: what follows belongs to the end. Gives what the footer must say, in this order.
    pub(crate) fn seal(&mut self) -> [KeyValue; 2] {
        if self.filled > 0 {
            self.end_block();
        }
        self.sealed = true;
        let blocks: String = self.blocks.iter().map(|sum| digits(*sum)).collect();
        [
            KeyValue::new(BLOCKS_KEY.to_owned(), blocks),
            KeyValue::new(END_KEY.to_owned(), end_value(0, self.length)),
        ]
    }

    /// The checksum of what was written since the blocks ended.
    pub(crate) fn end_checksum(&self) -> u32 {
        self.hasher.clone().finalize()
    }

    fn end_block(&mut self) {
        self.blocks
            .push(std::mem::take(&mut self.hasher).finalize());
        self.filled = 0;
    }

    fn note(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if self.sealed {
            return self.hasher.update(bytes);
        }
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - self.filled));
            self.hasher.update(now);
            self.filled += now.len();
            if self.filled == BLOCK {
                self.end_block();
            }
            bytes = later;
        }
    }
}

impl Write for SummedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.note(bytes.split_at(written).0);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Puts the end's checksum into a finished file, in place of the zeros that it was computed with.
pub(crate) fn put_end_checksum(file: &mut File, sum: u32) -> io::Result<()> {
    match find_end(file)? {
        Some(end) if end.sum == 0 => {
            file.seek(SeekFrom::Start(end.place))?;
            file.write_all(digits(sum).as_bytes())
        }
        _ => Err(io::Error::other(
            "the footer lacks the place of its checksum",
        )),
    }
}

/// What a footer says of the end of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// The checksum.
    pub(super) sum: u32,
    /// Where its digits stand.
    pub(super) place: u64,
    /// Where the end begins.
    pub(super) start: u64,
}

/// Looks for the end's checksum in the bytes of a file, whose footer need not be sound. `None` where there is
/// none, or none that can be read.
pub(super) fn find_end(file: &mut File) -> io::Result<Option<End>> {
    let length = file.seek(SeekFrom::End(0))?;
    let from = length.saturating_sub(REACH);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    Read::by_ref(file).take(REACH).read_to_end(&mut bytes)?;
    let before = entry_before_value();
    Ok(rfind(&before, &bytes).and_then(|at| {
        let at = at + before.len();
        let value = bytes.get(at..at + end_value(0, 0).len())?;
        let (sum, start) = value.split_at(8);
        let start = std::str::from_utf8(start.strip_prefix(b"@")?).ok()?;
        Some(End {
            sum: from_digits(sum)?,
            place: from + at as u64,
            start: u64::from_str_radix(start, 16).ok()?,
        })
    }))
}

fn end_value(sum: u32, start: u64) -> String {
    format!("{}@{start:016x}", digits(sum))
}

/// How the entry begins in the footer: a struct of two strings in Thrift's compact protocol, each a field
/// header (one on from the last, of type binary) and its length. A text among the statistics' values that
/// reads like the entry has no such bytes around it.
fn entry_before_value() -> Vec<u8> {
    let string = |length: usize| [0x18, length as u8];
    let mut bytes = string(END_KEY.len()).to_vec();
    bytes.extend_from_slice(END_KEY.as_bytes());
    bytes.extend_from_slice(&string(end_value(0, 0).len()));
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn blocks_are_summed_however_they_are_written() {
        let bytes: Vec<u8> = (0..3 * BLOCK + 17).map(|i| (i * 31 % 251) as u8).collect();
        let expected: String = bytes
            .chunks(BLOCK)
            .map(|block| digits(crc32fast::hash(block)))
            .collect();
        for step in [1_000, BLOCK, BLOCK + 1, 5 * BLOCK] {
            let mut file = SummedFile::new(tempfile::tempfile().unwrap());
            for part in bytes.chunks(step) {
                file.write_all(part).unwrap();
            }
            let [blocks, end] = file.seal();
            assert_eq!(blocks.value.as_ref(), Some(&expected), "{step}");
            let place = format!("00000000@{:016x}", bytes.len());
            assert_eq!(end.value, Some(place));
            file.write_all(b"the end").unwrap();
            assert_eq!(file.end_checksum(), crc32fast::hash(b"the end"));
        }
    }

    #[test]
    fn a_full_block_at_the_end_is_no_empty_one_behind_it() {
        let mut file = SummedFile::new(tempfile::tempfile().unwrap());
        file.write_all(&vec![7; BLOCK]).unwrap();
        let [blocks, _] = file.seal();
        assert_eq!(blocks.value.map(|digits| digits.len()), Some(8));
    }
}
