//! A session: executes batches, holds settings, variables and the current transaction.

use std::sync::Arc;

use crate::bulk::BulkTarget;
use crate::error::{SqlResult, unsupported_statement};
use crate::server::Server;
use crate::session::{Cancel, Parameter, ResultSink, SqlError, TransactionRequest};

/// One client's session. Dropping it rolls back its transaction and drops its temporary tables.
#[derive(Debug)]
pub struct Session {
    database: String,
}

impl Session {
    /// Opens a session in `database` (`master` where none is named) as `login`.
    ///
    /// # Errors
    /// 4060 where there is no such database.
    pub fn open(_server: &Arc<Server>, database: Option<&str>, _login: &str) -> SqlResult<Self> {
        Ok(Self { database: database.unwrap_or("master").to_owned() })
    }

    /// The name of the current database.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// This session's number, as `@@SPID` gives it.
    #[must_use]
    pub fn id(&self) -> u16 {
        51
    }

    /// The names that the client gave at login, for `HOST_NAME()` and `APP_NAME()`.
    pub fn set_client(&mut self, _host: &str, _application: &str) {}

    /// The descriptor of the open transaction, 0 where there is none.
    #[must_use]
    pub fn transaction_descriptor(&self) -> u64 {
        0
    }

    /// Executes a batch, or with `params` the body of an `sp_executesql`, and returns the parameters
    /// declared as output with their final values.
    ///
    /// Errors go to `sink`, as SQL Server sends them within the result stream.
    pub fn execute(
        &mut self,
        sql: &str,
        _params: Vec<Parameter>,
        _cancel: &Cancel,
        sink: &mut dyn ResultSink,
    ) -> Vec<Parameter> {
        let _ = sink.error(unsupported_statement(sql));
        Vec::new()
    }

    /// Reads an `INSERT BULK` statement.
    ///
    /// # Errors
    /// Syntax errors, 208, 207, 4819 and the like.
    pub fn begin_bulk(&mut self, statement: &str, _cancel: &Cancel) -> Result<BulkTarget, SqlError> {
        Err(unsupported_statement(statement))
    }

    /// The bulk load that the batch executed last has announced, if its last statement was `INSERT BULK`.
    pub fn take_bulk(&mut self) -> Option<BulkTarget> {
        None
    }

    /// `sp_reset_connection`: rolls back, drops temporary tables, restores settings and database.
    pub fn reset(&mut self) {}

    /// A transaction manager request; announces the change to `sink` as an environment change.
    ///
    /// # Errors
    /// 3902, 3903, 3930, 3998 and the like.
    pub fn transaction_manager(
        &mut self,
        request: TransactionRequest,
        _sink: &mut dyn ResultSink,
    ) -> SqlResult<()> {
        Err(unsupported_statement(&format!("{request:?}")))
    }
}
