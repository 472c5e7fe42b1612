//! Whether a table's columns hold rows, found out without loading any.

use arrow_array::RecordBatch;
use icehost_plan::values::ArrowValue;
use icehost_plan::{Column, ColumnType, SqlType};

use super::bulk::{BatchEncoder, Refused};
use crate::driver::PART;
use crate::error::{Result, SqlServerError};
use crate::introspect::SqlTable;
use crate::lower::staging::Staging;

/// Rows on their way into a table that does not get them.
pub struct Fitting {
    target: SqlTable,
    staging: Staging,
    key: Vec<usize>,
    rows: u64,
    part: Vec<u8>,
}

impl Fitting {
    /// For a delta with these columns.
    ///
    /// # Errors
    /// A column of another kind than the target's.
    pub fn new(target: &SqlTable, delta_columns: &[Column]) -> Result<Fitting> {
        let staging = Staging::new("#icehost_stage", target, delta_columns, false)?;
        Ok(Fitting {
            key: key(target, &staging),
            target: target.clone(),
            staging,
            rows: 0,
            part: Vec::new(),
        })
    }

    /// Looks at a batch whose columns are the delta's in their order.
    ///
    /// # Errors
    /// [`ErrorKind::Data`](crate::ErrorKind::Data), as from [`Loader::stage`](crate::Loader::stage), for a value that
    /// the target's column cannot hold exactly.
    pub fn check(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut encoder = BatchEncoder::new(&self.staging, batch);
        loop {
            self.part.clear();
            match encoder.append(self.rows + 1, PART, &mut self.part) {
                Ok(true) => {}
                Ok(false) => break,
                Err(refused) => {
                    let named = Named {
                        target: &self.target,
                        staging: &self.staging,
                        key: &self.key,
                        rows: self.rows,
                    };
                    return Err(named.refusal(batch, &refused));
                }
            }
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }
}

/// Where the columns of the target's key stand in the delta.
pub(super) fn key(target: &SqlTable, staging: &Staging) -> Vec<usize> {
    let ordinals = target.table.key();
    let key = ordinals.iter().filter_map(|&ordinal| {
        let mut columns = staging.columns.iter();
        columns.position(|column| column.target == Some(ordinal as usize))
    });
    key.collect()
}

/// What rows and values of a delta are called in messages.
pub(super) struct Named<'a> {
    pub(super) target: &'a SqlTable,
    pub(super) staging: &'a Staging,
    /// Where the columns of the target's key stand in the delta.
    pub(super) key: &'a [usize],
    /// Rows before the batch.
    pub(super) rows: u64,
}

impl Named<'_> {
    /// What is said of a value that cannot be loaded.
    pub(super) fn refusal(&self, batch: &RecordBatch, refused: &Refused) -> SqlServerError {
        let &Refused {
            row,
            column,
            misfit,
        } = refused;
        let (name, sql_type) = match self.staging.columns.get(column) {
            Some(column) => (column.name.as_str(), column.sql_type),
            None => ("", SqlType::Bit),
        };
        let value = batch.columns().get(column);
        let value = value.and_then(|array| ArrowValue::of(array, row));
        let refusal = misfit.refusal(value.unwrap_or(ArrowValue::Boolean(false)), sql_type);
        let key = self.row_key(batch, row);
        SqlServerError::data(&self.target.name, name, key, refusal.reason).with_hint(refusal.hint)
    }

    /// What a row of the batch that comes next is called in a message: its key, or its number where it has
    /// none.
    pub(super) fn row_key(&self, batch: &RecordBatch, row: usize) -> String {
        let parts: Vec<String> = self
            .key
            .iter()
            .filter_map(|&position| {
                let column = self.staging.columns.get(position)?;
                let text = match ArrowValue::of(batch.columns().get(position)?, row) {
                    Some(value) => value.shown(ColumnType::Sql(column.sql_type)),
                    None => "NULL".to_owned(),
                };
                Some(format!("{} = {text}", column.name))
            })
            .collect();
        if parts.is_empty() {
            format!("number {} of the delta", self.rows + row as u64 + 1)
        } else {
            parts.join(", ")
        }
    }
}
