//! Encryption: a certificate made at start, and the handshake in its two forms.
//!
//! TDS 7.x carries the handshake inside of PRELOGIN packets and then goes on over the encrypted stream, or,
//! when only the login is to be encrypted, in the clear again. TDS 8.0 starts with TLS like any other
//! protocol (MS-TDS 2.2.6.5 and 3.2.5.2).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::packet::{DEFAULT_PACKET_SIZE, END_OF_MESSAGE, HEADER, PacketType};

/// How the server takes part in encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tls {
    /// Not at all: a client that insists is refused.
    None,
    /// As the client likes: everything, the login alone, or nothing.
    #[default]
    Offered,
    /// Everything is encrypted; a client that cannot is refused.
    Required,
}

/// The names for which the certificate is made.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A self-signed certificate for `localhost` and the ways to use it.
pub(crate) struct Certificate {
    pub(crate) pem: String,
    /// For TDS 7.x: TLS 1.2, whose handshake ends within the PRELOGIN packets.
    wrapped: TlsAcceptor,
    /// For TDS 8.0.
    strict: TlsAcceptor,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    #[error("{0}")]
    Generate(#[from] rcgen::Error),
    #[error("{0}")]
    Configure(#[from] rustls::Error),
}

impl Certificate {
    pub(crate) fn generate(own_authority: bool) -> Result<Self, CertificateError> {
        let mut params = CertificateParams::new(NAMES.map(str::to_owned))?;
        params
            .distinguished_name
            .push(DnType::CommonName, "icehost development SQL Server");
        let key = KeyPair::generate()?;
        if own_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let certificate = params.self_signed(&key)?;
        let chain = vec![certificate.der().clone()];
        let key = key.serialize_der();
        let mut strict = config(
            &chain,
            &key,
            &[&rustls::version::TLS13, &rustls::version::TLS12],
        )?;
        strict.alpn_protocols = vec![b"tds/8.0".to_vec()];
        Ok(Self {
            pem: certificate.pem(),
            wrapped: TlsAcceptor::from(Arc::new(config(&chain, &key, &[&rustls::version::TLS12])?)),
            strict: TlsAcceptor::from(Arc::new(strict)),
        })
    }

    /// The handshake of TDS 7.x, after PRELOGIN.
    pub(crate) async fn accept_wrapped(
        &self,
        stream: TcpStream,
    ) -> io::Result<TlsStream<Handshake>> {
        let mut tls = self.wrapped.accept(Handshake::wrapped(stream)).await?;
        tls.get_mut().0.finish()?;
        Ok(tls)
    }

    /// The handshake of TDS 8.0, before PRELOGIN.
    pub(crate) async fn accept_strict(
        &self,
        stream: TcpStream,
    ) -> io::Result<TlsStream<Handshake>> {
        self.strict.accept(Handshake::bare(stream)).await
    }
}

fn config(
    chain: &[CertificateDer<'static>],
    key: &[u8],
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Result<ServerConfig, rustls::Error> {
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_single_cert(
            chain.to_vec(),
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec())),
        )
}

/// The socket under TLS, which wraps what goes through it into PRELOGIN packets until the handshake is over.
#[derive(Debug)]
pub(crate) struct Handshake {
    socket: TcpStream,
    wrapping: bool,
    /// The header being read, and how much of it there is.
    header: [u8; HEADER],
    header_read: usize,
    /// Bytes of the current packet still to come.
    payload_left: usize,
    /// Handshake bytes to be sent with the next flush.
    unframed: Vec<u8>,
    framed: Vec<u8>,
    framed_sent: usize,
}

impl Handshake {
    fn wrapped(socket: TcpStream) -> Self {
        Self {
            socket,
            wrapping: true,
            header: [0; HEADER],
            header_read: 0,
            payload_left: 0,
            unframed: Vec::new(),
            framed: Vec::new(),
            framed_sent: 0,
        }
    }

    fn bare(socket: TcpStream) -> Self {
        Self {
            wrapping: false,
            ..Self::wrapped(socket)
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.payload_left > 0 || self.header_read > 0 || !self.unframed.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the TLS handshake ended within a PRELOGIN packet",
            ));
        }
        self.wrapping = false;
        Ok(())
    }

    pub(crate) fn into_socket(self) -> TcpStream {
        self.socket
    }

    fn poll_header(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.header_read < HEADER {
            let mut rest =
                ReadBuf::new(self.header.get_mut(self.header_read..).unwrap_or_default());
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut rest))?;
            match rest.filled().len() {
                0 => return Poll::Ready(Ok(false)),
                read => self.header_read += read,
            }
        }
        let [kind, _, high, low, ..] = self.header;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if kind != PacketType::PreLogin.byte() || length < HEADER {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "a packet of type 0x{kind:02X} and {length} bytes within the TLS handshake"
                ),
            )));
        }
        self.header_read = 0;
        self.payload_left = length - HEADER;
        Poll::Ready(Ok(true))
    }
}

impl AsyncRead for Handshake {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.wrapping {
            return Pin::new(&mut this.socket).poll_read(cx, out);
        }
        while this.payload_left == 0 {
            if !ready!(this.poll_header(cx))? {
                return Poll::Ready(Ok(()));
            }
        }
        let mut part = vec![0; this.payload_left.min(out.remaining())];
        let mut part = ReadBuf::new(&mut part);
        ready!(Pin::new(&mut this.socket).poll_read(cx, &mut part))?;
        this.payload_left -= part.filled().len();
        out.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Handshake {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.wrapping {
            return Pin::new(&mut this.socket).poll_write(cx, bytes);
        }
        this.unframed.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.unframed.is_empty() {
            let unframed = std::mem::take(&mut this.unframed);
            let mut parts = unframed.chunks(DEFAULT_PACKET_SIZE - HEADER).peekable();
            while let Some(part) = parts.next() {
                let status = if parts.peek().is_none() {
                    END_OF_MESSAGE
                } else {
                    0
                };
                let [high, low] = u16::try_from(HEADER + part.len())
                    .unwrap_or(u16::MAX)
                    .to_be_bytes();
                this.framed.extend_from_slice(&[
                    PacketType::PreLogin.byte(),
                    status,
                    high,
                    low,
                    0,
                    0,
                    0,
                    0,
                ]);
                this.framed.extend_from_slice(part);
            }
        }
        while this.framed_sent < this.framed.len() {
            let rest = this.framed.get(this.framed_sent..).unwrap_or_default();
            match ready!(Pin::new(&mut this.socket).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => this.framed_sent += sent,
            }
        }
        this.framed.clear();
        this.framed_sent = 0;
        Pin::new(&mut this.socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
