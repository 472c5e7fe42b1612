//! The tokens of a response (MS-TDS 2.2.7), each appended to a buffer.

pub(crate) mod colmetadata;
pub(crate) mod done;
pub(crate) mod environment;
pub(crate) mod login_ack;
pub(crate) mod message;
pub(crate) mod return_value;
pub(crate) mod row;

use crate::value::encode::write_utf16;

/// Token bytes.
pub(crate) mod kind {
    pub(crate) const RETURN_STATUS: u8 = 0x79;
    pub(crate) const COLMETADATA: u8 = 0x81;
    pub(crate) const ERROR: u8 = 0xAA;
    pub(crate) const INFO: u8 = 0xAB;
    pub(crate) const RETURN_VALUE: u8 = 0xAC;
    pub(crate) const LOGIN_ACK: u8 = 0xAD;
    pub(crate) const FEATURE_EXT_ACK: u8 = 0xAE;
    pub(crate) const ROW: u8 = 0xD1;
    pub(crate) const NBC_ROW: u8 = 0xD2;
    pub(crate) const ENV_CHANGE: u8 = 0xE3;
    pub(crate) const DONE: u8 = 0xFD;
    pub(crate) const DONE_PROC: u8 = 0xFE;
    pub(crate) const DONE_IN_PROC: u8 = 0xFF;
}

/// Appends text after its length in code units in one byte, cut to what that can say.
pub(crate) fn b_varchar(text: &str, out: &mut Vec<u8>) {
    let text = cut(text, u8::MAX.into());
    out.push(u8::try_from(units(text)).unwrap_or(u8::MAX));
    write_utf16(text, out);
}

/// Appends text after its length in code units in two bytes, cut to what that can say.
///
/// Messages are cut at 4,000 units: a token's own length is two bytes, too.
pub(crate) fn us_varchar(text: &str, out: &mut Vec<u8>) {
    let text = cut(text, 4_000);
    out.extend_from_slice(&u16::try_from(units(text)).unwrap_or(u16::MAX).to_le_bytes());
    write_utf16(text, out);
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

fn cut(text: &str, most: usize) -> &str {
    let mut used = 0;
    for (start, character) in text.char_indices() {
        used += character.len_utf16();
        if used > most {
            return text.get(..start).unwrap_or_default();
        }
    }
    text
}

/// Appends a token that starts with its own length in two bytes.
pub(crate) fn with_length(kind: u8, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    let start = out.len();
    out.extend_from_slice(&[0; 2]);
    body(out);
    let length = u16::try_from(out.len() - start - 2).unwrap_or(u16::MAX);
    if let Some(place) = out.get_mut(start..start + 2) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        let text = "\u{1f600}".repeat(200);
        let mut out = Vec::new();
        b_varchar(&text, &mut out);
        assert_eq!(out.first(), Some(&254), "127 characters of two units");
        assert_eq!(out.len(), 1 + 254 * 2);
    }
}
