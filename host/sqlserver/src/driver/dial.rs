//! Opening a connection.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tiberius::error::Error;
use tiberius::{AuthMethod, Config, EncryptionLevel};
use tokio::net::{TcpStream, lookup_host};
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::{Client, Fuse, failure, transport};
use crate::endpoint::Endpoint;
use crate::error::{ErrorKind, Result, SqlServerError};
use crate::server_info::Quirks;
use crate::servers::Servers;

/// Silent for this long, a connection is probed, so that a vanished server is noticed during a long query.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// SqlClient's default; larger packets bring no measurable gain, and beyond 8,060 bytes SQL Server allocates its
/// buffers elsewhere.
const PACKET_SIZE: u32 = 8000;
/// Azure SQL sends a client on once, from its gateway to the node.
const MAX_ATTEMPTS: usize = 4;

/// Probes that may go unanswered, and the time between them: a vanished server is noticed within a minute and a half.
const KEEPALIVE_PROBES: u32 = 6;
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Connects and logs in; `servers` knows which logins are of no use.
pub(crate) async fn connect(endpoint: &Endpoint, servers: &Servers) -> Result<Client> {
    let limit = endpoint
        .connect_timeout
        .unwrap_or(Endpoint::CONNECT_TIMEOUT);
    let spoke = AtomicBool::new(false);
    match tokio::time::timeout(limit, establish(endpoint, servers, &spoke)).await {
        Ok(client) => client,
        Err(_) => {
            let silent = SqlServerError::new(
                ErrorKind::Timeout,
                format!("{endpoint} did not answer within {} s", limit.as_secs()),
            )
            .with_hint(
                "check host, port and firewall (a named instance listens on a port of its own), or allow more time with \
                 connect_timeout",
            );
            // What has never said a word is more likely another program than a server that is slow.
            match spoke.load(Ordering::Relaxed) || servers.has_reached(endpoint) {
                true => Err(silent),
                false => Err(silent.given_up()),
            }
        }
    }
}

async fn establish(endpoint: &Endpoint, servers: &Servers, spoke: &AtomicBool) -> Result<Client> {
    let mut target = (endpoint.host.clone(), endpoint.port);
    for _ in 0..MAX_ATTEMPTS {
        let config = config(endpoint, &target.0, target.1)?;
        let stream = dial(endpoint, &target.0, target.1).await?;
        let socket = duplicate(&stream).map_err(|error| no_connection(endpoint, &error))?;
        let wire = transport::negotiate(stream, endpoint, &target.0, spoke).await?;
        let turn = servers.turn(endpoint).await?;
        match tiberius::Client::connect(config, wire.clone().compat()).await {
            Ok(inner) => {
                servers.let_in(endpoint, turn).await;
                tracing::debug!(%endpoint, packet_size = wire.packet_size(), "logged in");
                return Ok(Client {
                    inner,
                    wire,
                    quirks: Quirks::default(),
                    fuse: Arc::new(Fuse::new(socket)),
                    endpoint: endpoint.clone(),
                });
            }
            Err(Error::Routing { host, port }) => {
                tracing::debug!(%endpoint, host, port, "the server sends the client on");
                target = (host, port);
            }
            Err(error) => {
                let error = match wire.broken() {
                    Some(bound) => failure::from_io(&bound, endpoint),
                    None => failure::from_handshake(error, endpoint),
                };
                return Err(servers.failed(endpoint, turn, error).await);
            }
        }
    }
    Err(SqlServerError::new(
        ErrorKind::Connect,
        format!("{endpoint} sends its clients in circles"),
    )
    .with_hint("name the server itself and not its gateway, or ask who runs it"))
}

/// Tries every address of the host.
async fn dial(endpoint: &Endpoint, host: &str, port: u16) -> Result<TcpStream> {
    let addresses = lookup_host((host, port)).await.map_err(|error| {
        if icehost_untrusted::shortage(&error).is_some() {
            return no_connection(endpoint, &error);
        }
        SqlServerError::new(
            ErrorKind::Connect,
            format!("the host of {endpoint} is not known: {error}"),
        )
        .with_hint("check the host's name")
    })?;
    let mut last = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                tune(&stream).map_err(|error| no_connection(endpoint, &error))?;
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(error) => no_connection(endpoint, &error),
        None => SqlServerError::new(
            ErrorKind::Connect,
            format!("the host of {endpoint} has no address"),
        )
        .with_hint("check the host's name"),
    })
}

fn no_connection(endpoint: &Endpoint, error: &io::Error) -> SqlServerError {
    let failed = SqlServerError::new(
        ErrorKind::Connect,
        format!("no connection to {endpoint}: {error}"),
    );
    match icehost_untrusted::shortage(error) {
        // The server has nothing to do with it, and waiting for it does not help.
        Some(hint) => failed.with_hint(hint).given_up(),
        None => failed.with_hint(
            "check that SQL Server runs there, listens on TCP, and that no firewall is in between",
        ),
    }
}

fn tune(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// A second handle on the same socket, to close it by.
fn duplicate(stream: &TcpStream) -> std::io::Result<std::net::TcpStream> {
    Ok(SockRef::from(stream).try_clone()?.into())
}

fn config(endpoint: &Endpoint, host: &str, port: u16) -> Result<Config> {
    let (Some(user), Some(password)) = (&endpoint.user, endpoint.password()) else {
        let lacking = match (&endpoint.user, endpoint.has_password()) {
            (None, false) => "no user and no password",
            (None, true) => "no user",
            (Some(_), _) => "no password",
        };
        return Err(SqlServerError::new(
            ErrorKind::Login,
            format!("there is {lacking} for {endpoint}"),
        )
        .with_hint(
            "write user and password into the URL, mssql://user:password@host/database: a variable such as ICEHOST_SOURCE \
             keeps it out of the list of processes",
        ));
    };
    let mut config = Config::new();
    config.host(host);
    config.port(port);
    if let Some(database) = &endpoint.database {
        config.database(database);
    }
    config.authentication(AuthMethod::sql_server(user, password));
    config.application_name(endpoint.application_name.as_deref().unwrap_or("icehost"));
    config.packet_size(endpoint.packet_size.unwrap_or(PACKET_SIZE));
    config.readonly(endpoint.read_only);
    // What is encrypted is so below the driver.
    config.encryption(EncryptionLevel::NotSupported);
    // Both would count waiting for the server's work as well; `connect` bounds the login itself.
    config.handshake_timeout(None);
    config.command_timeout(None);
    Ok(config)
}
