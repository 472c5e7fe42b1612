//! A cursor over a message: complete in memory, or still arriving packet by packet.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::protocol_error::ProtocolError;

/// The bytes of one message.
///
/// A message that is still arriving is held only as far as it has not been read, so a bulk load of any
/// length takes the memory of its largest value.
#[derive(Debug)]
pub(crate) struct Input {
    buffer: Vec<u8>,
    position: usize,
    arriving: Option<mpsc::Receiver<Bytes>>,
}

impl Input {
    /// A message of which all packets have arrived.
    pub(crate) fn complete(message: impl Into<Vec<u8>>) -> Self {
        Self {
            buffer: message.into(),
            position: 0,
            arriving: None,
        }
    }

    /// A message whose packets come through `packets`; its end is the channel's.
    pub(crate) fn arriving(packets: mpsc::Receiver<Bytes>) -> Self {
        Self {
            buffer: Vec::new(),
            position: 0,
            arriving: Some(packets),
        }
    }

    fn available(&self) -> usize {
        self.buffer.len() - self.position
    }

    /// Waits for the next packet; false at the end of the message. Call on a blocking thread only.
    fn receive(&mut self) -> bool {
        let Some(packets) = &mut self.arriving else {
            return false;
        };
        let Some(packet) = packets.blocking_recv() else {
            self.arriving = None;
            return false;
        };
        self.buffer.drain(..self.position);
        self.position = 0;
        self.buffer.extend_from_slice(&packet);
        true
    }

    /// Whether everything was read.
    pub(crate) fn is_at_end(&mut self) -> bool {
        while self.available() == 0 {
            if !self.receive() {
                return true;
            }
        }
        false
    }

    /// The next `count` bytes.
    pub(crate) fn take(
        &mut self,
        count: usize,
        reading: &'static str,
    ) -> Result<&[u8], ProtocolError> {
        while self.available() < count {
            if !self.receive() {
                return Err(ProtocolError::Truncated { reading });
            }
        }
        let start = self.position;
        self.position += count;
        self.buffer
            .get(start..self.position)
            .ok_or(ProtocolError::Truncated { reading })
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(
        &mut self,
        reading: &'static str,
    ) -> Result<[u8; N], ProtocolError> {
        let bytes = self.take(N, reading)?;
        bytes
            .try_into()
            .map_err(|_| ProtocolError::Truncated { reading })
    }

    /// The next byte, left where it is; `None` at the end.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        if self.is_at_end() {
            return None;
        }
        self.buffer.get(self.position).copied()
    }

    pub(crate) fn u8(&mut self, reading: &'static str) -> Result<u8, ProtocolError> {
        self.array::<1>(reading).map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self, reading: &'static str) -> Result<u16, ProtocolError> {
        self.array(reading).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self, reading: &'static str) -> Result<u32, ProtocolError> {
        self.array(reading).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, reading: &'static str) -> Result<u64, ProtocolError> {
        self.array(reading).map(u64::from_le_bytes)
    }

    /// `count` UTF-16 code units. An unpaired surrogate, which SQL Server would store, is refused: the
    /// engine keeps text as Unicode scalar values.
    pub(crate) fn utf16(
        &mut self,
        count: usize,
        reading: &'static str,
    ) -> Result<String, ProtocolError> {
        let bytes = self.take(count * 2, reading)?;
        utf16(bytes, reading)
    }

    /// Text with its length in code units in one byte (`B_VARCHAR`).
    pub(crate) fn b_varchar(&mut self, reading: &'static str) -> Result<String, ProtocolError> {
        let count = usize::from(self.u8(reading)?);
        self.utf16(count, reading)
    }

    /// Text with its length in code units in two bytes (`US_VARCHAR`).
    pub(crate) fn us_varchar(&mut self, reading: &'static str) -> Result<String, ProtocolError> {
        let count = usize::from(self.u16(reading)?);
        self.utf16(count, reading)
    }

    /// Everything that is left of a message that has arrived.
    pub(crate) fn rest(&mut self) -> &[u8] {
        let start = self.position;
        self.position = self.buffer.len();
        self.buffer.get(start..).unwrap_or_default()
    }

    /// Reads a message that is still arriving to its end and forgets it.
    pub(crate) fn skip_to_end(&mut self) {
        self.position = self.buffer.len();
        while self.receive() {
            self.position = self.buffer.len();
        }
    }
}

/// Decodes UTF-16LE.
pub(crate) fn utf16(bytes: &[u8], reading: &'static str) -> Result<String, ProtocolError> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(ProtocolError::invalid(format!(
            "{reading} is {} bytes of UTF-16, an odd number",
            bytes.len()
        )));
    }
    if pairs.iter().all(|&[low, high]| high == 0 && low.is_ascii()) {
        return Ok(pairs.iter().map(|&[low, _]| char::from(low)).collect());
    }
    char::decode_utf16(pairs.iter().map(|&pair| u16::from_le_bytes(pair)))
        .collect::<Result<_, _>>()
        .map_err(|error| {
            ProtocolError::Unsupported(format!(
                "an unpaired surrogate (0x{:04X}) in {reading}",
                error.unpaired_surrogate()
            ))
        })
}
