//! One client's connection after its login: requests in, responses out, attentions in between.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use crate::input::Input;
use crate::packet::{
    IGNORE, Packet, PacketReader, PacketType, PacketWriter, RESET_CONNECTION,
    RESET_CONNECTION_KEEP_TRANSACTION, ReadError,
};
use crate::response::Output;
use crate::server::Shared;
use crate::token::done::{self, Done};
use crate::transport::Transport;
use crate::worker::{Request, Reset, SessionHandle};

/// The longest batch or procedure call taken, in bytes.
const MAX_REQUEST: usize = 512 << 20;
/// How many packets of a bulk load may wait for the engine.
const BULK_PACKETS: usize = 16;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error("{0}")]
    Read(#[from] ReadError),
    #[error("writing to the client failed: {0}")]
    Write(#[from] std::io::Error),
    /// The client broke the protocol in a way that leaves no common ground.
    #[error("{0}")]
    Protocol(String),
    #[error("the session's thread ended unexpectedly")]
    SessionLost,
    #[error("a fault that a test has ordered")]
    Fault,
}

/// A connection whose login was accepted.
pub(crate) struct Connection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) stream: Transport,
    pub(crate) reader: PacketReader,
    pub(crate) writer: PacketWriter,
    pub(crate) session: SessionHandle,
}

/// What a client did while a response was on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attention {
    None,
    Received,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Whatever still runs for this client ends.
        self.session.cancel.store(true, Ordering::SeqCst);
    }
}

impl Connection {
    /// Serves requests until the client leaves.
    pub(crate) async fn serve(mut self) -> Result<(), ConnectionError> {
        loop {
            let first = match self.next_packet().await {
                Err(ConnectionError::Read(ReadError::Closed)) => {
                    // The client may have shut down one direction only; say good-bye in the other.
                    let _closed_already = self.stream.shutdown().await;
                    return Ok(());
                }
                packet => packet?,
            };
            match first.kind {
                PacketType::Attention => {
                    // The response that it was meant for is complete.
                    self.shared.statistics.attention();
                    self.acknowledge_attention().await?;
                }
                PacketType::SqlBatch | PacketType::Rpc | PacketType::TransactionManager => {
                    self.request(first).await?;
                }
                PacketType::BulkLoad => self.bulk_load(first).await?,
                other => {
                    return Err(ConnectionError::Protocol(format!(
                        "a packet of type {other:?} after the login"
                    )));
                }
            }
        }
    }

    async fn next_packet(&mut self) -> Result<Packet, ConnectionError> {
        let packet = self.reader.next(&mut self.stream).await?;
        if self.shared.faults.received(1) {
            return Err(ConnectionError::Fault);
        }
        Ok(packet)
    }

    /// Collects a batch, a call or a transaction request and has it run.
    async fn request(&mut self, first: Packet) -> Result<(), ConnectionError> {
        let kind = first.kind;
        let reset = reset(first.status);
        let mut message = Vec::with_capacity(first.payload.len());
        let mut packet = first;
        loop {
            if packet.kind == PacketType::Attention {
                self.shared.statistics.attention();
                return self.acknowledge_attention().await;
            }
            if packet.kind != kind {
                return Err(ConnectionError::Protocol(format!(
                    "a packet of type {:?} within a message of type {kind:?}",
                    packet.kind
                )));
            }
            if message.len() + packet.payload.len() > MAX_REQUEST {
                return Err(ConnectionError::Protocol(format!(
                    "a request of more than {MAX_REQUEST} bytes, the most that the development server takes"
                )));
            }
            message.extend_from_slice(&packet.payload);
            if packet.is_last() {
                break;
            }
            packet = self.next_packet().await?;
        }
        if packet.status & IGNORE != 0 {
            return self
                .answer(Done::plain(done::Scope::Statement), Attention::None)
                .await;
        }
        self.hand_over(Request {
            kind,
            reset,
            input: Input::complete(message),
        })
        .await?;
        self.respond(Attention::None).await
    }

    /// Passes the rows of a bulk load on as they arrive.
    async fn bulk_load(&mut self, first: Packet) -> Result<(), ConnectionError> {
        let (rows, arriving) = mpsc::channel::<Bytes>(BULK_PACKETS);
        self.hand_over(Request {
            kind: PacketType::BulkLoad,
            reset: reset(first.status),
            input: Input::arriving(arriving),
        })
        .await?;
        let mut packet = first;
        let mut attention = Attention::None;
        loop {
            match packet.kind {
                PacketType::BulkLoad => {}
                PacketType::Attention => {
                    attention = self.called_off();
                    break;
                }
                other => {
                    return Err(ConnectionError::Protocol(format!(
                        "a packet of type {other:?} within a bulk load"
                    )));
                }
            }
            let last = packet.is_last();
            if last && packet.status & IGNORE != 0 {
                self.session.cancel.store(true, Ordering::SeqCst);
            } else if rows.send(packet.payload).await.is_err() {
                return Err(ConnectionError::SessionLost);
            }
            if last {
                break;
            }
            packet = self.next_packet().await?;
        }
        drop(rows);
        self.respond(attention).await
    }

    fn called_off(&mut self) -> Attention {
        self.shared.statistics.attention();
        self.session.cancel.store(true, Ordering::SeqCst);
        Attention::Received
    }

    async fn hand_over(&mut self, request: Request) -> Result<(), ConnectionError> {
        self.session.cancel.store(false, Ordering::SeqCst);
        self.session
            .requests
            .send(request)
            .await
            .map_err(|_closed| ConnectionError::SessionLost)
    }

    /// Passes a response on to the client, looking for an attention all the while.
    async fn respond(&mut self, mut attention: Attention) -> Result<(), ConnectionError> {
        /// What happened first.
        enum Event {
            Output(Option<Output>),
            Packet(Result<Packet, ReadError>),
        }
        loop {
            let event = tokio::select! {
                biased;
                packet = self.reader.next(&mut self.stream) => Event::Packet(packet),
                output = self.session.output.recv() => Event::Output(output),
            };
            match event {
                Event::Packet(packet) => attention = self.interrupted_by(packet?.kind)?,
                Event::Output(Some(Output::Tokens(tokens))) => {
                    self.writer
                        .write(&mut self.stream, PacketType::Response, &tokens)
                        .await?;
                    self.count_sent()?;
                }
                Event::Output(Some(Output::Kept(pieces))) => {
                    attention = self.send_kept(&pieces, attention).await?;
                }
                Event::Output(Some(Output::End(last))) => {
                    return self.answer(last, attention).await;
                }
                Event::Output(Some(Output::Disconnect)) => return Err(ConnectionError::Fault),
                Event::Output(None) => return Err(ConnectionError::SessionLost),
            }
        }
    }

    /// Sends a result that was kept, to its end or until the client wants no more.
    async fn send_kept(
        &mut self,
        pieces: &[Bytes],
        mut attention: Attention,
    ) -> Result<Attention, ConnectionError> {
        for piece in pieces {
            let arrived = tokio::select! {
                biased;
                packet = self.reader.next(&mut self.stream) => Some(packet),
                () = std::future::ready(()) => None,
            };
            if let Some(packet) = arrived {
                attention = self.interrupted_by(packet?.kind)?;
            }
            if attention == Attention::Received {
                break;
            }
            self.writer
                .write(&mut self.stream, PacketType::Response, piece)
                .await?;
            self.count_sent()?;
        }
        Ok(attention)
    }

    /// What a packet means that comes while a response is on its way.
    fn interrupted_by(&mut self, kind: PacketType) -> Result<Attention, ConnectionError> {
        match kind {
            PacketType::Attention => Ok(self.called_off()),
            other => Err(ConnectionError::Protocol(format!(
                "a packet of type {other:?} before the response to the last request was complete"
            ))),
        }
    }

    /// Ends a response with its last token; an attention that it met is acknowledged in a message of its own,
    /// as SQL Server does and some clients rely on.
    async fn answer(&mut self, last: Done, attention: Attention) -> Result<(), ConnectionError> {
        let mut tokens = Vec::new();
        last.write(&mut tokens);
        self.send(&tokens).await?;
        match attention {
            Attention::None => Ok(()),
            Attention::Received => self.acknowledge_attention().await,
        }
    }

    async fn acknowledge_attention(&mut self) -> Result<(), ConnectionError> {
        let mut tokens = Vec::new();
        done::write_attention(&mut tokens);
        self.send(&tokens).await
    }

    /// Sends the end of a message.
    pub(crate) async fn send(&mut self, tokens: &[u8]) -> Result<(), ConnectionError> {
        self.writer
            .write(&mut self.stream, PacketType::Response, tokens)
            .await?;
        self.writer
            .finish(&mut self.stream, PacketType::Response)
            .await?;
        self.count_sent()
    }

    fn count_sent(&mut self) -> Result<(), ConnectionError> {
        if self.shared.faults.sent(self.writer.take_packet_count()) {
            return Err(ConnectionError::Fault);
        }
        Ok(())
    }
}

fn reset(status: u8) -> Reset {
    if status & RESET_CONNECTION != 0 {
        Reset::Session
    } else if status & RESET_CONNECTION_KEEP_TRANSACTION != 0 {
        Reset::KeepTransaction
    } else {
        Reset::No
    }
}
