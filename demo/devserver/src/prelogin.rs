//! PRELOGIN (MS-TDS 2.2.6.5): what client and server agree on before the login.

use crate::protocol_error::ProtocolError;
use crate::tls::Tls;

const VERSION: u8 = 0x00;
const ENCRYPTION: u8 = 0x01;
const INSTANCE: u8 = 0x02;
const THREAD_ID: u8 = 0x03;
const MARS: u8 = 0x04;
const TERMINATOR: u8 = 0xFF;

/// What one side says of encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// For the login only.
    Off,
    On,
    NotSupported,
    Required,
}

/// What was agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agreement {
    Plain,
    LoginOnly,
    Encrypted,
    /// The two cannot meet: the answer says so and the connection ends.
    Refused,
}

/// Reads the encryption option of a client's PRELOGIN; other options bear on nothing that is modelled.
///
/// # Errors
/// Options that point outside of the message.
pub(crate) fn read(message: &[u8]) -> Result<Encryption, ProtocolError> {
    let mut options = message;
    let mut encryption = None;
    loop {
        match options {
            [TERMINATOR, ..] => break,
            [option, a, b, c, d, rest @ ..] => {
                let start = usize::from(u16::from_be_bytes([*a, *b]));
                let length = usize::from(u16::from_be_bytes([*c, *d]));
                let value = message.get(start..start + length).ok_or_else(|| {
                    ProtocolError::invalid(format!(
                        "the PRELOGIN option {option} lies outside of its message"
                    ))
                })?;
                if *option == ENCRYPTION {
                    encryption = value.first().copied();
                }
                options = rest;
            }
            _ => {
                return Err(ProtocolError::Truncated {
                    reading: "PRELOGIN",
                });
            }
        }
    }
    // 0x80 asks for a client certificate on top, which is never asked for here.
    match encryption.unwrap_or(0x02) & 0x7F {
        0x00 => Ok(Encryption::Off),
        0x01 => Ok(Encryption::On),
        0x02 => Ok(Encryption::NotSupported),
        0x03 => Ok(Encryption::Required),
        other => Err(ProtocolError::invalid(format!(
            "0x{other:02X} is not a PRELOGIN encryption option"
        ))),
    }
}

/// What to answer, and what follows from it (the table of MS-TDS 2.2.6.5).
pub(crate) fn agree(tls: Tls, client: Encryption) -> (Encryption, Agreement) {
    match (tls, client) {
        (Tls::None, Encryption::Required) => (Encryption::NotSupported, Agreement::Refused),
        // A client that asks for encryption and hears of none ends the connection itself.
        (Tls::None, _) => (Encryption::NotSupported, Agreement::Plain),
        (_, Encryption::On | Encryption::Required) => (Encryption::On, Agreement::Encrypted),
        (Tls::Required, Encryption::Off) => (Encryption::Required, Agreement::Encrypted),
        (Tls::Required, Encryption::NotSupported) => (Encryption::Required, Agreement::Refused),
        (_, Encryption::Off) => (Encryption::Off, Agreement::LoginOnly),
        (_, Encryption::NotSupported) => (Encryption::NotSupported, Agreement::Plain),
    }
}

/// The server's PRELOGIN.
pub(crate) fn answer(encryption: Encryption) -> Vec<u8> {
    let encryption = match encryption {
        Encryption::Off => 0x00,
        Encryption::On => 0x01,
        Encryption::NotSupported => 0x02,
        Encryption::Required => 0x03,
    };
    let options: [(u8, &[u8]); 5] = [
        // 16.0.1000.6
        (VERSION, &[16, 0, 0x03, 0xE8, 0, 6]),
        (ENCRYPTION, &[encryption]),
        (INSTANCE, &[0]),
        (THREAD_ID, &[]),
        // Several active result sets are not offered.
        (MARS, &[0]),
    ];
    let mut message = Vec::new();
    let mut start = options.len() * 5 + 1;
    for (option, value) in options {
        message.push(option);
        message.extend_from_slice(&u16::try_from(start).unwrap_or(0).to_be_bytes());
        message.extend_from_slice(&u16::try_from(value.len()).unwrap_or(0).to_be_bytes());
        start += value.len();
    }
    message.push(TERMINATOR);
    for (_, value) in options {
        message.extend_from_slice(value);
    }
    message
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn the_answer_reads_back() {
        for encryption in [
            Encryption::Off,
            Encryption::On,
            Encryption::NotSupported,
            Encryption::Required,
        ] {
            assert_eq!(read(&answer(encryption)).unwrap(), encryption);
        }
    }

    #[test]
    fn options_outside_of_the_message_are_refused() {
        assert!(read(&[ENCRYPTION, 0, 6, 0, 9, TERMINATOR, 0]).is_err());
        assert!(read(&[ENCRYPTION, 0]).is_err());
        assert!(read(&[]).is_err());
    }

    #[test]
    fn encryption_is_agreed_on_as_the_protocol_says() {
        use Encryption::{NotSupported, Off, On, Required};
        let cases = [
            (Tls::None, Off, Agreement::Plain),
            (Tls::None, Required, Agreement::Refused),
            (Tls::Offered, Off, Agreement::LoginOnly),
            (Tls::Offered, On, Agreement::Encrypted),
            (Tls::Offered, NotSupported, Agreement::Plain),
            (Tls::Required, Off, Agreement::Encrypted),
            (Tls::Required, On, Agreement::Encrypted),
            (Tls::Required, NotSupported, Agreement::Refused),
        ];
        for (tls, client, expected) in cases {
            assert_eq!(agree(tls, client).1, expected, "{tls:?} meets {client:?}");
        }
    }
}
