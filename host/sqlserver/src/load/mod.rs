//! Deltas into tables: staged in a temporary table by bulk load, merged in one transaction.

mod encode;
mod merge;
mod position;
mod verify;

use arrow_array::RecordBatch;
use icehost_plan::{Column, SqlType, Value};

pub use merge::MergeCounts;
pub use position::Position;

use crate::connection::Connection;
use crate::driver::{Cell, Client};
use crate::error::{Result, SqlServerError};
use crate::introspect::SqlTable;
use crate::lower::staging::{ARRIVAL, Staging};
use crate::lower::{self, NewColumn};
use crate::name::{TableName, quote};
use crate::statement::Parameters;
use encode::{BatchEncoder, Refusal};

/// A delta on its way into a table.
///
/// [`Loader::begin`] creates the staging table, [`Loader::stage`] fills it, batch after batch, and
/// [`Loader::merge`] carries out a plan. Whatever fails before the merge has committed leaves the target and
/// its position as they were.
pub struct Loader<'c> {
    connection: &'c mut Connection,
    target: &'c SqlTable,
    staging: Staging,
    /// What the staging table's columns are called in statements, the arrival number first.
    quoted: Vec<String>,
    types: Vec<SqlType>,
    notes: Vec<ColumnNotes>,
    rows: u64,
}

/// What was seen of a column while it was staged.
#[derive(Debug, Clone, Default)]
struct ColumnNotes {
    /// The first row with NULL in it.
    first_null: Option<String>,
    /// Text of a code page came with characters beyond ASCII; the server has to say whether they fit.
    beyond_ascii: bool,
}

impl Connection {
    /// Creates a table with a clustered primary key. A `rowversion` becomes `binary(8)` and identity is not
    /// carried over: both get the values that the rows bring.
    ///
    /// # Errors
    /// Whatever the server reports, 2714 for a table that exists.
    pub async fn create_table(
        &mut self,
        name: &TableName,
        columns: &[NewColumn],
        key: &[String],
    ) -> Result<()> {
        let statement = lower::create_table(name, columns, key)?;
        self.client
            .run(&statement)
            .await
            .map_err(|error| error.context(format!("creating table {name}")))?;
        Ok(())
    }

    /// Drops a table.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn drop_table(&mut self, name: &TableName) -> Result<()> {
        self.client
            .batch(&format!("DROP TABLE {};", name.sql()))
            .await
            .map_err(|error| error.context(format!("dropping table {name}")))?;
        Ok(())
    }
}

impl<'c> Loader<'c> {
    /// Creates a staging table for a delta with these columns: those of the same name get the target's types.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) where a column of the delta is of another
    /// kind than the target's, and whatever the server reports.
    pub async fn begin(
        connection: &'c mut Connection,
        target: &'c SqlTable,
        delta_columns: &[Column],
    ) -> Result<Loader<'c>> {
        connection.staging_tables += 1;
        let table = format!("#icehost_stage_{}", connection.staging_tables);
        let staging = Staging::new(
            &table,
            target,
            delta_columns,
            connection.server.is_babelfish,
        )?;
        connection
            .client
            .batch(&staging.create())
            .await
            .map_err(|error| {
                error.context(format!("creating a staging table for {}", target.name))
            })?;
        let columns = staging.columns.iter();
        let names = columns.clone().map(|column| column.staged_name.as_str());
        let types = columns.map(|column| column.staged_type);
        Ok(Loader {
            quoted: [ARRIVAL].into_iter().chain(names).map(quote).collect(),
            types: [SqlType::BigInt].into_iter().chain(types).collect(),
            notes: vec![ColumnNotes::default(); staging.columns.len()],
            connection,
            target,
            staging,
            rows: 0,
        })
    }

    /// Rows staged so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Loads a batch, whose columns are the delta's in their order, in the Arrow types of
    /// [`LakeType::arrow`](icehost_plan::LakeType::arrow). Rows go out as they are encoded, so memory does
    /// not grow with the batch.
    ///
    /// # Errors
    /// [`ErrorKind::Data`](crate::ErrorKind::Data), naming table, column and row key, for a value that the
    /// target's column cannot hold exactly. The connection is closed then, and the staging table with it.
    pub async fn stage(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let encoder = BatchEncoder::new(self.target, &self.staging, batch)?;
        let (target, first) = (self.target, self.rows);
        let table = quote(&self.staging.table);
        let columns: Vec<&str> = self.quoted.iter().map(String::as_str).collect();
        let loading =
            |error: SqlServerError| error.context(format!("staging rows for {}", target.name));
        let mut load = self
            .connection
            .client
            .bulk(&table, &columns, &self.types)
            .await
            .map_err(loading)?;
        let mut cells: Vec<Cell<'_>> = Vec::with_capacity(self.types.len());
        let mut oversized: Vec<(usize, usize)> = Vec::new();
        for row in 0..batch.num_rows() {
            let number = first + row as u64 + 1;
            cells.push(Cell::BigInt(number as i64));
            for (position, notes) in self.notes.iter_mut().enumerate() {
                match encoder.cell(position, row) {
                    Ok(cell) => {
                        note(notes, &encoder, position, row, number, &cell);
                        if cell.fits_bulk_load() {
                            cells.push(cell);
                        } else {
                            cells.push(Cell::Null);
                            oversized.push((row, position));
                        }
                    }
                    Err(Refusal { reason, hint }) => {
                        let error = SqlServerError::data(
                            &target.name,
                            encoder.column_name(position),
                            encoder.row_key(row, number),
                            reason,
                        );
                        return Err(error.with_hint(hint));
                    }
                }
            }
            load.send(cells.drain(..)).await.map_err(loading)?;
        }
        let loaded = load.finish().await.map_err(loading)?;
        let sent = batch.num_rows() as u64;
        if loaded != sent {
            return Err(SqlServerError::protocol(format!(
                "staging rows for {}: the server took {loaded} of {sent} rows",
                target.name
            )));
        }
        for (row, position) in oversized {
            let Ok(value) = encoder.cell(position, row) else {
                continue;
            };
            let (Some(name), Some(&sql_type)) =
                (columns.get(position + 1), self.types.get(position + 1))
            else {
                continue;
            };
            let number = first + row as u64 + 1;
            let client = &mut self.connection.client;
            stage_oversized(client, &table, (name, sql_type), number, value)
                .await
                .map_err(loading)?;
        }
        self.rows += sent;
        Ok(())
    }
}

/// Puts one value into its staged row, in a statement of its own.
async fn stage_oversized(
    client: &mut Client,
    table: &str,
    column: (&str, SqlType),
    number: u64,
    value: Cell<'_>,
) -> Result<()> {
    let value = match value {
        Cell::Text(text) => Value::Text(text.into_owned()),
        Cell::Binary(bytes) => Value::Binary(bytes.into_owned()),
        // Only text and bytes are ever too long.
        _ => return Ok(()),
    };
    let (name, sql_type) = column;
    let mut parameters = Parameters::default();
    let value = parameters.add(sql_type, value);
    let number = parameters.add(SqlType::BigInt, Value::Integer(number as i64));
    let statement = parameters.finish(format!(
        "UPDATE {table} SET {name} = {value} WHERE {} = {number};",
        quote(ARRIVAL)
    ));
    client.run(&statement).await?;
    Ok(())
}

fn note(
    notes: &mut ColumnNotes,
    encoder: &BatchEncoder<'_>,
    position: usize,
    row: usize,
    number: u64,
    cell: &Cell<'_>,
) {
    match cell {
        Cell::Null if notes.first_null.is_none() => {
            notes.first_null = Some(encoder.row_key(row, number));
        }
        Cell::Text(text) if !notes.beyond_ascii => {
            notes.beyond_ascii = encoder.has_code_page(position) && !text.is_ascii();
        }
        _ => {}
    }
}
