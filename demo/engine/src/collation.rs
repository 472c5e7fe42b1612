//! Collations: comparison, order and hashing of text, and code page 1252.
//!
//! Order within a collation is that of case-folded code points, which is exact for equality and for digits
//! and letters of one script, and differs from SQL Server in how punctuation and accents sort. Binary
//! collations are exact.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::error::{SqlResult, unsupported_clause};
use crate::session::SqlError;

/// The server's, every database's and every column's default.
pub(crate) const DEFAULT_NAME: &str = "SQL_Latin1_General_CP1_CI_AS";

/// How text compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Collation {
    pub(crate) name: Arc<str>,
    ignore_case: bool,
    ignore_accents: bool,
    binary: bool,
}

thread_local! {
    static DEFAULT: Collation = Collation {
        name: Arc::from(DEFAULT_NAME),
        ignore_case: true,
        ignore_accents: false,
        binary: false,
    };
}

impl Collation {
    /// `SQL_Latin1_General_CP1_CI_AS`.
    pub(crate) fn server_default() -> Self {
        DEFAULT.with(Clone::clone)
    }

    /// The collation of that name: Latin1_General in its versions, `_CI`/`_CS`, `_AI`/`_AS`, `_BIN`, `_BIN2`.
    pub(crate) fn named(name: &str) -> SqlResult<Self> {
        let upper = name.to_ascii_uppercase();
        if upper == "DATABASE_DEFAULT"
            || upper == "CATALOG_DEFAULT"
            || upper == DEFAULT_NAME.to_ascii_uppercase()
        {
            return Ok(Self::server_default());
        }
        let family = [
            "SQL_LATIN1_GENERAL_CP1_",
            "LATIN1_GENERAL_100_",
            "LATIN1_GENERAL_",
        ]
        .into_iter()
        .find_map(|prefix| upper.strip_prefix(prefix));
        let Some(rest) = family else {
            let plausible = upper.contains("_CI_")
                || upper.contains("_CS_")
                || upper.ends_with("_BIN")
                || upper.ends_with("_BIN2");
            return Err(if plausible {
                unsupported_clause(&format!("COLLATE {name}"))
            } else {
                invalid(name)
            });
        };
        let flags: Vec<&str> = rest.split('_').collect();
        let mut collation = Self {
            name: Arc::from(name),
            ignore_case: false,
            ignore_accents: false,
            binary: false,
        };
        for flag in flags {
            match flag {
                "CI" => collation.ignore_case = true,
                "AI" => collation.ignore_accents = true,
                "BIN" | "BIN2" => collation.binary = true,
                "CS" | "AS" | "KS" | "WS" | "SC" => {}
                "UTF8" => return Err(unsupported_clause(&format!("COLLATE {name}"))),
                _ => return Err(invalid(name)),
            }
        }
        Ok(collation)
    }

    fn fold(&self, c: char) -> char {
        let c = if self.ignore_case { fold_case(c) } else { c };
        if self.ignore_accents {
            base_letter(c)
        } else {
            c
        }
    }

    /// Orders two texts; the shorter counts as padded with blanks.
    pub(crate) fn compare(&self, a: &str, b: &str) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        let (mut left, mut right) = (a.chars(), b.chars());
        loop {
            match (left.next(), right.next()) {
                (None, None) => return Ordering::Equal,
                (x, y) => {
                    let (x, y) = (x.unwrap_or(' '), y.unwrap_or(' '));
                    let order = if self.binary {
                        compare_units(x, y)
                    } else {
                        self.fold(x).cmp(&self.fold(y))
                    };
                    if order.is_ne() {
                        return order;
                    }
                }
            }
        }
    }

    pub(crate) fn hash<H: Hasher>(&self, text: &str, state: &mut H) {
        for c in text.trim_end_matches(' ').chars() {
            if self.binary {
                c.hash(state)
            } else {
                self.fold(c).hash(state)
            }
        }
        state.write_u8(0xff);
    }

    /// Whether two characters match in LIKE, CHARINDEX and REPLACE, where blanks count.
    pub(crate) fn same(&self, a: char, b: char) -> bool {
        a == b || (!self.binary && self.fold(a) == self.fold(b))
    }

    /// Whether `c` lies in a LIKE range.
    pub(crate) fn between(&self, c: char, low: char, high: char) -> bool {
        if self.binary {
            return low <= c && c <= high;
        }
        let (c, low, high) = (self.fold(c), self.fold(low), self.fold(high));
        low <= c && c <= high
    }
}

fn invalid(name: &str) -> SqlError {
    SqlError::new(448, 16, 3, format!("Invalid collation '{name}'."))
}

/// Binary collations order by UTF-16 code unit.
fn compare_units(a: char, b: char) -> Ordering {
    let (mut left, mut right) = ([0; 2], [0; 2]);
    a.encode_utf16(&mut left)
        .iter()
        .cmp(b.encode_utf16(&mut right).iter())
}

fn fold_case(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(single), None) => single,
        _ => c,
    }
}

/// The letter under the accent, for the Latin letters that code page 1252 and Latin Extended-A hold.
fn base_letter(c: char) -> char {
    const TABLE: [(&str, char); 32] = [
        ("àáâãäåāăą", 'a'),
        ("ÀÁÂÃÄÅĀĂĄ", 'A'),
        ("çćĉċč", 'c'),
        ("ÇĆĈĊČ", 'C'),
        ("ďđ", 'd'),
        ("ĎĐ", 'D'),
        ("èéêëēĕėęě", 'e'),
        ("ÈÉÊËĒĔĖĘĚ", 'E'),
        ("ĝğġģ", 'g'),
        ("ĜĞĠĢ", 'G'),
        ("ìíîïĩīĭį", 'i'),
        ("ÌÍÎÏĨĪĬĮ", 'I'),
        ("ĺļľ", 'l'),
        ("ĹĻĽ", 'L'),
        ("ñńņň", 'n'),
        ("ÑŃŅŇ", 'N'),
        ("òóôõöōŏő", 'o'),
        ("ÒÓÔÕÖŌŎŐ", 'O'),
        ("ŕŗř", 'r'),
        ("ŔŖŘ", 'R'),
        ("śŝşš", 's'),
        ("ŚŜŞŠ", 'S'),
        ("ţť", 't'),
        ("ŢŤ", 'T'),
        ("ùúûüũūŭůűų", 'u'),
        ("ÙÚÛÜŨŪŬŮŰŲ", 'U'),
        ("ýÿŷ", 'y'),
        ("ÝŸŶ", 'Y'),
        ("źżž", 'z'),
        ("ŹŻŽ", 'Z'),
        ("ĥ", 'h'),
        ("Ĥ", 'H'),
    ];
    if c.is_ascii() {
        return c;
    }
    TABLE
        .iter()
        .find(|(accented, _)| accented.contains(c))
        .map_or(c, |(_, base)| *base)
}

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
