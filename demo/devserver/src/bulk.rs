//! Bulk loads (MS-TDS 2.2.6.1): `INSERT BULK` as a batch, then a stream of rows.

use icehost_devengine::BulkTarget;
use icehost_devengine::session::{ResultSink, SqlError, StatementDone};

use crate::input::Input;
use crate::protocol_error::ProtocolError;
use crate::statistics::BulkLoad;
use crate::token::{colmetadata, row};
use crate::worker::Worker;

/// CurCmd of a bulk load.
const BULK_INSERT: u16 = 0xF0;

/// A load that an `INSERT BULK` has announced.
#[derive(Debug)]
pub(crate) struct Announced {
    pub(crate) statement: String,
    pub(crate) target: BulkTarget,
}

/// How a load came to nothing.
enum Failure {
    /// An error for the client.
    Error(SqlError),
    /// The client called it off or is gone.
    CalledOff,
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        Self::Error(error)
    }
}

impl From<ProtocolError> for Failure {
    fn from(error: ProtocolError) -> Self {
        Self::Error(error.to_sql_error())
    }
}

impl Worker {
    /// Takes the rows of a load and writes its response but for the end of the message.
    pub(crate) fn bulk_load(&mut self, mut input: Input) {
        self.response.begin(false);
        let result = match self.announced.take() {
            Some(announced) => self.load(announced, &mut input),
            None => Err(Failure::Error(SqlError {
                number: 4022,
                state: 1,
                class: 16,
                message: "Bulk load data was expected but not sent. The batch will be terminated."
                    .to_owned(),
                line: 1,
                aborts_batch: true,
            })),
        };
        // The client sends the whole stream before it looks for an answer.
        input.skip_to_end();
        let done = match result {
            Ok(rows) => StatementDone {
                rows: Some(rows),
                command: BULK_INSERT,
                error: false,
            },
            Err(failure) => {
                if let Failure::Error(error) = failure {
                    let _gone = self.response.error(error);
                }
                StatementDone {
                    rows: None,
                    command: BULK_INSERT,
                    error: true,
                }
            }
        };
        let _gone = self.response.done(done);
    }

    fn load(&mut self, announced: Announced, input: &mut Input) -> Result<u64, Failure> {
        let Announced {
            statement,
            mut target,
        } = announced;
        let columns = colmetadata::read(input)?;
        if columns.len() != target.columns.len() {
            return Err(ProtocolError::invalid(format!(
                "the bulk load describes {} columns, its INSERT BULK statement {}",
                columns.len(),
                target.columns.len()
            ))
            .into());
        }
        while let Some(row) = row::read(&columns, input)? {
            target.push(row)?;
        }
        input.skip_to_end();
        if self.response.is_cancelled() {
            target.abort();
            return Err(Failure::CalledOff);
        }
        let rows = target.finish(&mut self.session, &self.cancel)?;
        self.shared
            .statistics
            .bulk_load(BulkLoad { statement, rows });
        Ok(rows)
    }
}
