//! What the protocol side sees: a server, its sessions, and a sink that receives what a batch produces.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::result_identity::ResultIdentity;
use crate::types::{Datum, SqlType};

/// A result-set column, as it goes into COLMETADATA.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultColumn {
    pub name: String,
    pub sql_type: SqlType,
    pub nullable: bool,
    pub identity: bool,
    /// Computed columns and rowversion cannot be written.
    pub read_only: bool,
    /// The collation on the wire, of `varchar` in a code page other than 1252.
    pub collation: Option<[u8; 5]>,
}

/// A SQL Server error or informational message.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("Msg {number}, Level {class}, State {state}: {message}")]
pub struct SqlError {
    /// SQL Server's own number where the condition is one of its own (2627, 208, 8672, 1205, …); 50000 and
    /// up for what the development server refuses.
    pub number: u32,
    pub state: u8,
    pub class: u8,
    pub message: String,
    pub line: u32,
    /// The transaction was rolled back and the batch ended.
    pub aborts_batch: bool,
}

/// What a statement's DONE token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementDone {
    /// Row count, where the statement has one and NOCOUNT is off.
    pub rows: Option<u64>,
    /// TDS CurCmd: 0xC1 SELECT, 0xC3 INSERT, 0xC4 DELETE, 0xC5 UPDATE, 0x117 MERGE, 0xD4 BEGIN TRAN, …
    pub command: u16,
    pub error: bool,
}

/// A change of session state that the protocol announces with ENVCHANGE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvChange {
    Database { old: String, new: String },
    BeginTransaction { descriptor: u64 },
    CommitTransaction { descriptor: u64 },
    RollbackTransaction { descriptor: u64 },
}

/// The client went away or asked to stop: produce nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop;

/// Receives a batch's output in order. Calls may block for back-pressure; `Err(Stop)` ends the batch.
pub trait ResultSink {
    fn columns(&mut self, columns: &[ResultColumn]) -> Result<(), Stop>;
    fn row(&mut self, row: &[Datum]) -> Result<(), Stop>;
    fn done(&mut self, done: StatementDone) -> Result<(), Stop>;
    fn message(&mut self, message: SqlError) -> Result<(), Stop>;
    fn error(&mut self, error: SqlError) -> Result<(), Stop>;
    fn env_change(&mut self, change: EnvChange) -> Result<(), Stop>;

    /// Announces the columns and rows that come next, where they follow from `identity` alone. A sink that has
    /// passed on the same before may do so again by itself and return how many rows that were; otherwise the
    /// query runs, and [`Self::result_complete`] follows unless it fails.
    fn known_result(&mut self, _identity: ResultIdentity) -> Result<Option<u64>, Stop> {
        Ok(None)
    }

    /// All rows of the result announced last have been passed on.
    fn result_complete(&mut self) -> Result<(), Stop> {
        Ok(())
    }

    /// Whether the sink wants [`Self::known_result`] and [`Self::result_complete`] to be called.
    fn knows_results(&self) -> bool {
        false
    }
}

/// A parameter of `sp_executesql` and its kin, by name (with `@`) or by position (empty name).
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub sql_type: SqlType,
    pub value: Datum,
    pub output: bool,
}

/// Set by an attention; the engine looks at it between rows and ends the batch.
pub type Cancel = Arc<AtomicBool>;

/// An isolation level, as `SET TRANSACTION ISOLATION LEVEL` and a TDS transaction request name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsolationLevel {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
    Snapshot,
}

/// A TDS transaction manager request (MS-TDS 2.2.6.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionRequest {
    /// `TM_BEGIN_XACT`; `None` keeps the session's isolation level.
    Begin {
        isolation: Option<IsolationLevel>,
        name: String,
    },
    /// `TM_COMMIT_XACT`, with a new transaction begun right after where the flag says so.
    Commit {
        begin_again: Option<Option<IsolationLevel>>,
    },
    /// `TM_ROLLBACK_XACT`, to a savepoint where a name is given.
    Rollback {
        name: String,
        begin_again: Option<Option<IsolationLevel>>,
    },
    /// `TM_SAVE_XACT`.
    Save { name: String },
}
