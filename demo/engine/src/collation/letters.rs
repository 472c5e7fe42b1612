//! What is known of characters.
//!
//! Known are: printable ASCII; Latin letters that are an ASCII letter with a mark (their canonical decomposition in
//! Unicode), Greek and Cyrillic letters, which differ by case, accent or letter; kana, which differ by kind, width,
//! voice or sound; their wide and narrow forms; digits and their superscripts `¹²³`, which width-insensitive
//! collations take for digits; ideographs and Hangul syllables, each itself; the signs of Latin-1. Of others only
//! what they may be equal to is known (`ß`: `ss`, a soft hyphen: nothing), of compatibility characters not even
//! that.
//!
//! `ı` is another letter than `i` and `I` everywhere but in Turkish and Azeri, where it is the small `I` (.NET
//! documentation, "String operations that depend on culture": the invariant culture does not map them).

use super::{Collation, Family};

/// A character as a collation sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    /// Equal for characters that are one under the collation.
    weight: char,
    /// Different weights are different letters.
    pub(super) known: bool,
    /// What it would be without case, accent, width and kind of kana; characters of different bases differ.
    /// `None` where it may be equal to anything.
    pub(super) base: Option<&'static str>,
}

impl Reading {
    /// Whether two characters are one.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.weight == other.weight
    }
}

/// Letters with a mark, by the letter without.
const MARKED: [(&str, &str); 24] = [
    ("a", "àáâãäåāăąÀÁÂÃÄÅĀĂĄ"),
    ("c", "çćĉċčÇĆĈĊČ"),
    ("d", "ďĎ"),
    ("e", "èéêëēĕėęěÈÉÊËĒĔĖĘĚ"),
    ("g", "ĝğġģĜĞĠĢ"),
    ("h", "ĥĤ"),
    ("i", "ìíîïĩīĭįÌÍÎÏĨĪĬĮİ"),
    ("j", "ĵĴ"),
    ("k", "ķĶ"),
    ("l", "ĺļľĹĻĽ"),
    ("n", "ñńņňÑŃŅŇ"),
    ("o", "òóôõöōŏőÒÓÔÕÖŌŎŐ"),
    ("r", "ŕŗřŔŖŘ"),
    ("s", "śŝşšșŚŜŞŠȘ"),
    ("t", "ţťțŢŤȚ"),
    ("u", "ùúûüũūŭůűųÙÚÛÜŨŪŬŮŰŲ"),
    ("w", "ŵŴ"),
    ("y", "ýÿŷÝŸŶ"),
    ("z", "źżžŹŻŽ"),
    ("е", "ѐёЀЁ"),
    ("и", "ѝйЍЙ"),
    ("і", "їЇ"),
    ("г", "ѓЃ"),
    ("к", "ќЌ"),
];

/// Characters that may be equal to others which are no single letter of another case: with what.
const NEAR: [(&str, &str); 34] = [
    ("ss", "ßẞ"),
    ("ae", "æÆ"),
    ("oe", "œŒ"),
    ("o", "øØº"),
    ("d", "ðÐđĐ"),
    ("th", "þÞ"),
    ("h", "ħĦ"),
    ("l", "łŁŀĿ"),
    ("t", "ŧŦ"),
    ("n", "ŋŊŉ"),
    ("k", "ĸ"),
    ("ij", "ĳĲ"),
    ("s", "ſ"),
    ("f", "ƒ"),
    ("a", "ª"),
    (" ", "\u{a0}\u{3000}"),
    ("σ", "ς"),
    ("μ", "µ"),
    ("ff", "ﬀ"),
    ("fi", "ﬁ"),
    ("fl", "ﬂ"),
    ("ffi", "ﬃ"),
    ("ffl", "ﬄ"),
    ("st", "ﬅﬆ"),
    ("0", "⁰₀"),
    ("1", "₁"),
    ("2", "₂"),
    ("3", "₃"),
    ("4", "⁴₄"),
    ("5", "⁵₅"),
    ("6", "⁶₆"),
    ("7", "⁷₇"),
    ("8", "⁸₈"),
    ("9", "⁹₉"),
];

/// Greek letters with a mark.
const MARKED_GREEK: [(&str, &str); 7] = [
    ("α", "άΆ"),
    ("ε", "έΈ"),
    ("η", "ήΉ"),
    ("ι", "ίΊϊΪΐ"),
    ("ο", "όΌ"),
    ("υ", "ύΎϋΫΰ"),
    ("ω", "ώΏ"),
];

/// Signs of Latin-1 and the euro sign, each with a weight of its own.
const SIGNS: &str = "¡¢£¤¥¦§©«¬®°±¶»¿×÷€";

/// Katakana: without voice and of full size, by what they become.
const VOICED: [(&str, &str); 25] = [
    ("ウ", "ヴ"),
    ("カ", "ガ"),
    ("キ", "ギ"),
    ("ク", "グ"),
    ("ケ", "ゲ"),
    ("コ", "ゴ"),
    ("サ", "ザ"),
    ("シ", "ジ"),
    ("ス", "ズ"),
    ("セ", "ゼ"),
    ("ソ", "ゾ"),
    ("タ", "ダ"),
    ("チ", "ヂ"),
    ("ツ", "ヅ"),
    ("テ", "デ"),
    ("ト", "ド"),
    ("ハ", "バパ"),
    ("ヒ", "ビピ"),
    ("フ", "ブプ"),
    ("ヘ", "ベペ"),
    ("ホ", "ボポ"),
    ("ワ", "ヷ"),
    ("ヰ", "ヸ"),
    ("ヱ", "ヹ"),
    ("ヲ", "ヺ"),
];
const SMALL: [(&str, &str); 12] = [
    ("ア", "ァ"),
    ("イ", "ィ"),
    ("ウ", "ゥ"),
    ("エ", "ェ"),
    ("オ", "ォ"),
    ("ツ", "ッ"),
    ("ヤ", "ャ"),
    ("ユ", "ュ"),
    ("ヨ", "ョ"),
    ("ワ", "ヮ"),
    ("カ", "ヵ"),
    ("ケ", "ヶ"),
];
/// The narrow katakana from U+FF66 on.
const NARROW: &str = "ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン";

/// Printable ASCII without letters, then the letters: what a base may be, as a text.
const PLAIN: &str = "abcdefghijklmnopqrstuvwxyz0123456789 !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
const GREEK: &str = "αβγδεζηθικλμνξοπρστυφχψω";
const CYRILLIC: &str = "абвгдежзийклмнопрстуфхцчшщъыьэюяѐёђѓєѕіїјљњћќѝўџ";
const KATAKANA: &str = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヰヱヲン";

pub(super) fn is_printable(c: char) -> bool {
    (' '..='~').contains(&c)
}

/// Whether an ASCII text is printable.
pub(super) fn is_plain(text: &str) -> bool {
    text.chars().all(is_printable)
}

/// The part of a table's text that is the character.
fn within(text: &'static str, c: char) -> Option<&'static str> {
    let at = text.find(c)?;
    text.get(at..at + c.len_utf8())
}

fn looked_up(table: &[(&'static str, &str)], c: char) -> Option<&'static str> {
    let found = table.iter().find(|(_, letters)| letters.contains(c));
    found.map(|(base, _)| *base)
}

/// The small letter of the same sound, where case is one letter for one.
fn small(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(single), None) => single,
        _ => c,
    }
}

/// The ASCII character of a wide one.
fn narrowed(c: char) -> Option<char> {
    match u32::from(c) {
        code @ 0xff01..=0xff5e => char::from_u32(code - 0xff01 + 0x21),
        0xffe0 => Some('¢'),
        0xffe1 => Some('£'),
        0xffe2 => Some('¬'),
        0xffe4 => Some('¦'),
        0xffe5 => Some('¥'),
        _ => None,
    }
}

fn wide_katakana(c: char) -> Option<char> {
    let place = u32::from(c).checked_sub(0xff66)?;
    NARROW.chars().nth(place as usize)
}

fn katakana(c: char) -> char {
    match u32::from(c) {
        code @ 0x3041..=0x3096 => char::from_u32(code + 0x60).unwrap_or(c),
        _ => c,
    }
}

/// Reads one character. `national` is false for `varchar` on both sides.
pub(super) fn read(collation: &Collation, c: char, national: bool) -> Reading {
    let by_bytes = collation.family == Family::SqlLatin1 && !national;
    if by_bytes && !c.is_ascii() {
        return read_byte(collation, c);
    }
    if let Some(narrow) = narrowed(c) {
        let reading = read(collation, narrow, true);
        if collation.ignore_width {
            return reading;
        }
        let weight = if collation.ignore_case { small(c) } else { c };
        return Reading { weight, ..reading };
    }
    if let Some(wide) = wide_katakana(c) {
        let reading = read(collation, wide, true);
        return if collation.ignore_width {
            reading
        } else {
            Reading {
                weight: c,
                ..reading
            }
        };
    }
    read_letter(collation, c)
}

/// By one of the tables of bytes behind `SQL_Latin1_General_CP1`, as `sp_helpsort` shows them for sort orders 51,
/// 52 and 54: ISO 8859-1 letter for letter, the capital with the small one. Which letters of 0x80 to 0x9F belong
/// together is not shown.
fn read_byte(collation: &Collation, c: char) -> Reading {
    let general = read_letter(collation, c);
    if ('\u{80}'..='\u{9f}').contains(&c) || u32::from(c) > 0xff {
        return Reading {
            weight: c,
            known: false,
            ..general
        };
    }
    let letter = ('\u{c0}'..='\u{ff}').contains(&c) && !matches!(c, '×' | '÷');
    if letter && collation.ignore_accents {
        return general;
    }
    let weight = match c {
        'ß' | 'ÿ' => c,
        _ if letter && collation.ignore_case => small(c),
        _ => c,
    };
    Reading {
        weight,
        known: true,
        ..general
    }
}

fn read_letter(collation: &Collation, c: char) -> Reading {
    let cased = |c: char| if collation.ignore_case { small(c) } else { c };
    let known = |weight: char, base: Option<&'static str>| Reading {
        weight,
        known: base.is_some(),
        base,
    };
    let near = |weight: char, base: &'static str| Reading {
        weight,
        known: false,
        base: Some(base),
    };
    if collation.family == Family::Turkic && "iIıİ".contains(c) {
        let weight = match c {
            'I' if collation.ignore_case => 'ı',
            'İ' if collation.ignore_case => 'i',
            other => other,
        };
        return Reading {
            weight,
            known: !collation.ignore_accents,
            base: Some("i"),
        };
    }
    if is_printable(c) {
        return known(cased(c), within(PLAIN, c.to_ascii_lowercase()));
    }
    match c {
        '\t' => return known(c, Some("\t")),
        '\n' => return known(c, Some("\n")),
        '\r' => return known(c, Some("\r")),
        'ı' if collation.ignore_accents => return near(c, "i"),
        'ı' => return known(c, Some("i")),
        _ => {}
    }
    if let Some(place) = "¹²³".chars().position(|superscript| superscript == c) {
        let digit = ["1", "2", "3"][place];
        let weight = if collation.ignore_width {
            char::from(b'1' + place as u8)
        } else {
            c
        };
        return known(weight, Some(digit));
    }
    if let Some(base) = looked_up(&MARKED, c) {
        let latin = base.is_ascii();
        let turkish = collation.family == Family::Turkic && "çğöşüÇĞÖŞÜ".contains(c);
        if !collation.ignore_accents {
            return known(cased(c), Some(base));
        }
        if !latin || turkish {
            return near(cased(c), base);
        }
        let letter = base.chars().next().unwrap_or(c);
        let capital = !collation.ignore_case && (c == 'İ' || small(c) != c);
        let weight = if capital {
            letter.to_ascii_uppercase()
        } else {
            letter
        };
        return known(weight, Some(base));
    }
    if let Some(base) = looked_up(&MARKED_GREEK, c) {
        return Reading {
            weight: cased(c),
            known: !collation.ignore_accents,
            base: Some(base),
        };
    }
    if let Some(base) = looked_up(&NEAR, c) {
        // The capital of `ß` came later than the collations.
        return near(if c == 'ẞ' { c } else { cased(c) }, base);
    }
    if let Some(sign) = within(SIGNS, c) {
        return known(c, Some(sign));
    }
    for alphabet in [GREEK, CYRILLIC] {
        if let Some(letter) = within(alphabet, small(c)) {
            let marked = letter == "ў" && collation.ignore_accents;
            return Reading {
                weight: cased(c),
                known: !marked,
                base: Some(if letter == "ў" { "у" } else { letter }),
            };
        }
    }
    read_eastern(collation, c)
}

fn read_eastern(collation: &Collation, c: char) -> Reading {
    let kana = katakana(c);
    let weight = if collation.ignore_kana { kana } else { c };
    if let Some(base) = within(KATAKANA, kana) {
        return Reading {
            weight,
            known: true,
            base: Some(base),
        };
    }
    if let Some(base) = looked_up(&VOICED, kana) {
        return Reading {
            weight,
            known: !collation.ignore_accents,
            base: Some(base),
        };
    }
    // Whether a small one is another letter or another case is not written down.
    if let Some(base) = looked_up(&SMALL, kana) {
        return Reading {
            weight,
            known: false,
            base: Some(base),
        };
    }
    let itself = matches!(u32::from(c), 0x4e00..=0x9fa5 | 0xac00..=0xd7a3);
    Reading {
        weight: c,
        known: itself,
        base: match u32::from(c) {
            _ if itself => Some("\u{4e00}"),
            // Characters that stand for others, in part or whole.
            0x0180..=0x024f
            | 0x02b0..=0x02ff
            | 0x1100..=0x11ff
            | 0x1d00..=0x1fff
            | 0x2000..=0x200a
            | 0x202f
            | 0x205f
            | 0x2070..=0x209f
            | 0x2100..=0x218f
            | 0x2460..=0x24ff
            | 0x3005
            | 0x3031..=0x3035
            | 0x309b..=0x309e
            | 0x30fc..=0x30fe
            | 0x3130..=0x318f
            | 0x31f0..=0x33ff
            | 0xa960..=0xa97f
            | 0xd7b0..=0xd7ff
            | 0xf900..=0xfdff
            | 0xfe30..=0xfefe
            | 0xff5f..=0xff65
            | 0xffa0..=0xffdf
            | 0x1_d400..=0x1_d7ff
            | 0x1_f100..=0x1_f2ff
            | 0x2_f800..=0x2_fa1f => None,
            // Whether it has a weight at all depends on the version.
            _ => Some(""),
        },
    }
}

/// The order of base letters: blanks, signs, digits, letters.
pub(super) fn primary(c: char) -> (u8, char) {
    let c = narrowed(c).unwrap_or(c);
    let base = looked_up(&MARKED, c)
        .or_else(|| looked_up(&MARKED_GREEK, c))
        .and_then(|base| base.chars().next())
        .unwrap_or_else(|| small(katakana(c)));
    (rank(base), base)
}

/// Blanks, signs, digits, letters.
pub(super) fn rank(base: char) -> u8 {
    match base {
        ' ' => 0,
        '0'..='9' => 2,
        _ if base.is_alphabetic() => 3,
        _ => 1,
    }
}

/// Then accents.
pub(super) fn secondary(c: char) -> char {
    small(katakana(narrowed(c).unwrap_or(c)))
}

/// Then case, the small letter first.
pub(super) fn tertiary(c: char) -> (u8, char) {
    (u8::from(small(c) != c), c)
}
