//! TLS: the handshake inside of TDS packets.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::version::TLS12;

use super::trust;
use super::{END_OF_MESSAGE, HEADER, PacketType, header};
use crate::endpoint::{Encryption, Endpoint};
use crate::error::{ErrorKind, Result, SqlServerError};

/// An encrypted connection.
pub(super) type Tls = TlsStream<Handshake>;

/// What TDS 8.0 is called in TLS (MS-TDS 3.2.5.1).
const ALPN_TDS_8: &[u8] = b"tds/8.0";
/// The most that a packet of the handshake takes; every server knows packets of 4096 bytes.
const PACKET_BODY: usize = 4096 - HEADER;

/// Carries out the handshake; the certificate is checked as the endpoint says.
///
/// # Errors
/// [`ErrorKind::Tls`] for a certificate that is not trusted, [`ErrorKind::ConnectionLost`] otherwise.
pub(super) async fn connect(stream: Handshake, endpoint: &Endpoint, host: &str) -> Result<Tls> {
    let config = config(endpoint)?;
    let name = endpoint.certificate_host.as_deref().unwrap_or(host);
    let name = ServerName::try_from(name.to_owned())
        .map_err(|error| refused(endpoint, &error.to_string()))?;
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                refused(endpoint, &error.to_string())
            }
            _ => lost(endpoint, &error),
        })
}

/// A connection that broke before anybody was logged in.
pub(super) fn lost(endpoint: &Endpoint, error: &io::Error) -> SqlServerError {
    let lost = SqlServerError::new(
        ErrorKind::ConnectionLost,
        format!("the connection to {endpoint} broke during the login: {error}"),
    );
    // A server without TLS 8.0, or none at all, hangs up on the first byte.
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => lost.with_hint(
            "check that this is SQL Server's port and that it speaks the requested encryption",
        ),
        _ => lost,
    }
}

/// What follows is no longer wrapped.
pub(super) fn end_handshake(stream: &mut Tls) {
    stream.get_mut().0.framing = None;
}

pub(super) fn refused(endpoint: &Endpoint, reason: &str) -> SqlServerError {
    SqlServerError::new(
        ErrorKind::Tls,
        format!(
            "no encrypted connection to {endpoint}: {}",
            endpoint.scrub(reason.trim_end_matches('.'))
        ),
    )
    .with_hint(
        "name the certificate's authority with certificate=FILE; trust_server_certificate=true skips the check, \
         on a network that you trust",
    )
}

fn config(endpoint: &Endpoint) -> Result<ClientConfig> {
    let provider = CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(ring::default_provider()));
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = match endpoint.encryption {
        // TLS 1.3 sends session tickets after the handshake, when this connection is in the clear already.
        Encryption::LoginOnly => builder.with_protocol_versions(&[&TLS12]),
        _ => builder.with_safe_default_protocol_versions(),
    }
    .map_err(|error| refused(endpoint, &error.to_string()))?;
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(trust::verifier(endpoint, provider)?)
        .with_no_client_auth();
    if endpoint.encryption == Encryption::Strict {
        config.alpn_protocols = vec![ALPN_TDS_8.to_vec()];
    }
    Ok(config)
}

/// The socket below TLS. Until TDS 8.0, the handshake's bytes travel in PRELOGIN packets (MS-TDS 3.2.5.2).
pub(super) struct Handshake {
    socket: TcpStream,
    framing: Option<Framing>,
    received: u64,
}

#[derive(Default)]
struct Framing {
    /// Waits for the next flush, so that what belongs together goes in one message.
    outgoing: Vec<u8>,
    /// Packets under way, and how much of them the socket has taken.
    sending: Vec<u8>,
    sent: usize,
    header: [u8; HEADER],
    header_read: usize,
    /// What is left of the body of the packet that is being read.
    body_left: usize,
}

impl Handshake {
    /// For TDS 8.0, where nothing is wrapped.
    pub(super) fn bare(socket: TcpStream) -> Handshake {
        Handshake {
            socket,
            framing: None,
            received: 0,
        }
    }

    /// For TDS 7.
    pub(super) fn in_packets(socket: TcpStream) -> Handshake {
        Handshake {
            socket,
            framing: Some(Framing::default()),
            received: 0,
        }
    }

    /// Bytes that have come since the handshake.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn into_socket(self) -> TcpStream {
        self.socket
    }
}

impl Framing {
    fn pack(&mut self) {
        let packets = self.outgoing.len().div_ceil(PACKET_BODY);
        for (at, body) in self.outgoing.chunks(PACKET_BODY).enumerate() {
            let status = if at + 1 == packets { END_OF_MESSAGE } else { 0 };
            let length = (body.len() + HEADER) as u16;
            let id = (at + 1) as u8;
            self.sending
                .extend(header(PacketType::Prelogin, status, length, id));
            self.sending.extend(body);
        }
        self.outgoing.clear();
    }

    fn poll_send(&mut self, socket: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pack();
        while let Some(rest @ [_, ..]) = self.sending.get(self.sent..) {
            let sent = ready!(Pin::new(&mut *socket).poll_write(cx, rest))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
        }
        self.sending.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Handshake {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Handshake {
            socket,
            framing,
            received,
        } = self.get_mut();
        let Some(framing) = framing else {
            let before = buf.filled().len();
            ready!(Pin::new(socket).poll_read(cx, buf))?;
            *received += (buf.filled().len() - before) as u64;
            return Poll::Ready(Ok(()));
        };
        ready!(framing.poll_send(socket, cx))?;
        while framing.body_left == 0 {
            let Some(missing) = framing.header.get_mut(framing.header_read..) else {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            };
            let mut part = ReadBuf::new(missing);
            ready!(Pin::new(&mut *socket).poll_read(cx, &mut part))?;
            let read = part.filled().len();
            if read == 0 {
                return Poll::Ready(Ok(()));
            }
            framing.header_read += read;
            if framing.header_read == HEADER {
                let [_, _, high, low, ..] = framing.header;
                let length = usize::from(u16::from_be_bytes([high, low]));
                framing.body_left = length.saturating_sub(HEADER);
                framing.header_read = 0;
            }
        }
        let room = framing.body_left.min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(room));
        ready!(Pin::new(socket).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        framing.body_left -= read;
        buf.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Handshake {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Handshake {
            socket, framing, ..
        } = self.get_mut();
        match framing {
            None => Pin::new(socket).poll_write(cx, buf),
            Some(framing) => {
                framing.outgoing.extend_from_slice(buf);
                Poll::Ready(Ok(buf.len()))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Handshake {
            socket, framing, ..
        } = self.get_mut();
        if let Some(framing) = framing {
            ready!(framing.poll_send(socket, cx))?;
        }
        Pin::new(socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
