//! Text and bytes of variable length on the wire.

use icehost_plan::{Length, LogicalType, SqlType};

use super::super::misfit::Misfit;

/// Bytes that are looked at together; compilers make vector instructions of such loops.
const BLOCK: usize = 16;
/// SQL Server holds less than this many bytes in one value.
const TWO_GIGABYTES: usize = i32::MAX as usize;

/// Appends `text` as little-endian UTF-16; whether it was ASCII.
pub(super) fn append_utf16(text: &str, out: &mut Vec<u8>) -> bool {
    if text.is_ascii() {
        append_ascii(text.as_bytes(), out);
        return true;
    }
    out.reserve(text.len() * 2);
    let mut rest = text;
    while !rest.is_empty() {
        let blocks = rest.as_bytes().as_chunks::<BLOCK>().0;
        let ascii = blocks.iter().take_while(|block| block.is_ascii()).count() * BLOCK;
        let (plain, other) = rest.split_at_checked(ascii).unwrap_or((rest, ""));
        append_ascii(plain.as_bytes(), out);
        // A block's worth one by one; then blocks may do again.
        let mut characters = other.chars();
        for character in characters.by_ref().take(BLOCK) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(&unit.to_le_bytes());
            }
        }
        rest = characters.as_str();
    }
    false
}

fn append_ascii(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len() * 2, 0);
    let (pairs, _) = out
        .get_mut(start..)
        .unwrap_or_default()
        .as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        pair[0] = *byte;
    }
}

/// How text becomes that of a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextForm {
    /// UTF-16 units that the target's type holds
    limit: Option<u16>,
    /// Staged as `nvarchar(max)`: there is no longer type of limited length.
    max: bool,
}

impl TextForm {
    /// `None` where `sql_type` is no type of text.
    pub(super) fn new(sql_type: SqlType, staged: SqlType) -> Option<TextForm> {
        if sql_type.logical() != LogicalType::Text {
            return None;
        }
        let limit = match sql_type.length()? {
            Length::Limited(n) => Some(n),
            Length::Max => None,
        };
        Some(TextForm {
            limit,
            max: staged == SqlType::NVarChar(Length::Max),
        })
    }

    /// Whether it was ASCII.
    #[inline]
    pub(super) fn append(self, text: &str, out: &mut Vec<u8>) -> Result<bool, Misfit> {
        if let Some(limit) = self.limit.map(usize::from) {
            // A unit takes at least one byte of UTF-8.
            if text.len() > limit && text.encode_utf16().count() > limit {
                return Err(Misfit::TooManyCharacters);
            }
        }
        match self.max {
            true => append_text_max(text, out),
            false => Ok(append_text(text, out)),
        }
    }
}

/// Appends text of a type of limited length, its length in bytes in front (MS-TDS 2.2.5.2.2); whether it was
/// ASCII.
#[inline]
pub(super) fn append_text(text: &str, out: &mut Vec<u8>) -> bool {
    let at = out.len();
    out.extend_from_slice(&[0; 2]);
    let ascii = append_utf16(text, out);
    let bytes = (out.len() - at - 2) as u16;
    set(out, at, &bytes.to_le_bytes());
    ascii
}

/// Appends text of a `(max)` type (MS-TDS 2.2.5.2.3, PLP_BODY); whether it was ASCII.
fn append_text_max(text: &str, out: &mut Vec<u8>) -> Result<bool, Misfit> {
    if text.len().saturating_mul(2) >= TWO_GIGABYTES {
        return Err(Misfit::TooLarge);
    }
    if text.is_empty() {
        append_bytes_max(&[], out)?;
        return Ok(true);
    }
    let at = out.len();
    // The whole length, then that of the only chunk; both are known once the text is there.
    out.extend_from_slice(&[0; 12]);
    let ascii = append_utf16(text, out);
    let bytes = (out.len() - at - 12) as u32;
    set(out, at, &u64::from(bytes).to_le_bytes());
    set(out, at + 8, &bytes.to_le_bytes());
    out.extend_from_slice(&0u32.to_le_bytes());
    Ok(ascii)
}

/// Appends bytes of a type that holds `limit`, their number in front.
pub(super) fn append_bytes(bytes: &[u8], limit: u16, out: &mut Vec<u8>) -> Result<(), Misfit> {
    match u16::try_from(bytes.len()) {
        Ok(length) if length <= limit => {
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(bytes);
            Ok(())
        }
        _ => Err(Misfit::TooManyBytes),
    }
}

/// Appends bytes of a `(max)` type.
pub(super) fn append_bytes_max(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    let length = match u32::try_from(bytes.len()) {
        Ok(length) if bytes.len() < TWO_GIGABYTES => length,
        _ => return Err(Misfit::TooLarge),
    };
    out.extend_from_slice(&u64::from(length).to_le_bytes());
    // An empty chunk ends the value.
    if length > 0 {
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(bytes);
    }
    out.extend_from_slice(&0u32.to_le_bytes());
    Ok(())
}

fn set(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = out.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str, sql_type: SqlType, staged: SqlType) -> Result<Vec<u8>, Misfit> {
        let mut out = Vec::new();
        let form = TextForm::new(sql_type, staged).unwrap();
        form.append(text, &mut out).map(|_| out)
    }

    #[test]
    fn a_length_counts_utf_16_units() {
        let short = |n| SqlType::NVarChar(Length::Limited(n));
        assert_eq!(
            text("a😀", short(3), short(3)).unwrap(),
            [6, 0, b'a', 0, 0x3D, 0xD8, 0x00, 0xDE]
        );
        assert_eq!(
            text("a😀", short(2), short(2)),
            Err(Misfit::TooManyCharacters)
        );
        assert!(text("日本語", short(3), short(3)).is_ok());
    }

    #[test]
    fn a_max_value_is_one_chunk_and_an_empty_one_is_none() {
        let mut out = Vec::new();
        append_bytes_max(&[7], &mut out).unwrap();
        assert_eq!(out, [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0]);
        let max = SqlType::NVarChar(Length::Max);
        assert_eq!(text("", max, max).unwrap(), [0; 12]);
        assert_eq!(
            text("a", SqlType::Char(5000), max).unwrap(),
            [2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, b'a', 0, 0, 0, 0, 0]
        );
        let long = "a".repeat(5001);
        assert_eq!(
            text(&long, SqlType::Char(5000), max),
            Err(Misfit::TooManyCharacters)
        );
    }

    proptest! {
        #[test]
        fn text_becomes_utf_16(text in any::<String>(), ascii in "[ -~]{0,80}", more in "[a-zäöü😀]{0,80}") {
            for text in [text, format!("{ascii}{more}"), format!("{more}{ascii}{more}")] {
                let mut out = b"before".to_vec();
                let ascii = append_utf16(&text, &mut out);
                let expected: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
                prop_assert_eq!(&out[6..], expected);
                prop_assert_eq!(ascii, text.is_ascii());
            }
        }
    }
}
