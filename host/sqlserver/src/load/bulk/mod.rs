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
use crate::error::Result;
use crate::lower::staging::{ARRIVAL, Staging};
use column::ColumnEncoder;
use type_info::StreamColumn;

const ROW: u8 = 0xD1;
/// DONE (MS-TDS 2.2.7.6) without status, command and count. The specification asks for none at the end of the
/// stream and SQL Server takes it; Babelfish waits for it.
const DONE: [u8; 13] = [0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

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

/// Appends what follows the rows.
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
            out.push(ROW);
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
