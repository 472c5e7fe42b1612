//! Running a list of statements: control of flow, errors, TRY and CATCH, done messages.

use super::Session;
use super::transactions::doomed_error;
use crate::ast::{Statement, StatementKind};
use crate::collation::take_doubt;
use crate::context::{CaughtError, Context};
use crate::error::SqlResult;
use crate::frame::Frame;
use crate::locks::cancelled;
use crate::session::{Cancel, ResultSink, SqlError, StatementDone, Stop};

/// TDS CurCmd values of the DONE token.
pub(crate) mod command {
    pub(crate) const SELECT: u16 = 0xC1;
    pub(crate) const INSERT: u16 = 0xC3;
    pub(crate) const DELETE: u16 = 0xC4;
    pub(crate) const UPDATE: u16 = 0xC5;
    pub(crate) const MERGE: u16 = 0x117;
    pub(crate) const SELECT_INTO: u16 = 0xC2;
    pub(crate) const CREATE_TABLE: u16 = 0xC6;
    pub(crate) const DROP_TABLE: u16 = 0xC7;
    pub(crate) const ALTER_TABLE: u16 = 0xD8;
    pub(crate) const CREATE_INDEX: u16 = 0xCB;
    pub(crate) const DROP_INDEX: u16 = 0xCC;
    pub(crate) const TRUNCATE: u16 = 0xCD;
    pub(crate) const BEGIN: u16 = 0xD4;
    pub(crate) const COMMIT: u16 = 0xD5;
    pub(crate) const ROLLBACK: u16 = 0xD2;
    pub(crate) const SAVE: u16 = 0xD6;
    pub(crate) const SET: u16 = 0xF9;
    pub(crate) const CREATE_DATABASE: u16 = 0xCE;
    pub(crate) const INSERT_BULK: u16 = 0xF0;
    pub(crate) const OTHER: u16 = 0xFD;
}

/// Where control goes after a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Next,
    Break,
    Continue,
    Return(i32),
}

/// The number of the error that stands for "the client wants no more".
const CANCELLED: u32 = 3617;

/// Errors that SQL Server lets end the batch and the transaction: conversions of text, and the like.
const BATCH_ENDING: [u32; 11] = [241, 242, 244, 245, 248, 235, 8114, 8169, 295, 1205, 3960];

/// Errors of binding, which a TRY block of the same level does not catch.
const BINDING: [u32; 12] = [
    102, 137, 156, 195, 206, 207, 208, 209, 257, 1087, 4104, 8120,
];

/// One running batch, or one nested in it: an EXEC, a trigger.
pub(crate) struct Batch<'a> {
    pub(crate) session: &'a mut Session,
    pub(crate) sink: &'a mut dyn ResultSink,
    pub(crate) cancel: &'a Cancel,
    pub(crate) frame: Frame,
    pub(crate) caught: Vec<CaughtError>,
    pub(crate) try_depth: u32,
    /// Nested batches hand errors up instead of reporting them.
    pub(crate) in_trigger: bool,
    pub(crate) return_status: i32,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(
        session: &'a mut Session,
        sink: &'a mut dyn ResultSink,
        cancel: &'a Cancel,
    ) -> Self {
        Self {
            session,
            sink,
            cancel,
            frame: Frame::default(),
            caught: Vec::new(),
            try_depth: 0,
            in_trigger: false,
            return_status: 0,
        }
    }

    /// Runs a whole batch. `Err` says that it ended early; the error has been reported.
    pub(crate) fn run(&mut self, statements: &[Statement]) -> SqlResult<()> {
        let outcome = self.run_list(statements);
        if let Ok(Outcome::Return(status)) = outcome {
            self.return_status = status;
        }
        if self.session.nesting == 0 {
            self.end_doomed();
        }
        match outcome {
            Ok(_) => Ok(()),
            Err(error) => {
                self.report(error.clone());
                Err(error)
            }
        }
    }

    /// Tells the client of the error that ended the batch.
    pub(crate) fn report(&mut self, error: SqlError) {
        if error.number != CANCELLED {
            self.session.last.error = error.number as i32;
            let _ = self.sink.error(error);
            let _ = self.sink.done(StatementDone {
                rows: None,
                command: command::OTHER,
                error: true,
            });
        }
    }

    pub(crate) fn run_list(&mut self, statements: &[Statement]) -> SqlResult<Outcome> {
        for statement in statements {
            match self.run_statement(statement)? {
                Outcome::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Outcome::Next)
    }

    fn run_statement(&mut self, statement: &Statement) -> SqlResult<Outcome> {
        if self.cancel.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(cancelled());
        }
        match &statement.kind {
            StatementKind::Block(body) => return self.run_list(body),
            StatementKind::TryCatch { body, handler } => return self.try_catch(body, handler),
            StatementKind::Break => return Ok(Outcome::Break),
            StatementKind::Continue => return Ok(Outcome::Continue),
            StatementKind::If {
                condition,
                then,
                otherwise,
            } => {
                return match self.guarded(statement, |batch| batch.condition(condition))? {
                    Some(Some(true)) => self.run_statement(then),
                    Some(_) => otherwise
                        .as_ref()
                        .map_or(Ok(Outcome::Next), |otherwise| self.run_statement(otherwise)),
                    None => Ok(Outcome::Next),
                };
            }
            StatementKind::While { condition, body } => {
                while self.guarded(statement, |batch| batch.condition(condition))?
                    == Some(Some(true))
                {
                    match self.run_statement(body)? {
                        Outcome::Break => break,
                        Outcome::Return(status) => return Ok(Outcome::Return(status)),
                        _ => {}
                    }
                    if self.cancel.load(std::sync::atomic::Ordering::Relaxed) {
                        return Err(cancelled());
                    }
                }
                return Ok(Outcome::Next);
            }
            StatementKind::Return(value) => {
                let status = match value {
                    Some(value) => self
                        .guarded(statement, |batch| batch.integer(value))?
                        .flatten()
                        .unwrap_or(0),
                    None => 0,
                };
                return Ok(Outcome::Return(status as i32));
            }
            _ => {}
        }
        self.guarded(statement, |batch| batch.execute(&statement.kind))?;
        Ok(Outcome::Next)
    }

    /// Runs one statement atomically: when it fails its own changes go, and the error is reported, caught,
    /// or ends the batch. `None` says that it failed and the batch goes on.
    fn guarded<T>(
        &mut self,
        statement: &Statement,
        run: impl FnOnce(&mut Self) -> SqlResult<T>,
    ) -> SqlResult<Option<T>> {
        let mark = self
            .session
            .transaction
            .as_ref()
            .map(|transaction| (transaction.id, transaction.mark()));
        let outcome = run(self);
        let outcome = match (take_doubt(), outcome) {
            (Some(doubt), Ok(_)) => Err(doubt),
            (_, outcome) => outcome,
        };
        match outcome {
            Ok(value) => {
                self.session.end_automatic();
                if !matches!(statement.kind, StatementKind::Declare(_)) {
                    self.session.last.error = 0;
                }
                Ok(Some(value))
            }
            Err(mut error) => {
                if error.line == 0 {
                    error.line = statement.line;
                }
                self.fail(error, mark).map(|()| None)
            }
        }
    }

    #[allow(clippy::type_complexity)]
    fn fail(
        &mut self,
        mut error: SqlError,
        mark: Option<(
            u64,
            (
                std::collections::HashMap<i32, crate::transaction::Written>,
                usize,
            ),
        )>,
    ) -> SqlResult<()> {
        // The statement's own changes go first.
        let current = self
            .session
            .transaction
            .as_ref()
            .map(|transaction| (transaction.id, transaction.automatic));
        match (current, mark) {
            (Some((_, true)), _) => self.session.rollback_all(self.sink),
            (Some((id, false)), Some((marked, mark))) if id == marked => {
                let undo = self
                    .session
                    .transaction
                    .as_mut()
                    .map(|transaction| transaction.restore(mark))
                    .unwrap_or_default();
                self.session.undo(undo);
            }
            _ => {}
        }
        if error.number == CANCELLED {
            if self.session.settings.xact_abort {
                self.session.rollback_all(self.sink);
            }
            return Err(error);
        }
        let raised = error.number == 50000 && !error.aborts_batch;
        let ends_batch = error.aborts_batch
            || BATCH_ENDING.contains(&error.number)
            || self.in_trigger
            || error.class >= 20;
        let ends_transaction = (self.session.settings.xact_abort && error.class >= 11 && !raised)
            || self.in_trigger
            || BATCH_ENDING.contains(&error.number);
        let open = self.session.transaction_descriptor() != 0;
        if self.session.is_in_try() && !(self.try_depth > 0 && BINDING.contains(&error.number)) {
            if ends_transaction && open {
                self.session.doom(matches!(error.number, 1205 | 3960));
            }
            error.aborts_batch = true;
            return Err(error);
        }
        if ends_transaction && open {
            self.session.rollback_all(self.sink);
        }
        if ends_batch || ends_transaction || self.session.is_in_try() {
            error.aborts_batch = true;
            return Err(error);
        }
        self.session.last.error = error.number as i32;
        self.session.last.row_count = 0;
        self.stop(|sink| sink.error(error))?;
        self.stop(|sink| {
            sink.done(StatementDone {
                rows: None,
                command: command::OTHER,
                error: true,
            })
        })
    }

    fn try_catch(&mut self, body: &[Statement], handler: &[Statement]) -> SqlResult<Outcome> {
        self.try_depth += 1;
        self.session.enter_try();
        let outcome = self.run_list(body);
        self.session.leave_try();
        self.try_depth -= 1;
        match outcome {
            Err(error)
                if error.number != CANCELLED
                    && error.class < 20
                    && !(error.aborts_batch && self.is_own_binding(&error)) =>
            {
                self.session.last.error = error.number as i32;
                self.caught.push(CaughtError { error });
                let outcome = self.run_list(handler);
                self.caught.pop();
                outcome
            }
            other => other,
        }
    }

    /// A binding error of this very batch is not caught by it.
    fn is_own_binding(&self, error: &SqlError) -> bool {
        BINDING.contains(&error.number) && error.state != NESTED_STATE
    }

    /// Hands something to the sink; a sink that wants no more ends the batch.
    pub(crate) fn stop(
        &mut self,
        send: impl FnOnce(&mut dyn ResultSink) -> Result<(), Stop>,
    ) -> SqlResult<()> {
        send(self.sink).map_err(|Stop| cancelled())
    }

    /// Reports a statement's end.
    pub(crate) fn done(&mut self, command: u16, rows: Option<u64>) -> SqlResult<()> {
        let rows = rows.filter(|_| !self.session.settings.no_count);
        self.stop(|sink| {
            sink.done(StatementDone {
                rows,
                command,
                error: false,
            })
        })
    }

    pub(crate) fn set_row_count(&mut self, rows: u64) {
        self.session.last.row_count = i64::try_from(rows).unwrap_or(i64::MAX);
    }

    /// The world as the next statement sees it, with this batch's variables and error.
    pub(crate) fn context(&self) -> Context {
        let mut context = self.session.context(self.cancel);
        context.caught = self.caught.last().cloned();
        context.variables = std::cell::RefCell::new(
            self.frame
                .variables
                .iter()
                .map(|variable| (variable.value.clone(), variable.sql_type.clone()))
                .collect(),
        );
        context
    }

    /// Refuses work that a doomed transaction cannot do.
    pub(crate) fn refuse_if_doomed(&self) -> SqlResult<()> {
        match &self.session.transaction {
            Some(transaction) if transaction.doomed => Err(doomed_error()),
            _ => Ok(()),
        }
    }
}

/// The state that marks a binding error of a nested batch, which the outer batch may catch.
pub(crate) const NESTED_STATE: u8 = 254;
