//! Reads a table and drops its rows, and prints time and processor time: by icehost's own reader, and by the
//! driver, a row at a time.
//!
//! `cargo run --release -p icehost-sqlserver --example read_table -- mssql://USER:PASSWORD@HOST/DATABASE TABLE [RUNS]`
//! (default 3 runs of each)
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use icehost_plan::{ChangeSource, Coverage, ExtractionPlan};
use icehost_sqlserver::{
    ColumnSelection, ConnectOptions, Connection, Encryption, Endpoint, ExtractOptions, TableName,
};
use tokio_util::compat::TokioAsyncWriteCompatExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("the server's URL is missing")?;
    let table = TableName::parse(&arguments.next().ok_or("the table is missing")?)?;
    let runs: usize = arguments.next().as_deref().unwrap_or("3").parse()?;
    for run in 0..=runs {
        for (reader, figures) in [
            ("icehost", measure(read(&url, &table)).await?),
            ("tiberius", measure(drive(&url, &table)).await?),
        ] {
            // The first run of each warms the server up.
            if run > 0 {
                let (rows, wall, processor) = figures;
                println!(
                    "{reader:<9} {rows} rows in {wall:.2?} with {processor:.2} s of processor time: {:.2} M rows/s",
                    rows as f64 / wall.as_secs_f64() / 1e6
                );
            }
        }
    }
    Ok(())
}

async fn measure(
    work: impl Future<Output = Result<u64, Box<dyn Error>>>,
) -> Result<(u64, Duration, f64), Box<dyn Error>> {
    let (started, processor) = (Instant::now(), processor_seconds());
    let rows = work.await?;
    Ok((rows, started.elapsed(), processor_seconds() - processor))
}

async fn read(url: &str, table: &TableName) -> Result<u64, Box<dyn Error>> {
    let mut connection =
        Connection::open(&Endpoint::parse(url)?, &ConnectOptions::default()).await?;
    let table = connection
        .introspect(table, &ColumnSelection::default())
        .await?;
    let plan = ExtractionPlan {
        source: ChangeSource::Rows,
        columns: (0..table.columns.len() as u32).collect(),
        filter: None,
        order_by: Vec::new(),
        observe: Vec::new(),
        split_on: None,
        coverage: Coverage::Full,
    }
    .validate(&table.table)?;
    let mut extraction = connection
        .extract(&table, &plan, ExtractOptions::default())
        .await?;
    while extraction.next_batch().await?.is_some() {}
    Ok(extraction.finish()?.rows)
}

async fn drive(url: &str, table: &TableName) -> Result<u64, Box<dyn Error>> {
    let endpoint = Endpoint::parse(url)?;
    let (_, rest) = url.split_once("://").ok_or("a URL is wanted")?;
    let (credentials, _) = rest.rsplit_once('@').ok_or("no user and password")?;
    let (user, password) = credentials.split_once(':').ok_or("no password")?;
    let mut config = tiberius::Config::new();
    config.host(&endpoint.host);
    config.port(endpoint.port);
    if let Some(database) = &endpoint.database {
        config.database(database);
    }
    config.authentication(tiberius::AuthMethod::sql_server(user, password));
    config.encryption(match endpoint.encryption {
        Encryption::Off => tiberius::EncryptionLevel::NotSupported,
        Encryption::LoginOnly => tiberius::EncryptionLevel::Off,
        Encryption::On | Encryption::Strict => tiberius::EncryptionLevel::Required,
    });
    config.trust_cert();
    config.command_timeout(None);
    let stream = tokio::net::TcpStream::connect(config.get_addr()).await?;
    stream.set_nodelay(true)?;
    let mut client = tiberius::Client::connect(config, stream.compat_write()).await?;
    let query = format!("SELECT * FROM {table}");
    let mut items = client.simple_query(query).await?;
    let mut rows = 0;
    while let Some(item) = items.try_next().await? {
        rows += u64::from(matches!(item, tiberius::QueryItem::Row(_)));
    }
    Ok(rows)
}

/// User and system time of this process so far.
fn processor_seconds() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is a name, which may have blanks in it.
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = fields.split(' ').skip(11).take(2);
    ticks
        .filter_map(|field| field.parse::<f64>().ok())
        .sum::<f64>()
        / TICKS_PER_SECOND
}
