//! What expressions may look at while a statement runs.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::SqlResult;
use crate::locks::cancelled;
use crate::server::Server;
use crate::session::{Cancel, SqlError};
use crate::storage::{Database, Table};
use crate::types::{Datum, SqlType};

/// The error that a CATCH block handles.
#[derive(Debug, Clone)]
pub(crate) struct CaughtError {
    pub(crate) error: SqlError,
}

/// The session's facts that functions report, taken when the statement begins.
#[derive(Debug, Clone)]
pub(crate) struct SessionFacts {
    pub(crate) id: u16,
    pub(crate) login: Arc<str>,
    /// The login may read and nothing else.
    pub(crate) reads_only: bool,
    /// It may write the rows of tables all the same.
    pub(crate) writes_rows: bool,
    pub(crate) host: Arc<str>,
    pub(crate) application: Arc<str>,
    pub(crate) row_count: i64,
    pub(crate) error: i32,
    pub(crate) transaction_count: i32,
    /// `XACT_STATE()`.
    pub(crate) transaction_state: i16,
    pub(crate) transaction_id: u64,
    pub(crate) identity: Option<i128>,
    pub(crate) scope_identity: Option<i128>,
    pub(crate) lock_timeout: i64,
    pub(crate) date_first: u8,
    pub(crate) no_count: bool,
    pub(crate) xact_abort: bool,
    pub(crate) isolation: i16,
    pub(crate) nest_level: i32,
}

/// The world of one statement.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) server: Arc<Server>,
    pub(crate) database: Arc<Database>,
    pub(crate) temporary: Vec<Arc<Table>>,
    pub(crate) facts: SessionFacts,
    pub(crate) caught: Option<CaughtError>,
    /// UTC, the same for the whole statement.
    pub(crate) now: (i32, u64),
    /// The server's local time minus UTC, in minutes.
    pub(crate) offset: i16,
    pub(crate) variables: RefCell<Vec<(Datum, SqlType)>>,
    pub(crate) random: Cell<u64>,
    pub(crate) cancel: Cancel,
    ticks: Cell<u32>,
}

impl Context {
    pub(crate) fn new(
        server: Arc<Server>,
        database: Arc<Database>,
        temporary: Vec<Arc<Table>>,
        facts: SessionFacts,
        cancel: Cancel,
    ) -> Self {
        let (now, offset) = (server.clock().utc(), server.clock().offset());
        Self {
            server,
            database,
            temporary,
            facts,
            caught: None,
            now,
            offset,
            variables: RefCell::new(Vec::new()),
            random: Cell::new(now.1 ^ 0x5DEE_CE66_D123_4567),
            cancel,
            ticks: Cell::new(0),
        }
    }

    /// Looks at the cancel flag now and then; call it once for each row.
    pub(crate) fn check_cancel(&self) -> SqlResult<()> {
        let ticks = self.ticks.get().wrapping_add(1);
        self.ticks.set(ticks);
        if ticks.is_multiple_of(256) && self.cancel.load(Ordering::Relaxed) {
            return Err(cancelled());
        }
        Ok(())
    }

    /// A pseudo-random number (xorshift).
    pub(crate) fn next_random(&self) -> u64 {
        let mut state = self.random.get() | 1;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.random.set(state);
        state
    }
}
