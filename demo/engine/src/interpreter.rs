//! A session: executes batches, holds settings, temporary tables and the current transaction.

mod access;
mod alter;
mod batch;
mod control;
mod database;
mod ddl;
mod definition;
mod identity;
mod index;
mod own_procedure;
mod parameter;
mod permission;
mod procedure;
mod query;
mod raise;
mod security;
mod settings;
mod snapshot;
mod special;
mod temporary;
mod transactions;
mod view;

use std::sync::Arc;

use crate::bulk::BulkTarget;
use crate::context::{Context, SessionFacts};
use crate::error::SqlResult;
use crate::parser::parse;
use crate::server::Server;
use crate::session::{Cancel, EnvChange, Parameter, ResultSink, SqlError, TransactionRequest};
use crate::storage::{Database, Table};
use crate::transaction::Transaction;

pub(crate) use access::{Access, OpenTable};
pub(crate) use batch::{Batch, command};
pub(crate) use query::result_column;
pub(crate) use settings::Settings;
pub(crate) use special::{not_in_memory, stamp};
pub(crate) use temporary::TemporaryTable;

/// How deep EXEC and triggers may nest, as on SQL Server.
pub(crate) const MAX_NESTING: i32 = 32;

/// What the last statement left behind for `@@ROWCOUNT` and its kin.
#[derive(Debug, Default)]
pub(crate) struct LastStatement {
    pub(crate) row_count: i64,
    pub(crate) error: i32,
    pub(crate) identity: Option<i128>,
    pub(crate) scope_identity: Option<i128>,
}

/// The state of a session that a nested batch may change for itself only.
#[derive(Debug)]
pub(crate) struct ScopeMark {
    temporary: usize,
    settings: Settings,
    database: Arc<Database>,
}

/// One client's session. Dropping it rolls back its transaction and drops its temporary tables.
#[derive(Debug)]
pub struct Session {
    pub(crate) server: Arc<Server>,
    id: u16,
    login: Arc<str>,
    host: Arc<str>,
    application: Arc<str>,
    home: Arc<Database>,
    pub(crate) database: Arc<Database>,
    pub(crate) settings: Settings,
    pub(crate) transaction: Option<Transaction>,
    pub(crate) temporary: Vec<TemporaryTable>,
    pub(crate) last: LastStatement,
    pub(crate) nesting: i32,
    /// How many TRY blocks enclose what runs, over all nested batches.
    try_blocks: u32,
    /// The triggers that are running.
    pub(crate) firing: Vec<i32>,
    pub(crate) pending_bulk: Option<BulkTarget>,
    reads_only: bool,
    writes_rows: bool,
    /// The tables that a SELECT scans, while it is bound: it waits for them once its access is known.
    scans: Option<Vec<Arc<Table>>>,
}

impl Session {
    /// Opens a session in `database` (`master` where none is named) as `login`.
    ///
    /// # Errors
    /// 4060 where there is no such database.
    pub fn open(server: &Arc<Server>, database: Option<&str>, login: &str) -> SqlResult<Self> {
        let name = database.filter(|name| !name.is_empty()).unwrap_or("master");
        let Some(home) = server.database(name) else {
            return Err(SqlError::new(
                4060,
                11,
                1,
                format!(
                    "Cannot open database \"{name}\" requested by the login. The login failed."
                ),
            ));
        };
        let id = server.register_session(home.id)?;
        Ok(Self {
            server: server.clone(),
            id,
            login: Arc::from(login),
            host: Arc::from(""),
            application: Arc::from(""),
            database: home.clone(),
            home,
            settings: Settings::default(),
            transaction: None,
            temporary: Vec::new(),
            last: LastStatement::default(),
            nesting: 0,
            try_blocks: 0,
            firing: Vec::new(),
            pending_bulk: None,
            reads_only: false,
            writes_rows: false,
            scans: None,
        })
    }

    /// The name of the current database.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database.name
    }

    /// This session's number, as `@@SPID` gives it.
    #[must_use]
    pub fn id(&self) -> u16 {
        self.id
    }

    /// The names that the client gave at login, for `HOST_NAME()` and `APP_NAME()`.
    pub fn set_client(&mut self, host: &str, application: &str) {
        self.host = Arc::from(host);
        self.application = Arc::from(application);
    }

    /// The descriptor of the open transaction, 0 where there is none.
    #[must_use]
    pub fn transaction_descriptor(&self) -> u64 {
        self.transaction
            .as_ref()
            .filter(|transaction| !transaction.automatic)
            .map_or(0, |transaction| transaction.id)
    }

    /// Executes a batch; with `params` it is [`Self::execute_body`].
    ///
    /// Errors go to `sink`, as SQL Server sends them within the result stream.
    pub fn execute(
        &mut self,
        sql: &str,
        params: Vec<Parameter>,
        cancel: &Cancel,
        sink: &mut dyn ResultSink,
    ) -> Vec<Parameter> {
        if params.is_empty() {
            return self.execute_text(sql, params, cancel, sink);
        }
        self.execute_body(sql, params, cancel, sink)
    }

    /// Executes the body of an `sp_executesql` and returns the parameters declared as output with their
    /// final values. Temporary tables, SET options and USE end with the body.
    pub fn execute_body(
        &mut self,
        sql: &str,
        params: Vec<Parameter>,
        cancel: &Cancel,
        sink: &mut dyn ResultSink,
    ) -> Vec<Parameter> {
        let scope = self.begin_scope();
        let outputs = self.execute_text(sql, params, cancel, sink);
        self.end_scope(scope, sink);
        outputs
    }

    fn execute_text(
        &mut self,
        sql: &str,
        params: Vec<Parameter>,
        cancel: &Cancel,
        sink: &mut dyn ResultSink,
    ) -> Vec<Parameter> {
        let mut batch = Batch::new(self, sink, cancel);
        let outcome = parse(sql).and_then(|statements| {
            let outputs = batch.declare_parameters(params)?;
            Ok((statements, outputs))
        });
        let outputs = match outcome {
            Ok((statements, outputs)) => match batch.run(&statements) {
                Ok(()) => batch.output_values(outputs),
                Err(_) => Vec::new(),
            },
            Err(error) => {
                batch.report(error);
                Vec::new()
            }
        };
        self.end_batch();
        outputs
    }

    /// Reads an `INSERT BULK` statement.
    ///
    /// # Errors
    /// Syntax errors, 208, 207, 4819 and the like.
    pub fn begin_bulk(&mut self, statement: &str, cancel: &Cancel) -> Result<BulkTarget, SqlError> {
        match parse(statement)?.pop().map(|statement| statement.kind) {
            Some(crate::ast::StatementKind::InsertBulk(bulk)) => {
                BulkTarget::open(self, &bulk, cancel)
            }
            _ => Err(crate::error::syntax("INSERT BULK")),
        }
    }

    /// The bulk load that the batch executed last has announced, if its last statement was `INSERT BULK`.
    pub fn take_bulk(&mut self) -> Option<BulkTarget> {
        self.pending_bulk.take()
    }

    /// `sp_reset_connection`: rolls back, drops temporary tables, restores settings and database.
    pub fn reset(&mut self) {
        self.abandon();
        self.settings = Settings::default();
        self.enter_database(self.home.clone());
        self.last = LastStatement::default();
    }

    /// A transaction manager request; announces the change to `sink` as an environment change.
    ///
    /// # Errors
    /// 3902, 3903, 3930, 3998 and the like.
    pub fn transaction_manager(
        &mut self,
        request: TransactionRequest,
        sink: &mut dyn ResultSink,
    ) -> SqlResult<()> {
        self.manage(request, sink)
    }

    /// Takes back everything that the session has open.
    fn abandon(&mut self) {
        if let Some(transaction) = self.transaction.take() {
            let undo = transaction.rollback();
            self.undo(undo);
        }
        self.drop_temporary_from(0);
        self.pending_bulk = None;
        self.server.locks.end_session(self.id);
    }

    /// What a nested batch gives back when it ends.
    pub(crate) fn begin_scope(&self) -> ScopeMark {
        ScopeMark {
            temporary: self.temporary.len(),
            settings: self.settings.clone(),
            database: self.database.clone(),
        }
    }

    /// Ends a nested batch: its temporary tables go, settings and database are as before.
    pub(crate) fn end_scope(&mut self, mark: ScopeMark, sink: &mut dyn ResultSink) {
        self.drop_temporary_from(mark.temporary);
        self.settings = mark.settings;
        if self.database.id != mark.database.id {
            let (old, new) = (self.database.name.clone(), mark.database.name.clone());
            self.enter_database(mark.database);
            let _ = sink.env_change(EnvChange::Database { old, new });
        }
    }

    pub(crate) fn enter_try(&mut self) {
        self.try_blocks += 1;
    }

    pub(crate) fn leave_try(&mut self) {
        self.try_blocks -= 1;
    }

    pub(crate) fn is_in_try(&self) -> bool {
        self.try_blocks > 0
    }

    pub(crate) fn facts(&self) -> SessionFacts {
        let open = self
            .transaction
            .as_ref()
            .filter(|transaction| !transaction.automatic);
        SessionFacts {
            id: self.id,
            login: self.login.clone(),
            reads_only: self.reads_only,
            writes_rows: self.writes_rows,
            host: self.host.clone(),
            application: self.application.clone(),
            row_count: self.last.row_count,
            error: self.last.error,
            transaction_count: open.map_or(0, |transaction| transaction.nesting as i32),
            transaction_state: open
                .map_or(0, |transaction| if transaction.doomed { -1 } else { 1 }),
            transaction_id: self
                .transaction
                .as_ref()
                .map_or(0, |transaction| transaction.id),
            identity: self.last.identity,
            scope_identity: self.last.scope_identity,
            lock_timeout: self.settings.lock_timeout,
            date_first: self.settings.date_first,
            no_count: self.settings.no_count,
            xact_abort: self.settings.xact_abort,
            isolation: self.settings.isolation_number(),
            nest_level: self.nesting,
        }
    }

    /// The world as the next statement sees it.
    pub(crate) fn context(&self, cancel: &Cancel) -> Context {
        let temporary = self
            .temporary
            .iter()
            .map(|temporary| temporary.table.clone())
            .collect();
        Context::new(
            self.server.clone(),
            self.database.clone(),
            temporary,
            self.facts(),
            cancel.clone(),
        )
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.abandon();
        self.server.end_session(self.id);
    }
}
