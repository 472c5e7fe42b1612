//! Answers without end, as a server might send them.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};

/// An answer without end, or one that says more than any server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flood {
    /// Rows of one byte.
    Rows,
    /// One value, in chunks.
    Value,
    /// Messages.
    Infos,
    /// Errors.
    Errors,
    /// Ends of statements.
    Dones,
    /// Environment changes.
    Changes,
    /// Descriptions of columns.
    Columns,
}

/// More than this is not sent, whatever the program does.
const MOST: u64 = 3 << 30;

impl Flood {
    /// What comes first, and what comes over and over (MS-TDS 2.2.7).
    fn tokens(self) -> (Vec<u8>, Vec<u8>) {
        let text =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        let columns = |info: &[u8], name: &str| {
            let mut token = vec![0x81, 1, 0, 0, 0, 0, 0, 0, 0];
            token.extend(info);
            token.push(name.len() as u8);
            token.extend(text(name));
            token
        };
        let message = |token: u8, class: u8| {
            let words = "x".repeat(500);
            let mut body = 50_000u32.to_le_bytes().to_vec();
            body.extend([1, class]);
            body.extend((words.len() as u16).to_le_bytes());
            body.extend(text(&words));
            body.extend([0, 0, 1, 0, 0, 0]);
            let mut message = vec![token];
            message.extend((body.len() as u16).to_le_bytes());
            message.extend(body);
            message
        };
        match self {
            Flood::Rows => (columns(&[0x30], "a"), vec![0xD1, 7]),
            Flood::Value => {
                let mut first = columns(&[0xE7, 0xFF, 0xFF, 9, 4, 0xD0, 0, 0x34], "a");
                first.push(0xD1);
                first.extend(0xFFFF_FFFF_FFFF_FFFEu64.to_le_bytes());
                let mut chunk = 0x1_0000u32.to_le_bytes().to_vec();
                chunk.resize(chunk.len() + 0x1_0000, b' ');
                (first, chunk)
            }
            Flood::Infos => (Vec::new(), message(0xAB, 0)),
            Flood::Errors => (Vec::new(), message(0xAA, 16)),
            Flood::Dones => {
                // DONEINPROC, more to come
                let mut done = vec![0xFF, 1, 0, 0, 0];
                done.extend([0; 8]);
                (Vec::new(), done)
            }
            Flood::Changes => {
                // The database's name
                let mut body = vec![1, 100];
                body.extend(text(&"d".repeat(100)));
                body.push(0);
                let mut change = vec![0xE3];
                change.extend((body.len() as u16).to_le_bytes());
                change.extend(body);
                (Vec::new(), change)
            }
            Flood::Columns => (Vec::new(), columns(&[0x30], &"c".repeat(120))),
        }
    }

    /// Sends it until the program has had enough.
    pub(super) fn send(self, to: &mut TcpStream, sent: &AtomicU64) {
        let (first, again) = self.tokens();
        let mut body = first;
        while sent.load(Ordering::SeqCst) < MOST {
            while body.len() < 30_000 {
                body.extend(&again);
            }
            let rest = body.split_off(30_000);
            let mut packet = vec![0x04, 0];
            packet.extend((body.len() as u16 + 8).to_be_bytes());
            packet.extend([0, 0, 1, 0]);
            packet.extend(&body);
            body = rest;
            if to.write_all(&packet).is_err() {
                return;
            }
            sent.fetch_add(packet.len() as u64, Ordering::SeqCst);
        }
    }
}
