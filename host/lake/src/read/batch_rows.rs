//! How many rows of a file make a batch, so that it takes about as much memory however long they are.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_buffer::OffsetBuffer;
use arrow_schema::DataType;
use parquet::basic::{Encoding, Type as PhysicalType};
use parquet::column::page::{Page, PageReader};
use parquet::errors::Result;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

use crate::read::pages::Pages;

/// Decoded size that a batch aims at, so that wide rows come in small batches.
const BATCH_BYTES: u64 = 4 << 20;
/// Decoded size that it has at most where rows repeat the largest values of dictionaries.
const MOST_BYTES: u64 = 2 * BATCH_BYTES;

/// How many rows of each row group make a batch, by what its columns take. A row group of few large rows does not make
/// those of others few.
pub(crate) fn by_size(file: &ParquetMetaData, leaves: &[usize], batch_rows: usize) -> Vec<usize> {
    let each = file.row_groups().iter().map(|group| {
        let rows = group.num_rows().max(1) as u64;
        let sizes = leaves
            .iter()
            .filter_map(|&leaf| group.columns().get(leaf))
            .map(|chunk| {
                // What a dictionary has once stands in each row that refers to it.
                let decoded = chunk.unencoded_byte_array_data_bytes().unwrap_or(0);
                chunk.uncompressed_size().max(decoded).max(0) as u64
            });
        let bytes = sizes.fold(0, u64::saturating_add);
        rows_of(BATCH_BYTES, bytes / rows, batch_rows)
    });
    each.collect()
}

fn rows_of(bytes: u64, each: u64, batch_rows: usize) -> usize {
    usize::try_from(bytes / each.max(1))
        .unwrap_or(usize::MAX)
        .clamp(1, batch_rows.max(1))
}

/// How many rows of a row group make a batch, by the largest values of its dictionaries: any number of rows in turn may
/// have them, whatever the average is.
pub(crate) fn by_dictionaries(
    pages: &Pages,
    file: &ParquetMetaData,
    group: usize,
    leaves: &[usize],
    batch_rows: usize,
) -> Result<usize> {
    let Some(group) = file.row_groups().get(group) else {
        return Ok(batch_rows);
    };
    let rows = group.num_rows().max(0) as usize;
    let mut largest = 0u64;
    for chunk in leaves.iter().filter_map(|&leaf| group.columns().get(leaf)) {
        let size = chunk.uncompressed_size().max(0) as u64;
        let most = (batch_rows.min(rows) as u64).saturating_mul(size);
        // Not even if each row had all of it.
        if most <= BATCH_BYTES || !has_dictionary(chunk) {
            continue;
        }
        let reader = Arc::new(pages.in_turn());
        let mut reader = SerializedPageReader::new(reader, chunk, rows, None)?;
        if let Some(Page::DictionaryPage { buf, .. }) = reader.get_next_page()? {
            largest = largest.saturating_add(longest(&buf));
        }
    }
    Ok(rows_of(MOST_BYTES, largest, batch_rows))
}

fn has_dictionary(chunk: &ColumnChunkMetaData) -> bool {
    let by_dictionary = |encoding| {
        matches!(
            encoding,
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY
        )
    };
    chunk.column_type() == PhysicalType::BYTE_ARRAY
        && (chunk.dictionary_page_offset().is_some() || chunk.encodings().any(by_dictionary))
}

/// The longest value of a dictionary: each is its length and its bytes (Parquet specification, "Plain").
fn longest(mut values: &[u8]) -> u64 {
    let mut longest = 0;
    while let Some((length, rest)) = values.split_first_chunk() {
        let length = u32::from_le_bytes(*length);
        longest = longest.max(length);
        values = rest.get(length as usize..).unwrap_or_default();
    }
    u64::from(longest)
}

/// Bytes of the texts and the binary values of the row that has most of them.
pub(crate) fn largest_row(batch: &RecordBatch) -> u64 {
    let columns = batch.columns().iter().filter_map(|column| {
        Some(match column.data_type() {
            DataType::Utf8 => column.as_string::<i32>().offsets(),
            DataType::Binary => column.as_binary::<i32>().offsets(),
            _ => return None,
        })
    });
    let columns: Vec<_> = columns.collect();
    let row = |row: usize| {
        let length = |offsets: &&OffsetBuffer<i32>| {
            let ends = offsets.get(row).zip(offsets.get(row + 1));
            ends.map_or(0, |(start, end)| u64::from(end.abs_diff(*start)))
        };
        columns.iter().map(length).sum()
    };
    (0..batch.num_rows()).map(row).max().unwrap_or(0)
}

/// Row groups that follow each other and have batches of about one size.
pub(crate) fn alike(batch_sizes: &[usize]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let (mut least, mut most) = (0, 0);
    for (at, &size) in batch_sizes.iter().enumerate() {
        let (smaller, larger) = (size.min(least), size.max(most));
        match runs.last_mut() {
            Some(run) if larger <= smaller.saturating_mul(2) => {
                run.end = at + 1;
                (least, most) = (smaller, larger);
            }
            _ => {
                runs.push(at..at + 1);
                (least, most) = (size, size);
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_groups_of_large_rows_are_read_apart_from_others() {
        assert!(alike(&[]).is_empty());
        assert_eq!(alike(&[100, 100, 100]).len(), 1);
        assert_eq!(alike(&[8192, 1, 8192, 5000]), [0..1, 1..2, 2..4]);
        // No run grows by and by from many rows to few.
        assert_eq!(alike(&[100, 60, 40, 20]), [0..2, 2..4]);
    }

    #[test]
    fn the_longest_value_of_a_dictionary_is_found() {
        assert_eq!(longest(&[]), 0);
        assert_eq!(longest(b"\x01\0\0\0a\x03\0\0\0abc\x02\0\0\0ab"), 3);
        // What is cut, or says more than is there, counts as it says.
        assert_eq!(longest(b"\x01\0\0\0a\xff\0\0\0abc"), 255);
        assert_eq!(longest(b"\x01\0"), 0);
    }
}
