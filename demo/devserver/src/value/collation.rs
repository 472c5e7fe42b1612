//! Collations on the wire, and the code page of non-Unicode text.

use encoding_rs::{EncoderResult, Encoding, SHIFT_JIS, UTF_8, WINDOWS_1251, WINDOWS_1252};

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
    /// Text that is not plain ASCII in a code page that is not known here, or not of the code page.
    pub(crate) fn decode(self, bytes: &[u8]) -> Result<String, ProtocolError> {
        if bytes.is_ascii() {
            return Ok(bytes.iter().copied().map(char::from).collect());
        }
        let Some(encoding) = self.encoding() else {
            let [.., sort_id] = self.0;
            return Err(ProtocolError::Unsupported(format!(
                "varchar text in the collation with LCID 0x{:05X} and sort id {sort_id}; it knows code pages 932, \
                 1251 and 1252, and UTF-8",
                self.lcid()
            )));
        };
        if encoding == UTF_8 {
            return std::str::from_utf8(bytes)
                .map(str::to_owned)
                .map_err(|error| {
                    ProtocolError::invalid(format!("varchar text in a UTF-8 collation: {error}"))
                });
        }
        let (text, lacks) = encoding.decode_without_bom_handling(bytes);
        match lacks {
            true => Err(ProtocolError::invalid(format!(
                "varchar text that is not of code page {}",
                encoding.name()
            ))),
            false => Ok(text.into_owned()),
        }
    }

    fn lcid(self) -> u32 {
        self.flags() & 0xF_FFFF
    }

    /// The code page; `None` where it is not known here.
    fn encoding(self) -> Option<&'static Encoding> {
        let [.., sort_id] = self.0;
        if self.flags() & UTF8 != 0 {
            return Some(UTF_8);
        }
        // SQL sort orders 51 to 54 and 183 to 186 belong to code page 1252, as do the LCIDs above.
        match (sort_id, self.lcid() & 0xFFFF) {
            (51..=54 | 71..=75 | 183..=186, _) => Some(WINDOWS_1252),
            (0, lcid) if WESTERN_LCIDS.contains(&lcid) => Some(WINDOWS_1252),
            (0, 0x0411) => Some(SHIFT_JIS),
            (0, 0x0419) => Some(WINDOWS_1251),
            _ => None,
        }
    }

    /// Whether a column of this collation can hold the text.
    pub(crate) fn has(self, text: &str) -> bool {
        text.is_ascii()
            || match self.encoding() {
                None => false,
                Some(encoding) => !encoding.encode(text).2,
            }
    }

    /// Appends `varchar` text, which the collation has.
    pub(crate) fn encode(self, text: &str, out: &mut Vec<u8>) {
        match self.encoding() {
            Some(encoding) if encoding != WINDOWS_1252 => {
                out.extend_from_slice(&encoding.encode(text).0);
            }
            _ => encode_1252(text, out),
        }
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
    fn an_unknown_code_page_is_refused_rather_than_guessed() {
        let greek = Collation([0x08, 0x04, 0xD0, 0x00, 0x00]);
        assert_eq!(greek.decode(b"plain").unwrap(), "plain");
        assert!(greek.decode(&[0xE1]).is_err());
        assert!(greek.has("plain") && !greek.has("\u{3b1}"));
    }

    #[test]
    fn japanese_and_cyrillic_have_their_code_pages() {
        let japanese = Collation([0x11, 0x04, 0xD0, 0x00, 0x00]);
        let cyrillic = Collation([0x19, 0x04, 0xD0, 0x00, 0x00]);
        for (collation, text, bytes) in [
            (japanese, "\u{30c6}\u{ff83}", &[0x83, 0x65, 0xC3][..]),
            (cyrillic, "\u{416}\u{451}", &[0xC6, 0xB8][..]),
        ] {
            assert_eq!(collation.decode(bytes).unwrap(), text);
            let mut out = Vec::new();
            collation.encode(text, &mut out);
            assert_eq!(out, bytes);
        }
        assert!(!cyrillic.has("\u{e9}") && japanese.decode(&[0x83]).is_err());
    }

    #[test]
    fn a_utf8_collation_is_utf8() {
        let collation = Collation([0x09, 0x04, 0xD0, 0x04, 0x00]);
        assert_eq!(collation.decode("\u{416}".as_bytes()).unwrap(), "\u{416}");
        assert!(collation.decode(&[0xFF]).is_err());
    }
}
