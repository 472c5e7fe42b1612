//! PRELOGIN (MS-TDS 2.2.6.5): how much is encrypted, agreed on before the driver sees the connection.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::tls::{self, Handshake};
use super::wire::{Channel, Wire};
use super::{END_OF_MESSAGE, HEADER, PacketType, header};
use crate::endpoint::{Encryption, Endpoint};
use crate::error::{ErrorKind, Result, SqlServerError};

const VERSION: u8 = 0x00;
const ENCRYPTION: u8 = 0x01;
const INSTANCE: u8 = 0x02;
const THREAD_ID: u8 = 0x03;
const MARS: u8 = 0x04;
const TERMINATOR: u8 = 0xFF;

/// The values of the encryption option.
const ENCRYPT_OFF: u8 = 0x00;
const ENCRYPT_ON: u8 = 0x01;
const ENCRYPT_NOT_SUPPORTED: u8 = 0x02;
const ENCRYPT_REQUIRED: u8 = 0x03;

/// Longest answer that is taken; servers send some fifty bytes.
const LONGEST_ANSWER: usize = 4096;

/// Agrees on encryption and carries out the TLS handshake. What the driver then finds is a server that has
/// answered its PRELOGIN and does not encrypt. `spoke` tells afterwards whether anything came at all.
///
/// # Errors
/// [`ErrorKind::Connect`] for an answer that is no SQL Server's, [`ErrorKind::Tls`] where the two sides cannot agree or
/// the certificate is not trusted, and [`ErrorKind::ConnectionLost`].
pub(in crate::driver) async fn negotiate(
    socket: TcpStream,
    endpoint: &Endpoint,
    host: &str,
    spoke: &AtomicBool,
) -> Result<Wire> {
    let lost = |error: io::Error| match error.kind() {
        io::ErrorKind::InvalidData => no_sql_server(endpoint, &error),
        _ => tls::lost(endpoint, &error),
    };
    if endpoint.encryption == Encryption::Strict {
        let mut stream = tls::connect(Handshake::bare(socket), endpoint, host).await?;
        let answer = ask(&mut stream, ENCRYPT_REQUIRED, spoke)
            .await
            .map_err(lost)?;
        return Ok(Wire::new(
            Channel::Tls(Box::new(stream)),
            unencrypted(answer),
        ));
    }
    let mut socket = socket;
    let wanted = match endpoint.encryption {
        Encryption::On | Encryption::Strict => ENCRYPT_REQUIRED,
        Encryption::LoginOnly => ENCRYPT_OFF,
        Encryption::Off => ENCRYPT_NOT_SUPPORTED,
    };
    let answer = ask(&mut socket, wanted, spoke).await.map_err(lost)?;
    let offered = encryption(&answer)
        .copied()
        .unwrap_or(ENCRYPT_NOT_SUPPORTED);
    let channel = match (endpoint.encryption, offered) {
        (Encryption::Off, ENCRYPT_REQUIRED | ENCRYPT_ON) => {
            return Err(SqlServerError::new(
                ErrorKind::Tls,
                format!("{endpoint} insists on encryption, and encrypt=disable forbids it"),
            )
            .with_hint("write encrypt=true, or leave the option out"));
        }
        (Encryption::On, ENCRYPT_OFF | ENCRYPT_NOT_SUPPORTED) => {
            return Err(SqlServerError::new(
                ErrorKind::Tls,
                format!("{endpoint} does not encrypt, and encrypt=true asks for it"),
            )
            .with_hint(
                "set up encryption on the server, or write encrypt=false on a network that you trust",
            ));
        }
        (Encryption::Off, _) => Channel::Plain(socket),
        // As with Microsoft's drivers, encryption that is optional is left out where there is none.
        (_, ENCRYPT_NOT_SUPPORTED) => {
            tracing::warn!(%endpoint, "the server does not encrypt; the login goes in the clear");
            Channel::Plain(socket)
        }
        (encryption, offered) => {
            let mut stream = tls::connect(Handshake::in_packets(socket), endpoint, host).await?;
            tls::end_handshake(&mut stream);
            match (encryption, offered) {
                (Encryption::LoginOnly, ENCRYPT_OFF) => Channel::LoginOnly(Box::new(stream)),
                _ => Channel::Tls(Box::new(stream)),
            }
        }
    };
    Ok(Wire::new(channel, unencrypted(answer)))
}

/// That something else than a SQL Server listens there, which trying again does not change.
fn no_sql_server(endpoint: &Endpoint, why: &io::Error) -> SqlServerError {
    SqlServerError::new(
        ErrorKind::Connect,
        format!("what answers at {endpoint} is no SQL Server: {why}"),
    )
    .with_hint(
        "check host and port: SQL Server listens on 1433 unless it is set up otherwise, and a named instance on a port of \
         its own, which SQL Server Configuration Manager and the server's log tell",
    )
}

/// What the beginning of an answer is that is none of TDS.
fn what_speaks(beginning: &[u8]) -> &'static str {
    match beginning {
        [b'H', b'T', b'T', b'P', ..] => "it speaks HTTP",
        [b'S', b'S', b'H', ..] => "it speaks SSH",
        // An alert or a handshake (RFC 8446, section 5.1).
        [0x15 | 0x16, 0x03, ..] => {
            "it speaks TLS from the first byte, as a SQL Server does for encrypt=strict alone"
        }
        _ => "its answer is none of the protocol TDS",
    }
}

/// Sends a PRELOGIN and reads the whole message that answers it, packet header included.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] where it is no answer of a SQL Server, as soon as that can be seen.
async fn ask<S>(stream: &mut S, encryption: u8, spoke: &AtomicBool) -> io::Result<Vec<u8>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let options: [(u8, &[u8]); 5] = [
        // The driver's own version would do as well; servers log it.
        (VERSION, &[0, 1, 0, 0, 0, 0]),
        (ENCRYPTION, &[encryption]),
        (INSTANCE, &[0]),
        (THREAD_ID, &[0, 0, 0, 0]),
        // One request at a time.
        (MARS, &[0]),
    ];
    let mut body = Vec::new();
    let mut start = options.len() * 5 + 1;
    for (option, value) in options {
        body.push(option);
        body.extend((start as u16).to_be_bytes());
        body.extend((value.len() as u16).to_be_bytes());
        start += value.len();
    }
    body.push(TERMINATOR);
    for (_, value) in options {
        body.extend(value);
    }
    let length = (HEADER + body.len()) as u16;
    let mut packet = header(PacketType::Prelogin, END_OF_MESSAGE, length, 1).to_vec();
    packet.append(&mut body);
    stream.write_all(&packet).await?;
    stream.flush().await?;

    let mut answer = vec![0; HEADER];
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
    // Who speaks something else may say less than a header, and wait.
    let came = stream.read(&mut answer).await?;
    let (beginning, rest) = answer.split_at_mut(came);
    match beginning.first() {
        None => return Err(io::ErrorKind::UnexpectedEof.into()),
        Some(kind) if *kind != PacketType::Response as u8 => {
            return Err(invalid(what_speaks(beginning)));
        }
        Some(_) => spoke.store(true, Ordering::Relaxed),
    }
    stream.read_exact(rest).await?;
    let [kind, status, high, low, ..] = answer.as_slice() else {
        return Err(invalid("a packet without a header"));
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let is_answer = *kind == PacketType::Response as u8 && status & END_OF_MESSAGE != 0;
    if !is_answer || !(HEADER..=LONGEST_ANSWER).contains(&length) {
        return Err(invalid("its answer is none to the first message of TDS"));
    }
    answer.resize(length, 0);
    if let Some(body) = answer.get_mut(HEADER..) {
        stream.read_exact(body).await?;
    }
    Ok(answer)
}

/// Where the value of the encryption option stands in an answer.
fn encryption_at(answer: &[u8]) -> Option<usize> {
    let mut options = answer.get(HEADER..)?;
    while let [option, high, low, _, length, rest @ ..] = options {
        match *option {
            TERMINATOR => return None,
            ENCRYPTION if *length > 0 => {
                return Some(HEADER + usize::from(u16::from_be_bytes([*high, *low])));
            }
            _ => options = rest,
        }
    }
    None
}

fn encryption(answer: &[u8]) -> Option<&u8> {
    answer.get(encryption_at(answer)?)
}

/// The answer of a server that does not encrypt: what is to be encrypted is so already, below the driver.
fn unencrypted(mut answer: Vec<u8>) -> Vec<u8> {
    if let Some(value) = encryption_at(&answer).and_then(|at| answer.get_mut(at)) {
        *value = ENCRYPT_NOT_SUPPORTED;
    }
    answer
}
