//! What the tests share: a server to run against, and a second client to set it up and look at it with.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

pub mod history;

use std::sync::atomic::{AtomicU32, Ordering};

use arrow_array::RecordBatch;
use icehost_devserver::{DevServer, RunningServer};
use icehost_plan::{
    ChangeSource, Coverage, Expression, ExtractionPlan, Table, ValidExtractionPlan,
};
use icehost_sqlserver::{
    ColumnSelection, ConnectOptions, Connection, Endpoint, ExtractOptions, Extracted, SqlTable,
    TableName,
};
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

/// Names a server to run against instead of the development server: a URL with user, password and database.
const SERVER: &str = "ICEHOST_TEST_SQLSERVER";

/// A server, and a client that is not the product's code path.
pub struct Server {
    pub endpoint: Endpoint,
    pub dev: Option<RunningServer>,
    pub is_babelfish: bool,
    client: tiberius::Client<Compat<tokio::net::TcpStream>>,
}

static TABLES: AtomicU32 = AtomicU32::new(0);

impl Server {
    pub async fn start() -> Server {
        let (url, dev) = match std::env::var(SERVER) {
            Ok(url) => (url, None),
            Err(_) => {
                let dev = DevServer::builder().database("Test").start().await.unwrap();
                (dev.url("Test"), Some(dev))
            }
        };
        let endpoint = Endpoint::parse(&url).unwrap();
        let password = match &dev {
            Some(dev) => dev.password().to_owned(),
            None => password_of(&url),
        };
        let mut config = tiberius::Config::new();
        config.host(&endpoint.host);
        config.port(endpoint.port);
        config.database(endpoint.database.as_deref().unwrap());
        config.authentication(tiberius::AuthMethod::sql_server(
            endpoint.user.as_deref().unwrap(),
            password,
        ));
        config.encryption(tiberius::EncryptionLevel::NotSupported);
        let stream = tokio::net::TcpStream::connect(config.get_addr())
            .await
            .unwrap();
        let client = tiberius::Client::connect(config, stream.compat_write())
            .await
            .unwrap();
        let mut server = Server {
            endpoint,
            dev,
            is_babelfish: false,
            client,
        };
        let version = server
            .query("SELECT CAST(@@VERSION AS nvarchar(400))")
            .await;
        server.is_babelfish = version[0][0].contains("Babelfish");
        server
    }

    /// A name for a table that no other test has, dropped if it is there.
    pub async fn table(&mut self, name: &str) -> TableName {
        let number = TABLES.fetch_add(1, Ordering::Relaxed);
        // Babelfish does not find a table with a blank in its name for SET IDENTITY_INSERT.
        let blank = if self.is_babelfish { '_' } else { ' ' };
        let table =
            format!("{name} {}_{number}", std::process::id()).replace(' ', &blank.to_string());
        let name = TableName::new("dbo", table);
        self.execute(&format!("DROP TABLE IF EXISTS {}", name.sql()))
            .await;
        name
    }

    pub async fn execute(&mut self, sql: &str) {
        let done = self
            .client
            .simple_query(sql)
            .await
            .unwrap()
            .into_results()
            .await;
        done.unwrap_or_else(|error| panic!("{error}\n{sql}"));
    }

    /// The first result set as text; NULL is `NULL`.
    pub async fn query(&mut self, sql: &str) -> Vec<Vec<String>> {
        let rows = self
            .client
            .simple_query(sql)
            .await
            .unwrap()
            .into_first_result()
            .await;
        let rows = rows.unwrap_or_else(|error| panic!("{error}\n{sql}"));
        let text = |data| match data {
            tiberius::ColumnData::String(text) => {
                text.map_or("NULL".to_owned(), |text| text.into_owned())
            }
            tiberius::ColumnData::I32(Some(number)) => number.to_string(),
            tiberius::ColumnData::I64(Some(number)) => number.to_string(),
            tiberius::ColumnData::I32(None) | tiberius::ColumnData::I64(None) => "NULL".to_owned(),
            tiberius::ColumnData::Binary(bytes) => {
                bytes.map_or("NULL".to_owned(), |bytes| format!("{bytes:02X?}"))
            }
            other => panic!("{other:?} in the result of {sql}"),
        };
        rows.into_iter()
            .map(|row| row.into_iter().map(text).collect())
            .collect()
    }

    pub async fn count(&mut self, table: &TableName) -> usize {
        let rows = self
            .query(&format!("SELECT COUNT(*) FROM {}", table.sql()))
            .await;
        rows[0][0].parse().unwrap()
    }

    pub async fn connect(&self) -> Connection {
        self.connect_with(&ConnectOptions::default()).await
    }

    pub async fn connect_with(&self, options: &ConnectOptions) -> Connection {
        Connection::open(&self.endpoint, options)
            .await
            .unwrap_or_else(|error| panic!("{error:?}"))
    }
}

fn password_of(url: &str) -> String {
    let login = url.split("://").nth(1).unwrap().split('@').next().unwrap();
    let password = login.split_once(':').unwrap().1;
    percent_encoding::percent_decode_str(password)
        .decode_utf8()
        .unwrap()
        .into_owned()
}

/// All columns.
pub async fn introspect(connection: &mut Connection, name: &TableName) -> SqlTable {
    let table = connection
        .introspect(name, &ColumnSelection::default())
        .await;
    table.unwrap_or_else(|error| panic!("{error:?}"))
}

/// A plan that reads all columns of the rows that `filter` lets through.
pub fn plan(table: &Table, filter: Option<Expression>) -> ValidExtractionPlan {
    let plan = ExtractionPlan {
        source: ChangeSource::Rows,
        coverage: Coverage::Full,
        columns: (0..table.columns.len() as u32).collect(),
        filter,
        order_by: table
            .key()
            .into_iter()
            .map(|column| icehost_plan::SortKey {
                column,
                direction: icehost_plan::Direction::Ascending,
            })
            .collect(),
        split_on: None,
        observe: Vec::new(),
    };
    plan.validate(table).unwrap()
}

/// All rows that the plan reads.
pub async fn extract(
    connection: &mut Connection,
    table: &SqlTable,
    plan: &ValidExtractionPlan,
    options: ExtractOptions,
) -> icehost_sqlserver::Result<(Vec<RecordBatch>, Extracted)> {
    let mut extraction = connection.extract(table, plan, options).await?;
    let mut batches = Vec::new();
    while let Some(batch) = extraction.next_batch().await? {
        batches.push(batch);
    }
    Ok((batches, extraction.finish()?))
}
