//! The way from an accepted socket to a session: PRELOGIN, encryption, LOGIN7.

use std::sync::Arc;
use std::time::Duration;

use icehost_devengine::session::SqlError;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::connection::{Connection, ConnectionError};
use crate::login::{Login, TdsVersion};
use crate::packet::{DEFAULT_PACKET_SIZE, PacketReader, PacketType, PacketWriter};
use crate::prelogin::{self, Agreement};
use crate::protocol_error::ProtocolError;
use crate::server::Shared;
use crate::tls::Tls;
use crate::token::done::{Done, Scope};
use crate::token::{environment, login_ack, message};
use crate::transport::Transport;
use crate::value::collation;
use crate::worker::{self, OpenError, SessionHandle};

/// How long a client may take until it is logged in.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest PRELOGIN or LOGIN7 taken, in bytes.
const MAX_MESSAGE: usize = 128 << 10;
/// The first byte of a TLS record that carries a handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// Serves one client from its first byte to its last.
pub(crate) async fn serve(socket: TcpStream, shared: Arc<Shared>) -> Result<(), ConnectionError> {
    socket.set_nodelay(true)?;
    let login = tokio::time::timeout(LOGIN_TIMEOUT, establish(socket, shared));
    match login.await {
        Ok(Ok(Some(connection))) => connection.serve().await,
        Ok(Ok(None)) => Ok(()),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(ConnectionError::Protocol(format!(
            "no login within {} s",
            LOGIN_TIMEOUT.as_secs()
        ))),
    }
}

/// Reads one message of the kind that must come next.
async fn read_message(
    reader: &mut PacketReader,
    stream: &mut Transport,
    expected: PacketType,
) -> Result<Vec<u8>, ConnectionError> {
    let mut message = Vec::new();
    loop {
        let packet = reader.next(stream).await?;
        if packet.kind != expected {
            return Err(ConnectionError::Protocol(format!(
                "a packet of type {:?} where {expected:?} belongs",
                packet.kind
            )));
        }
        if message.len() + packet.payload.len() > MAX_MESSAGE {
            return Err(ConnectionError::Protocol(format!(
                "{expected:?} is longer than {MAX_MESSAGE} bytes"
            )));
        }
        message.extend_from_slice(&packet.payload);
        if packet.is_last() {
            return Ok(message);
        }
    }
}

fn malformed(error: &ProtocolError) -> ConnectionError {
    ConnectionError::Protocol(error.to_string())
}

/// Logs the client in; `None` where it was refused, told so, and hung up on.
async fn establish(
    socket: TcpStream,
    shared: Arc<Shared>,
) -> Result<Option<Connection>, ConnectionError> {
    let mut first = [0];
    if socket.peek(&mut first).await? == 0 {
        return Ok(None);
    }
    let strict = first == [TLS_HANDSHAKE] && shared.tls != Tls::None;
    let mut stream = if strict {
        Transport::Tls(Box::new(shared.certificate.accept_strict(socket).await?))
    } else {
        Transport::Plain(socket)
    };
    let mut reader = PacketReader::default();
    let mut writer = PacketWriter::new();

    let options = read_message(&mut reader, &mut stream, PacketType::PreLogin).await?;
    let wanted = prelogin::read(&options).map_err(|error| malformed(&error))?;
    let (answer, agreement) = prelogin::agree(shared.tls, wanted);
    writer
        .write(&mut stream, PacketType::Response, &prelogin::answer(answer))
        .await?;
    writer.finish(&mut stream, PacketType::Response).await?;
    let mut login_only = false;
    if !strict {
        match agreement {
            Agreement::Plain => {}
            Agreement::Refused => {
                tracing::info!(?wanted, "client and server cannot agree on encryption");
                stream.shutdown().await?;
                return Ok(None);
            }
            Agreement::LoginOnly | Agreement::Encrypted => {
                login_only = agreement == Agreement::LoginOnly;
                stream = encrypt(stream, &reader, &shared).await?;
            }
        }
    }

    let message = read_message(&mut reader, &mut stream, PacketType::Login7).await?;
    if login_only {
        if reader.pending() > 0 {
            return Err(ConnectionError::Protocol(
                "data after LOGIN7, before its answer".into(),
            ));
        }
        stream = stream.into_plain();
    }
    let mut tokens = Vec::new();
    let accepted = match Login::read(&message) {
        Ok(login) => log_in(&shared, login, &mut tokens).await,
        Err(error) => {
            message::write_error(&error.to_sql_error(), &mut tokens);
            None
        }
    };
    let Some(Accepted {
        session,
        packet_size,
    }) = accepted
    else {
        Done {
            error: true,
            ..Done::plain(Scope::Statement)
        }
        .write(&mut tokens);
        writer
            .write(&mut stream, PacketType::Response, &tokens)
            .await?;
        writer.finish(&mut stream, PacketType::Response).await?;
        stream.shutdown().await?;
        return Ok(None);
    };
    Done::plain(Scope::Statement).write(&mut tokens);
    writer
        .write(&mut stream, PacketType::Response, &tokens)
        .await?;
    writer.finish(&mut stream, PacketType::Response).await?;
    writer.set_packet_size(packet_size);
    writer.take_packet_count();
    Ok(Some(Connection {
        shared,
        stream,
        reader,
        writer,
        session,
    }))
}

async fn encrypt(
    stream: Transport,
    reader: &PacketReader,
    shared: &Shared,
) -> Result<Transport, ConnectionError> {
    if reader.pending() > 0 {
        return Err(ConnectionError::Protocol(
            "data after PRELOGIN, before its answer".into(),
        ));
    }
    match stream {
        Transport::Plain(socket) => Ok(Transport::Tls(Box::new(
            shared.certificate.accept_wrapped(socket).await?,
        ))),
        encrypted @ Transport::Tls(_) => Ok(encrypted),
    }
}

struct Accepted {
    session: SessionHandle,
    packet_size: usize,
}

/// Checks a login, opens its session and writes the answer, but for the DONE.
async fn log_in(shared: &Arc<Shared>, login: Login, tokens: &mut Vec<u8>) -> Option<Accepted> {
    if let Some(error) = shared.faults.refuse_login() {
        message::write_error(&error, tokens);
        return None;
    }
    let Some(version) = TdsVersion::negotiate(login.version) else {
        tracing::info!(?login, "a version of TDS below 7.3");
        let error = ProtocolError::Unsupported(format!(
            "TDS version 0x{:08X}; it speaks 7.3, 7.4 and 8.0",
            login.version
        ));
        message::write_error(&error.to_sql_error(), tokens);
        return None;
    };
    if !shared.admits(&login) {
        shared.statistics.wrong_login();
        tracing::info!(user = login.user, host = login.host, "a login failed");
        message::write_error(&login_failed(&login.user), tokens);
        return None;
    }
    let session = match worker::open(Arc::clone(shared), &login, version).await {
        Ok(session) => session,
        Err(OpenError::Refused(error)) => {
            message::write_error(&error, tokens);
            message::write_error(&login_failed(&login.user), tokens);
            return None;
        }
        Err(error) => {
            tracing::error!(%error, "no session for a login");
            return None;
        }
    };
    tracing::debug!(?login, "logged in");
    shared.statistics.login();
    environment::write_database(&session.database, "master", tokens);
    let text = format!("Changed database context to '{}'.", session.database);
    message::write_info(&info(5701, 2, text), tokens);
    environment::write_collation(collation::DEFAULT, tokens);
    environment::write_language("us_english", "", tokens);
    let text = "Changed language setting to us_english.".to_owned();
    message::write_info(&info(5703, 1, text), tokens);
    login_ack::write(version, tokens);
    environment::write_packet_size(login.packet_size, DEFAULT_PACKET_SIZE, tokens);
    if login.wants_utf8 && version.has_features() {
        login_ack::write_utf8_support(tokens);
    }
    Some(Accepted {
        session,
        packet_size: login.packet_size,
    })
}

/// One text for a wrong user and a wrong password.
fn login_failed(user: &str) -> SqlError {
    SqlError {
        number: 18456,
        state: 1,
        class: 14,
        message: format!("Login failed for user '{user}'."),
        line: 1,
        aborts_batch: true,
    }
}

fn info(number: u32, state: u8, message: String) -> SqlError {
    SqlError {
        number,
        state,
        class: 0,
        message,
        line: 1,
        aborts_batch: false,
    }
}
