//! One Parquet file of a table, read as the table's current schema has it.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use iceberg::spec::{DataFileFormat, Transform};
use icehost_files::blocking::wait;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};
use parquet::basic::Type as PhysicalType;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::SchemaDescriptor;
use roaring::RoaringTreemap;

use crate::checksum::checked_file::CheckedFile;
use crate::checksum::damaged;
use crate::error::{LakeError, LakeErrorKind, Result};
use crate::evaluate::exact_cast;
use crate::read::live_files::{LiveFile, TableFiles, missing_file};
use crate::read::pages::Pages;
use crate::read::room::NoRoom;
use crate::read::{batch_rows, footer};
use crate::schema::{self, LakeColumn};
use crate::staging::parquet_file::WRITER;

/// Which rows of a file to read, by position.
#[derive(Clone)]
pub(crate) enum Pick<'a> {
    All,
    Except(RoaringTreemap),
    Only(RoaringTreemap),
    /// Those that may hold what is looked for, by the file's own bounds, except these.
    Near(&'a dyn Near, RoaringTreemap),
}

/// Something that is looked for in files.
pub(crate) trait Near {
    /// The rows that may hold it, by the bounds of row groups and pages; `None` where they rule out none.
    fn rows(&self, file: &ParquetMetaData) -> Option<RoaringTreemap>;
}

impl Pick<'_> {
    /// The same in terms of positions.
    fn settle(&self, file: &ParquetMetaData) -> Pick<'static> {
        match self {
            Pick::All => Pick::All,
            Pick::Except(positions) => Pick::Except(positions.clone()),
            Pick::Only(positions) => Pick::Only(positions.clone()),
            Pick::Near(sought, except) => match sought.rows(file) {
                Some(rows) => Pick::Only(rows - except),
                None => Pick::Except(except.clone()),
            },
        }
    }
}

/// Takes a batch and the position of each of its rows in the file; may ask for no more.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(RecordBatch, &[u64]) -> Result<ControlFlow<()>>;

impl TableFiles {
    /// Reads rows of a data file, with no regard to delete files. `columns` are of any schema of the table:
    /// found by field id, cast where their type was widened, NULL where the file is older than the column.
    pub(crate) fn read_file(
        &self,
        file: &LiveFile,
        columns: &[LakeColumn],
        pick: &Pick<'_>,
        batch_rows: usize,
        sink: Sink<'_>,
    ) -> Result<ControlFlow<()>> {
        let path = self.locator.find(file.path())?;
        check_format(file, &path)?;
        let handle = self.open(&path)?;
        let indexed = matches!(pick, Pick::Near(..));
        let footer = footer::read(&handle, indexed).map_err(|e| unreadable(&handle, &path, e))?;
        let metadata = Arc::clone(footer.metadata());
        let rows = metadata.file_metadata().num_rows().max(0) as u64;
        let pick = &pick.settle(&metadata);
        if let Pick::Only(positions) = pick {
            tracing::debug!(file = %path, of = rows, read = positions.len(), "rows by their bounds");
        }
        let schema = metadata.file_metadata().schema_descr();
        let roots = self.roots(file, &path, columns, schema)?;
        let mut wanted: Vec<usize> = roots.iter().flatten().copied().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mask = ProjectionMask::roots(schema, wanted.iter().copied());
        let leaves = (0..schema.num_columns()).filter(|&leaf| mask.leaf_included(leaf));
        let leaves: Vec<usize> = leaves.collect();
        let pages = |groups| Pages::new(&handle, &metadata, groups, &leaves, self.room);
        let failed = |pages: &Pages, error| match pages.refused() {
            Some(what) => self.no_room(what, &path),
            None => unreadable(&handle, &path, error),
        };
        let by_dictionaries = |group: usize| {
            let pages = pages(group..group + 1);
            batch_rows::by_dictionaries(&pages, &metadata, group, &leaves, batch_rows)
                .map_err(|e| failed(&pages, e))
        };
        let mut batch_sizes = batch_rows::by_size(&metadata, &leaves, batch_rows);
        let whole = matches!(pick, Pick::All);
        if whole {
            for (group, size) in batch_sizes.iter_mut().enumerate() {
                *size = by_dictionaries(group)?.min(*size);
            }
        }
        let mut positions = positions(pick, rows);
        let arrow_schema = schema::nullable_arrow_schema(columns);
        for (groups, selection) in parts(pick, &metadata, &batch_sizes) {
            let batch_size = batch_sizes.get(groups.clone()).unwrap_or_default();
            let mut batch_size = batch_size.iter().min().copied().unwrap_or(batch_rows);
            if !whole {
                batch_size = batch_size.min(by_dictionaries(groups.start)?);
            }
            let pages = pages(groups.clone());
            let builder =
                ParquetRecordBatchReaderBuilder::new_with_metadata(pages.clone(), footer.clone());
            let mut builder = builder
                .with_projection(mask.clone())
                .with_batch_size(batch_size)
                .with_row_groups(groups.collect());
            if let Some(selection) = selection {
                builder = builder.with_row_selection(selection);
            }
            for batch in builder.build().map_err(|e| failed(&pages, e))? {
                let batch = batch.map_err(|e| failed(&pages, e.into()))?;
                let row = || batch_rows::largest_row(&batch);
                if batch.get_array_memory_size() as u64 > self.room.row && row() > self.room.row {
                    return Err(self.no_room(NoRoom::Row(row()), &path));
                }
                let at: Vec<u64> = positions.by_ref().take(batch.num_rows()).collect();
                let mut values: Vec<ArrayRef> = Vec::with_capacity(columns.len());
                for (column, root) in columns.iter().zip(&roots) {
                    let to = column.lake_type.arrow();
                    values.push(match root {
                        None => new_null_array(&to, batch.num_rows()),
                        Some(root) => {
                            let index = wanted.partition_point(|w| w < root);
                            widen(batch.column(index), column, &path)?
                        }
                    });
                }
                let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                let batch =
                    RecordBatch::try_new_with_options(Arc::clone(&arrow_schema), values, &options)?;
                if sink(batch, &at)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn no_room(&self, what: NoRoom, path: &str) -> LakeError {
        self.room.refused(what, &self.name, path)
    }

    fn open(&self, path: &str) -> Result<CheckedFile> {
        wait(self.locator.storage().open(path))
            .and_then(CheckedFile::new)
            .map_err(|e| missing_file("data file", &self.name, path, e))
    }

    /// Whether icehost wrote the file, as its footer says.
    pub(crate) fn is_own(&self, file: &LiveFile) -> Result<bool> {
        let path = self.locator.find(file.path())?;
        check_format(file, &path)?;
        let handle = self.open(&path)?;
        let footer = footer::read(&handle, false).map_err(|e| unreadable(&handle, &path, e))?;
        let writer = footer.metadata().file_metadata().created_by();
        Ok(writer.is_some_and(|writer| writer.starts_with(WRITER)))
    }

    /// Where each column is among the file's root columns; `None` where the file does not have it.
    fn roots(
        &self,
        file: &LiveFile,
        path: &str,
        columns: &[LakeColumn],
        schema: &SchemaDescriptor,
    ) -> Result<Vec<Option<usize>>> {
        let fields = schema.root_schema().get_fields();
        let id = |i: usize| {
            let info = fields.get(i)?.get_basic_info();
            info.has_id().then(|| info.id())
        };
        if !fields.is_empty() && (0..fields.len()).all(|i| id(i).is_none()) {
            return Err(LakeError::unsupported(format!(
                "the data file {} of lake table {} has no field ids",
                path,
                self.name
            ))
            .with_hint(
                "such files were imported from outside Iceberg; rewrite them with the engine that did",
            ));
        }
        columns
            .iter()
            .map(|column| {
                let found = (0..fields.len()).find(|&i| id(i) == Some(column.field_id));
                match found.and_then(|i| fields.get(i)) {
                    None => self.check_absent(file, path, column)?,
                    Some(field) if !field.is_primitive() => {
                        return Err(LakeError::new(
                            LakeErrorKind::Corrupt,
                            format!(
                                "column '{}' is nested in the data file {}, and {} in its table",
                                column.name, path, column.lake_type
                            ),
                        ));
                    }
                    Some(field) if field.get_physical_type() == PhysicalType::INT96 => {
                        return Err(LakeError::unsupported(format!(
                            "column '{}' is an INT96 timestamp in the data file {}",
                            column.name, path
                        ))
                        .with_hint("Iceberg does not allow this type; rewrite the file"));
                    }
                    Some(_) => {}
                }
                Ok(found)
            })
            .collect()
    }

    /// A column that a file lacks is NULL throughout, unless its values stand in the partition instead
    /// (Iceberg table spec, "Column Projection").
    fn check_absent(&self, file: &LiveFile, path: &str, column: &LakeColumn) -> Result<()> {
        let in_partition = self
            .metadata
            .partition_spec_by_id(file.spec_id)
            .is_some_and(|spec| {
                spec.fields().iter().any(|field| {
                    field.source_id == column.field_id && field.transform == Transform::Identity
                })
            });
        if in_partition {
            return Err(LakeError::unsupported(format!(
                "the data file {} keeps column '{}' in its partition only",
                path, column.name
            ))
            .with_hint("rewrite the imported files with the engine that imported them"));
        }
        if column.required {
            return Err(LakeError::new(
                LakeErrorKind::Corrupt,
                format!(
                    "the data file {} lacks the required column '{}'",
                    path, column.name
                ),
            ));
        }
        Ok(())
    }
}

/// The error for a file whose bytes cannot be decoded, or are not those that were written.
fn unreadable(file: &CheckedFile, path: &str, error: ParquetError) -> LakeError {
    match file.damage_found() {
        Some(bytes) => damaged(
            "data file",
            path,
            format_args!(
                "bytes {} to {} are",
                bytes.start,
                bytes.end.saturating_sub(1)
            ),
        ),
        None => LakeError::corrupt("data file", path, error),
    }
}

/// Refuses formats that icehost does not read.
pub(crate) fn check_format(file: &LiveFile, path: &str) -> Result<()> {
    match file.file().file_format() {
        DataFileFormat::Parquet => Ok(()),
        DataFileFormat::Puffin => Err(LakeError::unsupported(format!(
            "{} holds deletion vectors",
            path
        ))
        .with_hint("these belong to format v3; rewrite the table in format v2")),
        other => Err(
            LakeError::unsupported(format!("the file {} is of format {other}", path))
                .with_hint("icehost reads Parquet; rewrite the table's files as Parquet"),
        ),
    }
}

/// The promotions that the spec allows (Iceberg table spec, "Schema Evolution"), and nothing that loses.
fn widen(values: &ArrayRef, column: &LakeColumn, path: &str) -> Result<ArrayRef> {
    exact_cast(values, &column.lake_type.arrow()).map_err(|e| {
        LakeError::new(
            LakeErrorKind::Corrupt,
            format!(
                "column '{}' of the data file {} cannot be read as {}",
                column.name, path, column.lake_type
            ),
        )
        .with_source(e)
    })
}

/// Row groups, and which of their rows to read; all where that is not said.
type Part = (Range<usize>, Option<RowSelection>);

/// A file whose rows are picked is read a row group at a time: a selection takes 32 bytes for each row that stands
/// alone, and of a whole file that may be more than anything else of a run.
fn parts<'a>(
    pick: &'a Pick<'static>,
    file: &ParquetMetaData,
    batch_sizes: &[usize],
) -> Box<dyn Iterator<Item = Part> + 'a> {
    let (positions, selected) = match pick {
        // Settled before.
        Pick::All | Pick::Near(..) => {
            let runs = batch_rows::alike(batch_sizes).into_iter();
            return Box::new(runs.map(|run| (run, None)));
        }
        Pick::Except(positions) => (positions, false),
        Pick::Only(positions) => (positions, true),
    };
    let groups = file
        .row_groups()
        .iter()
        .map(|group| group.num_rows().max(0) as u64);
    let groups: Vec<u64> = groups.collect();
    let mut positions = positions.iter().peekable();
    let mut first = 0;
    Box::new(
        groups
            .into_iter()
            .enumerate()
            .filter_map(move |(at, rows)| {
                let (start, end) = (first, first + rows);
                first = end;
                // Positions beyond the file's end come from damaged delete files; they name no row.
                let here = std::iter::from_fn(|| positions.next_if(|position| *position < end));
                let selection = selection(here, selected, start..end);
                selection
                    .selects_any()
                    .then(|| (at..at + 1, Some(selection)))
            }),
    )
}

/// Positions of a range of rows, which are selected or else left out.
fn selection(
    positions: impl Iterator<Item = u64>,
    selected: bool,
    rows: Range<u64>,
) -> RowSelection {
    let mut selectors: Vec<RowSelector> = Vec::new();
    let mut push = |count: u64, skip: bool| {
        let count = count as usize;
        match selectors.last_mut() {
            _ if count == 0 => {}
            Some(last) if last.skip == skip => last.row_count += count,
            _ => selectors.push(RowSelector {
                row_count: count,
                skip,
            }),
        }
    };
    let mut next = rows.start;
    for position in positions {
        push(position - next, selected);
        push(1, !selected);
        next = position + 1;
    }
    push(rows.end - next, selected);
    selectors.into()
}

fn positions<'a>(pick: &'a Pick<'static>, rows: u64) -> Box<dyn Iterator<Item = u64> + 'a> {
    match pick {
        Pick::All | Pick::Near(..) => Box::new(0..rows),
        Pick::Except(positions) => Box::new((0..rows).filter(|p| !positions.contains(*p))),
        Pick::Only(positions) => Box::new(positions.iter().take_while(move |&p| p < rows)),
    }
}
