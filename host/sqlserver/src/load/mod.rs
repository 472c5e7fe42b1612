//! Deltas into tables: staged in a temporary table by bulk load, merged in one transaction.

mod apply;
mod bulk;
mod check;
mod created;
mod loss;
mod merge;
mod misfit;
mod named;
mod position;
mod positions_table;
mod same_keys;
mod spelling;
mod target_state;
mod terms;
mod verify;

use arrow_array::{Array, RecordBatch};
use icehost_plan::values::is_known;
use icehost_plan::{Column, SqlType};

pub use created::Removal;
pub use loss::{Loss, Mark};
pub use merge::MergeCounts;
pub use position::{Position, Previous};
pub use positions_table::PositionsLayout;
pub use same_keys::KeyColumn;
pub use spelling::{Collision, NO_COLLATION};
pub use target_state::{KnownPosition, MOST_POSITIONS, TableIdentity, TargetState};
pub use terms::{Absent, StillGone, Terms};

use crate::connection::Connection;
use crate::driver::{BulkLoad, PART};
use crate::error::{Result, SqlServerError};
use crate::introspect::SqlTable;
use crate::lower::staging::Staging;
use crate::statement::Statement;
use bulk::BatchEncoder;
use named::Named;

/// A delta on its way into a table.
///
/// [`Loader::begin`] creates the staging table, [`Loader::stage`] fills it, batch after batch, and
/// [`Loader::merge`] carries out a plan. Whatever fails before the merge has committed leaves the target and
/// its position as they were.
pub struct Loader<'c> {
    connection: &'c mut Connection,
    target: &'c SqlTable,
    staging: Staging,
    /// Where the columns of the target's key stand in the delta.
    key: Vec<usize>,
    notes: Vec<ColumnNotes>,
    /// The load that all batches go into, once there is a row.
    load: Option<BulkLoad>,
    rows: u64,
    terms: Terms,
    /// Kept from the commit on, as the terms say.
    committing: Option<Box<dyn Send>>,
    /// What makes deletions of rows of the target whose keys are spelled otherwise than staged ones.
    other_spellings: Option<Statement>,
    /// Staged rows that gave way to another of the same key before the merge.
    gave_way: u64,
}

/// What was seen of a column while it was staged.
#[derive(Debug, Clone, Default)]
struct ColumnNotes {
    /// The first row with NULL in it.
    first_null: Option<String>,
    /// Text of a code page came with characters beyond ASCII; the server has to say whether they fit.
    beyond_ascii: bool,
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
            connection.server.quirks.misreads_bulk_loads,
        )?;
        connection
            .client
            .batch(&staging.create())
            .await
            .map_err(|error| {
                error.context(format!("creating a staging table for {}", target.name))
            })?;
        Ok(Loader {
            key: named::key(target, &staging),
            notes: vec![ColumnNotes::default(); staging.columns.len()],
            load: None,
            connection,
            target,
            staging,
            rows: 0,
            terms: Terms::default(),
            committing: None,
            other_spellings: None,
            gave_way: 0,
        })
    }

    /// Sets what the merge is to do and mind beside its plan.
    pub fn set_terms(&mut self, terms: Terms) {
        self.terms = terms;
    }

    /// Rows staged so far; the last of them may still be on their way.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Loads a batch, whose columns are the delta's in their order, in the Arrow types of
    /// [`LakeType::arrow`](icehost_plan::LakeType::arrow).
    ///
    /// All batches go into one bulk load, which [`Loader::merge`] ends. Rows go out while later ones are
    /// encoded, some hundred kilobytes at a time, so memory grows neither with the batch nor with the delta.
    ///
    /// # Errors
    /// [`ErrorKind::Data`](crate::ErrorKind::Data), naming table, column and row key, for a value that the
    /// target's column cannot hold exactly. The connection is closed then, and the staging table with it;
    /// so they are when the loader is dropped or the future is before it has ended.
    pub async fn stage(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.check(batch)?;
        let target = self.target;
        let loading =
            |error: SqlServerError| error.context(format!("staging rows for {}", target.name));
        // Taken out, so that what happens next ends the load unless it is put back.
        let mut load = match self.load.take() {
            Some(load) => load,
            None => self.begin_load().await.map_err(loading)?,
        };
        self.note_nulls(batch);
        let mut encoder = BatchEncoder::new(&self.staging, batch);
        let first = self.rows + 1;
        loop {
            match encoder.append(first, PART, &mut load.part) {
                Ok(true) => load.pass_on().await.map_err(loading)?,
                Ok(false) => break,
                Err(refused) => return Err(self.named().refusal(batch, &refused)),
            }
        }
        let columns = self.staging.columns.iter().zip(encoder.beyond_ascii());
        for (notes, (column, beyond_ascii)) in self.notes.iter_mut().zip(columns) {
            let has_code_page = matches!(column.sql_type, SqlType::Char(_) | SqlType::VarChar(_));
            notes.beyond_ascii |= has_code_page && beyond_ascii;
        }
        self.rows += batch.num_rows() as u64;
        self.load = Some(load);
        Ok(())
    }

    async fn begin_load(&mut self) -> Result<BulkLoad> {
        let statement = self.staging.insert_bulk();
        let mut load = self.connection.client.begin_bulk(&statement).await?;
        bulk::begin(&self.staging, &mut load.part)?;
        Ok(load)
    }

    /// Ends the load, so that the staging table has all rows.
    async fn end_load(&mut self) -> Result<()> {
        let Some(mut load) = self.load.take() else {
            return Ok(());
        };
        bulk::end(&mut load.part);
        let loaded = self.connection.client.finish_bulk(load).await;
        let loaded = loaded
            .map_err(|error| error.context(format!("staging rows for {}", self.target.name)))?;
        if loaded != self.rows {
            return Err(SqlServerError::protocol(format!(
                "staging rows for {}: the server took {loaded} of {} rows",
                self.target.name, self.rows
            )));
        }
        Ok(())
    }

    /// Refuses a batch that is not what the staging table was made for.
    fn check(&self, batch: &RecordBatch) -> Result<()> {
        if batch.num_columns() != self.staging.columns.len() {
            return Err(SqlServerError::protocol(format!(
                "staging rows for {}: a batch of {} columns came for a delta of {}",
                self.target.name,
                batch.num_columns(),
                self.staging.columns.len()
            )));
        }
        for (column, array) in self.staging.columns.iter().zip(batch.columns()) {
            if !is_known(array.data_type()) {
                return Err(SqlServerError::unsupported(format!(
                    "table {}, column '{}': Arrow values of type {} cannot be loaded",
                    self.target.name,
                    column.name,
                    array.data_type()
                )));
            }
        }
        Ok(())
    }

    /// Remembers the first row with NULL of each column.
    fn note_nulls(&mut self, batch: &RecordBatch) {
        for (position, array) in batch.columns().iter().enumerate() {
            let known = |notes: &ColumnNotes| notes.first_null.is_some();
            if array.null_count() == 0 || self.notes.get(position).is_none_or(known) {
                continue;
            }
            let first = (0..array.len()).find(|&row| array.is_null(row));
            let key = first.map(|row| self.named().row_key(batch, row));
            if let Some(notes) = self.notes.get_mut(position) {
                notes.first_null = key;
            }
        }
    }

    fn named(&self) -> Named<'_> {
        Named {
            target: self.target,
            staging: &self.staging,
            key: &self.key,
            rows: self.rows,
        }
    }
}
