//! Rows of SQL Server as Arrow batches.

mod builder;
mod observe;
mod variable;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};
use icehost_plan::values::{ArrowValue, Domain};
use icehost_plan::{Column, ValidExtractionPlan, Value};

use builder::{ColumnBuilder, SeventhDigit};
use observe::Observer;

use crate::connection::Connection;
use crate::driver::{Block, Cell, Rows, row_too_large};
use crate::error::{Result, SqlServerError};
use crate::introspect::SqlTable;
use crate::source::Way;
use crate::temporal;

/// What to do with a 100 ns digit, which an Iceberg v2 time or timestamp cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimePrecision {
    /// Cut it off; [`Extracted::truncated`] names the columns.
    #[default]
    Truncate,
    /// Stop with an error that names table, column and row.
    Error,
}

/// How an extraction fills its batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtractOptions {
    /// A batch ends when its values reach so many bytes; one row may be larger.
    pub batch_bytes: usize,
    /// And at so many rows.
    pub batch_rows: usize,
    /// A row that has more bytes on the wire, or in Arrow, is an error.
    pub largest_row: usize,
    /// What to do with a 100 ns digit.
    pub time_precision: TimePrecision,
    /// Ordinals of the columns that rows are told apart by. A 100 ns digit there is an error in any case: two keys
    /// could become one.
    pub keys: Vec<u32>,
    /// Names of columns whose values no message shows, without regard to case.
    pub private: Vec<String>,
}

impl Default for ExtractOptions {
    fn default() -> Self {
        ExtractOptions {
            batch_bytes: 4 << 20,
            batch_rows: 65_536,
            largest_row: 256 << 20,
            time_precision: TimePrecision::default(),
            keys: Vec::new(),
            private: Vec::new(),
        }
    }
}

/// What is known when the last row has been read.
#[derive(Debug, Clone, PartialEq)]
pub struct Extracted {
    /// Rows read.
    pub rows: u64,
    /// Bytes of their values in Arrow.
    pub bytes: u64,
    /// The plan's `observe`, in order, at full precision.
    pub observed: Vec<Value>,
    /// Columns of which a 100 ns digit was cut off.
    pub truncated: Vec<String>,
    /// `datetimeoffset` columns with a value whose offset is not zero: the lake keeps the moment only.
    pub offsets_lost: Vec<String>,
}

/// A query under way. Its memory is bounded by [`ExtractOptions`] and the widest row, whatever the number of
/// rows. Dropped before its end, it closes the connection, which ends the query on the server.
pub struct Extraction<'c> {
    rows: Option<Rows<'c>>,
    table: &'c SqlTable,
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    /// What the plan's columns are.
    described: Vec<Column>,
    /// The names of the extracted columns that make up the key, and where they stand.
    key: Vec<(usize, String)>,
    observer: Observer,
    options: ExtractOptions,
    total_rows: u64,
    total_bytes: u64,
}

impl<'c> Extraction<'c> {
    pub(crate) async fn begin(
        connection: &'c mut Connection,
        table: &'c SqlTable,
        plan: &ValidExtractionPlan,
        options: ExtractOptions,
    ) -> Result<Extraction<'c>> {
        let reading = |error: SqlServerError| error.context(format!("reading {}", table.name));
        let way = Way::of(&plan.source).map_err(reading)?;
        way.check_session(connection.in_read).map_err(reading)?;
        let statement = way.select(table, plan)?;
        let unpadded = connection.server.quirks.unpadded_char;
        let mut fields = Vec::with_capacity(plan.columns.len());
        let mut columns = Vec::with_capacity(plan.columns.len());
        let described = plan.columns_of(&table.table);
        for &ordinal in &plan.columns {
            let column = table.column(ordinal)?;
            let data_type = column.sql_type.lake().arrow();
            fields.push(Field::new(&column.name, data_type, column.nullable));
            let digit = match (options.keys.contains(&ordinal), options.time_precision) {
                (true, _) => SeventhDigit::OfAKey,
                (false, TimePrecision::Truncate) => SeventhDigit::Cut,
                (false, TimePrecision::Error) => SeventhDigit::Refuse,
            };
            let (name, sql_type) = (&column.name, column.sql_type);
            let bytes = options.batch_bytes;
            columns.push(ColumnBuilder::new(name, sql_type, digit, unpadded, bytes));
        }
        let key = table.table.key().into_iter().filter_map(|ordinal| {
            let position = plan.columns.iter().position(|&column| column == ordinal)?;
            Some((position, table.columns.get(ordinal as usize)?.name.clone()))
        });
        let observer = Observer::begin(&mut connection.client, table, plan)
            .await
            .map_err(reading)?;
        tracing::debug!(table = %table.name, %statement, "extracting");
        let rows = connection
            .client
            .stream(&statement, options.largest_row)
            .await
            .map_err(reading)?;
        Ok(Extraction {
            rows: Some(rows),
            table,
            schema: Arc::new(Schema::new(fields)),
            columns,
            described,
            key: key.collect(),
            observer,
            options,
            total_rows: 0,
            total_bytes: 0,
        })
    }

    /// The schema of every batch: the plan's columns in its order, with the Arrow types of
    /// [`LakeType::arrow`](icehost_plan::LakeType::arrow).
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// The next batch, never empty; `None` after the last.
    ///
    /// The future may be dropped and asked for again: no row is lost by that.
    ///
    /// # Errors
    /// [`ErrorKind::Data`](crate::ErrorKind::Data) for a value that cannot be carried, and whatever the
    /// server or the connection reports. The extraction is over then.
    pub async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let Some(rows) = &mut self.rows else {
            return Ok(None);
        };
        loop {
            let held = self.columns.first().map_or(0, ColumnBuilder::len);
            let (rows_left, bytes_left) = (
                self.options.batch_rows.saturating_sub(held),
                self.options
                    .batch_bytes
                    .saturating_sub(bytes(&self.columns)),
            );
            if held > 0 && (rows_left == 0 || bytes_left == 0) {
                break;
            }
            let next = rows
                .next(rows_left, bytes_left)
                .await
                .map_err(|error| error.context(format!("reading {}", self.table.name)))?;
            let Some(block) = next else {
                self.rows = None;
                break;
            };
            if block.columns.len() != self.columns.len() {
                return Err(SqlServerError::protocol(format!(
                    "reading {}: a result of {} columns came where {} were asked for",
                    self.table.name,
                    block.columns.len(),
                    self.columns.len()
                )));
            }
            self.observer.see(&block);
            for (position, column) in self.columns.iter_mut().enumerate() {
                column.append(&block, position).map_err(|refusal| {
                    let row = RowKey {
                        key: &self.key,
                        number: self.total_rows + 1 + refusal.row as u64,
                    }
                    .describe(&block, refusal.row);
                    let reason = shown_reason(&self.options, column.name(), &refusal.reason);
                    let error = SqlServerError::data(&self.table.name, column.name(), row, reason);
                    match refusal.hint {
                        Some(hint) => error.with_hint(hint),
                        None => error,
                    }
                })?;
            }
            self.total_rows += block.rows as u64;
            // A batch is over when it is full, and only its last row can have made it larger than that.
            let most = self
                .options
                .batch_bytes
                .saturating_add(self.options.largest_row);
            if bytes(&self.columns) > most {
                let error = row_too_large(self.options.largest_row);
                return Err(error.context(format!("reading {}", self.table.name)));
            }
        }
        if let Some(rows) = &mut self.rows {
            rows.let_go();
        }
        self.batch()
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        if self.columns.first().is_none_or(|column| column.len() == 0) {
            return Ok(None);
        }
        self.total_bytes += bytes(&self.columns) as u64;
        let arrays: Vec<ArrayRef> = self
            .columns
            .iter_mut()
            .map(ColumnBuilder::finish)
            .collect::<Result<_>>()?;
        self.check_values(&arrays)?;
        let batch = RecordBatch::try_new(self.schema.clone(), arrays).map_err(|error| {
            SqlServerError::protocol(format!(
                "reading {}: the rows do not fit the described columns: {error}",
                self.table.name
            ))
            .with_hint("the table was changed while it was read; run again")
        })?;
        Ok(Some(batch))
    }

    /// Refuses values that their columns' types do not have: what is in a table's pages was not always checked
    /// when it came there, and a server may send anything. Lengths are not looked at: the lake has none, a
    /// server's own way of counting them may differ, and `ANSI_PADDING OFF` makes values shorter.
    fn check_values(&self, arrays: &[ArrayRef]) -> Result<()> {
        for (column, array) in self.described.iter().zip(arrays) {
            if matches!(
                Domain::of(column.column_type),
                Domain::Units(_) | Domain::Bytes { .. }
            ) {
                continue;
            }
            let Some(misfit) = column.misfit(array, None) else {
                continue;
            };
            let parts = self.key.iter().filter_map(|(position, name)| {
                let (column, array) = (self.described.get(*position)?, arrays.get(*position)?);
                let value = ArrowValue::of(array, misfit.row)?.shown(column.column_type);
                Some(format!("{name} = {value}"))
            });
            let parts: Vec<String> = parts.collect();
            let row = match parts.is_empty() {
                true => {
                    let before = self.total_rows.saturating_sub(array.len() as u64);
                    format!("number {} of the result", before + misfit.row as u64 + 1)
                }
                false => parts.join(", "),
            };
            let table = &self.table.name;
            let reason = shown_reason(&self.options, &column.name, &misfit.reason);
            return Err(SqlServerError::data(table, &column.name, row, reason).with_hint(
                "repair the value: DBCC CHECKTABLE (…) WITH DATA_PURITY finds all of its kind; or leave the column out with --exclude-columns",
            ));
        }
        Ok(())
    }

    /// What is known of the whole; to be called when [`Extraction::next_batch`] has given `None`.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`](crate::ErrorKind::Protocol) where rows are left.
    pub fn finish(self) -> Result<Extracted> {
        if self.rows.is_some() {
            return Err(SqlServerError::protocol(format!(
                "reading {} was ended before its last row",
                self.table.name
            )));
        }
        let named = |wanted: fn(&ColumnBuilder) -> bool| {
            let columns = self.columns.iter().filter(|column| wanted(column));
            columns.map(|column| column.name().to_owned()).collect()
        };
        Ok(Extracted {
            rows: self.total_rows,
            bytes: self.total_bytes,
            truncated: named(ColumnBuilder::was_truncated),
            offsets_lost: named(ColumnBuilder::lost_offset),
            observed: self.observer.finish(),
        })
    }
}

/// Why a value is refused, without the value where no message is to show it.
fn shown_reason<'r>(options: &ExtractOptions, column: &str, reason: &'r str) -> &'r str {
    let folded = column.to_lowercase();
    match options
        .private
        .iter()
        .any(|name| name.to_lowercase() == folded)
    {
        true => "its value cannot be carried; it is not shown, since the column has a rule",
        false => reason,
    }
}

/// Bytes of the values that the columns hold.
fn bytes(columns: &[ColumnBuilder]) -> usize {
    columns.iter().map(ColumnBuilder::bytes).sum()
}

/// What a row is called in a message.
struct RowKey<'a> {
    key: &'a [(usize, String)],
    number: u64,
}

impl RowKey<'_> {
    fn describe(&self, block: &Block<'_>, row: usize) -> String {
        let parts: Vec<String> = self
            .key
            .iter()
            .filter_map(|(position, name)| {
                let value = value(block.cell(row, *position)?);
                Some(format!("{name} = {}", value.shown()))
            })
            .collect();
        if parts.is_empty() {
            format!("number {} of the result", self.number)
        } else {
            parts.join(", ")
        }
    }
}

/// A cell as a typed value, at full precision.
pub(crate) fn value(cell: Cell<'_>) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Bit(v) => Value::Boolean(v),
        Cell::TinyInt(v) => Value::Integer(v.into()),
        Cell::SmallInt(v) => Value::Integer(v.into()),
        Cell::Int(v) => Value::Integer(v.into()),
        Cell::BigInt(v) => Value::Integer(v),
        Cell::Real(v) => Value::Double(v.into()),
        Cell::Float(v) => Value::Double(v),
        Cell::Decimal { unscaled, scale } => Value::Decimal { unscaled, scale },
        Cell::Text(v) => Value::Text(v.into_owned()),
        Cell::Binary(v) => Value::Binary(v.into_owned()),
        Cell::Uuid(v) => Value::Uuid(v),
        Cell::Date(days) => Value::Date(temporal::from_date(days)),
        Cell::Time(ticks) => Value::Time(ticks),
        Cell::DateTime { days, ticks } => Value::Timestamp(temporal::from_datetime(days, ticks)),
        Cell::SmallDateTime { days, minutes } => {
            Value::Timestamp(temporal::from_smalldatetime(days, minutes))
        }
        Cell::DateTime2 { days, ticks } => Value::Timestamp(temporal::from_datetime2(days, ticks)),
        Cell::DateTimeOffset {
            days,
            ticks,
            offset,
        } => Value::TimestampTz {
            ticks: temporal::from_datetime2(days, ticks),
            offset_minutes: offset,
        },
    }
}
