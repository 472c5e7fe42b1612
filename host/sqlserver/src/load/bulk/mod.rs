//! Arrow batches as the stream of an INSERT BULK (MS-TDS 2.2.6.1): COLMETADATA, a ROW for each row, DONE.
//!
//! Everything is appended to a buffer of the caller's. How a column is written is chosen once for a batch;
//! nothing is allocated for a row or a value. Each value is checked to be held exactly by the target's
//! column before its row counts as written.

mod column;
mod moment;
mod number;
mod text;
mod type_info;

use arrow_array::RecordBatch;
use icehost_plan::SqlType;

use super::misfit::Misfit;
use crate::driver::tds::{DONE, token};
use crate::error::Result;
use crate::lower::staging::{ARRIVAL, Staging};
use column::ColumnEncoder;
use type_info::StreamColumn;

/// Appends what precedes the rows: the arrival number and the delta's columns.
///
/// # Errors
/// Columns that no table can have.
pub(super) fn begin(staging: &Staging, out: &mut Vec<u8>) -> Result<()> {
    let arrival = StreamColumn {
        name: ARRIVAL,
        sql_type: SqlType::BigInt,
        nullable: false,
    };
    let delta = staging.columns.iter().map(|column| StreamColumn {
        name: &column.staged_name,
        sql_type: column.staged_type,
        nullable: true,
    });
    let columns: Vec<StreamColumn<'_>> = [arrival].into_iter().chain(delta).collect();
    type_info::append_columns(&columns, out)
}

/// Appends what follows the rows: a DONE ends the stream, and Babelfish reads on without it.
pub(super) fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(&DONE);
}

/// Writes the rows of a batch whose arrays are the staging table's columns, in their order.
pub(super) struct BatchEncoder<'a> {
    columns: Vec<ColumnEncoder<'a>>,
    rows: usize,
    /// The row that comes next
    next: usize,
}

/// A value that cannot be loaded.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) misfit: Misfit,
}

impl<'a> BatchEncoder<'a> {
    pub(super) fn new(staging: &Staging, batch: &'a RecordBatch) -> BatchEncoder<'a> {
        let columns = staging.columns.iter().zip(batch.columns());
        BatchEncoder {
            columns: columns
                .map(|(column, array)| ColumnEncoder::new(column, array))
                .collect(),
            rows: batch.num_rows(),
            next: 0,
        }
    }

    /// Appends rows until `out` is `limit` bytes long or longer, or the batch has no more; false then. The
    /// batch's first row has the arrival number `first`.
    ///
    /// # Errors
    /// A value that the target's column cannot hold. `out` ends with the row before, then.
    pub(super) fn append(
        &mut self,
        first: u64,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, Refused> {
        while self.next < self.rows {
            if out.len() >= limit {
                return Ok(true);
            }
            let row = self.next;
            let start = out.len();
            out.push(token::ROW);
            out.extend_from_slice(&(first + row as u64).to_le_bytes());
            for (position, column) in self.columns.iter_mut().enumerate() {
                if let Err(misfit) = column.append(row, out) {
                    out.truncate(start);
                    return Err(Refused {
                        row,
                        column: position,
                        misfit,
                    });
                }
            }
            self.next += 1;
        }
        Ok(false)
    }

    /// Whether text beyond ASCII was written, for each column.
    pub(super) fn beyond_ascii(&self) -> impl Iterator<Item = bool> {
        self.columns.iter().map(|column| column.beyond_ascii)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::print_stdout)]
    use std::sync::Arc;
    use std::time::Instant;

    use arrow_array::{
        ArrayRef, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, Float64Array,
        Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
    };

    use super::*;
    use crate::lower::staging::StagedColumn;

    const ROWS: i64 = 8192;

    fn columns() -> Vec<(&'static str, ArrayRef)> {
        let ids = || 0..ROWS;
        let decimals = |factor: i128, precision: u8| -> ArrayRef {
            let values = ids().map(|id| i128::from(id) * factor);
            let array = Decimal128Array::from_iter_values(values);
            Arc::new(array.with_precision_and_scale(precision, 4).unwrap())
        };
        let texts = |text: &dyn Fn(i64) -> Option<String>| -> ArrayRef {
            Arc::new(StringArray::from_iter(ids().map(text)))
        };
        let moments = ids().map(|id| 1_700_000_000_000_000 + id * 1000);
        let uuids = ids().map(|id| (id as u128).to_be_bytes());
        vec![
            ("bigint", Arc::new(Int64Array::from_iter_values(ids()))),
            (
                "nvarchar(60)",
                texts(&|id| Some(format!("Customer number {id}"))),
            ),
            ("varchar(12)", texts(&|id| Some(format!("C-{id:06}")))),
            (
                "int",
                Arc::new(Int32Array::from_iter(
                    ids().map(|id| (id % 7 != 0).then_some(id as i32)),
                )),
            ),
            ("decimal(18,4)", decimals(12_345, 18)),
            ("money", decimals(99, 19)),
            (
                "float",
                Arc::new(Float64Array::from_iter_values(
                    ids().map(|id| id as f64 / 8.0),
                )),
            ),
            (
                "bit",
                Arc::new(BooleanArray::from_iter(ids().map(|id| Some(id % 2 == 0)))),
            ),
            (
                "date",
                Arc::new(Date32Array::from_iter_values(ids().map(|id| id as i32))),
            ),
            (
                "datetime2(3)",
                Arc::new(TimestampMicrosecondArray::from_iter_values(moments)),
            ),
            (
                "uniqueidentifier",
                Arc::new(FixedSizeBinaryArray::try_from_iter(uuids).unwrap()),
            ),
            (
                "nvarchar(max)",
                texts(&|id| (id % 3 != 0).then(|| format!("notes on customer {id}, a sentence"))),
            ),
        ]
    }

    /// `cargo test --release -p icehost-sqlserver --lib -- --ignored --nocapture how_fast`
    #[test]
    #[ignore = "a measurement"]
    fn how_fast_rows_are_encoded() {
        let columns = columns();
        let staged = columns.iter().map(|(sql_type, _)| {
            let sql_type: SqlType = sql_type.parse().unwrap();
            let staged_type = match sql_type {
                SqlType::VarChar(length) => SqlType::NVarChar(length),
                other => other,
            };
            StagedColumn {
                name: sql_type.to_string(),
                staged_name: sql_type.to_string(),
                staged_type,
                sql_type,
                collation: None,
                target: None,
            }
        });
        let staging = Staging::of(staged.collect());
        let arrays = columns.iter().map(|(name, array)| (*name, array.clone()));
        let batch = RecordBatch::try_from_iter(arrays).unwrap();
        let mut out = Vec::new();
        let (mut rows, mut bytes) = (0, 0);
        let started = Instant::now();
        while rows < 4_000_000 {
            out.clear();
            let mut encoder = BatchEncoder::new(&staging, &batch);
            assert!(!encoder.append(rows + 1, usize::MAX, &mut out).unwrap());
            rows += ROWS as u64;
            bytes += out.len();
        }
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "{:.2} M rows/s, {:.0} MB/s, {:.0} ms for a million rows of 12 columns",
            rows as f64 / seconds / 1e6,
            bytes as f64 / seconds / 1e6,
            seconds * 1e9 / rows as f64
        );
    }
}
