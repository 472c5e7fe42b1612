//! TDS packets (MS-TDS 2.2.3): an eight-byte header and a payload, as many as a message needs.

use std::io::ErrorKind;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes in a packet header.
pub(crate) const HEADER: usize = 8;
/// What every client can take before it has asked for something else.
pub(crate) const DEFAULT_PACKET_SIZE: usize = 4096;
/// The smallest packet that may be negotiated.
pub(crate) const MIN_PACKET_SIZE: usize = 512;
/// The largest packet that may be negotiated.
pub(crate) const MAX_PACKET_SIZE: usize = 32_767;

/// Set in the last packet of a message.
pub(crate) const END_OF_MESSAGE: u8 = 0x01;
/// Set together with [`END_OF_MESSAGE`]: the client gave up on the message; forget it.
pub(crate) const IGNORE: u8 = 0x02;
/// Put the session back to what it was after login, before the request.
pub(crate) const RESET_CONNECTION: u8 = 0x08;
/// The same, without ending the transaction.
pub(crate) const RESET_CONNECTION_KEEP_TRANSACTION: u8 = 0x10;

/// What a message is for (MS-TDS 2.2.3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PacketType {
    SqlBatch,
    Rpc,
    Response,
    Attention,
    BulkLoad,
    TransactionManager,
    Login7,
    PreLogin,
}

impl PacketType {
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0x01 => Self::SqlBatch,
            0x03 => Self::Rpc,
            0x04 => Self::Response,
            0x06 => Self::Attention,
            0x07 => Self::BulkLoad,
            0x0E => Self::TransactionManager,
            0x10 => Self::Login7,
            0x12 => Self::PreLogin,
            _ => return None,
        })
    }

    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::SqlBatch => 0x01,
            Self::Rpc => 0x03,
            Self::Response => 0x04,
            Self::Attention => 0x06,
            Self::BulkLoad => 0x07,
            Self::TransactionManager => 0x0E,
            Self::Login7 => 0x10,
            Self::PreLogin => 0x12,
        }
    }
}

/// One packet as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    pub(crate) kind: PacketType,
    pub(crate) status: u8,
    pub(crate) payload: Bytes,
}

impl Packet {
    pub(crate) fn is_last(&self) -> bool {
        self.status & END_OF_MESSAGE != 0
    }
}

/// Why no packet could be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The client closed the connection, between packets or within one.
    #[error("the client closed the connection")]
    Closed,
    #[error("reading from the client failed: {0}")]
    Io(#[from] std::io::Error),
    /// Not TDS; the connection cannot be brought back into step.
    #[error("{0}")]
    Malformed(String),
}

/// Reads packets; a read that is dropped half-way continues with the next call.
#[derive(Debug, Default)]
pub(crate) struct PacketReader {
    buffer: BytesMut,
}

impl PacketReader {
    /// The next packet. Cancel-safe.
    pub(crate) async fn next<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
    ) -> Result<Packet, ReadError> {
        loop {
            if let Some(packet) = self.parse()? {
                return Ok(packet);
            }
            self.buffer.reserve(MAX_PACKET_SIZE);
            match stream.read_buf(&mut self.buffer).await {
                Ok(0) => return Err(ReadError::Closed),
                Ok(_) => {}
                // Most clients leave an encrypted connection without the farewell that TLS asks for.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                    ) =>
                {
                    return Err(ReadError::Closed);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Bytes that were read and not yet handed out.
    pub(crate) fn pending(&self) -> usize {
        self.buffer.len()
    }

    fn parse(&mut self) -> Result<Option<Packet>, ReadError> {
        let Some(&[kind, status, high, low, ..]) = self.buffer.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let kind = PacketType::from_byte(kind).ok_or_else(|| {
            ReadError::Malformed(format!("0x{kind:02X} is not the type of a TDS packet"))
        })?;
        if length < HEADER {
            return Err(ReadError::Malformed(format!(
                "a packet header gives a length of {length} bytes, less than the header itself"
            )));
        }
        if self.buffer.len() < length {
            return Ok(None);
        }
        let mut packet = self.buffer.split_to(length);
        let payload = packet.split_off(HEADER).freeze();
        Ok(Some(Packet {
            kind,
            status,
            payload,
        }))
    }
}

/// Cuts the response stream into packets.
#[derive(Debug)]
pub(crate) struct PacketWriter {
    packet_size: usize,
    next_id: u8,
    /// Payload that did not fill a packet yet.
    partial: Vec<u8>,
    framed: Vec<u8>,
    packets: u64,
}

impl PacketWriter {
    pub(crate) fn new() -> Self {
        Self {
            packet_size: DEFAULT_PACKET_SIZE,
            next_id: 1,
            partial: Vec::new(),
            framed: Vec::new(),
            packets: 0,
        }
    }

    pub(crate) fn set_packet_size(&mut self, bytes: usize) {
        self.packet_size = bytes.clamp(MIN_PACKET_SIZE, MAX_PACKET_SIZE);
    }

    /// Packets framed since this was last asked.
    pub(crate) fn take_packet_count(&mut self) -> u64 {
        std::mem::take(&mut self.packets)
    }

    /// Takes a part of a message and writes the packets that it fills.
    pub(crate) async fn write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        kind: PacketType,
        mut payload: &[u8],
    ) -> std::io::Result<()> {
        let capacity = self.packet_size - HEADER;
        self.framed.clear();
        // The last packet stays behind even when full, so that it can carry the end of the message.
        while self.partial.len() + payload.len() > capacity {
            let (now, later) = payload.split_at(capacity - self.partial.len());
            self.frame(kind, 0, now);
            payload = later;
        }
        self.partial.extend_from_slice(payload);
        if self.framed.is_empty() {
            return Ok(());
        }
        stream.write_all(&self.framed).await
    }

    /// Writes what is left as the last packet of the message.
    pub(crate) async fn finish<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        kind: PacketType,
    ) -> std::io::Result<()> {
        self.framed.clear();
        self.frame(kind, END_OF_MESSAGE, &[]);
        self.next_id = 1;
        stream.write_all(&self.framed).await?;
        stream.flush().await
    }

    fn frame(&mut self, kind: PacketType, status: u8, rest: &[u8]) {
        let length = HEADER + self.partial.len() + rest.len();
        let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        self.framed
            .extend_from_slice(&[kind.byte(), status, high, low, 0, 0, self.next_id, 0]);
        self.framed.extend_from_slice(&self.partial);
        self.framed.extend_from_slice(rest);
        self.partial.clear();
        self.next_id = self.next_id.wrapping_add(1);
        self.packets += 1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    async fn framed(size: usize, parts: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = PacketWriter::new();
        writer.set_packet_size(size);
        for part in parts {
            writer
                .write(&mut out, PacketType::Response, part)
                .await
                .unwrap();
        }
        writer.finish(&mut out, PacketType::Response).await.unwrap();
        out
    }

    #[tokio::test]
    async fn a_message_survives_being_cut_into_packets() {
        let message: Vec<u8> = (0..5000u32).map(|n| (n % 251) as u8).collect();
        for parts in [vec![&message[..]], message.chunks(700).collect()] {
            let bytes = framed(512, &parts).await;
            let mut reader = PacketReader::default();
            let mut stream = &bytes[..];
            let mut read = Vec::new();
            loop {
                let packet = reader.next(&mut stream).await.unwrap();
                assert!(packet.payload.len() <= 504);
                read.extend_from_slice(&packet.payload);
                if packet.is_last() {
                    break;
                }
            }
            assert_eq!(read, message);
        }
    }

    #[tokio::test]
    async fn a_message_that_fills_its_packet_needs_no_second_one() {
        assert_eq!(framed(512, &[&[7; 504]]).await.len(), 512);
    }

    #[tokio::test]
    async fn a_length_below_the_header_is_refused() {
        let mut stream: &[u8] = &[0x01, 1, 0, 7, 0, 0, 0, 0];
        let error = PacketReader::default().next(&mut stream).await.unwrap_err();
        assert!(matches!(error, ReadError::Malformed(_)), "{error}");
    }
}
