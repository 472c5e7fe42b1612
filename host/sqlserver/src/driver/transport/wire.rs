//! The stream that the driver talks through, and the way past it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::patience::{Patience, Wait, WaitLimits};
use super::tls::Tls;
use super::{END_OF_MESSAGE, HEADER, PacketType, header};
use crate::driver::gathered::LARGEST_ANSWER;
use crate::driver::tds::{DONE, environment, token};

/// What a server answers to a login is far shorter.
const LONGEST_LOGIN_ANSWER: usize = 64 << 10;

/// What an error of an answer without end is marked by; no socket gives this kind.
pub(in crate::driver) const ANSWER_TOO_LARGE: io::ErrorKind = io::ErrorKind::FileTooLarge;

/// How bytes travel.
pub(super) enum Channel {
    Plain(TcpStream),
    Tls(Box<Tls>),
    /// The login goes encrypted; after it, everything is in the clear (MS-TDS 2.2.6.5, ENCRYPT_OFF).
    LoginOnly(Box<Tls>),
    /// Between two of these.
    Changing,
}

/// A connection that the driver and the readers and writers of whole results share; one at a time uses it.
#[derive(Clone)]
pub(in crate::driver) struct Wire(Arc<Mutex<State>>);

struct State {
    channel: Channel,
    /// What the driver reads before anything that comes over the channel.
    ahead: Vec<u8>,
    ahead_read: usize,
    /// The driver reads nothing but `ahead`.
    diverted: bool,
    /// The driver's message that is being written is dropped: its PRELOGIN, which was sent for it.
    swallowing: bool,
    outgoing: Outgoing,
    /// The answer to the login, as far as it has come.
    login: Option<Vec<u8>>,
    /// The login is written whole, but perhaps not flushed.
    login_written: bool,
    packet_size: usize,
    patience: Patience,
    /// Bytes of the answer that the driver reads.
    answered: u64,
    /// The bound that was broken: of an error of ours the driver hands on no more than the text.
    broken: Option<(io::ErrorKind, String)>,
}

/// Follows the packets that the driver writes.
#[derive(Default)]
struct Outgoing {
    header: [u8; HEADER],
    header_written: usize,
    body_left: usize,
}

impl Outgoing {
    /// Takes note of bytes that were written; whether a message ended with them, and after how many.
    fn note(&mut self, mut bytes: &[u8]) -> Option<usize> {
        let all = bytes.len();
        while !bytes.is_empty() {
            if self.body_left == 0 {
                let missing = HEADER - self.header_written;
                let (head, rest) = bytes.split_at(missing.min(bytes.len()));
                for byte in head {
                    if let Some(slot) = self.header.get_mut(self.header_written) {
                        *slot = *byte;
                    }
                    self.header_written += 1;
                }
                bytes = rest;
                if self.header_written < HEADER {
                    return None;
                }
                let [_, _, high, low, ..] = self.header;
                self.header_written = 0;
                self.body_left =
                    usize::from(u16::from_be_bytes([high, low])).saturating_sub(HEADER);
            } else {
                let (body, rest) = bytes.split_at(self.body_left.min(bytes.len()));
                self.body_left -= body.len();
                bytes = rest;
            }
            let [_, status, ..] = self.header;
            if self.body_left == 0 && self.header_written == 0 && status & END_OF_MESSAGE != 0 {
                return Some(all - bytes.len());
            }
        }
        None
    }
}

impl Wire {
    /// `prelogin` is the server's answer to a PRELOGIN that the driver is yet to send.
    pub(super) fn new(channel: Channel, prelogin: Vec<u8>) -> Wire {
        Wire(Arc::new(Mutex::new(State {
            channel,
            ahead: prelogin,
            ahead_read: 0,
            diverted: false,
            swallowing: true,
            outgoing: Outgoing::default(),
            login: None,
            login_written: false,
            packet_size: 4096,
            patience: Patience::default(),
            answered: 0,
            broken: None,
        })))
    }

    /// Bounds the waits from here on.
    pub(in crate::driver) fn limit_waits(&self, limits: WaitLimits) {
        self.state().patience.set(limits);
    }

    /// The error of the bound that ended the connection, if one did.
    pub(in crate::driver) fn broken(&self) -> Option<io::Error> {
        let state = self.state();
        let (kind, why) = state.broken.as_ref()?;
        Some(io::Error::new(*kind, why.clone()))
    }

    /// A connection to a server that has nothing to agree on.
    #[cfg(test)]
    pub(in crate::driver) fn over(socket: TcpStream) -> Wire {
        Wire::new(Channel::Plain(socket), Vec::new())
    }

    /// The packet size that the server agreed to, header included.
    pub(in crate::driver) fn packet_size(&self) -> usize {
        self.state().packet_size
    }

    /// From here on the driver gets an empty answer to the request that it sends next, and the real one
    /// stays on the wire for [`Wire::read`].
    pub(in crate::driver) fn divert(&self) {
        let mut state = self.state();
        state.ahead.clear();
        let length = (HEADER + DONE.len()) as u16;
        state
            .ahead
            .extend(header(PacketType::Response, END_OF_MESSAGE, length, 1));
        state.ahead.extend(DONE);
        state.ahead_read = 0;
        state.diverted = true;
    }

    /// The driver reads from the wire again.
    pub(in crate::driver) fn restore(&self) {
        self.state().diverted = false;
    }

    /// Reads what has come into `buffer`; 0 at the end of the connection. Nothing is lost when the future is
    /// dropped.
    pub(in crate::driver) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(self.state().poll_read(cx, &mut buffer))?;
            Poll::Ready(Ok(buffer.filled().len()))
        })
        .await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the bytes as they are; the connection's own fuse closes it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channel {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Channel::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Channel::Tls(stream) | Channel::LoginOnly(stream) => {
                Pin::new(stream).poll_read(cx, buf)
            }
            Channel::Changing => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Channel::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            Channel::Tls(stream) | Channel::LoginOnly(stream) => {
                Pin::new(stream).poll_write(cx, buf)
            }
            Channel::Changing => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Channel::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Channel::Tls(stream) | Channel::LoginOnly(stream) => Pin::new(stream).poll_flush(cx),
            Channel::Changing => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Bytes that came below TLS; in the clear, what comes is seen at once.
    fn received(&self) -> u64 {
        match self {
            Channel::Tls(stream) | Channel::LoginOnly(stream) => stream.get_ref().0.received(),
            Channel::Plain(_) | Channel::Changing => 0,
        }
    }

    /// Leaves TLS behind.
    fn unwrap_tls(&mut self) {
        *self = match std::mem::replace(self, Channel::Changing) {
            Channel::Tls(stream) | Channel::LoginOnly(stream) => {
                Channel::Plain(stream.into_inner().0.into_socket())
            }
            other => other,
        };
    }
}

impl State {
    /// Reads from the channel, for as long as a wait may take.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.channel.poll_read(cx, buf) {
            Poll::Ready(read) => {
                self.patience.came(self.channel.received());
                Poll::Ready(read)
            }
            Poll::Pending => self.wait(cx, Wait::Read),
        }
    }

    fn wait<T>(&mut self, cx: &mut Context<'_>, wait: Wait) -> Poll<io::Result<T>> {
        let received = self.channel.received();
        let waited = self.patience.poll(cx, wait, received);
        if let Poll::Ready(Err(error)) = &waited {
            self.broken = Some((error.kind(), error.to_string()));
        }
        waited
    }

    /// Notes the packet size that the server names in its answer to the login.
    fn note_login(&mut self, bytes: &[u8]) {
        let Some(answer) = &mut self.login else {
            return;
        };
        answer.extend_from_slice(bytes);
        let Some([_, _, high, low, ..]) = answer.first_chunk::<HEADER>() else {
            return;
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if answer.len() < length && answer.len() < LONGEST_LOGIN_ANSWER {
            return;
        }
        // Servers answer in one packet; of one that does not, the first is looked at.
        if let Some(size) = packet_size(answer.get(HEADER..).unwrap_or_default()) {
            self.packet_size = size;
        }
        self.login = None;
    }
}

/// The packet size among the tokens that answer a login, all of which but the last have a length of two bytes.
fn packet_size(mut tokens: &[u8]) -> Option<usize> {
    while let [kind, low, high, rest @ ..] = tokens {
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        match (*kind, rest.get(..length)?) {
            (token::ENVIRONMENT_CHANGE, [environment::PACKET_SIZE, units, new @ ..]) => {
                let digits = new.get(..usize::from(*units) * 2)?.iter().step_by(2);
                let text: String = digits.map(|&byte| char::from(byte)).collect();
                let size = text.parse().ok()?;
                return (512..=32767).contains(&size).then_some(size);
            }
            (
                token::ERROR | token::INFO | token::LOGIN_ACKNOWLEDGED | token::ENVIRONMENT_CHANGE,
                _,
            ) => tokens = rest.get(length..)?,
            _ => return None,
        }
    }
    None
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.state();
        let state = &mut *state;
        if let Some(ahead @ [_, ..]) = state.ahead.get(state.ahead_read..) {
            let length = ahead.len().min(buf.remaining());
            if let Some(part) = ahead.get(..length) {
                buf.put_slice(part);
            }
            state.ahead_read += length;
            return Poll::Ready(Ok(()));
        }
        if state.diverted {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the driver read on where nothing was left for it",
            )));
        }
        let before = buf.filled().len();
        ready!(state.poll_read(cx, buf))?;
        state.answered += (buf.filled().len() - before) as u64;
        if state.answered > LARGEST_ANSWER {
            let why = "it is longer than any that icehost asks for";
            state.broken = Some((ANSWER_TOO_LARGE, why.to_owned()));
            return Poll::Ready(Err(io::Error::new(ANSWER_TOO_LARGE, why)));
        }
        if state.login.is_some() {
            let read = buf.filled().get(before..).unwrap_or_default().to_vec();
            state.note_login(&read);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        let state = &mut *state;
        if state.swallowing {
            let ended = state.outgoing.note(buf);
            if ended.is_some() {
                state.swallowing = false;
                // The next message is the login.
                state.login = Some(Vec::new());
            }
            return Poll::Ready(Ok(ended.unwrap_or(buf.len())));
        }
        let written = match state.channel.poll_write(cx, buf) {
            Poll::Ready(written) => written?,
            Poll::Pending => return state.wait(cx, Wait::Write),
        };
        state.patience.sent(state.channel.received());
        state.answered = 0;
        if matches!(state.channel, Channel::LoginOnly(_)) {
            let bytes = buf.get(..written).unwrap_or_default();
            if state.outgoing.note(bytes).is_some() {
                // Must be on the wire before TLS is taken off; the driver flushes after a message.
                state.login_written = true;
            }
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        let state = &mut *state;
        match state.channel.poll_flush(cx) {
            Poll::Ready(flushed) => flushed?,
            Poll::Pending => return state.wait(cx, Wait::Write),
        }
        if state.login_written && matches!(state.channel, Channel::LoginOnly(_)) {
            state.channel.unwrap_tls();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        match &mut state.channel {
            Channel::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Channel::Tls(stream) | Channel::LoginOnly(stream) => Pin::new(stream).poll_shutdown(cx),
            Channel::Changing => Poll::Ready(Ok(())),
        }
    }
}
