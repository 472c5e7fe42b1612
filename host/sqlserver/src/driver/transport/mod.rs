//! The connection underneath the driver: socket, TLS, and a way to take an answer past the driver.
//!
//! tiberius logs in and sends requests over a [`Wire`]; what is encrypted and how is settled here, before it
//! starts, so that a large result can be read from the same connection without it (see
//! `docs/decisions/0001-reading-rows.md`).

mod patience;
mod prelogin;
mod tls;
mod trust;
mod wire;

pub(super) use patience::{STATEMENT_TIMEOUT, WaitLimits};
pub(super) use prelogin::negotiate;
pub(super) use wire::{ANSWER_TOO_LARGE, Wire};

/// Bytes of a packet's header (MS-TDS 2.2.3.1).
pub(super) const HEADER: usize = 8;
/// The status bit of the last packet of a message (MS-TDS 2.2.3.1.2).
pub(super) const END_OF_MESSAGE: u8 = 0x01;

/// A packet's type (MS-TDS 2.2.3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PacketType {
    /// What a server says.
    Response = 0x04,
    /// The rows of an INSERT BULK.
    BulkLoad = 0x07,
    /// Before the login, the TLS handshake included.
    Prelogin = 0x12,
}

/// A packet's header; `length` counts the header itself.
pub(super) fn header(kind: PacketType, status: u8, length: u16, id: u8) -> [u8; HEADER] {
    let [high, low] = length.to_be_bytes();
    [kind as u8, status, high, low, 0, 0, id, 0]
}
