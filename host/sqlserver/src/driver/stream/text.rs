//! Text of the wire as UTF-8.

use encoding_rs::WINDOWS_1252;

/// UTF-16 units that are looked at together; compilers make vector instructions of such loops.
const UNITS: usize = 16;

/// Appends little-endian UTF-16 as UTF-8.
///
/// # Errors
/// Half of a surrogate pair, or half of a unit; some of the text may have been appended then.
fn append_utf16(mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), NotUnicode> {
    // UTF-8 takes up to three bytes for a unit; most text takes one.
    out.reserve(bytes.len() / 2);
    loop {
        while let Some((block, rest)) = bytes.split_first_chunk::<{ UNITS * 2 }>() {
            let mut beyond_ascii = 0u8;
            let mut ascii = [0u8; UNITS];
            for (to, pair) in ascii.iter_mut().zip(block.as_chunks::<2>().0) {
                *to = pair[0];
                beyond_ascii |= (pair[0] & 0x80) | pair[1];
            }
            if beyond_ascii != 0 {
                break;
            }
            out.extend_from_slice(&ascii);
            bytes = rest;
        }
        let (units, odd) = bytes.as_chunks::<2>();
        if units.is_empty() {
            return match odd {
                [] => Ok(()),
                _ => Err(NotUnicode),
            };
        }
        // A block's worth, one by one; then blocks may do again. A pair is never parted.
        let mut taken = UNITS.min(units.len());
        let ends_in_half = |taken: usize| {
            let last = taken.checked_sub(1).and_then(|at| units.get(at));
            last.is_some_and(|unit| (0xD800..0xDC00).contains(&u16::from_le_bytes(*unit)))
        };
        if ends_in_half(taken) && taken < units.len() {
            taken += 1;
        }
        let part = units
            .iter()
            .take(taken)
            .map(|unit| u16::from_le_bytes(*unit));
        for decoded in char::decode_utf16(part) {
            let character = decoded.map_err(|_| NotUnicode)?;
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        bytes = bytes.get(taken * 2..).unwrap_or_default();
    }
}

/// Text that is not valid Unicode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotUnicode;

/// Appends text of code page 1252, or of a UTF-8 collation, as UTF-8. Other code pages are not read: the
/// server is asked for Unicode instead.
///
/// # Errors
/// Bytes that are not UTF-8 under a UTF-8 collation.
fn append_code_page(bytes: &[u8], utf8: bool, out: &mut Vec<u8>) -> Result<(), NotUnicode> {
    if bytes.is_ascii() {
        out.extend_from_slice(bytes);
    } else if utf8 {
        let text = str::from_utf8(bytes).map_err(|_| NotUnicode)?;
        out.extend_from_slice(text.as_bytes());
    } else {
        let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
        out.extend_from_slice(text.as_bytes());
    }
    Ok(())
}

/// How text is written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf16,
    /// Code page 1252, or UTF-8.
    CodePage {
        utf8: bool,
    },
}

impl Encoding {
    /// Appends text as UTF-8.
    ///
    /// # Errors
    /// Text that is not valid; some of it may have been appended then.
    pub(crate) fn append(self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), NotUnicode> {
        match self {
            Encoding::Utf16 => append_utf16(bytes, out),
            Encoding::CodePage { utf8 } => append_code_page(bytes, utf8, out),
        }
    }

    /// Appends text that comes in pieces, which may end within a character.
    ///
    /// # Errors
    /// As [`Encoding::append`].
    pub(crate) fn append_pieces<'a>(
        self,
        pieces: impl Iterator<Item = &'a [u8]>,
        out: &mut Vec<u8>,
    ) -> Result<(), NotUnicode> {
        /// No character has more bytes, in any of the encodings.
        const LONGEST: usize = 4;
        let mut begun: Vec<u8> = Vec::with_capacity(LONGEST);
        for mut piece in pieces {
            while !begun.is_empty()
                && let Some((byte, rest)) = piece.split_first()
            {
                begun.push(*byte);
                piece = rest;
                if self.whole(&begun) == begun.len() || begun.len() == LONGEST {
                    self.append(&begun, out)?;
                    begun.clear();
                }
            }
            let (whole, rest) = piece.split_at(self.whole(piece));
            self.append(whole, out)?;
            begun.extend_from_slice(rest);
        }
        self.append(&begun, out)
    }

    /// How many of the bytes are whole characters; of what is no text, all that does not look like the beginning of one.
    fn whole(self, bytes: &[u8]) -> usize {
        match self {
            Encoding::Utf16 => match bytes.as_chunks::<2>() {
                ([.., last], odd) if (0xD800..0xDC00).contains(&u16::from_le_bytes(*last)) => {
                    bytes.len() - odd.len() - 2
                }
                (_, odd) => bytes.len() - odd.len(),
            },
            Encoding::CodePage { utf8: false } => bytes.len(),
            Encoding::CodePage { utf8: true } => match str::from_utf8(bytes) {
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                _ => bytes.len(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn half_a_pair_and_half_a_unit_are_refused_wherever_they_stand() {
        for before in 0..40 {
            let mut bytes = utf16(&"a".repeat(before));
            bytes.extend(0xD83Du16.to_le_bytes());
            assert_eq!(append_utf16(&bytes, &mut Vec::new()), Err(NotUnicode));
            bytes.extend(utf16(&"b".repeat(40)));
            assert_eq!(append_utf16(&bytes, &mut Vec::new()), Err(NotUnicode));
            let mut odd = utf16(&"a".repeat(before));
            odd.push(b'a');
            assert_eq!(append_utf16(&odd, &mut Vec::new()), Err(NotUnicode));
        }
    }

    #[test]
    fn code_page_1252_has_its_own_characters_between_128_and_159() {
        let mut out = Vec::new();
        append_code_page(b"\x80 caf\xE9", false, &mut out).unwrap();
        assert_eq!(out, "€ café".as_bytes());
        assert_eq!(
            append_code_page(b"caf\xE9", true, &mut Vec::new()),
            Err(NotUnicode)
        );
    }

    #[test]
    fn what_is_no_text_is_refused_in_pieces_too() {
        let utf8 = Encoding::CodePage { utf8: true };
        let high = 0xD83Du16.to_le_bytes();
        for (encoding, bytes) in [
            (Encoding::Utf16, [high, high, high, high].concat()),
            (Encoding::Utf16, [b"a\0".as_slice(), &high].concat()),
            (Encoding::Utf16, b"a\0b".to_vec()),
            (utf8, b"caf\xC3".to_vec()),
            (utf8, b"caf\xE9 au lait".to_vec()),
            (utf8, b"\xF0\x9F\x98x".to_vec()),
            (utf8, b"\xFF\xFF\xFF\xFF\xFF".to_vec()),
        ] {
            for size in 1..=bytes.len() {
                let refused = encoding.append_pieces(bytes.chunks(size), &mut Vec::new());
                assert_eq!(refused, Err(NotUnicode), "{bytes:?} by {size}");
            }
        }
    }

    proptest! {
        #[test]
        fn pieces_make_the_same_text(text in "[ -~äß日😀]{0,40}", size in 1..9usize) {
            for (encoding, bytes) in [
                (Encoding::Utf16, utf16(&text)),
                (Encoding::CodePage { utf8: true }, text.clone().into_bytes()),
            ] {
                let mut out = b"before".to_vec();
                encoding.append_pieces(bytes.chunks(size), &mut out).unwrap();
                prop_assert_eq!(out, format!("before{text}").into_bytes());
            }
        }

        #[test]
        fn text_survives(text in any::<String>(), ascii in "[ -~]{0,80}", more in "[a-zäöü😀]{0,80}") {
            for text in [text, format!("{ascii}{more}"), format!("{more}{ascii}")] {
                let mut out = b"before".to_vec();
                append_utf16(&utf16(&text), &mut out).unwrap();
                prop_assert_eq!(out, format!("before{text}").into_bytes());
            }
        }
    }
}
