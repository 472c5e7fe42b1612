//! The end of a Parquet file: what is in it, and where.

use std::sync::Arc;

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};

use crate::checksum::checked_file::CheckedFile;
use crate::read::thrift;

/// Most bytes of a footer; one of sixty columns and a thousand row groups has some seven millions.
const MOST_FOOTER: u64 = 64 << 20;
/// Most bytes of the bounds and the places of a file's pages.
const MOST_INDEX: u64 = 64 << 20;
/// Most structures in either, of which each takes about a hundred bytes of memory.
const MOST_STRUCTURES: u64 = 4_000_000;

/// The length of a footer and the mark of the format (Parquet specification, "File format").
const TAIL: u64 = 8;
const MARK: &[u8] = b"PAR1";

/// Reads the footer of a file, having checked it; with the index of pages, where that is asked for and there is one.
pub(crate) fn read(file: &CheckedFile, indexed: bool) -> Result<ArrowReaderMetadata> {
    file.check_end()?;
    let mut metadata = footer(file)?;
    check_places(&metadata, file.len())?;
    if indexed && index_is_sound(file, &metadata)? {
        let mut reader = ParquetMetaDataReader::new_with_metadata(metadata)
            .with_page_index_policy(PageIndexPolicy::Optional);
        reader.read_page_indexes(file)?;
        metadata = reader.finish()?;
        check_pages(&metadata)?;
    }
    // Types follow from the Parquet schema alone, whatever wrote the file.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let footer = ArrowReaderMetadata::try_new(Arc::new(metadata), options)?;
    file.expect_blocks(footer.metadata())?;
    Ok(footer)
}

fn footer(file: &CheckedFile) -> Result<ParquetMetaData> {
    let end = file.len().checked_sub(TAIL).ok_or_else(no_parquet)?;
    let tail = file.get_bytes(end, TAIL as usize)?;
    let (length, mark) = tail.split_at_checked(4).ok_or_else(no_parquet)?;
    let length = u64::from(u32::from_le_bytes(
        length.try_into().map_err(|_| no_parquet())?,
    ));
    let start = end.checked_sub(length).ok_or_else(no_parquet)?;
    if mark != MARK {
        return Err(no_parquet());
    }
    if length > MOST_FOOTER {
        return Err(ParquetError::General(format!(
            "its footer has more than {MOST_FOOTER} bytes"
        )));
    }
    let bytes = file.get_bytes(start, length as usize)?;
    walk("footer", &bytes)?;
    ParquetMetaDataReader::decode_metadata(&bytes)
}

fn no_parquet() -> ParquetError {
    ParquetError::General("it does not end as a Parquet file does".to_owned())
}

fn walk(what: &str, bytes: &[u8]) -> Result<()> {
    match thrift::walk(bytes, MOST_STRUCTURES) {
        Ok(_) => Ok(()),
        Err(thrift::Refused::TooMany) => Err(ParquetError::General(format!(
            "its {what} has more than {MOST_STRUCTURES} entries"
        ))),
        Err(thrift::Refused::Malformed) => Err(ParquetError::General(format!(
            "its {what} ends before what it says to hold"
        ))),
    }
}

fn elsewhere(what: &str) -> ParquetError {
    ParquetError::General(format!("{what} lies where there is none"))
}

/// Readers take the places of columns for granted.
fn check_places(metadata: &ParquetMetaData, length: u64) -> Result<()> {
    for group in metadata.row_groups() {
        for chunk in group.columns() {
            let start = chunk.dictionary_page_offset();
            let start = start.unwrap_or_else(|| chunk.data_page_offset());
            let places = u64::try_from(start).ok();
            let places = places.zip(u64::try_from(chunk.compressed_size()).ok());
            let end = places.and_then(|(start, bytes)| start.checked_add(bytes));
            if end.is_none_or(|end| end > length) {
                return Err(elsewhere("a column of it"));
            }
        }
        if group.num_rows() < 0 {
            return Err(elsewhere("a row group of it"));
        }
    }
    Ok(())
}

/// Walks the indexes of pages, which are decoded all at once. False where they are too large, or there are none: rows
/// are found without them too.
fn index_is_sound(file: &CheckedFile, metadata: &ParquetMetaData) -> Result<bool> {
    let places = || {
        let chunks = metadata.row_groups().iter().flat_map(|g| g.columns());
        chunks.flat_map(|chunk| {
            let bounds = (chunk.column_index_offset(), chunk.column_index_length());
            let places = (chunk.offset_index_offset(), chunk.offset_index_length());
            [bounds, places]
        })
    };
    let mut all = 0u64;
    let (mut first, mut last) = (u64::MAX, 0);
    for place in places() {
        let (Some(start), Some(length)) = place else {
            continue;
        };
        let start = u64::try_from(start).map_err(|_| elsewhere("an index of its pages"))?;
        let length = u64::try_from(length).map_err(|_| elsewhere("an index of its pages"))?;
        all = all.saturating_add(length);
        first = first.min(start);
        last = last.max(start.saturating_add(length));
    }
    // It is read from the first to the last.
    if first >= last || all > MOST_INDEX || last - first > MOST_INDEX {
        return Ok(false);
    }
    if last > file.len() {
        return Err(elsewhere("an index of its pages"));
    }
    let bytes = file.get_bytes(first, (last - first) as usize)?;
    for place in places() {
        let (Some(start), Some(length)) = place else {
            continue;
        };
        let start = (start as u64 - first) as usize;
        let part = bytes.get(start..start + length as usize);
        walk("index of pages", part.unwrap_or_default())?;
    }
    Ok(true)
}

/// Refuses pages outside of their columns.
fn check_pages(metadata: &ParquetMetaData) -> Result<()> {
    let Some(index) = metadata.offset_index() else {
        return Ok(());
    };
    for (group, columns) in metadata.row_groups().iter().zip(index) {
        if !columns.is_empty() && columns.len() != group.num_columns() {
            return Err(elsewhere("an index of its pages"));
        }
        for (chunk, places) in group.columns().iter().zip(columns) {
            let (start, length) = chunk.byte_range();
            let mut row = 0;
            for page in places.page_locations() {
                let from = u64::try_from(page.offset).ok().filter(|at| *at >= start);
                let size = u64::try_from(page.compressed_page_size).ok();
                let end = from
                    .zip(size)
                    .and_then(|(from, size)| from.checked_add(size));
                let in_order =
                    page.first_row_index >= row && page.first_row_index <= group.num_rows();
                if !in_order || end.is_none_or(|end| end > start + length) {
                    return Err(elsewhere("a page of it"));
                }
                row = page.first_row_index;
            }
        }
    }
    Ok(())
}
