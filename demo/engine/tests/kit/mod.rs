//! A session with a sink that collects, and a compact text form of what it collected.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use icehost_devengine::session::{
    EnvChange, Parameter, ResultColumn, ResultSink, SqlError, StatementDone, Stop,
};
use icehost_devengine::types::{Datum, SqlType};
use icehost_devengine::{Server, Session};

/// One result set.
#[derive(Debug, Clone, Default)]
pub struct ResultSet {
    pub columns: Vec<ResultColumn>,
    pub rows: Vec<Vec<Datum>>,
}

/// Everything that a batch produced.
#[derive(Debug, Clone, Default)]
pub struct Collected {
    pub sets: Vec<ResultSet>,
    pub done: Vec<StatementDone>,
    pub messages: Vec<SqlError>,
    pub errors: Vec<SqlError>,
    pub changes: Vec<EnvChange>,
    pub outputs: Vec<Parameter>,
}

impl ResultSink for Collected {
    fn columns(&mut self, columns: &[ResultColumn]) -> Result<(), Stop> {
        self.sets.push(ResultSet {
            columns: columns.to_vec(),
            rows: Vec::new(),
        });
        Ok(())
    }

    fn row(&mut self, row: &[Datum]) -> Result<(), Stop> {
        self.sets
            .last_mut()
            .expect("a row before its columns")
            .rows
            .push(row.to_vec());
        Ok(())
    }

    fn done(&mut self, done: StatementDone) -> Result<(), Stop> {
        self.done.push(done);
        Ok(())
    }

    fn message(&mut self, message: SqlError) -> Result<(), Stop> {
        self.messages.push(message);
        Ok(())
    }

    fn error(&mut self, error: SqlError) -> Result<(), Stop> {
        self.errors.push(error);
        Ok(())
    }

    fn env_change(&mut self, change: EnvChange) -> Result<(), Stop> {
        self.changes.push(change);
        Ok(())
    }
}

/// A value as a reader would write it.
pub fn show(value: &Datum) -> String {
    match value {
        Datum::Null => "NULL".to_owned(),
        Datum::Bit(v) => u8::from(*v).to_string(),
        Datum::TinyInt(v) => v.to_string(),
        Datum::SmallInt(v) => v.to_string(),
        Datum::Int(v) => v.to_string(),
        Datum::BigInt(v) => v.to_string(),
        Datum::Decimal {
            unscaled, scale, ..
        } => {
            let digits = format!(
                "{:0>width$}",
                unscaled.unsigned_abs(),
                width = usize::from(*scale) + 1
            );
            let (whole, fraction) = digits.split_at(digits.len() - usize::from(*scale));
            let sign = if *unscaled < 0 { "-" } else { "" };
            if *scale == 0 {
                format!("{sign}{whole}")
            } else {
                format!("{sign}{whole}.{fraction}")
            }
        }
        Datum::Text { value, .. } => value.to_string(),
        Datum::Binary(bytes) => bytes
            .iter()
            .fold("0x".to_owned(), |text, byte| format!("{text}{byte:02X}")),
        Datum::Float(v) => v.to_string(),
        Datum::Real(v) => v.to_string(),
        other => format!("{other:?}"),
    }
}

/// A server with one database, and a session in it.
pub struct Kit {
    pub server: Arc<Server>,
    pub session: Session,
}

pub fn cancel() -> Arc<AtomicBool> {
    Arc::new(AtomicBool::new(false))
}

impl Kit {
    pub fn new() -> Self {
        let server = Server::new();
        server.create_database("test").unwrap();
        let session = Session::open(&server, Some("test"), "sa").unwrap();
        Self { server, session }
    }

    pub fn other(&self) -> Session {
        Session::open(&self.server, Some("test"), "sa").unwrap()
    }

    /// Runs a batch whatever comes of it.
    pub fn try_run(&mut self, sql: &str) -> Collected {
        run(&mut self.session, sql)
    }

    /// Runs a batch that must succeed.
    pub fn run(&mut self, sql: &str) -> Collected {
        let collected = self.try_run(sql);
        assert!(
            collected.errors.is_empty(),
            "{sql}\nfailed: {:?}",
            collected.errors
        );
        collected
    }

    /// The only result set's rows, values joined by `|`.
    pub fn rows(&mut self, sql: &str) -> Vec<String> {
        let collected = self.run(sql);
        let set = collected
            .sets
            .last()
            .unwrap_or_else(|| panic!("{sql}\nhas no result set"));
        set.rows
            .iter()
            .map(|row| row.iter().map(show).collect::<Vec<_>>().join("|"))
            .collect()
    }

    /// The only value.
    pub fn value(&mut self, sql: &str) -> String {
        let rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "{sql}\ngave {rows:?}");
        rows[0].clone()
    }

    /// `SELECT expr`, as text by CONVERT.
    pub fn text(&mut self, expr: &str) -> String {
        self.value(&format!("SELECT CONVERT(nvarchar(max), {expr})"))
    }

    /// The number of the first error.
    pub fn error(&mut self, sql: &str) -> u32 {
        self.failure(sql).number
    }

    pub fn failure(&mut self, sql: &str) -> SqlError {
        let collected = self.try_run(sql);
        collected
            .errors
            .first()
            .unwrap_or_else(|| panic!("{sql}\nshould have failed but gave {collected:?}"))
            .clone()
    }

    /// `sp_executesql` with parameters.
    pub fn with(&mut self, sql: &str, parameters: Vec<(&str, SqlType, Datum)>) -> Collected {
        let mut collected = Collected::default();
        let parameters = parameters
            .into_iter()
            .map(|(name, sql_type, value)| Parameter {
                name: name.to_owned(),
                sql_type,
                value,
                output: false,
            })
            .collect();
        let outputs = self
            .session
            .execute(sql, parameters, &cancel(), &mut collected);
        collected.outputs = outputs;
        collected
    }
}

pub fn run(session: &mut Session, sql: &str) -> Collected {
    let mut collected = Collected::default();
    let outputs = session.execute(sql, Vec::new(), &cancel(), &mut collected);
    collected.outputs = outputs;
    collected
}

/// A Unicode text value.
pub fn text(value: &str) -> Datum {
    Datum::Text {
        value: value.into(),
        national: true,
    }
}
