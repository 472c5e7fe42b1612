//! The response to a request: what the engine produces, as tokens, on their way to the connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use icehost_devengine::ResultIdentity;
use icehost_devengine::session::{
    Cancel, EnvChange, ResultColumn, ResultSink, SqlError, StatementDone, Stop,
};
use icehost_devengine::types::Datum;
use tokio::sync::mpsc;

use crate::kept_results::{KeptResults, Key, Recording};
use crate::protocol_error::ProtocolError;
use crate::token::colmetadata;
use crate::token::done::{Done, Scope};
use crate::token::row::RowWriter;
use crate::token::{environment, message};

/// How many bytes of tokens travel to the connection at a time.
const CHUNK: usize = 64 << 10;

/// The number under which a contradiction within the development server is reported.
const INTERNAL: u32 = 50_099;

/// What the connection gets from the session's thread.
#[derive(Debug)]
pub(crate) enum Output {
    /// A piece of the response.
    Tokens(Bytes),
    /// Many pieces at once: a result that was kept from an earlier time.
    Kept(Arc<[Bytes]>),
    /// The response is complete but for this token, whose flags depend on whether the client still wants it.
    End(Done),
    /// Hang up: a fault that a test has ordered.
    Disconnect,
}

/// Encodes a response and sends it on, waiting where the client reads slowly.
#[derive(Debug)]
pub(crate) struct Response {
    connection: mpsc::Sender<Output>,
    cancel: Cancel,
    null_compression: bool,
    buffer: Vec<u8>,
    scope: Scope,
    rows: Option<RowWriter>,
    /// The last DONE, held back until it is known whether more follows.
    pending: Option<Done>,
    /// An error was sent that no DONE has reported yet.
    unreported_error: bool,
    /// The number of the last error of this request.
    last_error: Option<u32>,
    /// Where results are kept, if they are.
    kept: Option<Arc<KeptResults>>,
    /// The result that is on its way, if it is to be kept.
    recording: Option<Recording>,
}

impl Response {
    pub(crate) fn new(
        connection: mpsc::Sender<Output>,
        cancel: Cancel,
        null_compression: bool,
        kept: Option<Arc<KeptResults>>,
    ) -> Self {
        Self {
            connection,
            cancel,
            null_compression,
            buffer: Vec::with_capacity(CHUNK + CHUNK / 8),
            scope: Scope::Statement,
            rows: None,
            pending: None,
            unreported_error: false,
            last_error: None,
            kept,
            recording: None,
        }
    }

    /// Starts a batch's response, or a procedure's, in which statements report differently.
    pub(crate) fn begin(&mut self, in_procedure: bool) {
        self.scope = if in_procedure {
            Scope::StatementInProcedure
        } else {
            Scope::Statement
        };
        self.rows = None;
        self.recording = None;
        self.last_error = None;
        self.unreported_error = false;
    }

    /// The number of the last error since [`Self::begin`].
    pub(crate) fn last_error(&self) -> Option<u32> {
        self.last_error
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    /// Appends tokens after those of the engine.
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.write_pending();
        write(&mut self.buffer);
    }

    /// Ends a procedure of which others follow in the same message.
    pub(crate) fn end_procedure(&mut self) {
        self.write_pending();
        self.pending = Some(self.procedure_done());
        self.unreported_error = false;
    }

    fn procedure_done(&self) -> Done {
        Done {
            error: self.last_error.is_some(),
            ..Done::plain(Scope::Procedure)
        }
    }

    /// Sends what is left; the message ends with the last DONE.
    pub(crate) fn end(&mut self) {
        let mut last = self.pending.take().unwrap_or(Done::plain(Scope::Statement));
        last.error |= std::mem::take(&mut self.unreported_error);
        // A closed channel means that the client is gone, and nobody is left to be told.
        if self.send().is_ok() {
            let _gone = self.connection.blocking_send(Output::End(last));
        }
    }

    /// Ends with an error that is not the engine's.
    pub(crate) fn fail(&mut self, error: SqlError) {
        if self.error(error).is_ok() {
            self.end();
        }
    }

    /// Hangs up.
    pub(crate) fn disconnect(&mut self) {
        let _gone = self.connection.blocking_send(Output::Disconnect);
    }

    fn write_pending(&mut self) {
        if let Some(done) = self.pending.take() {
            Done { more: true, ..done }.write(&mut self.buffer);
        }
    }

    fn send(&mut self) -> Result<(), Stop> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK + CHUNK / 8));
        let chunk = Bytes::from(chunk);
        if let (Some(recording), Some(kept)) = (&mut self.recording, &self.kept)
            && !recording.take(&chunk, kept)
        {
            self.recording = None;
        }
        self.connection
            .blocking_send(Output::Tokens(chunk))
            .map_err(|_closed| Stop)
    }

    fn send_if_full(&mut self) -> Result<(), Stop> {
        if self.buffer.len() < CHUNK {
            return Ok(());
        }
        self.send()?;
        if self.is_cancelled() {
            Err(Stop)
        } else {
            Ok(())
        }
    }

    /// Reports what the engine or this server got wrong and ends the batch.
    fn contradiction(&mut self, what: impl std::fmt::Display) -> Stop {
        tracing::error!("{what}");
        let error = SqlError {
            number: INTERNAL,
            state: 1,
            class: 20,
            message: format!("The development server contradicts itself: {what}."),
            line: 0,
            aborts_batch: true,
        };
        match self.error(error) {
            Ok(()) | Err(Stop) => Stop,
        }
    }
}

impl ResultSink for Response {
    fn columns(&mut self, columns: &[ResultColumn]) -> Result<(), Stop> {
        // A result whose end was not announced failed and was caught.
        self.recording = self.recording.take().filter(Recording::is_empty);
        self.write_pending();
        match colmetadata::write(columns, &mut self.buffer) {
            Ok(infos) => {
                self.rows = Some(RowWriter::new(infos, self.null_compression));
                self.send_if_full()
            }
            Err(error @ ProtocolError::Unsupported(_)) => {
                self.error(error.to_sql_error())?;
                Err(Stop)
            }
            Err(error) => Err(self.contradiction(error)),
        }
    }

    fn row(&mut self, row: &[Datum]) -> Result<(), Stop> {
        let Some(rows) = &self.rows else {
            return Err(self.contradiction("the engine produced a row without columns"));
        };
        if let Err(error) = rows.write(row, &mut self.buffer) {
            return Err(self.contradiction(error));
        }
        if let Some(recording) = &mut self.recording {
            recording.row();
        }
        self.send_if_full()
    }

    fn done(&mut self, done: StatementDone) -> Result<(), Stop> {
        self.recording = None;
        self.write_pending();
        self.rows = None;
        self.unreported_error = false;
        self.pending = Some(Done {
            scope: self.scope,
            more: false,
            error: done.error,
            rows: done.rows,
            command: done.command,
        });
        self.send_if_full()
    }

    fn message(&mut self, text: SqlError) -> Result<(), Stop> {
        self.recording = None;
        self.write_pending();
        message::write_info(&text, &mut self.buffer);
        self.send_if_full()
    }

    fn error(&mut self, error: SqlError) -> Result<(), Stop> {
        self.recording = None;
        self.write_pending();
        self.unreported_error = true;
        self.last_error = Some(error.number);
        message::write_error(&error, &mut self.buffer);
        self.send_if_full()
    }

    fn env_change(&mut self, change: EnvChange) -> Result<(), Stop> {
        self.recording = None;
        self.write_pending();
        environment::write_change(&change, &mut self.buffer);
        self.send_if_full()
    }

    fn result_complete(&mut self) -> Result<(), Stop> {
        if self.recording.is_some() {
            self.send()?;
        }
        if let (Some(recording), Some(kept)) = (self.recording.take(), &self.kept) {
            recording.keep(kept);
        }
        Ok(())
    }

    fn knows_results(&self) -> bool {
        self.kept.is_some()
    }

    fn known_result(&mut self, identity: ResultIdentity) -> Result<Option<u64>, Stop> {
        let Some(kept) = &self.kept else {
            return Ok(None);
        };
        let key = Key {
            identity,
            null_compression: self.null_compression,
        };
        let known = kept.get(&key);
        // What came before belongs to other statements.
        self.recording = None;
        self.write_pending();
        self.send()?;
        match known {
            None => {
                self.recording = Some(Recording::new(key));
                Ok(None)
            }
            Some(known) => {
                self.connection
                    .blocking_send(Output::Kept(known.pieces))
                    .map_err(|_closed| Stop)?;
                Ok(Some(known.rows))
            }
        }
    }
}
