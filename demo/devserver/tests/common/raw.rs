//! TDS by hand, for what no driver would send.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::time::Duration;

use icehost_devserver::RunningServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub const BATCH: u8 = 0x01;
pub const RPC: u8 = 0x03;
pub const ATTENTION: u8 = 0x06;
pub const BULK: u8 = 0x07;
pub const LOGIN: u8 = 0x10;
pub const PRELOGIN: u8 = 0x12;

pub const LAST: u8 = 1;

/// DONE with the attention bit, nothing else.
pub const ATTENTION_DONE: [u8; 13] = [0xFD, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

pub struct RawClient {
    pub socket: TcpStream,
}

pub fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// PRELOGIN without encryption.
pub fn prelogin() -> Vec<u8> {
    vec![
        0x00, 0, 11, 0, 6, 0x01, 0, 17, 0, 1, 0xFF, 16, 0, 0, 0, 0, 0, 2,
    ]
}

pub fn login(user: &str, password: &str) -> Vec<u8> {
    login_with(user, password, 4096)
}

pub fn login_with(user: &str, password: &str, packet_size: u32) -> Vec<u8> {
    let mut message = vec![0u8; 94];
    message[4..8].copy_from_slice(&0x7400_0004u32.to_le_bytes());
    message[8..12].copy_from_slice(&packet_size.to_le_bytes());
    let hidden = utf16(password)
        .into_iter()
        .map(|byte| byte.rotate_left(4) ^ 0xA5)
        .collect();
    for (at, bytes) in [(40, utf16(user)), (44, hidden)] {
        let start = message.len() as u16;
        message[at..at + 2].copy_from_slice(&start.to_le_bytes());
        message[at + 2..at + 4].copy_from_slice(&(bytes.len() as u16 / 2).to_le_bytes());
        message.extend_from_slice(&bytes);
    }
    let length = message.len() as u32;
    message[..4].copy_from_slice(&length.to_le_bytes());
    message
}

/// A batch outside of any transaction.
pub fn batch(sql: &str) -> Vec<u8> {
    let mut message = headers();
    message.extend_from_slice(&utf16(sql));
    message
}

pub fn headers() -> Vec<u8> {
    let mut message = 22u32.to_le_bytes().to_vec();
    message.extend_from_slice(&18u32.to_le_bytes());
    message.extend_from_slice(&2u16.to_le_bytes());
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&1u32.to_le_bytes());
    message
}

impl RawClient {
    pub async fn connect(server: &RunningServer) -> Self {
        let socket = TcpStream::connect(server.addr()).await.unwrap();
        Self { socket }
    }

    pub async fn logged_in(server: &RunningServer) -> Self {
        Self::logged_in_with(server, 4096).await
    }

    pub async fn logged_in_with(server: &RunningServer, packet_size: u32) -> Self {
        let mut client = Self::connect(server).await;
        client.send(PRELOGIN, LAST, &prelogin()).await;
        client.message().await.unwrap();
        client
            .send(LOGIN, LAST, &login_with("sa", super::PASSWORD, packet_size))
            .await;
        let answer = client.message().await.unwrap();
        assert!(answer.contains(&0xAD), "no LOGINACK in {answer:02X?}");
        client
    }

    pub async fn send(&mut self, kind: u8, status: u8, payload: &[u8]) {
        let [high, low] = ((payload.len() + 8) as u16).to_be_bytes();
        let mut packet = vec![kind, status, high, low, 0, 0, 1, 0];
        packet.extend_from_slice(payload);
        // The server may hang up at any time.
        let _closed = self.socket.write_all(&packet).await;
    }

    /// The payload of the next packet and whether it is its message's last; `None` if the server hung up.
    pub async fn packet(&mut self) -> Option<(Vec<u8>, bool)> {
        let read = async {
            let mut header = [0; 8];
            self.socket.read_exact(&mut header).await.ok()?;
            let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
            let mut payload = vec![0; length - 8];
            self.socket.read_exact(&mut payload).await.ok()?;
            Some((payload, header[1] & LAST != 0))
        };
        tokio::time::timeout(Duration::from_secs(10), read)
            .await
            .expect("the server neither answered nor hung up within 10 s")
    }

    pub async fn message(&mut self) -> Option<Vec<u8>> {
        let mut message = Vec::new();
        loop {
            let (payload, last) = self.packet().await?;
            message.extend_from_slice(&payload);
            if last {
                return Some(message);
            }
        }
    }

    /// Reads a message in large steps and returns how many bytes it had.
    pub async fn skip_message(&mut self) -> u64 {
        let mut buffer = vec![0; 1 << 20];
        let mut filled = 0;
        let mut total = 0;
        loop {
            let read = self.socket.read(&mut buffer[filled..]).await.unwrap();
            assert!(read > 0, "the server hung up");
            filled += read;
            let mut start = 0;
            while let Some(header) = buffer[start..filled].first_chunk::<8>() {
                let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
                if filled - start < length {
                    break;
                }
                total += length as u64;
                start += length;
                if header[1] & LAST != 0 {
                    return total;
                }
            }
            buffer.copy_within(start..filled, 0);
            filled -= start;
        }
    }

    /// Sends a batch and returns its response.
    pub async fn run(&mut self, sql: &str) -> Vec<u8> {
        self.send(BATCH, LAST, &batch(sql)).await;
        self.message().await.expect("the server hung up")
    }
}
