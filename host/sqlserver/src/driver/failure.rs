//! What the driver's errors mean.

use std::io;

use icehost_untrusted::{shown, shown_up_to};
use tiberius::error::{Error, IoErrorKind, TokenError};

use super::gathered::too_large;
use super::transport::{ANSWER_TOO_LARGE, STATEMENT_TIMEOUT};
use crate::endpoint::Endpoint;
use crate::error::{ErrorKind, ServerMessage, SqlServerError, hint_for_number};

/// Severity from which the server closes the connection (T-SQL reference, "Database Engine error severities").
const FATAL_CLASS: u8 = 20;

/// Most bytes of what a server says: the texts of its messages have at most 2,047 characters (`RAISERROR`).
const MOST_TEXT: usize = 2048;
/// Most bytes of a procedure's name: identifiers have at most 128 characters.
const MOST_NAME: usize = 256;

/// Whether the next request can still use the connection.
pub(super) fn leaves_connection_usable(error: &Error) -> bool {
    matches!(error, Error::Server(token) if token.class() < FATAL_CLASS)
}

/// An error of a connection that is open.
pub(super) fn from_driver(error: Error, endpoint: &Endpoint) -> SqlServerError {
    match error {
        Error::Server(token) => from_token(&token, endpoint),
        Error::Io { kind, message } => broken(kind, &message, endpoint),
        Error::Utf8 | Error::Utf16 => not_unicode("the text"),
        Error::Protocol(text) if text.to_ascii_lowercase().contains("utf-16") => {
            not_unicode(&shown(&endpoint.scrub(&text)))
        }
        Error::Encoding(text) => SqlServerError::protocol(format!(
            "text of {endpoint} could not be decoded: {}",
            shown(&endpoint.scrub(&text))
        ))
        .with_hint(
            "see which column holds it, and leave it out with --exclude-columns until it is mended",
        ),
        other => SqlServerError::protocol(format!(
            "the answer of {endpoint} was not understood: {}",
            shown(&endpoint.scrub(&other.to_string()))
        )),
    }
}

fn not_unicode(what: &str) -> SqlServerError {
    SqlServerError::new(
        ErrorKind::Unsupported,
        format!("a value is not valid Unicode ({what}): half of a surrogate pair stands alone"),
    )
    .with_hint("repair the value, or leave its column out with --exclude-columns")
}

fn from_token(token: &TokenError, endpoint: &Endpoint) -> SqlServerError {
    from_server(message(token), token.message(), endpoint)
}

fn message(token: &TokenError) -> ServerMessage {
    ServerMessage {
        number: token.code(),
        class: token.class(),
        state: token.state(),
        procedure: token.procedure().to_owned(),
        line: token.line(),
    }
}

/// An error that the server reported, with its text.
pub(super) fn from_server(
    message: ServerMessage,
    text: &str,
    endpoint: &Endpoint,
) -> SqlServerError {
    let text = shown_up_to(&endpoint.scrub(text.trim_end()), MOST_TEXT);
    let place = match (message.procedure.as_str(), message.line) {
        ("", _) => String::new(),
        (procedure, line) => {
            let procedure = shown_up_to(procedure, MOST_NAME);
            format!(", procedure {procedure}, line {line}")
        }
    };
    let text = format!(
        "{} (error {}, level {}, state {}{place})",
        text.trim_end().trim_end_matches('.'),
        message.number,
        message.class,
        message.state
    );
    let hint = hint_for_number(message.number);
    let error = SqlServerError::new(ErrorKind::Server(message), text);
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// Whether the server closes the connection after this error.
pub(super) fn is_fatal(message: &ServerMessage) -> bool {
    message.class >= FATAL_CLASS
}

/// An error of the socket, or what came over it.
pub(super) fn from_io(error: &io::Error, endpoint: &Endpoint) -> SqlServerError {
    match error.kind() {
        io::ErrorKind::InvalidData => SqlServerError::protocol(format!(
            "the answer of {endpoint} was not understood: {error}"
        )),
        kind => broken(kind, &error.to_string(), endpoint),
    }
}

/// What a connection that was open ended with.
fn broken(kind: IoErrorKind, message: &str, endpoint: &Endpoint) -> SqlServerError {
    match kind {
        ANSWER_TOO_LARGE => too_large(endpoint),
        STATEMENT_TIMEOUT => SqlServerError::new(
            ErrorKind::StatementTimeout,
            format!("{endpoint} took too long for a statement: {message}"),
        )
        .with_hint(
            "see what it waits for in sys.dm_exec_requests, or allow more with --query-timeout",
        ),
        IoErrorKind::TimedOut => SqlServerError::new(
            ErrorKind::Timeout,
            format!("{endpoint} did not answer in time: {message}"),
        )
        .with_hint(
            "see what holds up the server or the network; where it may be silent for so long, allow more with --idle-timeout",
        ),
        _ => SqlServerError::new(
            ErrorKind::ConnectionLost,
            format!("the connection to {endpoint} broke: {message}"),
        ),
    }
}

/// An error while connecting: logging in is part of it.
pub(super) fn from_handshake(error: Error, endpoint: &Endpoint) -> SqlServerError {
    match error {
        Error::Server(token) if token.code() != 0 => {
            let said = message(&token);
            let known = from_token(&token, endpoint);
            if known.is_transient() {
                return known
                    .context(format!("{endpoint} refused the login"))
                    .with_login(said);
            }
            let hint =
                hint_for_number(token.code()).unwrap_or("the server's own log says why it refused");
            SqlServerError::new(
                ErrorKind::Login,
                format!("{endpoint} refused the login: {known}"),
            )
            .with_hint(hint)
            .with_login(said)
        }
        Error::Io { kind, message } => {
            let lost = SqlServerError::new(
                ErrorKind::ConnectionLost,
                format!("the connection to {endpoint} broke during the login: {message}"),
            );
            // A server without TLS 8.0, or none at all, hangs up on the first byte.
            match kind {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => lost.with_hint(
                    "check that this is SQL Server's port and that it speaks the requested encryption",
                ),
                _ => lost,
            }
        }
        other => from_driver(other, endpoint),
    }
}
