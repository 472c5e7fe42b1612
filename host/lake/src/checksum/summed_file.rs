//! The side that writes: a file whose blocks are summed up as they go by.

use std::io::{self, Write};

use crc32fast::Hasher;
use parquet::file::metadata::KeyValue;

use crate::checksum::{BLOCK, BLOCKS_KEY, END_KEY, digits, from_digits, rfind};
use crate::storage::FileWriter;

/// What the footer's last entry lies within, from the end of the file on: behind it are the name of the writer
/// and three bytes a column.
pub(super) const REACH: u64 = 64 << 10;

/// A new file that sums up what is written to it: block by block until it is sealed. What comes then, the footer
/// and the indexes of pages, is held until the end, since its own checksum stands in it and no place of a file
/// is written twice.
pub(crate) struct SummedFile {
    /// `None` once the file is finished.
    file: Option<Box<dyn FileWriter>>,
    /// The checksums of the blocks that are full.
    blocks: Vec<u32>,
    /// Of the block that is not.
    hasher: Hasher,
    /// Bytes in that block.
    filled: usize,
    length: u64,
    /// What follows the blocks, once they are sealed.
    end: Option<Vec<u8>>,
}

impl SummedFile {
    /// `file` is empty.
    pub(crate) fn new(file: Box<dyn FileWriter>) -> Self {
        SummedFile {
            file: Some(file),
            blocks: Vec::new(),
            hasher: Hasher::new(),
            filled: 0,
            length: 0,
            end: None,
        }
    }

    /// Ends the blocks: what follows belongs to the end. Gives what the footer must say, in this order.
    pub(crate) fn seal(&mut self) -> [KeyValue; 2] {
        if self.filled > 0 {
            self.end_block();
        }
        self.end = Some(Vec::new());
        let blocks: String = self.blocks.iter().map(|sum| digits(*sum)).collect();
        [
            KeyValue::new(BLOCKS_KEY.to_owned(), blocks),
            KeyValue::new(END_KEY.to_owned(), end_value(0, self.length)),
        ]
    }

    /// Puts the end's checksum in place of the zeros that it is computed with, and ends the file. Gives its size.
    pub(crate) fn finish(&mut self) -> io::Result<u64> {
        let (Some(mut file), Some(mut end)) = (self.file.take(), self.end.take()) else {
            return Err(io::Error::other(
                "a file is ended twice, or before its blocks",
            ));
        };
        let sum = digits(crc32fast::hash(&end));
        let from = end.len().saturating_sub(REACH as usize);
        let place = find_end(end.get(from..).unwrap_or_default(), from as u64)
            .filter(|found| found.sum == 0)
            .and_then(|found| end.get_mut(found.place as usize..)?.get_mut(..sum.len()));
        match place {
            Some(place) => place.copy_from_slice(sum.as_bytes()),
            None => {
                return Err(io::Error::other(
                    "the footer lacks the place of its checksum",
                ));
            }
        }
        file.write_all(&end)?;
        file.finish()
    }

    fn end_block(&mut self) {
        self.blocks
            .push(std::mem::take(&mut self.hasher).finalize());
        self.filled = 0;
    }

    fn note(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len() as u64;
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
        if let Some(end) = &mut self.end {
            end.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        let Some(file) = &mut self.file else {
            return Err(io::Error::other("the file has been ended"));
        };
        let written = file.write(bytes)?;
        self.note(bytes.split_at(written).0);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.flush())
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

/// Looks for the end's checksum in the last bytes of a file, whose footer need not be sound; the first of them is
/// at `from`. `None` where there is none, or none that can be read.
pub(super) fn find_end(bytes: &[u8], from: u64) -> Option<End> {
    let before = entry_before_value();
    let at = rfind(&before, bytes)? + before.len();
    let value = bytes.get(at..at + end_value(0, 0).len())?;
    let (sum, start) = value.split_at(8);
    let start = std::str::from_utf8(start.strip_prefix(b"@")?).ok()?;
    Some(End {
        sum: from_digits(sum)?,
        place: from + at as u64,
        start: u64::from_str_radix(start, 16).ok()?,
    })
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

    /// What has been written so far.
    #[derive(Clone, Default)]
    struct Written(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl FileWriter for Written {
        fn finish(self: Box<Self>) -> io::Result<u64> {
            Ok(self.0.lock().unwrap().len() as u64)
        }
    }

    #[test]
    fn blocks_are_summed_however_they_are_written() {
        let bytes: Vec<u8> = (0..3 * BLOCK + 17).map(|i| (i * 31 % 251) as u8).collect();
        let expected: String = bytes
            .chunks(BLOCK)
            .map(|block| digits(crc32fast::hash(block)))
            .collect();
        for step in [1_000, BLOCK, BLOCK + 1, 5 * BLOCK] {
            let written = Written::default();
            let mut file = SummedFile::new(Box::new(written.clone()));
            for part in bytes.chunks(step) {
                file.write_all(part).unwrap();
            }
            let [blocks, end] = file.seal();
            assert_eq!(blocks.value.as_ref(), Some(&expected), "{step}");
            let place = format!("00000000@{:016x}", bytes.len());
            assert_eq!(end.value.as_deref(), Some(place.as_str()));
            let mut footer = entry_before_value();
            footer.extend_from_slice(place.as_bytes());
            footer.extend_from_slice(b"the end");
            file.write_all(&footer).unwrap();
            assert_eq!(file.finish().unwrap(), (bytes.len() + footer.len()) as u64);
            let all = written.0.lock().unwrap().clone();
            let found = find_end(&all[bytes.len()..], bytes.len() as u64).unwrap();
            assert_eq!(found.start, bytes.len() as u64);
            assert_eq!(found.sum, crc32fast::hash(&footer));
        }
    }

    #[test]
    fn a_footer_without_the_place_of_its_checksum_is_an_error() {
        let mut file = SummedFile::new(Box::new(Written::default()));
        file.write_all(b"rows").unwrap();
        file.seal();
        file.write_all(b"no entry").unwrap();
        assert!(file.finish().is_err());
    }

    #[test]
    fn a_full_block_at_the_end_is_no_empty_one_behind_it() {
        let mut file = SummedFile::new(Box::new(Written::default()));
        file.write_all(&vec![7; BLOCK]).unwrap();
        let [blocks, _] = file.seal();
        assert_eq!(blocks.value.map(|digits| digits.len()), Some(8));
    }
}
