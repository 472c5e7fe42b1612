//! A SQL client that the product does not share.

use std::sync::OnceLock;

use tiberius::{ColumnData, Config};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

/// The runtime that servers and clients of all tests in this process share.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a tokio runtime"))
}

/// A connection to one database.
pub struct Client {
    client: tiberius::Client<Compat<TcpStream>>,
}

impl Client {
    /// Connects.
    pub fn connect(mut config: Config, database: &str) -> Client {
        config.database(database);
        config.trust_cert();
        runtime().block_on(async {
            let socket = TcpStream::connect(config.get_addr())
                .await
                .unwrap_or_else(|e| panic!("cannot connect to {}: {e}", config.get_addr()));
            socket.set_nodelay(true).expect("nodelay");
            let client = tiberius::Client::connect(config, socket.compat_write())
                .await
                .unwrap_or_else(|e| panic!("cannot log in: {e}"));
            Client { client }
        })
    }

    /// Runs a batch that returns no rows.
    #[track_caller]
    pub fn execute(&mut self, sql: &str) {
        self.rows(sql);
    }

    /// Runs a batch that the server may refuse: then gives what it says.
    ///
    /// # Errors
    /// The server's message.
    pub fn attempt(&mut self, sql: &str) -> Result<(), String> {
        let result =
            runtime().block_on(async { self.client.simple_query(sql).await?.into_results().await });
        result.map(drop).map_err(|error| error.to_string())
    }

    /// Runs a batch and gives the rows of its first result, as text. Types that have no plain text form
    /// are to be cast by the query.
    #[track_caller]
    pub fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        let result =
            runtime().block_on(async { self.client.simple_query(sql).await?.into_results().await });
        let rows = result.unwrap_or_else(|e| panic!("{sql}\n{e}"));
        rows.into_iter()
            .next()
            .unwrap_or_default()
            .into_iter()
            .map(|row| row.into_iter().map(text).collect())
            .collect()
    }

    /// The single value of a query.
    #[track_caller]
    pub fn value(&mut self, sql: &str) -> String {
        match self.rows(sql).as_slice() {
            [row] if row.len() == 1 => row[0].clone(),
            rows => panic!("{sql}\none value is wanted, not {rows:?}"),
        }
    }
}

fn text(value: ColumnData<'static>) -> String {
    fn or_null<T: ToString>(value: Option<T>) -> String {
        value.map_or_else(|| "NULL".to_owned(), |v| v.to_string())
    }
    match value {
        ColumnData::Bit(v) => or_null(v),
        ColumnData::U8(v) => or_null(v),
        ColumnData::I16(v) => or_null(v),
        ColumnData::I32(v) => or_null(v),
        ColumnData::I64(v) => or_null(v),
        ColumnData::String(v) => or_null(v),
        ColumnData::Numeric(v) => or_null(v),
        ColumnData::Guid(v) => or_null(v),
        other => panic!("cast this column to text in the query: {other:?}"),
    }
}
