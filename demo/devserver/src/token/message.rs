//! ERROR and INFO (MS-TDS 2.2.7.10 and 2.2.7.12).

use icehost_devengine::session::SqlError;

use super::{b_varchar, kind, us_varchar, with_length};

/// The name under which the server sends its messages.
pub(crate) const SERVER_NAME: &str = "icehost-devserver";

/// Appends an error.
pub(crate) fn write_error(error: &SqlError, out: &mut Vec<u8>) {
    write(kind::ERROR, error, out);
}

/// Appends a message that is none, of class 10 or below.
pub(crate) fn write_info(message: &SqlError, out: &mut Vec<u8>) {
    write(kind::INFO, message, out);
}

fn write(kind: u8, message: &SqlError, out: &mut Vec<u8>) {
    with_length(kind, out, |out| {
        out.extend_from_slice(&message.number.to_le_bytes());
        out.extend_from_slice(&[message.state, message.class]);
        us_varchar(&message.message, out);
        b_varchar(SERVER_NAME, out);
        // The procedure: none, these come from batches.
        b_varchar("", out);
        out.extend_from_slice(&message.line.to_le_bytes());
    });
}
