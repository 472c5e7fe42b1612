//! The seeds, recorded from the development server: `ICEHOST_RECORD_SEEDS=1` writes them anew.
#![allow(clippy::unwrap_used)]

use icehost_devserver::{DevServer, RunningServer};
use tiberius::{AuthMethod, EncryptionLevel};
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::*;

const TABLES: [(&str, &str); 2] = [
    (
        "every-type",
        "CREATE TABLE dbo.T (a int PRIMARY KEY, b nvarchar(50) NULL, c bit NULL, d bigint NULL, e real NULL, \
         f float NULL, g decimal(18,4) NULL, h money NULL, i date NULL, j time(7) NULL, k datetime NULL, \
         l datetime2(7) NULL, m datetimeoffset(7) NULL, n uniqueidentifier NULL, o binary(8) NULL, \
         p varchar(10) NULL, q smalldatetime NULL, r tinyint NULL, s smallmoney NULL); \
         INSERT dbo.T VALUES (1, N'né', 1, 2, 3, 4, 5.5, 6.6, '2026-01-02', '01:02:03.1234567', '2026-01-02', \
         '2026-01-02 03:04:05.1234567', '2026-01-02 03:04:05 +02:00', 'AABBCCDD-0000-1111-2222-333344445555', \
         0x0102030405060708, 'p', '2026-01-02', 7, 8.8); \
         INSERT dbo.T (a) VALUES (2);",
    ),
    (
        "long-values",
        "CREATE TABLE dbo.T (a varchar(max) NULL, b nvarchar(max) NULL, c varbinary(max) NULL); \
         INSERT dbo.T VALUES (REPLICATE('x', 3000), REPLICATE(N'y', 1000), 0x00FF), (NULL, N'', 0x);",
    ),
];

/// Runs what makes the table.
async fn set_up(dev: &RunningServer, sql: &str) {
    let mut config = tiberius::Config::new();
    config.database("Test");
    config.authentication(AuthMethod::sql_server(dev.user(), SECRET));
    config.encryption(EncryptionLevel::NotSupported);
    let socket = TcpStream::connect(dev.addr()).await.unwrap();
    let mut client = tiberius::Client::connect(config, socket.compat())
        .await
        .unwrap();
    let done = client.simple_query(sql).await.unwrap();
    done.into_results().await.unwrap();
}

/// Passes one connection on to a server; what the server said, as [`server`] takes it.
async fn record(listener: TcpListener, upstream: std::net::SocketAddr) -> Vec<u8> {
    let (mut client, _) = listener.accept().await.unwrap();
    let mut upstream = TcpStream::connect(upstream).await.unwrap();
    let (mut asks, mut asked) = client.split();
    let (mut answers, mut answered) = upstream.split();
    let mut recorded = Vec::new();
    let recording = async {
        let mut message = Vec::new();
        loop {
            let mut header = [0; HEADER];
            if answers.read_exact(&mut header).await.is_err() {
                return;
            }
            let [_, status, high, low, ..] = header;
            let mut body = vec![0; usize::from(u16::from_be_bytes([high, low])) - HEADER];
            answers.read_exact(&mut body).await.unwrap();
            asked.write_all(&header).await.unwrap();
            asked.write_all(&body).await.unwrap();
            message.extend(body);
            if status & 1 != 0 {
                let length = u16::try_from(message.len()).unwrap();
                assert!(length < AS_IT_IS);
                recorded.extend(length.to_le_bytes());
                recorded.append(&mut message);
            }
        }
    };
    tokio::select! {
        () = recording => {}
        passed = tokio::io::copy(&mut asks, &mut answered) => { passed.unwrap(); }
    }
    recorded
}

#[tokio::test]
async fn a_session_with_the_development_server_is_read_to_its_end() {
    for (name, sql) in TABLES {
        let dev = DevServer::builder()
            .password(SECRET)
            .database("Test")
            .start()
            .await
            .unwrap();
        set_up(&dev, sql).await;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut reached = Reached::Nothing;
        let (recorded, ended) =
            tokio::join!(record(listener, dev.addr()), session(port, &mut reached));
        ended.unwrap();
        assert_eq!(reached, Reached::Read);
        if std::env::var_os("ICEHOST_RECORD_SEEDS").is_some() {
            let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds/server");
            std::fs::create_dir_all(seeds).unwrap();
            std::fs::write(format!("{seeds}/{name}"), recorded).unwrap();
        }
    }
}
