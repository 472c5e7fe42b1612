//! How fast rows leave the server and enter it on one connection, in the clear:
//! `cargo bench -p icehost-devserver`.
//!
//! The client only counts bytes, or sends bytes made beforehand, so the figures are the server's, engine
//! included.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use common::raw::{BATCH, BULK, LAST, RawClient, batch, utf16};
use icehost_devserver::RunningServer;

const ROWS: u64 = 1_000_000;

fn report(what: &str, bytes: u64, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{what}: {:.2} million rows/s, {:.0} MB/s",
        ROWS as f64 / seconds / 1e6,
        bytes as f64 / seconds / 1e6
    );
}

async fn read(server: &RunningServer, packet_size: u32, what: &str, sql: &str) {
    let mut client = RawClient::logged_in_with(server, packet_size).await;
    let started = Instant::now();
    client.send(BATCH, LAST, &batch(sql)).await;
    let bytes = client.skip_message().await;
    report(
        &format!("{what}, {packet_size} byte packets"),
        bytes,
        started,
    );
}

/// COLMETADATA of `id int NOT NULL, big bigint NULL, name nvarchar(40) NULL`, the rows, and DONE.
fn bulk_stream() -> Vec<u8> {
    let mut stream = vec![0x81, 3, 0];
    stream.extend_from_slice(&[0, 0, 0, 0, 8, 0, 0x38, 2]);
    stream.extend_from_slice(&utf16("id"));
    stream.extend_from_slice(&[0, 0, 0, 0, 9, 0, 0x26, 8, 3]);
    stream.extend_from_slice(&utf16("big"));
    stream.extend_from_slice(&[
        0, 0, 0, 0, 9, 0, 0xE7, 80, 0, 0x09, 0x04, 0xD0, 0x00, 0x34, 4,
    ]);
    stream.extend_from_slice(&utf16("name"));
    for id in 0..ROWS as u32 {
        stream.push(0xD1);
        stream.extend_from_slice(&id.to_le_bytes());
        stream.push(8);
        stream.extend_from_slice(&(u64::from(id) << 20).to_le_bytes());
        let name = utf16(&format!("customer {id}"));
        stream.extend_from_slice(&(name.len() as u16).to_le_bytes());
        stream.extend_from_slice(&name);
    }
    stream.extend_from_slice(&[0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    stream
}

async fn load(server: &RunningServer) {
    let mut client = RawClient::logged_in(server).await;
    client
        .run("CREATE TABLE dbo.loaded (id int NOT NULL PRIMARY KEY, big bigint NULL, name nvarchar(40) NULL)")
        .await;
    client
        .run("INSERT BULK dbo.loaded ([id] int, [big] bigint, [name] nvarchar(40))")
        .await;
    let stream = bulk_stream();
    let started = Instant::now();
    let mut packets = stream.chunks(4088).peekable();
    while let Some(payload) = packets.next() {
        let status = if packets.peek().is_none() { LAST } else { 0 };
        client.send(BULK, status, payload).await;
    }
    client.skip_message().await;
    report(
        "bulk load of 3 columns, 4096 byte packets",
        stream.len() as u64,
        started,
    );
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = common::server().await;
        let narrow = format!(
            "SELECT value FROM GENERATE_SERIES(CAST(1 AS bigint), CAST({ROWS} AS bigint))"
        );
        let mut client = RawClient::logged_in(&server).await;
        let wide = format!(
            "SELECT value AS id, value * 7 AS big, CAST(value AS int) AS i, CAST(value % 2 AS bit) AS flag, \
             CAST(value AS float) / 8 AS ratio, CAST(value AS decimal(18, 4)) / 100 AS amount, \
             CONCAT(N'customer ', value) AS name, CONCAT('code ', value % 1000) AS code, \
             CASE WHEN value % 10 = 0 THEN NULL ELSE CONCAT(N'note ', value) END AS note, \
             DATEADD(second, CAST(value AS int), CAST('2024-01-01' AS datetime2(7))) AS at, \
             CAST('2024-02-29' AS date) AS d, CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier) AS g \
             INTO dbo.wide FROM GENERATE_SERIES(CAST(1 AS bigint), CAST({ROWS} AS bigint))"
        );
        let started = Instant::now();
        client.send(BATCH, LAST, &batch(&wide)).await;
        client.skip_message().await;
        report("SELECT INTO of 12 columns within the server", 0, started);
        for packet_size in [4096, 32_767] {
            read(&server, packet_size, "one bigint computed", &narrow).await;
            read(&server, packet_size, "12 columns of a table", "SELECT * FROM dbo.wide").await;
        }
        load(&server).await;
        server.stop().await;
    });
}
