//! When a row came, as far as its file tells.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};

/// The commit that a row came with, or one that it did not come after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Data sequence number of the row's file.
    pub(super) sequence: i64,
    /// The row came with that commit. Else it may be older than its file.
    pub(super) known: bool,
}

impl Turn {
    /// Of a row of which nothing tells when it came.
    pub const UNKNOWN: Turn = Turn {
        sequence: i64::MAX,
        known: false,
    };

    /// Whether a row of this turn certainly came after one of the other. Of one commit, nothing is said here.
    #[must_use]
    pub fn follows(self, other: Turn) -> bool {
        self.known && self.sequence > other.sequence
    }

    /// The turns of a batch of a scan in turn, of which they are the last column.
    #[must_use]
    pub fn of(column: &ArrayRef) -> Vec<Turn> {
        let turn = |number: i64| Turn {
            sequence: number >> 1,
            known: number & 1 == 1,
        };
        match column.data_type() {
            DataType::Int64 => {
                let numbers = column.as_primitive::<Int64Type>().values();
                numbers.iter().map(|&number| turn(number)).collect()
            }
            _ => vec![Turn::UNKNOWN; column.len()],
        }
    }

    /// A batch with one more column, which says this of each row.
    pub(crate) fn beside(self, batch: &RecordBatch) -> Result<RecordBatch, String> {
        let number = (self.sequence << 1) | i64::from(self.known);
        let mut fields = batch.schema().fields().to_vec();
        fields.push(Arc::new(Field::new("turn", DataType::Int64, false)));
        let mut columns = batch.columns().to_vec();
        columns.push(Arc::new(Int64Array::from_value(number, batch.num_rows())));
        let schema = Arc::new(Schema::new(fields));
        RecordBatch::try_new(schema, columns).map_err(|error| format!("telling commits: {error}"))
    }
}
