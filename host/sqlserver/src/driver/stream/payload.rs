//! The body of a message, out of its packets.

use std::io;

use crate::driver::transport::{END_OF_MESSAGE, HEADER, Wire};

/// Room for what the socket has; some packets, and a few hundred rows.
const CAPACITY: usize = 256 << 10;

/// The part of a message that has come and is not consumed, in one piece.
///
/// `bytes[start..end]` is body, `bytes[end..]` as far as `read` are bytes from the socket that are yet to be
/// told apart into headers and body: never more than a header's part.
pub(super) struct Payload {
    wire: Wire,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// A header of which not all has come.
    header: [u8; HEADER],
    header_read: usize,
    /// What is left of the packet that is being read.
    body_left: usize,
    last_packet: bool,
    /// Where raw bytes are read to, before they are unpacked.
    read: usize,
}

impl Payload {
    pub(super) fn new(wire: Wire) -> Payload {
        Payload {
            wire,
            bytes: vec![0; CAPACITY],
            start: 0,
            end: 0,
            header: [0; HEADER],
            header_read: 0,
            body_left: 0,
            last_packet: false,
            read: 0,
        }
    }

    /// What has come and is not consumed.
    pub(super) fn available(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Lets go of the first `length` bytes.
    pub(super) fn consume(&mut self, length: usize) {
        self.start = (self.start + length).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Whether everything has come.
    pub(super) fn is_complete(&self) -> bool {
        self.last_packet && self.body_left == 0 && self.header_read == 0
    }

    /// Reads until there is more to see; with much at hand already, until the buffer is full, so that a
    /// large value is not looked at over and over. False where the message has ended.
    ///
    /// Of more than `most` bytes one more is read, which tells that it is too much.
    ///
    /// The future may be dropped: what has come stays.
    pub(super) async fn fill(&mut self, most: usize) -> io::Result<bool> {
        let known = self.available().len();
        // A value of many packets is waited for in doubling steps.
        let wanted = match known {
            0..CAPACITY => known + 1,
            _ => (known * 2).min(most.saturating_add(1)).max(known + 1),
        };
        self.make_room(wanted);
        while self.available().len() < wanted {
            if self.is_complete() {
                return Ok(self.available().len() > known);
            }
            let Some(room @ [_, ..]) = self.bytes.get_mut(self.end..) else {
                return Ok(true);
            };
            let read = self.wire.read(room).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.read = self.end + read;
            self.unpack()?;
        }
        Ok(true)
    }

    /// Moves what is at hand to the front, and grows the buffer for a value that does not fit.
    fn make_room(&mut self, wanted: usize) {
        let end = self.end;
        if self.start > 0 {
            self.bytes.copy_within(self.start..end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        // The headers of the packets take their place for a moment, too.
        let needed = wanted + wanted / 16 + HEADER;
        if needed > self.bytes.len() {
            let length = needed.next_multiple_of(CAPACITY);
            self.bytes
                .reserve_exact(length.saturating_sub(self.bytes.len()));
            self.bytes.resize(length, 0);
        } else if self.bytes.len() > CAPACITY && needed <= CAPACITY {
            self.shrink(CAPACITY);
        }
    }

    /// Gives back the room that a large value has taken.
    pub(super) fn let_go(&mut self) {
        let known = self.available().len();
        if self.bytes.len() > CAPACITY + known {
            self.make_room(known);
            self.shrink((known + HEADER).next_multiple_of(CAPACITY));
        }
    }

    fn shrink(&mut self, length: usize) {
        self.bytes.truncate(length);
        self.bytes.shrink_to_fit();
    }

    /// Takes the headers out of what was read.
    fn unpack(&mut self) -> io::Result<()> {
        let mut at = self.end;
        while at < self.read {
            if self.body_left > 0 {
                let length = self.body_left.min(self.read - at);
                if at != self.end {
                    self.bytes.copy_within(at..at + length, self.end);
                }
                self.end += length;
                self.body_left -= length;
                at += length;
                continue;
            }
            if self.last_packet && self.header_read == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "more came after the end of the answer",
                ));
            }
            if let (Some(slot), Some(byte)) = (
                self.header.get_mut(self.header_read),
                self.bytes.get(at).copied(),
            ) {
                *slot = byte;
            }
            self.header_read += 1;
            at += 1;
            if self.header_read == HEADER {
                let [_, status, high, low, ..] = self.header;
                let length = usize::from(u16::from_be_bytes([high, low]));
                let Some(body) = length.checked_sub(HEADER) else {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "a packet is shorter than its header",
                    ));
                };
                self.header_read = 0;
                self.body_left = body;
                self.last_packet = status & END_OF_MESSAGE != 0;
            }
        }
        self.read = self.end;
        Ok(())
    }
}
