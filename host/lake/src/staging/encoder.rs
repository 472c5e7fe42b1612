//! From a delta's batches to data files: decides on rows, collects keys, writes.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::{SchemaRef, SortOptions};
use arrow_select::filter::filter_record_batch;
use iceberg::spec::{DataContentType, DataFile};
use icehost_plan::Direction;
use uuid::Uuid;

use crate::error::{LakeError, LakeErrorKind, Result};
use crate::evaluate::{self, exact_cast};
use crate::failpoint;
use crate::held::HeldRows;
use crate::keys::{KeyEncoder, as_a_server_orders};
use crate::row_change::{KeyColumn, Matched, NotMatched, Origin, RowChange, Rule};
use crate::schema::{self, LakeColumn};
use crate::staging::delta_keys::{Decision, StagedRow};
use crate::staging::key_set::{KeySet, KeyedRow, Keys};
use crate::staging::parquet_file::ParquetFile;
use crate::staging::staged_files::{StagedFiles, data_dir};
use crate::staging::statistics;
use crate::staging::{Look, StageOptions, Staged};
use crate::storage::{Storage, below};
use crate::table::LakeTable;

/// Rows and bytes handled at once, so that the memory for one step is small however large the caller's batches
/// are, and a page of long values ends not far behind its limit.
const CHUNK_ROWS: usize = 8192;
const CHUNK_BYTES: usize = 1 << 20;

/// What is wrong with a key that was to tell rows apart.
const REPEATED: &str = "stands in several rows";

pub(crate) struct Encoder {
    change: RowChange,
    columns: Vec<LakeColumn>,
    arrow_schema: SchemaRef,
    options: StageOptions,
    name_stem: String,
    storage: Arc<dyn Storage>,
    /// Where data files go.
    data_dir: String,
    table_name: Arc<str>,
    tracker: Option<Tracker>,
    held: Option<HeldRows>,
    /// Shown the rows in the place of a file.
    look: Option<Look>,
    current: Option<ParquetFile>,
    finished: Vec<DataFile>,
    files: StagedFiles,
    rows_received: u64,
    rows_held: u64,
    identity: (Uuid, i32),
}

/// Tells rows of a delta apart by their keys.
struct Tracker {
    keys: KeySet,
    encoder: KeyEncoder,
    order: Option<RowConverter>,
}

impl Encoder {
    pub(crate) fn new(
        table: &LakeTable,
        run_id: Uuid,
        change: RowChange,
        options: StageOptions,
        held: Option<HeldRows>,
        look: Option<Look>,
    ) -> Result<Encoder> {
        let columns = table.columns()?;
        if columns.len() != change.target_names.len()
            || columns
                .iter()
                .zip(&change.target_names)
                .any(|(a, b)| a.name != *b)
        {
            return Err(LakeError::new(
                LakeErrorKind::Conflict,
                format!("the columns of lake table {} have changed", table.display),
            )
            .with_hint("run again: the plan is then made for its new columns"));
        }
        let nothing_to_match =
            options.unique_keys && (options.unmatched || table.current_snapshot().is_none());
        let needs_no_keys = change.keys.is_empty() || (nothing_to_match && !change.delete_unlisted);
        let tracker = if needs_no_keys || look.is_some() {
            None
        } else {
            let directory = table.storage.scratch(&data_dir(table));
            let most = options.key_bytes;
            Some(Tracker::new(&change, &columns, most, &directory)?)
        };
        Ok(Encoder {
            arrow_schema: schema::arrow_schema(&columns),
            columns,
            change,
            options,
            // A run that stages twice must not meet its own files.
            name_stem: format!("{run_id}-{}", &Uuid::new_v4().simple().to_string()[..8]),
            storage: Arc::clone(&table.storage),
            data_dir: data_dir(table),
            table_name: Arc::clone(&table.display),
            tracker,
            held,
            look,
            current: None,
            finished: Vec::new(),
            files: StagedFiles::new(table),
            rows_received: 0,
            rows_held: 0,
            identity: (table.uuid(), table.metadata.current_schema_id()),
        })
    }

    /// Takes a batch of the delta's columns.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.check_shape(batch)?;
        let each = batch.get_array_memory_size() / batch.num_rows().max(1);
        let most = (CHUNK_BYTES / each.max(1)).clamp(1, CHUNK_ROWS);
        for start in (0..batch.num_rows()).step_by(most) {
            let rows = most.min(batch.num_rows() - start);
            self.write_chunk(&batch.slice(start, rows))?;
        }
        Ok(())
    }

    fn check_shape(&self, batch: &RecordBatch) -> Result<()> {
        let wanted = &self.change.source;
        if batch.num_columns() != wanted.len() {
            return Err(self.misfit(format!(
                "it has {} columns where the delta has {}",
                batch.num_columns(),
                wanted.len()
            )));
        }
        for (column, values) in wanted.iter().zip(batch.columns()) {
            let kind = column.column_type.lake().arrow();
            if *values.data_type() != kind {
                return Err(self.misfit(format!(
                    "column '{}' is {} where {kind} is wanted",
                    column.name,
                    values.data_type()
                )));
            }
        }
        Ok(())
    }

    fn misfit(&self, why: String) -> LakeError {
        LakeError::new(
            LakeErrorKind::InvalidData,
            format!(
                "a batch for lake table {} does not fit: {why}",
                self.table_name
            ),
        )
    }

    fn write_chunk(&mut self, delta: &RecordBatch) -> Result<()> {
        self.rows_received += delta.num_rows() as u64;
        let held = self.held_among(delta)?;
        let number = held.iter().filter(|held| **held).count();
        self.rows_held += number as u64;
        if number == 0 {
            return self.write_rows(delta, &[]);
        }
        // Where no other row of the delta has its key, such a row has no say at all.
        match self.tracker.is_none() || self.options.unique_keys {
            true if number == delta.num_rows() => Ok(()),
            true => {
                let others = held.iter().map(|held| !held);
                let others = BooleanArray::from(others.collect::<Vec<bool>>());
                self.write_rows(&filter_record_batch(delta, &others)?, &[])
            }
            false => self.write_rows(delta, &held),
        }
    }

    /// Which rows would be written as the table holds them already; empty where none is.
    fn held_among(&mut self, delta: &RecordBatch) -> Result<Vec<bool>> {
        let Some(mut held) = self.held.take() else {
            return Ok(Vec::new());
        };
        let image = self.image(delta)?;
        let among = held.among(&image)?;
        self.held = Some(held);
        let decisions = Decisions::take(&self.change, delta)?;
        let written = |row| {
            let decision = decisions.at(row);
            decision.may_write() && decision.matched != Matched::Delete
        };
        let among = among.into_iter().enumerate();
        Ok(among.map(|(row, held)| held && written(row)).collect())
    }

    /// Writes rows; those that are `held` count for their keys only, and change nothing.
    fn write_rows(&mut self, delta: &RecordBatch, held: &[bool]) -> Result<()> {
        let mut decisions = Decisions::take(&self.change, delta)?;
        decisions.change_nothing(held);
        // Without a tracker nothing can match.
        let tracked = self.tracker.is_some();
        let mut keep: Vec<bool> = (0..delta.num_rows())
            .map(|row| match decisions.at(row) {
                decision if tracked => decision.may_write(),
                decision => decision.writes(false),
            })
            .collect();
        let key_columns = self.key_columns(delta)?;
        self.check_key(&key_columns, &keep)?;
        // A file ends between chunks only, so that the positions of a chunk's rows are known beforehand.
        let file = self.finished.len() as u32;
        if let Some(tracker) = &mut self.tracker {
            let chunk = Chunk {
                delta,
                key_columns: &key_columns,
                decisions: &decisions,
                next: StagedRow {
                    file,
                    position: self.current.as_ref().map_or(0, ParquetFile::rows),
                },
            };
            let repeated = tracker.track(&self.change, &chunk, &mut keep)?;
            if let Some(row) = repeated.filter(|_| self.refuses_repeats()) {
                return Err(self.misfit_of_key(&key_columns, row, REPEATED));
            }
        }
        if !keep.contains(&true) {
            return Ok(());
        }
        let image = self.image(delta)?;
        let rows = if keep.contains(&false) {
            filter_record_batch(&image, &BooleanArray::from(keep))?
        } else {
            image
        };
        self.check_required(&rows)?;
        self.append(&rows)
    }

    /// Whether no two rows may have one key.
    fn refuses_repeats(&self) -> bool {
        self.options.refuse_repeats && !self.change.has_order()
    }

    /// Looks for keys that came again after they had gone to disk.
    fn check_repeats(&self) -> Result<()> {
        let Some(Tracker { keys, encoder, .. }) = &self.tracker else {
            return Ok(());
        };
        let repeated = match &keys.keys {
            Keys::Spilled(spilled) if self.refuses_repeats() => spilled.repeated()?,
            _ => None,
        };
        match repeated {
            None => Ok(()),
            Some(key) => Err(self.misfit_of_key(&encoder.decode(&[&key])?, 0, REPEATED)),
        }
    }

    /// The key columns in key order, as the table's types.
    fn key_columns(&self, delta: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let mut columns = Vec::with_capacity(self.change.keys.len());
        for (key, kind) in self.change.keys.iter().zip(self.change.key_types()) {
            let values = delta.column(key.source as usize);
            columns.push(exact_cast(values, &kind.arrow())?);
        }
        Ok(columns)
    }

    /// Refuses a row that is to be written and could never be found again.
    fn check_key(&self, key_columns: &[ArrayRef], keep: &[bool]) -> Result<()> {
        for column in key_columns.iter().filter(|c| c.null_count() > 0) {
            let mut rows = keep.iter().enumerate();
            if let Some((row, _)) = rows.find(|&(row, keep)| *keep && column.is_null(row)) {
                let why = "has NULL, which equals no other key";
                return Err(self.misfit_of_key(key_columns, row, why));
            }
        }
        Ok(())
    }

    fn misfit_of_key(&self, key_columns: &[ArrayRef], row: usize, why: &str) -> LakeError {
        let column = |key: &KeyColumn| self.change.source.get(key.source as usize);
        let names = self.change.keys.iter().filter_map(column);
        let names: Vec<&str> = names.map(|column| column.name.as_str()).collect();
        let parts = names.iter().zip(key_columns);
        let parts: Vec<String> = parts
            .map(|(name, values)| part_text(name, values, row))
            .collect();
        LakeError::new(
            LakeErrorKind::InvalidData,
            format!(
                "the key {} does not tell the rows for lake table {} apart: {} {why}",
                names.join(", "),
                self.table_name,
                parts.join(", ")
            ),
        )
        .with_hint(match key_columns.iter().any(|column| column.is_null(row)) {
            true => {
                "choose columns without NULL (the merge's option keys), or keep every row that is read \
                 (append-only)"
            }
            false => {
                "choose columns that do (the merge's option keys), keep one row of each key (its option \
                 deduplicate-by), or keep every row that is read (append-only)"
            }
        })
    }

    /// The rows as the table has them.
    fn image(&self, delta: &RecordBatch) -> Result<RecordBatch> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for (origin, column) in self.change.image.iter().zip(&self.columns) {
            let wanted = column.lake_type.arrow();
            let values = match origin {
                Origin::Column(ordinal) => exact_cast(delta.column(*ordinal as usize), &wanted),
                Origin::Expression(expression) => {
                    evaluate::values(expression, &self.change.source, delta, &wanted)
                }
                Origin::Null => Ok(new_null_array(&wanted, delta.num_rows())),
            };
            columns.push(values.map_err(|e| {
                self.misfit(format!("column '{}' cannot take its values", column.name))
                    .with_source(e)
            })?);
        }
        let nullable = schema::nullable_arrow_schema(&self.columns);
        let options = RecordBatchOptions::new().with_row_count(Some(delta.num_rows()));
        Ok(RecordBatch::try_new_with_options(
            nullable, columns, &options,
        )?)
    }

    fn check_required(&self, rows: &RecordBatch) -> Result<()> {
        for (column, values) in self.columns.iter().zip(rows.columns()) {
            if column.required && values.null_count() > 0 {
                let row = (0..values.len())
                    .find(|&row| values.is_null(row))
                    .unwrap_or(0);
                return Err(self.misfit(format!(
                    "column '{}' is required and is NULL in {}",
                    column.name,
                    self.row_text(rows, row)
                )));
            }
        }
        Ok(())
    }

    /// A row by its key, or by all its values where there is no key.
    fn row_text(&self, rows: &RecordBatch, row: usize) -> String {
        let keyed = self
            .columns
            .iter()
            .any(|column| column.key_position.is_some());
        let parts: Vec<String> = self
            .columns
            .iter()
            .zip(rows.columns())
            .filter(|(column, _)| !keyed || column.key_position.is_some())
            .map(|(column, values)| part_text(&column.name, values, row))
            .collect();
        format!("the row {}", parts.join(", "))
    }

    fn append(&mut self, rows: &RecordBatch) -> Result<()> {
        if let Some(look) = &self.look {
            look(rows);
            return Ok(());
        }
        let rows = RecordBatch::try_new(Arc::clone(&self.arrow_schema), rows.columns().to_vec())?;
        let mut file = match self.current.take() {
            Some(file) => file,
            None => self.next_file()?,
        };
        file.write(&rows)?;
        if file.bytes() >= self.options.target_file_bytes {
            self.finish_file(file)
        } else {
            self.current = Some(file);
            Ok(())
        }
    }

    fn next_file(&mut self) -> Result<ParquetFile> {
        let name = format!("{:05}-{}.parquet", self.finished.len(), self.name_stem);
        let location = below(&self.data_dir, &name);
        self.files.add(location.clone());
        let (columns, most) = (self.columns.clone(), self.options.row_group_bytes);
        ParquetFile::create(&*self.storage, location, columns, most)
    }

    fn finish_file(&mut self, file: ParquetFile) -> Result<()> {
        tracing::debug!(
            file = file.location(),
            rows = file.rows(),
            "finish a data file"
        );
        let finished = file.finish()?;
        self.finished.push(statistics::describe(
            DataContentType::Data,
            &finished,
            &self.columns,
            None,
        )?);
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<Staged> {
        if let Some(file) = self.current.take() {
            self.finish_file(file)?;
        }
        self.check_repeats()?;
        failpoint(failpoint::AFTER_STAGING)?;
        Ok(Staged {
            table_uuid: self.identity.0,
            schema_id: self.identity.1,
            change: self.change,
            data_files: self.finished,
            rows_received: self.rows_received,
            rows_held: self.rows_held,
            held: self.held,
            keys: self.tracker.map(Tracker::finish).transpose()?,
            answers: None,
            vouched: self.options.unmatched,
            files: self.files,
        })
    }
}

/// A value in a message.
fn part_text(name: &str, values: &ArrayRef, row: usize) -> String {
    if values.is_null(row) {
        return format!("{name} = NULL");
    }
    let text = arrow_cast::display::array_value_to_string(values, row);
    let text = icehost_untrusted::shown_up_to(&text.unwrap_or_default(), 100);
    format!("{name} = {text}")
}

/// Some rows of a delta, before they are written.
struct Chunk<'a> {
    delta: &'a RecordBatch,
    /// The key columns in key order, as the table's types.
    key_columns: &'a [ArrayRef],
    decisions: &'a Decisions,
    /// Where the first of the rows that are written will stand.
    next: StagedRow,
}

/// What becomes of each row of a chunk.
enum Decisions {
    Same(Decision),
    Each(Vec<Decision>),
}

impl Decisions {
    fn take(change: &RowChange, delta: &RecordBatch) -> Result<Decisions> {
        let default = Decision {
            matched: Matched::Keep,
            not_matched: NotMatched::Ignore,
        };
        let unconditional = change.matched.iter().all(|rule| rule.condition.is_none())
            && change
                .not_matched
                .iter()
                .all(|rule| rule.condition.is_none());
        if unconditional {
            return Ok(Decisions::Same(Decision {
                matched: change
                    .matched
                    .first()
                    .map_or(default.matched, |r| r.outcome),
                not_matched: change
                    .not_matched
                    .first()
                    .map_or(default.not_matched, |r| r.outcome),
            }));
        }
        let matched = choose(&change.matched, Matched::Keep, change, delta)?;
        let not_matched = choose(&change.not_matched, NotMatched::Ignore, change, delta)?;
        let both = matched.into_iter().zip(not_matched);
        Ok(Decisions::Each(
            both.map(|(matched, not_matched)| Decision {
                matched,
                not_matched,
            })
            .collect(),
        ))
    }

    /// Rows that are held neither come nor make others go.
    fn change_nothing(&mut self, held: &[bool]) {
        if held.is_empty() {
            return;
        }
        let nothing = Decision {
            matched: Matched::Keep,
            not_matched: NotMatched::Ignore,
        };
        let each = held.iter().enumerate().map(|(row, held)| match held {
            true => nothing,
            false => self.at(row),
        });
        *self = Decisions::Each(each.collect());
    }

    fn at(&self, row: usize) -> Decision {
        match self {
            Decisions::Same(decision) => *decision,
            Decisions::Each(decisions) => decisions.get(row).copied().unwrap_or(Decision {
                matched: Matched::Keep,
                not_matched: NotMatched::Ignore,
            }),
        }
    }
}

/// The outcome of the first rule that holds, row by row.
fn choose<T: Copy>(
    rules: &[Rule<T>],
    otherwise: T,
    change: &RowChange,
    delta: &RecordBatch,
) -> Result<Vec<T>> {
    let mut outcomes = vec![otherwise; delta.num_rows()];
    // Later rules first, so that earlier ones overwrite them.
    for rule in rules.iter().rev() {
        match &rule.condition {
            None => outcomes.fill(rule.outcome),
            Some(condition) => {
                let holds = evaluate::holds(condition, &change.source, delta)?;
                for (outcome, holds) in outcomes.iter_mut().zip(holds.values()) {
                    if holds {
                        *outcome = rule.outcome;
                    }
                }
            }
        }
    }
    Ok(outcomes)
}

impl Tracker {
    fn new(
        change: &RowChange,
        columns: &[LakeColumn],
        most: usize,
        directory: &Path,
    ) -> Result<Tracker> {
        let fields: Vec<_> = change
            .keys
            .iter()
            .filter_map(|key| columns.get(key.target as usize))
            .map(|column| (column.field_id, column.lake_type))
            .collect();
        let types = fields.iter().map(|(_, kind)| *kind).collect();
        let order = if change.order.is_empty() {
            None
        } else {
            let fields = change.order.iter().filter_map(|key| {
                let kind = change.source.get(key.column as usize)?.column_type.lake();
                let descending = key.direction == Direction::Descending;
                // NULL is the lowest of all values, as T-SQL has it.
                let options = SortOptions {
                    descending,
                    nulls_first: !descending,
                };
                Some(SortField::new_with_options(kind.arrow(), options))
            });
            Some(RowConverter::new(fields.collect())?)
        };
        Ok(Tracker {
            keys: KeySet::new(&fields, &change.fold(), most, directory),
            encoder: KeyEncoder::new(types, change.fold())?,
            order,
        })
    }

    fn finish(mut self) -> Result<(KeySet, KeyEncoder)> {
        self.keys.seal()?;
        Ok((self.keys, self.encoder))
    }

    /// Enters a chunk's rows, and takes those out of `keep` that do not count. Gives the first row whose key has
    /// been entered before.
    fn track(
        &mut self,
        change: &RowChange,
        chunk: &Chunk<'_>,
        keep: &mut [bool],
    ) -> Result<Option<usize>> {
        let (delta, key_columns) = (chunk.delta, chunk.key_columns);
        let keys = self.encoder.encode(key_columns)?;
        let order: Option<Rows> = match &self.order {
            None => None,
            Some(converter) => {
                let columns: Vec<ArrayRef> = change
                    .order
                    .iter()
                    .map(|key| as_a_server_orders(delta.column(key.column as usize)))
                    .collect();
                Some(converter.convert_columns(&columns)?)
            }
        };
        self.keys.note(key_columns);
        let mut next = chunk.next;
        let mut repeated = None;
        for (row, keep) in keep.iter_mut().enumerate() {
            let decision = chunk.decisions.at(row);
            // A key with a NULL equals no other: the row is never matched.
            if keys.is_null(row) {
                *keep = decision.writes(false);
            } else {
                let key = keys.bytes(row);
                let order = order.as_ref().map(|rows| rows.row(row));
                let order = order.as_ref().map(|row| row.data());
                let entered = self.keys.enter(&KeyedRow {
                    key,
                    order,
                    decision,
                    row: keep.then_some(next),
                    uncertain: keys.is_uncertain(row),
                })?;
                if repeated.is_none() && entered.repeated {
                    repeated = Some(row);
                }
                if !entered.counts {
                    *keep = false;
                    continue;
                }
            }
            if *keep {
                next.position += 1;
            }
        }
        Ok(repeated)
    }
}
