//! Which keys are brought together to be compared.
//!
//! It decides how a difference is called, never whether there is one: rows whose keys come together are compared as a
//! whole, the key's spelling included.

use std::borrow::Cow;

use icehost_plan::{Collation, Column, Ignored};
use icu_normalizer::DecomposingNormalizerBorrowed;

/// What of a text does not count, beside blanks at its end and zeros at the end of bytes, which SQL Server's comparison
/// passes over whatever the collation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Fold {
    ignored: Ignored,
    /// Only where that is certain: the case of ASCII letters, and their wide forms.
    certain: bool,
}

/// From a wide form to the letter (Unicode, "Halfwidth and Fullwidth Forms").
const WIDE: std::ops::RangeInclusive<char> = '\u{ff01}'..='\u{ff5e}';
const WIDE_TO_ASCII: u32 = 0xfee0;
/// From katakana to hiragana (Unicode, "Katakana").
const KATAKANA: std::ops::RangeInclusive<char> = '\u{30a1}'..='\u{30f6}';
const KATAKANA_TO_HIRAGANA: u32 = 0x60;

impl Fold {
    /// By the collation of a key column; `None` where it has none that is known.
    pub(crate) fn of(collation: Option<&Collation>) -> Fold {
        Fold {
            ignored: collation.map(Collation::ignored).unwrap_or_default(),
            certain: false,
        }
    }

    /// What certainly does not count in a column of the key, under its collation: nothing where `i` and `I` are two
    /// letters. `None` where every spelling may be a key of its own.
    pub(crate) fn certain(column: &Column) -> Option<Fold> {
        let collation = column.collation.as_ref();
        let collation = collation.filter(|_| column.key_position.is_some())?;
        let ignored = collation.ignored();
        let language = collation.name().split('_').next().unwrap_or_default();
        let mut dotless = ["Turkish", "Azeri"].iter();
        let counts = dotless.any(|of| language.eq_ignore_ascii_case(of));
        (!counts && (ignored.case || ignored.width)).then_some(Fold {
            ignored,
            certain: true,
        })
    }

    /// What does not count for one of two.
    pub(crate) fn or(self, other: Fold) -> Fold {
        Fold {
            ignored: self.ignored.or(other.ignored),
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
        if trimmed.is_ascii() {
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
        let mut folded = match (width, accents) {
            (true, _) => DecomposingNormalizerBorrowed::new_nfkd().normalize(trimmed),
            (false, true) => DecomposingNormalizerBorrowed::new_nfd().normalize(trimmed),
            (false, false) => Cow::Borrowed(trimmed),
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
        match case {
            true => Cow::Owned(folded.to_uppercase()),
            false => folded,
        }
    }
}

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
        ] {
            let fold = Fold::of(Some(&Collation::from_name(collation)));
            let same = fold.text(one) == fold.text(other);
            assert_eq!(same, together, "{collation}: {one} {other}");
        }
        assert_eq!(Fold::default().text("aB "), "aB");
    }

    #[test]
    fn certain_is_what_every_language_takes_for_one() {
        let certain = |collation: &str| {
            let mut column = Column::new(
                "K",
                icehost_plan::ColumnType::Lake(icehost_plan::LakeType::String),
                false,
            );
            column.collation = Some(Collation::from_name(collation));
            column.key_position = Some(0);
            Fold::certain(&column)
        };
        let fold = certain("Latin1_General_CI_AI").unwrap_or_default();
        assert_eq!(fold.text("ａB"), fold.text("ab"));
        assert_ne!(fold.text("é"), fold.text("e"));
        assert_eq!(certain("Turkish_CI_AS"), None);
        assert_eq!(certain("Latin1_General_BIN2"), None);
    }
}
