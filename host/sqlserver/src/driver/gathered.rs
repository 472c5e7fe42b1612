//! Answers that are kept whole, within bounds: a server says how long they are.

use std::mem::size_of;

use super::{Answer, Cell, Row};
use crate::endpoint::Endpoint;
use crate::error::{ErrorKind, Result, SqlServerError};

/// Bytes of an answer that the driver reads: what is asked that way is one row or a list of names, and a table has 1,024
/// columns at most. Tokens that leave nothing behind count as well, so that no flood of them goes on for ever.
pub(super) const LARGEST_ANSWER: u64 = 16 << 20;
/// Memory that the rows of such an answer may take once they are decoded, in bytes: small values take more of it than
/// they have bytes.
const LARGEST_KEPT: usize = 32 << 20;

/// Rows as they are gathered.
pub(super) struct Gathered<'e> {
    answer: Answer,
    bytes: usize,
    endpoint: &'e Endpoint,
}

impl<'e> Gathered<'e> {
    pub(super) fn new(endpoint: &'e Endpoint) -> Gathered<'e> {
        Gathered {
            answer: Answer::default(),
            bytes: 0,
            endpoint,
        }
    }

    /// Another result begins.
    pub(super) fn begin(&mut self) -> Result<()> {
        self.take(size_of::<Vec<Row>>())?;
        self.answer.results.push(Vec::new());
        Ok(())
    }

    /// A row of the result that began last.
    pub(super) fn push(&mut self, row: tiberius::Row) -> Result<()> {
        let row: Row = row.into_iter().map(Cell::decode).collect::<Result<_>>()?;
        let values: usize = row.iter().map(Cell::heap).sum();
        self.take(size_of::<Row>() + row.len() * size_of::<Cell<'_>>() + values)?;
        if let Some(rows) = self.answer.results.last_mut() {
            rows.push(row);
        }
        Ok(())
    }

    fn take(&mut self, bytes: usize) -> Result<()> {
        self.bytes += bytes;
        match self.bytes > LARGEST_KEPT {
            true => Err(too_large(self.endpoint)),
            false => Ok(()),
        }
    }

    pub(super) fn finish(self) -> Answer {
        self.answer
    }
}

/// What is said of an answer that does not end.
pub(super) fn too_large(endpoint: &Endpoint) -> SqlServerError {
    SqlServerError::new(
        ErrorKind::Protocol,
        format!("the answer of {endpoint} is longer than any that icehost asks for"),
    )
    .with_hint("check that this is SQL Server, and what stands between it and icehost")
}
