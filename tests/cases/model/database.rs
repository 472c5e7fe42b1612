//! Sessions in the development server's own process: what users do to source and target, without a wire.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use icehost_devengine::session::{
    EnvChange, ResultColumn, ResultSink, SqlError, StatementDone, Stop,
};
use icehost_devengine::types::Datum;
use icehost_devengine::{Server, Session};

/// A lock was not granted in time (SQL Server's 1222).
pub const LOCK_TIMEOUT: u32 = 1222;

/// A session in a database.
pub struct Database(Session);

impl Database {
    /// Opens a session that does not wait for locks.
    pub fn open(server: &Arc<Server>, name: &str) -> Database {
        let session =
            Session::open(server, Some(name), "sa").expect("a database of the case's own");
        let mut database = Database(session);
        database.execute("SET LOCK_TIMEOUT 0");
        database
    }

    /// Runs a batch; its rows, or the number of its first error and what it says.
    pub fn try_rows(&mut self, sql: &str) -> Result<Vec<Vec<Datum>>, SqlError> {
        let mut collected = Collected::default();
        let cancel = Arc::new(AtomicBool::new(false));
        self.0.execute(sql, Vec::new(), &cancel, &mut collected);
        match collected.error {
            Some(error) => Err(error),
            None => Ok(collected.rows),
        }
    }

    /// Runs a batch that must succeed.
    #[track_caller]
    pub fn rows(&mut self, sql: &str) -> Vec<Vec<Datum>> {
        self.try_rows(sql)
            .unwrap_or_else(|error| panic!("{sql}\n{error}"))
    }

    /// Runs a batch that must succeed and gives nothing.
    #[track_caller]
    pub fn execute(&mut self, sql: &str) {
        self.rows(sql);
    }
}

#[derive(Default)]
struct Collected {
    rows: Vec<Vec<Datum>>,
    error: Option<SqlError>,
}

impl ResultSink for Collected {
    fn columns(&mut self, _: &[ResultColumn]) -> Result<(), Stop> {
        self.rows.clear();
        Ok(())
    }

    fn row(&mut self, row: &[Datum]) -> Result<(), Stop> {
        self.rows.push(row.to_vec());
        Ok(())
    }

    fn done(&mut self, _: StatementDone) -> Result<(), Stop> {
        Ok(())
    }

    fn message(&mut self, _: SqlError) -> Result<(), Stop> {
        Ok(())
    }

    fn error(&mut self, error: SqlError) -> Result<(), Stop> {
        self.error.get_or_insert(error);
        Ok(())
    }

    fn env_change(&mut self, _: EnvChange) -> Result<(), Stop> {
        Ok(())
    }
}

/// A number of any integer type.
#[track_caller]
pub fn number(value: &Datum) -> i64 {
    match value {
        Datum::TinyInt(v) => i64::from(*v),
        Datum::SmallInt(v) => i64::from(*v),
        Datum::Int(v) => i64::from(*v),
        Datum::BigInt(v) => *v,
        Datum::Bit(v) => i64::from(*v),
        other => panic!("{other:?} is no integer"),
    }
}

/// A text.
#[track_caller]
pub fn text(value: &Datum) -> String {
    match value {
        Datum::Text { value, .. } => value.to_string(),
        other => panic!("{other:?} is no text"),
    }
}
