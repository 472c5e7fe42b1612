//! What rows and values of a delta are called where they cannot be loaded.

use arrow_array::RecordBatch;
use icehost_plan::values::ArrowValue;
use icehost_plan::{ColumnType, SqlType};

use super::bulk::Refused;
use crate::error::SqlServerError;
use crate::introspect::SqlTable;
use crate::lower::staging::Staging;

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
