//! How fast narrow rows leave the server on one connection, in the clear: `cargo bench -p icehost-devserver`.
//!
//! The client only counts bytes, so the figure is the server's; the engine makes the rows as they go.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use common::raw::{BATCH, LAST, RawClient, batch};

const ROWS: u64 = 5_000_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = common::server().await;
        for packet_size in [4096, 32_767] {
            let mut client = RawClient::logged_in_with(&server, packet_size).await;
            let sql = format!(
                "SELECT value FROM GENERATE_SERIES(CAST(1 AS bigint), CAST({ROWS} AS bigint))"
            );
            let started = Instant::now();
            client.send(BATCH, LAST, &batch(&sql)).await;
            let bytes = client.skip_message().await;
            let seconds = started.elapsed().as_secs_f64();
            println!(
                "{packet_size} byte packets: {:.2} million rows/s, {:.0} MB/s",
                ROWS as f64 / seconds / 1e6,
                bytes as f64 / seconds / 1e6
            );
        }
        server.stop().await;
    });
}
