//! One Parquet file being written.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::OffsetBuffer;
use arrow_schema::DataType;
use icehost_files::blocking::wait;
use icehost_plan::LakeType;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::checksum::summed_file::SummedFile;
use crate::error::{LakeError, LakeErrorKind, Result};
use crate::schema::{self, LakeColumn};
use crate::staging::uuid_ranges::UuidRanges;
use crate::storage::Storage;

/// What the footers of icehost's files begin the name of their writer with.
pub(crate) const WRITER: &str = "icehost ";

/// Least for a page: below it, its header and the compressor's start outweigh the values.
const SMALLEST_PAGE: usize = 16 << 10;
/// Most for a page, which is Parquet's own default.
const LARGEST_PAGE: usize = 1 << 20;
/// Most for a dictionary. A column of distinct values is hashed until its dictionary is full, once in every
/// row group; what repeats fits in less than Parquet's default of 1 MiB.
const LARGEST_DICTIONARY: usize = 256 << 10;

/// Rows in a page of the key, about: an upsert reads the pages that its keys lie in, and with Parquet's own
/// 20,000, ten thousand keys that are strewn over a hundred million rows lie in all of them.
const KEY_PAGE_ROWS: usize = 1024;

/// How many times a value is there while it is encoded, beside its array: in its page, in a copy with levels, and
/// compressed; and twice as a bound.
const WHILE_ENCODED: usize = 5;

/// Bytes of a value of the key, about.
fn width(kind: LakeType) -> usize {
    match kind {
        LakeType::Boolean | LakeType::Int | LakeType::Float | LakeType::Date => 4,
        LakeType::Long
        | LakeType::Double
        | LakeType::Time
        | LakeType::Timestamp
        | LakeType::TimestampTz => 8,
        LakeType::Decimal { precision, .. } if precision <= 9 => 4,
        LakeType::Decimal { precision, .. } if precision <= 18 => 8,
        LakeType::Fixed(length) => length.clamp(1, 64) as usize,
        LakeType::Decimal { .. } | LakeType::Uuid | LakeType::String | LakeType::Binary => 16,
    }
}

/// What a column has of the memory for a row group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    page_bytes: usize,
    dictionary_bytes: usize,
}

impl Share {
    /// A column's open page and its dictionary take a quarter of its share each, so that at least half of the
    /// memory is for finished pages.
    fn new(row_group_bytes: usize, columns: usize) -> Share {
        let page_bytes = (row_group_bytes / columns.max(1) / 4).clamp(SMALLEST_PAGE, LARGEST_PAGE);
        Share {
            page_bytes,
            dictionary_bytes: page_bytes.min(LARGEST_DICTIONARY),
        }
    }
}

/// A file that is open for writing. It is not removed by itself.
pub(crate) struct ParquetFile {
    location: String,
    writer: ArrowWriter<SummedFile>,
    columns: Vec<LakeColumn>,
    row_group_bytes: usize,
    /// What the largest and the smallest values of the open row group may take.
    bounds: usize,
    rows: u64,
    /// NaNs in each column; only floating-point columns have any.
    nans: Vec<u64>,
    nulls: Vec<u64>,
    /// Of the columns of UUIDs that are part of the key.
    ranges: Vec<UuidRanges>,
}

/// A complete, durable file.
pub(crate) struct FinishedFile {
    pub(crate) location: String,
    pub(crate) rows: u64,
    /// Its size.
    pub(crate) bytes: u64,
    pub(crate) metadata: ParquetMetaData,
    pub(crate) nans: Vec<u64>,
    /// NULLs in each column.
    pub(crate) nulls: Vec<u64>,
}

impl ParquetFile {
    /// Creates a file, which must not exist. A row group ends when it takes about `row_group_bytes` of memory.
    pub(crate) fn create(
        storage: &dyn Storage,
        location: String,
        columns: Vec<LakeColumn>,
        row_group_bytes: usize,
    ) -> Result<ParquetFile> {
        Self::open(
            storage,
            location,
            columns,
            row_group_bytes,
            WriterProperties::builder(),
        )
    }

    /// The same with bounds in full length: readers find a delete file by the whole path in its bounds.
    pub(crate) fn create_unabridged(
        storage: &dyn Storage,
        location: String,
        columns: Vec<LakeColumn>,
        row_group_bytes: usize,
    ) -> Result<ParquetFile> {
        let properties = WriterProperties::builder().set_statistics_truncate_length(None);
        Self::open(storage, location, columns, row_group_bytes, properties)
    }

    fn open(
        storage: &dyn Storage,
        location: String,
        columns: Vec<LakeColumn>,
        row_group_bytes: usize,
        properties: WriterPropertiesBuilder,
    ) -> Result<ParquetFile> {
        let file =
            wait(storage.writer(&location)).map_err(|e| LakeError::io("create", &location, e))?;
        let share = Share::new(row_group_bytes, columns.len());
        let mut properties = properties
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_bytes(Some(row_group_bytes.max(1)))
            .set_data_page_size_limit(share.page_bytes)
            .set_dictionary_page_size_limit(share.dictionary_bytes)
            .set_created_by(format!("{WRITER}{}", env!("CARGO_PKG_VERSION")));
        for column in columns.iter().filter(|c| c.lake_type == LakeType::Uuid) {
            let path = ColumnPath::new(vec![column.name.clone()]);
            properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
        }
        let mut key = columns.iter().filter(|c| c.key_position.is_some());
        if let (Some(only), None) = (key.next(), key.next()) {
            // Its values are distinct: a dictionary would save nothing.
            let path = ColumnPath::new(vec![only.name.clone()]);
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_data_page_size_limit(path, KEY_PAGE_ROWS * width(only.lake_type));
        }
        let options = ArrowWriterOptions::new()
            .with_properties(properties.build())
            // Types follow from the Parquet schema alone, as other readers see them.
            .with_skip_arrow_metadata(true)
            .with_parquet_schema(schema::parquet_schema(&columns)?);
        let writer = ArrowWriter::try_new_with_options(
            SummedFile::new(file),
            schema::arrow_schema(&columns),
            options,
        )
        .map_err(|e| failed(&location, e))?;
        Ok(ParquetFile {
            location,
            writer,
            nans: vec![0; columns.len()],
            nulls: vec![0; columns.len()],
            ranges: columns
                .iter()
                .enumerate()
                .filter(|(_, c)| c.lake_type == LakeType::Uuid && c.key_position.is_some())
                .map(|(at, column)| UuidRanges::new(at, column.field_id))
                .collect(),
            columns,
            row_group_bytes,
            bounds: 0,
            rows: 0,
        })
    }

    /// Appends rows.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        for ((column, values), nans) in self.columns.iter().zip(batch.columns()).zip(&mut self.nans)
        {
            *nans += match column.lake_type {
                LakeType::Float => count_nans(values.as_primitive::<Float32Type>(), f32::is_nan),
                LakeType::Double => count_nans(values.as_primitive::<Float64Type>(), f64::is_nan),
                _ => 0,
            };
        }
        for (values, nulls) in batch.columns().iter().zip(&mut self.nulls) {
            *nulls += values.null_count() as u64;
        }
        for ranges in &mut self.ranges {
            if let Some(values) = batch.columns().get(ranges.column) {
                ranges.note(values);
            }
        }
        let largest: usize = batch.columns().iter().map(longest).sum();
        // A long value needs room beside what is there: its page, and that one compressed.
        if self.taken() + WHILE_ENCODED * largest > self.row_group_bytes {
            self.end_row_group()?;
        }
        self.writer
            .write(batch)
            .map_err(|e| failed(&self.location, e))?;
        self.bounds = self.bounds.max(2 * largest);
        // The writer ends a row group by its encoded size, which leaves out dictionaries' tables.
        if self.taken() >= self.row_group_bytes {
            self.end_row_group()?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Memory of the open row group.
    fn taken(&self) -> usize {
        self.writer.memory_size() + self.bounds
    }

    fn end_row_group(&mut self) -> Result<()> {
        self.bounds = 0;
        self.writer.flush().map_err(|e| failed(&self.location, e))
    }

    /// Rows written so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// About how large the file would be if it ended now.
    pub(crate) fn bytes(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    /// Where the file is.
    pub(crate) fn location(&self) -> &str {
        &self.location
    }

    /// Ends the file, which is durable then.
    pub(crate) fn finish(mut self) -> Result<FinishedFile> {
        let io = |e| LakeError::io("write", &self.location, e);
        self.writer.flush().map_err(|e| failed(&self.location, e))?;
        self.writer.sync().map_err(io)?;
        for ranges in self.ranges {
            self.writer.append_key_value_metadata(ranges.finish());
        }
        for entry in self.writer.inner_mut().seal() {
            self.writer.append_key_value_metadata(entry);
        }
        let metadata = self
            .writer
            .finish()
            .map_err(|e| failed(&self.location, e))?;
        self.writer.sync().map_err(io)?;
        let bytes = self.writer.inner_mut().finish().map_err(io)?;
        Ok(FinishedFile {
            location: self.location,
            rows: self.rows,
            bytes,
            metadata,
            nans: self.nans,
            nulls: self.nulls,
        })
    }
}

/// Bytes of the longest value of a column; none where all are of one size.
fn longest(values: &ArrayRef) -> usize {
    fn of(offsets: &OffsetBuffer<i32>) -> usize {
        offsets.lengths().max().unwrap_or(0)
    }
    match values.data_type() {
        DataType::Utf8 => of(values.as_string::<i32>().offsets()),
        DataType::Binary => of(values.as_binary::<i32>().offsets()),
        _ => 0,
    }
}

fn count_nans<T: arrow_array::ArrowPrimitiveType>(
    values: &arrow_array::PrimitiveArray<T>,
    is_nan: fn(T::Native) -> bool,
) -> u64 {
    values.iter().flatten().filter(|v| is_nan(*v)).count() as u64
}

fn failed(location: &str, error: parquet::errors::ParquetError) -> LakeError {
    use parquet::errors::ParquetError;
    match error {
        // A full disk hides in here; its own kind says more.
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(io) => LakeError::io("write", location, *io),
            Err(other) => write_failed(location).with_source(other),
        },
        other => write_failed(location).with_source(other),
    }
}

fn write_failed(location: &str) -> LakeError {
    LakeError::new(LakeErrorKind::Io, format!("cannot write {location}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_pages_and_dictionaries_leave_half_of_a_row_group_to_finished_pages() {
        for row_group in [2 << 20, 8 << 20, 32 << 20] {
            for columns in [1, 3, 12, 32] {
                let share = Share::new(row_group, columns);
                let open = columns * (share.page_bytes + share.dictionary_bytes);
                assert!(open <= row_group / 2, "{columns}: {share:?}");
            }
        }
        assert_eq!(Share::new(32 << 20, 1).page_bytes, LARGEST_PAGE);
        assert_eq!(Share::new(32 << 20, 1000).page_bytes, SMALLEST_PAGE);
    }
}
