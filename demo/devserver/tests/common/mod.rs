//! A server and tiberius clients on it.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

pub mod raw;

use icehost_devserver::{Builder, DevServer, RunningServer};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

pub type TestClient = Client<Compat<TcpStream>>;

pub const PASSWORD: &str = "a Pa$$w\u{f6}rd; with {everything}";

pub fn builder() -> Builder {
    DevServer::builder().password(PASSWORD).database("Test")
}

pub async fn server() -> RunningServer {
    builder().start().await.unwrap()
}

pub fn config(server: &RunningServer) -> Config {
    let mut config = Config::new();
    config.host("127.0.0.1");
    config.port(server.addr().port());
    config.database("Test");
    config.authentication(AuthMethod::sql_server("sa", PASSWORD));
    config.encryption(EncryptionLevel::NotSupported);
    config.trust_cert();
    config
}

pub async fn connect_with(config: Config) -> tiberius::Result<TestClient> {
    let socket = TcpStream::connect(config.get_addr()).await.unwrap();
    socket.set_nodelay(true).unwrap();
    Client::connect(config, socket.compat_write()).await
}

pub async fn connect(server: &RunningServer) -> TestClient {
    connect_with(config(server)).await.unwrap()
}

/// The number of the SQL error that something failed with.
pub fn number(error: &tiberius::error::Error) -> Option<u32> {
    match error {
        tiberius::error::Error::Server(token) => Some(token.code()),
        _ => None,
    }
}
