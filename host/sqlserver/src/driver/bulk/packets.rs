//! A message cut into packets (MS-TDS 2.2.3) as it comes, many of them in one write.

use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::driver::transport::{END_OF_MESSAGE, HEADER, PacketType, header};

/// So much is handed to the socket at a time. A write costs the same for one packet as for several.
const WRITE: usize = 256 << 10;

/// Writes one message of the type bulk load.
pub(super) struct PacketWriter {
    /// Bytes of a packet, header included
    packet_size: usize,
    /// Packets, headers included. The last one is open: its header is yet to be filled in.
    framed: Vec<u8>,
    /// Where the open packet starts.
    open: usize,
    id: u8,
}

impl PacketWriter {
    /// For packets of the size that the server agreed to.
    pub(super) fn new(packet_size: usize) -> PacketWriter {
        PacketWriter {
            packet_size: packet_size.clamp(512, 32_767),
            framed: vec![0; HEADER],
            open: 0,
            id: 1,
        }
    }

    /// Takes a part of the message and writes the packets that it fills.
    pub(super) async fn write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        mut payload: &[u8],
    ) -> io::Result<()> {
        while !payload.is_empty() {
            let room = self.packet_size - (self.framed.len() - self.open);
            // A full packet stays open until there is more: the message's last one says that it is.
            if room == 0 {
                self.close(0);
                if self.open >= WRITE {
                    self.write_out(stream).await?;
                }
                continue;
            }
            let (part, rest) = payload.split_at(room.min(payload.len()));
            self.framed.extend_from_slice(part);
            payload = rest;
        }
        self.write_out(stream).await
    }

    /// Ends the message.
    pub(super) async fn finish<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        self.close(END_OF_MESSAGE);
        self.write_out(stream).await?;
        self.id = 1;
        stream.flush().await
    }

    /// Fills in the header of the open packet and opens the next.
    fn close(&mut self, status: u8) {
        let end = self.framed.len();
        // At most the packet size.
        let length = (end - self.open) as u16;
        if let Some(place) = self.framed.get_mut(self.open..self.open + HEADER) {
            place.copy_from_slice(&header(PacketType::BulkLoad, status, length, self.id));
        }
        self.id = self.id.wrapping_add(1);
        self.open = end;
        self.framed.extend_from_slice(&[0; HEADER]);
    }

    /// Writes all packets but the open one.
    async fn write_out<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        if self.open > 0 {
            let closed = self.framed.get(..self.open).unwrap_or_default();
            stream.write_all(closed).await?;
            self.framed.drain(..self.open);
            self.open = 0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What a message of `parts` looks like on the wire.
    async fn written(packet_size: usize, parts: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = PacketWriter::new(packet_size);
        for part in parts {
            writer.write(&mut out, part).await.unwrap();
        }
        writer.finish(&mut out).await.unwrap();
        out
    }

    /// The bodies of packets, whose headers are checked.
    fn bodies(mut bytes: &[u8], packet_size: usize) -> Vec<Vec<u8>> {
        let mut bodies: Vec<Vec<u8>> = Vec::new();
        while !bytes.is_empty() {
            let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
            let (packet, rest) = bytes.split_at(length);
            assert!(length <= packet_size);
            assert_eq!(packet[0], 0x07);
            assert_eq!(packet[1], u8::from(rest.is_empty()), "the last one says so");
            assert_eq!(packet[4..6], [0, 0]);
            assert_eq!(packet[6], (bodies.len() + 1) as u8);
            bodies.push(packet[HEADER..].to_vec());
            bytes = rest;
        }
        bodies
    }

    #[tokio::test]
    async fn packets_are_full_but_for_the_last() {
        let message: Vec<u8> = (0..2_000_000u32).map(|n| (n % 251) as u8).collect();
        for packet_size in [512, 4096, 32_767] {
            let cut: Vec<&[u8]> = message.chunks(70_001).collect();
            for parts in [&[&message[..]][..], &cut] {
                let bodies = bodies(&written(packet_size, parts).await, packet_size);
                assert_eq!(bodies.concat(), message);
                let body = packet_size - HEADER;
                assert_eq!(bodies.len(), message.len().div_ceil(body));
                assert!(bodies[..bodies.len() - 1].iter().all(|b| b.len() == body));
            }
        }
    }

    #[tokio::test]
    async fn a_message_that_fills_its_packet_needs_no_second_one() {
        assert_eq!(written(512, &[&[7; 504]]).await.len(), 512);
        assert_eq!(written(512, &[&[7; 504], &[7; 1]]).await.len(), 512 + 9);
        assert_eq!(written(512, &[]).await.len(), HEADER);
    }
}
