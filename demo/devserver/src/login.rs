//! LOGIN7 (MS-TDS 2.2.6.4): who the client is and what it asks for.

use subtle::ConstantTimeEq;

use crate::input::{Input, utf16};
use crate::packet::{DEFAULT_PACKET_SIZE, MAX_PACKET_SIZE, MIN_PACKET_SIZE};
use crate::protocol_error::ProtocolError;

/// Bytes of the fixed part.
const FIXED: usize = 94;
/// `fIntSecurity` of OptionFlags2: a login by SSPI.
const INTEGRATED_SECURITY: u8 = 0x80;
/// `fExtension` of OptionFlags3: feature extensions follow.
const EXTENSION: u8 = 0x10;
const FEATURE_FEDERATED_AUTHENTICATION: u8 = 0x02;
const FEATURE_UTF8_SUPPORT: u8 = 0x0A;
const FEATURE_TERMINATOR: u8 = 0xFF;

/// A version of the protocol, as LOGIN7 numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TdsVersion(pub(crate) u32);

impl TdsVersion {
    const V7_3A: u32 = 0x730A_0003;
    const V7_3B: u32 = 0x730B_0003;
    const V7_4: u32 = 0x7400_0004;
    const V8_0: u32 = 0x0800_0000;

    /// The version to speak with a client that asks for this one; `None` below 7.3, where the types of date
    /// and time that the engine has do not exist.
    pub(crate) fn negotiate(requested: u32) -> Option<Self> {
        match requested {
            Self::V8_0 => Some(Self(Self::V8_0)),
            Self::V7_4.. => Some(Self(Self::V7_4)),
            Self::V7_3B.. => Some(Self(Self::V7_3B)),
            Self::V7_3A.. => Some(Self(Self::V7_3A)),
            _ => None,
        }
    }

    /// Whether rows may carry a bitmap of their NULLs.
    pub(crate) fn has_null_compression(self) -> bool {
        self.0 != Self::V7_3A
    }

    /// Feature extensions came with 7.4.
    pub(crate) fn has_features(self) -> bool {
        matches!(self.0, Self::V7_4 | Self::V8_0)
    }
}

/// A login as it was asked for.
pub(crate) struct Login {
    pub(crate) version: u32,
    /// Within what the protocol allows; 4096 where the client leaves it to the server.
    pub(crate) packet_size: usize,
    pub(crate) host: String,
    pub(crate) user: String,
    password: String,
    pub(crate) application: String,
    /// Empty: the login's default.
    pub(crate) database: String,
    pub(crate) wants_utf8: bool,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("version", &format_args!("0x{:08X}", self.version))
            .field("packet_size", &self.packet_size)
            .field("host", &self.host)
            .field("user", &self.user)
            .field("application", &self.application)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl Login {
    /// Reads the message.
    ///
    /// # Errors
    /// Fields outside of the message, and logins other than by user and password.
    pub(crate) fn read(message: &[u8]) -> Result<Self, ProtocolError> {
        const READING: &str = "LOGIN7";
        let mut fixed = Input::complete(
            message
                .get(..FIXED)
                .ok_or(ProtocolError::Truncated { reading: READING })?,
        );
        fixed.u32(READING)?;
        let version = fixed.u32(READING)?;
        let packet_size = match fixed.u32(READING)? {
            0 => DEFAULT_PACKET_SIZE,
            size => (size as usize).clamp(MIN_PACKET_SIZE, MAX_PACKET_SIZE),
        };
        fixed.take(12, READING)?;
        let [_, flags2, _, flags3] = fixed.array(READING)?;
        fixed.take(8, READING)?;
        let host = text(message, &mut fixed)?;
        let user = text(message, &mut fixed)?;
        let password = field(message, &mut fixed, 2)?;
        let application = text(message, &mut fixed)?;
        let _server = field(message, &mut fixed, 2)?;
        let extension = field(message, &mut fixed, 1)?;
        let _library = field(message, &mut fixed, 2)?;
        let _language = field(message, &mut fixed, 2)?;
        let database = text(message, &mut fixed)?;
        if flags2 & INTEGRATED_SECURITY != 0 {
            return Err(ProtocolError::Unsupported(
                "integrated security; log in with user and password".into(),
            ));
        }
        let features = if flags3 & EXTENSION != 0 {
            features(message, extension)?
        } else {
            Vec::new()
        };
        if features.contains(&FEATURE_FEDERATED_AUTHENTICATION) {
            return Err(ProtocolError::Unsupported(
                "federated authentication; log in with user and password".into(),
            ));
        }
        Ok(Self {
            version,
            packet_size,
            host,
            user,
            password: utf16(&clear(password), "the password")?,
            application,
            database,
            wants_utf8: features.contains(&FEATURE_UTF8_SUPPORT),
        })
    }

    /// Whether user and password are these. Takes the same time wherever a wrong password differs; a login's
    /// name is compared without case, as in the server's collation.
    pub(crate) fn is_by(&self, user: &str, password: &str) -> bool {
        let right_user = self.user.eq_ignore_ascii_case(user);
        let right_password: bool = self.password.as_bytes().ct_eq(password.as_bytes()).into();
        right_user & right_password
    }
}

/// The next field of the offset table, in the message: offset and length in units of `width` bytes.
fn field<'a>(
    message: &'a [u8],
    table: &mut Input,
    width: usize,
) -> Result<&'a [u8], ProtocolError> {
    let start = usize::from(table.u16("LOGIN7")?);
    let length = usize::from(table.u16("LOGIN7")?) * width;
    message
        .get(start..start + length)
        .ok_or_else(|| ProtocolError::invalid("a field of LOGIN7 lies outside of the message"))
}

fn text(message: &[u8], table: &mut Input) -> Result<String, ProtocolError> {
    utf16(field(message, table, 2)?, "a field of LOGIN7")
}

/// Undoes the obfuscation of a password (MS-TDS 2.2.6.4): it hides nothing from anyone.
fn clear(password: &[u8]) -> Vec<u8> {
    password
        .iter()
        .map(|byte| (byte ^ 0xA5).rotate_left(4))
        .collect()
}

/// The ids of the feature extensions, which lie where four bytes at the extension field point.
fn features(message: &[u8], pointer: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    const READING: &str = "the feature extensions of LOGIN7";
    let start = Input::complete(pointer).u32(READING)? as usize;
    let block = message
        .get(start..)
        .ok_or(ProtocolError::Truncated { reading: READING })?;
    let mut block = Input::complete(block);
    let mut ids = Vec::new();
    loop {
        match block.u8(READING)? {
            FEATURE_TERMINATOR => return Ok(ids),
            id => {
                let length = block.u32(READING)? as usize;
                block.take(length, READING)?;
                ids.push(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn obfuscated(text: &str) -> Vec<u8> {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .map(|byte| byte.rotate_left(4) ^ 0xA5)
            .collect()
    }

    fn message(user: &str, password: &str, database: &str) -> Vec<u8> {
        let mut message = vec![0; FIXED];
        message[4..8].copy_from_slice(&0x7400_0004u32.to_le_bytes());
        message[8..12].copy_from_slice(&100_000u32.to_le_bytes());
        let plain = |text: &str| {
            text.encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<u8>>()
        };
        for (at, bytes) in [
            (40, plain(user)),
            (44, obfuscated(password)),
            (68, plain(database)),
        ] {
            let start = message.len() as u16;
            message[at..at + 2].copy_from_slice(&start.to_le_bytes());
            message[at + 2..at + 4].copy_from_slice(&(bytes.len() as u16 / 2).to_le_bytes());
            message.extend_from_slice(&bytes);
        }
        message
    }

    #[test]
    fn a_login_reads_back() {
        let login = Login::read(&message("SA", "P\u{e4}ss w\u{f6}rd!", "Sales")).unwrap();
        assert!(login.is_by("sa", "P\u{e4}ss w\u{f6}rd!"));
        assert!(!login.is_by("sa", "P\u{e4}ss w\u{f6}rd"));
        assert!(!login.is_by("someone", "P\u{e4}ss w\u{f6}rd!"));
        assert_eq!(login.database, "Sales");
        assert_eq!(login.packet_size, MAX_PACKET_SIZE);
    }

    #[test]
    fn the_password_stays_out_of_debug_output() {
        let login = Login::read(&message("sa", "s3cret", "")).unwrap();
        assert!(!format!("{login:?}").contains("s3cret"));
    }

    #[test]
    fn every_truncation_is_an_error_and_no_panic() {
        let whole = message("sa", "password", "Sales");
        for length in 0..whole.len() {
            assert!(
                Login::read(&whole[..length]).is_err(),
                "{length} of {} bytes",
                whole.len()
            );
        }
    }

    #[test]
    fn versions_are_negotiated_downwards() {
        assert_eq!(
            TdsVersion::negotiate(0x7400_0004).map(|v| v.0),
            Some(0x7400_0004)
        );
        assert_eq!(
            TdsVersion::negotiate(0x730B_0003).map(|v| v.0),
            Some(0x730B_0003)
        );
        assert_eq!(TdsVersion::negotiate(0x7209_0002), None);
        assert_eq!(
            TdsVersion::negotiate(0x0800_0000).map(|v| v.0),
            Some(0x0800_0000)
        );
    }
}
