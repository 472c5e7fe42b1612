//! ENVCHANGE (MS-TDS 2.2.7.9): the session's surroundings changed.

use icehost_devengine::session::EnvChange;

use super::{b_varchar, kind, with_length};
use crate::value::collation::Collation;

const DATABASE: u8 = 1;
const LANGUAGE: u8 = 2;
const PACKET_SIZE: u8 = 4;
const COLLATION: u8 = 7;
const BEGIN_TRANSACTION: u8 = 8;
const COMMIT_TRANSACTION: u8 = 9;
const ROLLBACK_TRANSACTION: u8 = 10;
const RESET_DONE: u8 = 18;

fn write_text(kind: u8, new: &str, old: &str, out: &mut Vec<u8>) {
    with_length(kind::ENV_CHANGE, out, |out| {
        out.push(kind);
        b_varchar(new, out);
        b_varchar(old, out);
    });
}

fn write_bytes(kind: u8, new: &[u8], old: &[u8], out: &mut Vec<u8>) {
    with_length(kind::ENV_CHANGE, out, |out| {
        out.push(kind);
        for bytes in [new, old] {
            out.push(u8::try_from(bytes.len()).unwrap_or(0));
            out.extend_from_slice(bytes);
        }
    });
}

/// Appends what the engine announces.
pub(crate) fn write_change(change: &EnvChange, out: &mut Vec<u8>) {
    match change {
        EnvChange::Database { old, new } => write_text(DATABASE, new, old, out),
        EnvChange::BeginTransaction { descriptor } => {
            write_bytes(BEGIN_TRANSACTION, &descriptor.to_le_bytes(), &[], out);
        }
        EnvChange::CommitTransaction { descriptor } => {
            write_bytes(COMMIT_TRANSACTION, &[], &descriptor.to_le_bytes(), out);
        }
        EnvChange::RollbackTransaction { descriptor } => {
            write_bytes(ROLLBACK_TRANSACTION, &[], &descriptor.to_le_bytes(), out);
        }
    }
}

/// Appends the database that a login or a reset arrived in.
pub(crate) fn write_database(new: &str, old: &str, out: &mut Vec<u8>) {
    write_text(DATABASE, new, old, out);
}

pub(crate) fn write_language(new: &str, old: &str, out: &mut Vec<u8>) {
    write_text(LANGUAGE, new, old, out);
}

pub(crate) fn write_collation(new: Collation, out: &mut Vec<u8>) {
    write_bytes(COLLATION, &new.0, &[], out);
}

/// Appends packet sizes, which go as text.
pub(crate) fn write_packet_size(new: usize, old: usize, out: &mut Vec<u8>) {
    write_text(PACKET_SIZE, &new.to_string(), &old.to_string(), out);
}

/// Appends the acknowledgement of a reset.
pub(crate) fn write_reset(out: &mut Vec<u8>) {
    write_bytes(RESET_DONE, &[], &[], out);
}
