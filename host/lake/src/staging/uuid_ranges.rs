//! Where the UUIDs of a key can be in a file: the smallest and the largest of each 1,024 rows, in its footer.
//!
//! Iceberg's Java library compares UUIDs as two signed numbers, and leaves out files and row groups by their bounds
//! (apache/iceberg #14216): Spark then finds nothing where it looks for a value, and ClickHouse is wrong in another
//! way. So a column of UUIDs has no bounds in manifests, and no statistics in Parquet, which come with the index of
//! its pages. What an upsert needs of them stands in the file's own properties, which other engines pass over.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use parquet::file::metadata::{KeyValue, ParquetMetaData};

/// Rows that have one range.
const ROWS: u64 = 1024;
/// Hexadecimal digits of a range: of its smallest value, and of its largest. Where no row has a value, the smallest
/// is greater.
const DIGITS: usize = 64;

fn property(field_id: i32) -> String {
    format!("icehost.uuid-ranges.{field_id}")
}

/// The ranges of a column while it is written.
#[derive(Debug)]
pub(crate) struct UuidRanges {
    /// Where the column stands.
    pub(crate) column: usize,
    field_id: i32,
    text: String,
    range: (u128, u128),
    rows: u64,
}

/// The range of no value.
const NOTHING: (u128, u128) = (u128::MAX, 0);

impl UuidRanges {
    pub(crate) fn new(column: usize, field_id: i32) -> UuidRanges {
        UuidRanges {
            column,
            field_id,
            text: String::new(),
            range: NOTHING,
            rows: 0,
        }
    }

    /// Takes the next rows.
    pub(crate) fn note(&mut self, values: &ArrayRef) {
        let values = values.as_fixed_size_binary();
        for row in 0..values.len() {
            if !values.is_null(row)
                && let Ok(bytes) = values.value(row).try_into()
            {
                let value = u128::from_be_bytes(bytes);
                self.range = (self.range.0.min(value), self.range.1.max(value));
            }
            self.rows += 1;
            if self.rows.is_multiple_of(ROWS) {
                self.end_range();
            }
        }
    }

    fn end_range(&mut self) {
        let (low, high) = std::mem::replace(&mut self.range, NOTHING);
        self.text.push_str(&format!("{low:032x}{high:032x}"));
    }

    /// What the footer is to say.
    pub(crate) fn finish(mut self) -> KeyValue {
        if !self.rows.is_multiple_of(ROWS) {
            self.end_range();
        }
        KeyValue::new(property(self.field_id), self.text)
    }
}

/// A part of a file's rows, and the smallest and the largest value in it; none where no row has a value.
pub(crate) type Range = (std::ops::Range<u64>, Option<(u128, u128)>);

/// The ranges of a column; `None` where the file does not have them.
pub(crate) fn of(file: &ParquetMetaData, field_id: i32) -> Option<Vec<Range>> {
    let property = property(field_id);
    let entries = file.file_metadata().key_value_metadata()?;
    let entry = entries.iter().find(|entry| entry.key == property)?;
    let digits = entry.value.as_deref()?.as_bytes();
    let rows = u64::try_from(file.file_metadata().num_rows()).ok()?;
    if !digits.len().is_multiple_of(DIGITS) || (digits.len() / DIGITS) as u64 != rows.div_ceil(ROWS)
    {
        return None;
    }
    let number = |digits: &[u8]| u128::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    let ranges = digits.chunks_exact(DIGITS).zip(0u64..);
    ranges
        .map(|(digits, at)| {
            let (low, high) = digits.split_at(DIGITS / 2);
            let (low, high) = (number(low)?, number(high)?);
            let here = at * ROWS..rows.min((at + 1) * ROWS);
            Some((here, (low <= high).then_some((low, high))))
        })
        .collect()
}
