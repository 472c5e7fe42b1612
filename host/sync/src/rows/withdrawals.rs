//! Rows that a transformer drops, and that the lake may have from an earlier run.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch, make_array, new_null_array};
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use icehost_plan::{Column, Delta, Operation};

/// Makes batches for [`RowChange::with_withdrawals`](icehost_lake::RowChange::with_withdrawals): they have one
/// more column, which says whether a row is there or gone.
#[derive(Debug, Clone)]
pub(crate) struct Withdrawals {
    /// The columns, the last one among them.
    schema: SchemaRef,
    /// By which rows are found again.
    keys: Vec<String>,
}

impl Withdrawals {
    /// For rows of these columns, which a change matches by those ordinals of them.
    pub(crate) fn new(columns: &[Column], keys: &[u32]) -> Self {
        let operation = Delta::operation_column();
        let columns_and_it = columns.iter().chain([&operation]);
        let fields: Vec<Field> = columns_and_it.map(Column::arrow_field).collect();
        let name = |&key: &u32| Some(columns.get(key as usize)?.name.clone());
        Withdrawals {
            schema: Arc::new(Schema::new(fields)),
            keys: keys.iter().filter_map(name).collect(),
        }
    }

    /// Rows that are there.
    pub(crate) fn present(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let mut columns = batch.columns().to_vec();
        columns.push(operation(Operation::Update, batch.num_rows()));
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }

    /// Rows that are to be gone: their keys, and nothing else of them.
    pub(crate) fn gone(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let rows = batch.num_rows();
        let fields = self.schema.fields().split_last().map(|(_, fields)| fields);
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for field in fields.unwrap_or_default() {
            let key = match self.keys.contains(field.name()) {
                true => batch.column_by_name(field.name()),
                false => None,
            };
            columns.push(match key {
                Some(key) => Arc::clone(key),
                None if field.is_nullable() => new_null_array(field.data_type(), rows),
                None => nothing(field, rows)?,
            });
        }
        columns.push(operation(Operation::Delete, rows));
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}

fn operation(operation: Operation, rows: usize) -> ArrayRef {
    Arc::new(Int32Array::from_value(operation as i32, rows))
}

/// Zeros and empty texts, for columns that are never NULL.
fn nothing(field: &Field, rows: usize) -> Result<ArrayRef, ArrowError> {
    let nulls = ArrayData::new_null(field.data_type(), rows);
    Ok(make_array(nulls.into_builder().nulls(None).build()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow_array::StringArray;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;
    use icehost_plan::ColumnType;

    /// Every type that the lake has, never NULL but for the first.
    fn columns() -> Vec<Column> {
        let kinds = "nvarchar(9) int bit bigint real float decimal(38,4) date time(6) datetime2(6) \
                     datetimeoffset(6) uniqueidentifier binary(3) varbinary(9)";
        kinds
            .split_whitespace()
            .enumerate()
            .map(|(i, kind)| {
                let kind = ColumnType::Sql(kind.parse().unwrap());
                Column::new(format!("c{i}"), kind, i == 0)
            })
            .collect()
    }

    #[test]
    fn of_a_row_that_is_gone_only_the_key_is_left() {
        let withdrawals = Withdrawals::new(&columns(), &[1]);
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["secret", "secret"]));
        let keys: ArrayRef = Arc::new(Int32Array::from(vec![7, 8]));
        let before = RecordBatch::try_from_iter([("c0", texts), ("c1", keys)]).unwrap();
        let gone = withdrawals.gone(&before).unwrap();
        assert_eq!(gone.num_columns(), columns().len() + 1);
        assert_eq!(gone.column(0).null_count(), 2);
        assert_eq!(gone.column(1).as_primitive::<Int32Type>().values(), &[7, 8]);
        let last = gone.columns().last().unwrap();
        assert_eq!(last.as_primitive::<Int32Type>().values(), &[0, 0]);
        assert!(!format!("{gone:?}").contains("secret"));
    }
}
