//! Which keys are brought together to be compared.
//!
//! It decides how a difference is called, never whether there is one: rows whose keys come together are compared as a
//! whole, the key's spelling included, and which of several spellings are one key the server is asked (see
//! [`apart`](crate::verify::compare::apart)).

use std::borrow::Cow;

use icehost_plan::{Collation, Ignored};
use icu_normalizer::DecomposingNormalizerBorrowed;

/// What of a text does not count, beside blanks at its end and zeros at the end of bytes, which SQL Server's comparison
/// passes over whatever the collation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Fold {
    ignored: Ignored,
    /// What the capitals of `i` and `ı` are, where case does not count.
    dots: Dots,
    /// Only where that is certain: the case of ASCII letters, and their wide forms.
    certain: bool,
}

/// What the four letters `i`, `I`, `ı` and `İ` are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Dots {
    /// `i` and `I` are one; so may the others be.
    #[default]
    Pass,
    /// `i` and `İ` are one, `ı` and `I` another one, as in Turkish and Azeri.
    Count,
}

/// Stands for the letter `i` with a dot, small or not, where the dot counts: no case and no decomposition of this one
/// makes it another letter (Unicode, "Private Use").
const DOTTED: char = '\u{e000}';

/// From a wide form to the letter (Unicode, "Halfwidth and Fullwidth Forms").
const WIDE: std::ops::RangeInclusive<char> = '\u{ff01}'..='\u{ff5e}';
const WIDE_TO_ASCII: u32 = 0xfee0;
/// From katakana to hiragana (Unicode, "Katakana").
const KATAKANA: std::ops::RangeInclusive<char> = '\u{30a1}'..='\u{30f6}';
const KATAKANA_TO_HIRAGANA: u32 = 0x60;

impl Fold {
    /// By the collation of a key column; `None` where it has none that is known.
    pub(crate) fn of(collation: Option<&Collation>) -> Fold {
        let counts = collation.is_some_and(Collation::is_turkic);
        Fold {
            ignored: collation.map(Collation::ignored).unwrap_or_default(),
            dots: if counts { Dots::Count } else { Dots::Pass },
            certain: false,
        }
    }

    /// What certainly does not count under a collation: nothing where letters of ASCII do not stand for themselves, as
    /// `i` beside `I` in Turkish and `aA` beside `aa` in Danish. `None` where every spelling may be a key of its own.
    pub(crate) fn certain(collation: Option<&Collation>) -> Option<Fold> {
        let collation = collation?;
        let ignored = collation.ignored();
        let stand = collation.is_certain(LETTERS);
        (stand && (ignored.case || ignored.width)).then_some(Fold {
            ignored,
            dots: Dots::Pass,
            certain: true,
        })
    }

    /// What does not count for one of two.
    pub(crate) fn or(self, other: Fold) -> Fold {
        Fold {
            ignored: self.ignored.or(other.ignored),
            dots: match (self.ignored.case, other.ignored.case) {
                (true, false) => self.dots,
                (false, true) => other.dots,
                _ if self.dots == other.dots => self.dots,
                _ => Dots::Pass,
            },
            certain: self.certain && other.certain,
        }
    }

    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let trimmed = text.trim_end_matches(' ');
        let Ignored {
            case,
            accents,
            kana,
            width,
        } = self.ignored;
        let counts = case && self.dots == Dots::Count && !self.certain;
        if trimmed.is_ascii() && !(counts && trimmed.contains('i')) {
            return match case {
                true => Cow::Owned(trimmed.to_ascii_uppercase()),
                false => Cow::Borrowed(trimmed),
            };
        }
        if self.certain {
            let letter = |letter: char| match width && WIDE.contains(&letter) {
                true => moved(letter, WIDE_TO_ASCII),
                false => letter,
            };
            let folded: String = trimmed.chars().map(letter).collect();
            return Cow::Owned(match case {
                true => folded.to_ascii_uppercase(),
                false => folded,
            });
        }
        let trimmed = match counts {
            true => Cow::Owned(trimmed.replace(['i', 'İ'], DOTTED.encode_utf8(&mut [0; 4]))),
            false if case => Cow::Owned(trimmed.replace('İ', "I")),
            false => Cow::Borrowed(trimmed),
        };
        let mut folded = match (width, accents) {
            (true, _) => DecomposingNormalizerBorrowed::new_nfkd().normalize(&trimmed),
            (false, true) => DecomposingNormalizerBorrowed::new_nfd().normalize(&trimmed),
            (false, false) => Cow::Borrowed(&*trimmed),
        };
        if accents {
            folded = Cow::Owned(folded.chars().filter(|letter| !is_mark(*letter)).collect());
        }
        if kana {
            let letter = |letter: char| match KATAKANA.contains(&letter) {
                true => moved(letter, KATAKANA_TO_HIRAGANA),
                false => letter,
            };
            folded = Cow::Owned(folded.chars().map(letter).collect());
        }
        Cow::Owned(match case {
            // The wide form of the letter has become the letter.
            true if counts => folded
                .replace('i', DOTTED.encode_utf8(&mut [0; 4]))
                .to_uppercase(),
            true => folded.to_uppercase(),
            false => folded.into_owned(),
        })
    }
}

/// Those that have to stand for themselves where case is passed over without asking.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";

fn moved(letter: char, by: u32) -> char {
    char::from_u32(u32::from(letter).saturating_sub(by)).unwrap_or(letter)
}

/// Accents, and the marks of voiced kana.
fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{3099}' | '\u{309a}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_together_that_their_collation_may_take_for_one() {
        for (collation, one, other, together) in [
            ("SQL_Latin1_General_CP1_CI_AS", "abc", "ABC  ", true),
            ("SQL_Latin1_General_CP1_CI_AS", "Éa", "éA", true),
            ("Latin1_General_CI_AS", "été", "ete", false),
            ("Latin1_General_CI_AI", "été", "ETE", true),
            ("Latin1_General_CS_AI", "été", "ETE", false),
            ("Latin1_General_CI_AS", "ａ３", "A3", true),
            ("Latin1_General_CI_AS_WS", "ａ３", "A3", false),
            ("Latin1_General_CI_AS", "ア", "あ", true),
            ("Latin1_General_CI_AS_KS", "ア", "あ", false),
            ("Latin1_General_100_CS_AS", "abc", "ABC", false),
            ("Latin1_General_BIN2", "ａ", "a", false),
            ("Turkish_CI_AS", "iz", "İz", true),
            ("Turkish_CI_AS", "ız", "Iz", true),
            ("Turkish_CI_AS", "iz", "Iz", false),
            ("Azeri_Latin_100_CI_AI", "ｉz", "İz", true),
            ("Latin1_General_CI_AS", "iz", "İz", true),
        ] {
            let fold = Fold::of(Some(&Collation::from_name(collation)));
            let same = fold.text(one) == fold.text(other);
            assert_eq!(same, together, "{collation}: {one} {other}");
        }
        assert_eq!(Fold::default().text("aB "), "aB");
    }

    #[test]
    fn certain_is_what_every_language_takes_for_one() {
        let certain = |collation: &str| Fold::certain(Some(&Collation::from_name(collation)));
        let fold = certain("Latin1_General_CI_AI").unwrap_or_default();
        assert_eq!(fold.text("ａB"), fold.text("ab"));
        assert_ne!(fold.text("é"), fold.text("e"));
        assert_eq!(certain("Turkish_CI_AS"), None);
        assert_eq!(certain("Danish_Norwegian_CI_AS"), None);
        assert_eq!(certain("Latin1_General_BIN2"), None);
    }
}
