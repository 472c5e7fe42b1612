//! Transactions: automatic, explicit, implicit; savepoints; what a rollback takes back.

use super::{Batch, Session, TemporaryTable};
use crate::error::SqlResult;
use crate::session::{EnvChange, IsolationLevel, ResultSink, SqlError, TransactionRequest};
use crate::transaction::{Transaction, Undo};

fn no_transaction(number: u32, verb: &str) -> SqlError {
    SqlError::new(
        number,
        16,
        1,
        format!("The {verb} TRANSACTION request has no corresponding BEGIN TRANSACTION."),
    )
}

/// 3930: a doomed transaction can only be rolled back.
pub(crate) fn doomed_error() -> SqlError {
    SqlError::new(
        3930,
        16,
        1,
        "The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the transaction.",
    )
}

impl Session {
    /// Makes sure that a statement has a transaction to run in.
    pub(crate) fn ensure_transaction(&mut self, sink: &mut dyn ResultSink) {
        if self.transaction.is_some() {
            return;
        }
        let automatic = !self.settings.implicit_transactions;
        let transaction = Transaction::new(&self.server, automatic, self.settings.isolation);
        if !automatic {
            let _ = sink.env_change(EnvChange::BeginTransaction {
                descriptor: transaction.id,
            });
        }
        self.transaction = Some(transaction);
    }

    /// Commits a statement's own transaction.
    pub(crate) fn end_automatic(&mut self) {
        if self
            .transaction
            .as_ref()
            .is_some_and(|transaction| transaction.automatic)
        {
            self.commit_all();
        }
    }

    fn commit_all(&mut self) {
        if let Some(transaction) = self.transaction.take() {
            transaction.commit(&self.server);
            self.server.locks.end_transaction(self.id());
        }
    }

    /// Rolls everything back; whether a transaction that the client knows of ended.
    pub(crate) fn rollback_all(&mut self, sink: &mut dyn ResultSink) {
        if let Some(transaction) = self.transaction.take() {
            let (id, automatic) = (transaction.id, transaction.automatic);
            let undo = transaction.rollback();
            self.undo(undo);
            self.server.locks.end_transaction(self.id());
            if !automatic {
                let _ = sink.env_change(EnvChange::RollbackTransaction { descriptor: id });
            }
        }
    }

    /// Undoes the work but leaves the transaction open and doomed, as in a TRY block.
    pub(crate) fn doom(&mut self, release: bool) {
        if let Some(transaction) = &mut self.transaction {
            transaction.doomed = true;
            if release {
                let undo = transaction.restore((std::collections::HashMap::new(), 0));
                self.undo(undo);
                self.server.locks.end_transaction(self.id());
            }
        }
    }

    /// Takes back what a transaction did to the catalog, latest first.
    pub(crate) fn undo(&mut self, list: Vec<Undo>) {
        for undo in list {
            match undo {
                Undo::Created(database, table) => database.remove(&table),
                Undo::Dropped(database, table) => database.mark_dropped(&table, None),
                Undo::TemporaryCreated(id) => {
                    self.temporary.retain(|temporary| temporary.table.id != id)
                }
                Undo::TemporaryDropped(table, level) => {
                    self.temporary.push(TemporaryTable {
                        level: level as i32,
                        table,
                    });
                }
            }
        }
    }

    pub(crate) fn begin_transaction(
        &mut self,
        isolation: Option<IsolationLevel>,
        name: Option<&str>,
        sink: &mut dyn ResultSink,
    ) {
        if let Some(isolation) = isolation {
            self.settings.isolation = isolation;
        }
        match &mut self.transaction {
            Some(transaction) if !transaction.automatic => transaction.nesting += 1,
            _ => {
                let mut transaction =
                    Transaction::new(&self.server, false, self.settings.isolation);
                transaction.name = name.unwrap_or_default().to_owned();
                let _ = sink.env_change(EnvChange::BeginTransaction {
                    descriptor: transaction.id,
                });
                self.transaction = Some(transaction);
            }
        }
    }

    pub(crate) fn commit_transaction(&mut self, sink: &mut dyn ResultSink) -> SqlResult<()> {
        let Some(transaction) = self
            .transaction
            .as_mut()
            .filter(|transaction| !transaction.automatic)
        else {
            return Err(no_transaction(3902, "COMMIT"));
        };
        if transaction.doomed {
            return Err(doomed_error());
        }
        if transaction.nesting > 1 {
            transaction.nesting -= 1;
            return Ok(());
        }
        let descriptor = transaction.id;
        self.commit_all();
        let _ = sink.env_change(EnvChange::CommitTransaction { descriptor });
        Ok(())
    }

    pub(crate) fn rollback_transaction(
        &mut self,
        name: Option<&str>,
        sink: &mut dyn ResultSink,
    ) -> SqlResult<()> {
        let Some(transaction) = self
            .transaction
            .as_mut()
            .filter(|transaction| !transaction.automatic)
        else {
            return Err(no_transaction(3903, "ROLLBACK"));
        };
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            if transaction.doomed {
                return Err(SqlError::new(
                    3931,
                    16,
                    1,
                    "The current transaction cannot be committed and cannot be rolled back to a savepoint. Roll back the entire transaction.",
                ));
            }
            if let Some(undo) = transaction.rollback_to(name) {
                self.undo(undo);
                return Ok(());
            }
            if !transaction.name.eq_ignore_ascii_case(name) {
                return Err(SqlError::new(
                    6401,
                    16,
                    1,
                    format!(
                        "Cannot roll back {name}. No transaction or savepoint of that name was found."
                    ),
                ));
            }
        }
        self.rollback_all(sink);
        Ok(())
    }

    pub(crate) fn save_transaction(&mut self, name: &str) -> SqlResult<()> {
        match self
            .transaction
            .as_mut()
            .filter(|transaction| !transaction.automatic)
        {
            Some(transaction) if transaction.doomed => Err(doomed_error()),
            Some(transaction) => {
                transaction.save(name.to_owned());
                Ok(())
            }
            None => Err(SqlError::new(
                628,
                16,
                0,
                "Cannot issue SAVE TRANSACTION when there is no active transaction.",
            )),
        }
    }

    pub(crate) fn manage(
        &mut self,
        request: TransactionRequest,
        sink: &mut dyn ResultSink,
    ) -> SqlResult<()> {
        match request {
            TransactionRequest::Begin { isolation, name } => {
                self.begin_transaction(isolation, Some(&name), sink)
            }
            TransactionRequest::Commit { begin_again } => {
                self.commit_transaction(sink)?;
                if let Some(isolation) = begin_again {
                    self.begin_transaction(isolation, None, sink);
                }
            }
            TransactionRequest::Rollback { name, begin_again } => {
                self.rollback_transaction(Some(&name), sink)?;
                if let Some(isolation) = begin_again {
                    self.begin_transaction(isolation, None, sink);
                }
            }
            TransactionRequest::Save { name } => self.save_transaction(&name)?,
        }
        Ok(())
    }

    /// A batch has ended: nothing automatic may stay open, and a doomed transaction goes.
    pub(crate) fn end_batch(&mut self) {
        if self
            .transaction
            .as_ref()
            .is_some_and(|transaction| transaction.automatic)
        {
            if let Some(transaction) = self.transaction.take() {
                let undo = transaction.rollback();
                self.undo(undo);
            }
            self.server.locks.end_transaction(self.id());
        }
    }
}

impl Batch<'_> {
    /// 3998: a batch ended with a doomed transaction, which SQL Server then rolls back.
    pub(super) fn end_doomed(&mut self) {
        if self
            .session
            .transaction
            .as_ref()
            .is_some_and(|transaction| transaction.doomed)
        {
            let error = SqlError::new(
                3998,
                16,
                1,
                "Uncommittable transaction is detected at the end of the batch. The transaction is rolled back.",
            );
            let _ = self.sink.error(error);
            self.session.rollback_all(self.sink);
        }
    }
}
