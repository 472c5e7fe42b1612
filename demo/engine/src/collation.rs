//! Collations: when two texts are one, their order and hashing.
//!
//! Whether two texts are equal is answered exactly or not at all. What is known of a character is written down in
//! `letters`: which differences the flags of a collation's name take away, as the T-SQL reference describes them
//! ("Collation and Unicode support"), for the letters whose weights follow from that. Where the answer hangs on a
//! character whose weight Microsoft does not document (`ß` and `ss`, code points without weight, signs that
//! lengthen a vowel), there is doubt, and the statement that asked is refused (`doubt`).
//!
//! - A collation from Windows compares `varchar` as it compares `nvarchar`; one whose name begins with `SQL_`
//!   compares `varchar` by a table of single bytes in which nothing expands ("SQL Server collations").
//! - Blanks at the end never count; binary collations compare code units, the older `_BIN` all but the first byte
//!   by byte.
//! - Order is by base letter, then accent, then case with the small letter first: exact for letters of one
//!   script and for digits, not for punctuation.

pub(crate) mod code_page;
mod doubt;
mod letters;
mod name;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::error::{SqlResult, unsupported_clause};
use crate::types::SqlType;
use letters::Reading;

pub(crate) use code_page::{OtherPage, char_of, code_of, to_code_page};
pub(crate) use doubt::take as take_doubt;

/// The server's, every database's and every column's default.
pub(crate) const DEFAULT_NAME: &str = "SQL_Latin1_General_CP1_CI_AS";

/// Whose alphabet it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// `SQL_Latin1_General_CP1`.
    SqlLatin1,
    Latin1General,
    /// Turkish and Azeri, where `i` and `I` are different letters.
    Turkic,
    Japanese,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// By letters.
    Linguistic,
    /// `_BIN2`.
    CodePoints,
    /// `_BIN`.
    Bytes,
}

/// How text compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Collation {
    /// As SQL Server writes it.
    pub(crate) name: Arc<str>,
    family: Family,
    /// As COLLATIONPROPERTY has it: 0 for collations of version 80, 1 of 90, 2 of 100, 3 of 140.
    pub(crate) version: u8,
    pub(crate) lcid: i32,
    /// Of `varchar` under this collation.
    pub(crate) code_page: i32,
    method: Method,
    ignore_case: bool,
    ignore_accents: bool,
    ignore_kana: bool,
    ignore_width: bool,
}

thread_local! {
    static DEFAULT: Collation = Collation::sql_latin1(DEFAULT_NAME, true, false);
}

impl Collation {
    /// `SQL_Latin1_General_CP1_CI_AS`.
    pub(crate) fn server_default() -> Self {
        DEFAULT.with(Clone::clone)
    }

    fn sql_latin1(name: &str, ignore_case: bool, ignore_accents: bool) -> Self {
        Self {
            name: Arc::from(name),
            family: Family::SqlLatin1,
            version: 0,
            lcid: 1033,
            code_page: 1252,
            method: Method::Linguistic,
            ignore_case,
            ignore_accents,
            ignore_kana: true,
            ignore_width: true,
        }
    }

    /// Refuses `varchar` in a code page that is not known here.
    pub(crate) fn holds(&self, sql_type: &SqlType) -> SqlResult<()> {
        let known = self.code_page == 1252 || OtherPage::numbered(self.code_page).is_some();
        if sql_type.is_text() && !sql_type.is_national() && !known {
            return Err(unsupported_clause(&format!(
                "COLLATE {} of {}, whose code page is {}",
                self.name,
                sql_type.name(),
                self.code_page
            )));
        }
        Ok(())
    }

    /// The code page of such a text, where it is not 1252.
    pub(crate) fn other_page(&self, sql_type: &SqlType) -> Option<OtherPage> {
        match self.code_page {
            1252 => None,
            page if sql_type.is_text() && !sql_type.is_national() => OtherPage::numbered(page),
            _ => None,
        }
    }

    /// On the wire (MS-TDS 2.2.5.1.2): LCID, flags and version in four bytes, then the sort id, which collations
    /// of Windows do not have.
    pub(crate) fn wire(&self) -> [u8; 5] {
        let flags = [
            self.ignore_case && self.method == Method::Linguistic,
            self.ignore_accents && self.method == Method::Linguistic,
            self.ignore_kana && self.method == Method::Linguistic,
            self.ignore_width && self.method == Method::Linguistic,
            self.method == Method::Bytes,
            self.method == Method::CodePoints,
            self.code_page == 65001,
        ];
        let flags = (20..)
            .zip(flags)
            .fold(0, |bits, (at, set)| bits | (u32::from(set) << at));
        let [a, b, c, d] =
            (self.lcid as u32 | flags | (u32::from(self.version) << 28)).to_le_bytes();
        [a, b, c, d, 0]
    }

    /// COLLATIONPROPERTY's ComparisonStyle: the flags of Windows' CompareString.
    pub(crate) fn comparison_style(&self) -> i32 {
        if self.method != Method::Linguistic {
            return 0;
        }
        i32::from(self.ignore_case)
            + 2 * i32::from(self.ignore_accents)
            + 0x1_0000 * i32::from(self.ignore_kana)
            + 0x2_0000 * i32::from(self.ignore_width)
    }

    /// Whether the two are one; `None` where that is not known. `national` where one of them is `nvarchar`.
    fn equal(&self, a: &str, b: &str, national: bool) -> Option<bool> {
        let (a, b) = (a.trim_end_matches(' '), b.trim_end_matches(' '));
        if a == b {
            return Some(true);
        }
        if self.method != Method::Linguistic {
            return Some(false);
        }
        let read = |text: &str| -> Vec<Reading> {
            text.chars()
                .map(|c| letters::read(self, c, national))
                .collect()
        };
        let (mut left, mut right) = (&read(a)[..], &read(b)[..]);
        // What both begin and end with says nothing.
        while let ([x, left_rest @ ..], [y, right_rest @ ..]) = (left, right)
            && x.is_same(y)
        {
            (left, right) = (left_rest, right_rest);
        }
        while let ([left_rest @ .., x], [right_rest @ .., y]) = (left, right)
            && x.is_same(y)
        {
            (left, right) = (left_rest, right_rest);
        }
        if left.is_empty() && right.is_empty() {
            return Some(true);
        }
        let mut all = left.iter().chain(right);
        if all.clone().any(|reading| reading.base.is_none()) {
            return None;
        }
        let bases = |list: &[Reading]| bases(list.iter().map(|reading| reading.base));
        if bases(left) != bases(right) || all.all(|reading| reading.known) {
            return Some(false);
        }
        None
    }

    /// Orders two texts; the shorter counts as padded with blanks.
    pub(crate) fn compare(&self, a: &str, b: &str, national: bool) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        match self.method {
            Method::Linguistic => {}
            Method::CodePoints => return compare_padded(a, b, |c| units(c, national)),
            Method::Bytes => return compare_bytes(a, b, national),
        }
        let one_letter = self.family == Family::Turkic && self.ignore_accents;
        if !one_letter && letters::is_plain(a) && letters::is_plain(b) {
            return self.compare_plain(a.as_bytes(), b.as_bytes());
        }
        match self.equal(a, b, national) {
            Some(true) => return Ordering::Equal,
            Some(false) => {}
            None => doubt::raise(self, a, b),
        }
        let primary = compare_padded(a, b, letters::primary);
        primary
            .then_with(|| compare_padded(a, b, letters::secondary))
            .then_with(|| compare_padded(a, b, letters::tertiary))
            .then_with(|| a.cmp(b))
    }

    /// Printable ASCII, the usual case.
    fn compare_plain(&self, a: &[u8], b: &[u8]) -> Ordering {
        let at = |text: &[u8], place: usize| text.get(place).copied().unwrap_or(b' ');
        let mut pairs = (0..a.len().max(b.len())).map(|place| (at(a, place), at(b, place)));
        // The first difference of letters decides, else the first of case that counts.
        let mut by_case = Ordering::Equal;
        let decided = pairs.find_map(|(x, y)| {
            if x == y {
                return None;
            }
            let (small_x, small_y) = (x.to_ascii_lowercase(), y.to_ascii_lowercase());
            if small_x != small_y {
                let key = |small: u8| (letters::rank(char::from(small)), small);
                return Some(key(small_x).cmp(&key(small_y)));
            }
            if by_case.is_eq() && self.fold_plain(x) != self.fold_plain(y) {
                by_case = x.is_ascii_uppercase().cmp(&y.is_ascii_uppercase());
            }
            None
        });
        decided.unwrap_or(by_case)
    }

    /// Printable ASCII as it compares; where `i` and `I` are different letters they stay so.
    fn fold_plain(&self, byte: u8) -> u8 {
        let turkic = self.family == Family::Turkic && matches!(byte, b'i' | b'I');
        if self.ignore_case && !turkic {
            byte.to_ascii_lowercase()
        } else {
            byte
        }
    }

    /// Hashes so that texts which may be equal hash alike.
    pub(crate) fn hash<H: Hasher>(&self, text: &str, state: &mut H) {
        let text = text.trim_end_matches(' ');
        if self.method != Method::Linguistic {
            text.hash(state);
            return;
        }
        if letters::is_plain(text) {
            for byte in text.bytes() {
                state.write_u8(byte.to_ascii_lowercase());
            }
        } else {
            let read: Vec<_> = text
                .chars()
                .map(|c| letters::read(self, c, true).base)
                .collect();
            if read.iter().any(Option::is_none) {
                doubt::raise(self, text, "any other text");
            }
            for byte in bases(read.into_iter()).bytes() {
                state.write_u8(byte);
            }
        }
        state.write_u8(0xff);
    }

    /// Whether two characters match in LIKE, CHARINDEX and REPLACE, where blanks count.
    pub(crate) fn same(&self, a: char, b: char) -> bool {
        if a == b {
            return true;
        }
        if a == ' ' || b == ' ' {
            return false;
        }
        let (a, b) = (a.to_string(), b.to_string());
        self.equal(&a, &b, true).unwrap_or_else(|| {
            doubt::raise(self, &a, &b);
            false
        })
    }

    /// Whether `c` lies in a LIKE range.
    pub(crate) fn between(&self, c: char, low: char, high: char) -> bool {
        let text = |c: char| c.to_string();
        let order = |a: char, b: char| self.compare(&text(a), &text(b), true);
        order(low, c).is_le() && order(c, high).is_le()
    }
}

/// What a text would be without all that a collation may ignore, blanks at its end included.
fn bases(read: impl Iterator<Item = Option<&'static str>>) -> String {
    let mut bases: String = read.flatten().collect();
    bases.truncate(bases.trim_end_matches(' ').len());
    bases
}

/// Compares character by character; the shorter text counts as padded with blanks.
fn compare_padded<K: Ord>(a: &str, b: &str, key: impl Fn(char) -> K) -> Ordering {
    let (mut left, mut right) = (a.chars(), b.chars());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (x, y) if x == y => {}
            (x, y) => {
                let order = key(x.unwrap_or(' ')).cmp(&key(y.unwrap_or(' ')));
                if order.is_ne() {
                    return order;
                }
            }
        }
    }
}

/// The UTF-16 code units of a character of `nvarchar`, or its code in `varchar`.
fn units(c: char, national: bool) -> (u16, u16) {
    if !national && let Some(code) = code_of(c) {
        return (u16::from(code), 0);
    }
    let mut buffer = [0; 2];
    match c.encode_utf16(&mut buffer) {
        [one] => (*one, 0),
        [one, two] => (*one, *two),
        _ => (0, 0),
    }
}

/// `_BIN`: "the first character as WCHAR, followed by a byte-by-byte comparison"; `varchar` is bytes anyway.
fn compare_bytes(a: &str, b: &str, national: bool) -> Ordering {
    let swapped = |c: char| {
        let (one, two) = units(c, national);
        if national {
            (one.swap_bytes(), two.swap_bytes())
        } else {
            (one, two)
        }
    };
    let heads = |text: &str| text.chars().next().unwrap_or(' ');
    let (x, y) = (heads(a), heads(b));
    if units(x, national) != units(y, national) {
        return units(x, national).cmp(&units(y, national));
    }
    compare_padded(a, b, swapped)
}
