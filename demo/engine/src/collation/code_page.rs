//! Code page 1252, which `varchar` holds by default, and others, which columns of other collations hold.

use encoding_rs::{Encoding, SHIFT_JIS, WINDOWS_1251};

/// The characters of code page 1252 at 0x80 to 0x9F (the five gaps hold the control characters).
const HIGH: [char; 32] = [
    '\u{20AC}', '\u{81}', '\u{201A}', '\u{192}', '\u{201E}', '\u{2026}', '\u{2020}', '\u{2021}',
    '\u{2C6}', '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8D}', '\u{17D}', '\u{8F}',
    '\u{90}', '\u{2018}', '\u{2019}', '\u{201C}', '\u{201D}', '\u{2022}', '\u{2013}', '\u{2014}',
    '\u{2DC}', '\u{2122}', '\u{161}', '\u{203A}', '\u{153}', '\u{9D}', '\u{17E}', '\u{178}',
];

/// The code of a character in code page 1252.
pub(crate) fn code_of(c: char) -> Option<u8> {
    match u32::from(c) {
        code @ (0..=0x7f | 0xa0..=0xff) => Some(code as u8),
        _ => HIGH
            .iter()
            .position(|high| *high == c)
            .map(|index| 0x80 + index as u8),
    }
}

/// The character of a code.
pub(crate) fn char_of(code: u8) -> char {
    match code {
        0x80..=0x9f => HIGH[usize::from(code - 0x80)],
        _ => char::from(code),
    }
}

/// The text as a `varchar` holds it: what the code page lacks becomes a question mark, once for each
/// UTF-16 code unit.
pub(crate) fn to_code_page(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    text.chars()
        .flat_map(|c| {
            std::iter::repeat_n(
                if code_of(c).is_some() { c } else { '?' },
                if code_of(c).is_some() {
                    1
                } else {
                    c.len_utf16()
                },
            )
        })
        .collect()
}

/// A code page other than 1252. A value of such a column is a text of which every character is in the page; what
/// would have to know its bytes beyond their number is refused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum OtherPage {
    Utf8,
    Legacy(&'static Encoding),
}

impl OtherPage {
    /// The code page of that number; `None` for 1252, and for those that are not known here.
    pub(crate) fn numbered(number: i32) -> Option<Self> {
        match number {
            65001 => Some(Self::Utf8),
            932 => Some(Self::Legacy(SHIFT_JIS)),
            1251 => Some(Self::Legacy(WINDOWS_1251)),
            _ => None,
        }
    }

    /// Bytes of a character; `None` where the page lacks it. What stands for such a one ("best fit") is not
    /// documented for all of them.
    pub(crate) fn bytes_of(self, c: char) -> Option<usize> {
        let Self::Legacy(encoding) = self else {
            return Some(c.len_utf8());
        };
        let mut buffer = [0; 4];
        let text = &*c.encode_utf8(&mut buffer);
        let (bytes, _, lacks) = encoding.encode(text);
        let back = encoding.decode_without_bom_handling(&bytes).0;
        (!lacks && back == text).then_some(bytes.len())
    }
}
