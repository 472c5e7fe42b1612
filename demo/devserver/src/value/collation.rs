//! Collations on the wire, and the code page of non-Unicode text.

use encoding_rs::{EncoderResult, WINDOWS_1252};

use crate::protocol_error::ProtocolError;

/// A COLLATION (MS-TDS 2.2.5.1.2): LCID and comparison flags in four bytes, then the sort id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Collation(pub(crate) [u8; 5]);

/// `SQL_Latin1_General_CP1_CI_AS`: LCID 0x0409, case, kana and width ignored, sort id 52.
pub(crate) const DEFAULT: Collation = Collation([0x09, 0x04, 0xD0, 0x00, 0x34]);

/// The bit of the comparison flags that makes `varchar` UTF-8.
const UTF8: u32 = 1 << 26;
/// The comparison flag of case-insensitive collations.
const IGNORE_CASE: u32 = 1 << 20;

/// LCIDs whose Windows code page is 1252.
const WESTERN_LCIDS: [u32; 60] = [
    0x0000, 0x0403, 0x0406, 0x0407, 0x0409, 0x040A, 0x040B, 0x040C, 0x040F, 0x0410, 0x0413, 0x0414,
    0x0416, 0x0417, 0x041D, 0x0421, 0x042D, 0x0432, 0x0434, 0x0435, 0x0436, 0x0437, 0x0438, 0x043E,
    0x0441, 0x0452, 0x0456, 0x0462, 0x046E, 0x046F, 0x047A, 0x047C, 0x047E, 0x0482, 0x0483, 0x0484,
    0x0487, 0x0488, 0x0807, 0x0809, 0x080A, 0x080C, 0x0810, 0x0813, 0x0814, 0x0816, 0x081D, 0x083E,
    0x0C07, 0x0C09, 0x0C0A, 0x0C0C, 0x1007, 0x1009, 0x100C, 0x1407, 0x1409, 0x140C, 0x1809, 0x1C09,
];

impl Collation {
    fn flags(self) -> u32 {
        let [a, b, c, d, _] = self.0;
        u32::from_le_bytes([a, b, c, d])
    }

    pub(crate) fn is_case_sensitive(self) -> bool {
        self.flags() & IGNORE_CASE == 0
    }

    /// Decodes `varchar` text.
    ///
    /// # Errors
    /// Text in a code page other than 1252 or UTF-8 that is not plain ASCII.
    pub(crate) fn decode(self, bytes: &[u8]) -> Result<String, ProtocolError> {
        if bytes.is_ascii() {
            return Ok(bytes.iter().copied().map(char::from).collect());
        }
        if self.flags() & UTF8 != 0 {
            return std::str::from_utf8(bytes)
                .map(str::to_owned)
                .map_err(|error| {
                    ProtocolError::invalid(format!("varchar text in a UTF-8 collation: {error}"))
                });
        }
        let [.., sort_id] = self.0;
        let lcid = self.flags() & 0xF_FFFF;
        // SQL sort orders 51 to 54 and 183 to 186 belong to code page 1252, as do the LCIDs above.
        let western = matches!(sort_id, 51..=54 | 71..=75 | 183..=186)
            || (sort_id == 0 && WESTERN_LCIDS.contains(&(lcid & 0xFFFF)));
        if !western {
            return Err(ProtocolError::Unsupported(format!(
                "varchar text in the collation with LCID 0x{lcid:05X} and sort id {sort_id}; it knows code page 1252 \
                 and UTF-8"
            )));
        }
        Ok(WINDOWS_1252
            .decode_without_bom_handling(bytes)
            .0
            .into_owned())
    }
}

/// Appends text in code page 1252; what it lacks becomes `?`, as on SQL Server.
pub(crate) fn encode_1252(text: &str, out: &mut Vec<u8>) {
    if text.is_ascii() {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let mut encoder = WINDOWS_1252.new_encoder();
    let mut rest = text;
    loop {
        out.reserve(rest.len().max(16));
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(rest, out, true);
        rest = rest.get(read..).unwrap_or_default();
        match result {
            EncoderResult::InputEmpty => return,
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(_) => out.push(b'?'),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn code_page_1252_keeps_what_it_has_and_asks_about_the_rest() {
        let mut out = Vec::new();
        encode_1252("na\u{ef}ve \u{20ac} \u{416} \u{1f600}", &mut out);
        assert_eq!(out, b"na\xefve \x80 ? ?");
    }

    #[test]
    fn every_byte_of_code_page_1252_survives() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = DEFAULT.decode(&bytes).unwrap();
        let mut out = Vec::new();
        encode_1252(&text, &mut out);
        assert_eq!(out, bytes);
    }

    #[test]
    fn another_code_page_is_refused_rather_than_guessed() {
        let japanese = Collation([0x11, 0x04, 0xD0, 0x00, 0x00]);
        assert_eq!(japanese.decode(b"plain").unwrap(), "plain");
        assert!(japanese.decode(&[0x83, 0x65]).is_err());
    }

    #[test]
    fn a_utf8_collation_is_utf8() {
        let collation = Collation([0x09, 0x04, 0xD0, 0x04, 0x00]);
        assert_eq!(collation.decode("\u{416}".as_bytes()).unwrap(), "\u{416}");
        assert!(collation.decode(&[0xFF]).is_err());
    }
}
