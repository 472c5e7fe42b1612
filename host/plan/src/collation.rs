//! How SQL Server compares text, so far as it decides whether two keys are one.

use std::borrow::Cow;
use std::fmt;

/// The comparison rules in a collation's name (T-SQL reference, "Collation and Unicode support").
///
/// The lake compares text byte by byte; SQL Server by these rules, and only the server has their tables. So what
/// is decided here is what is certain: strings of printable ASCII, under collations where each of them counts for
/// itself and nothing but its case can be ignored. Of any other string it is only known what it can certainly not
/// equal ([`Collation::may_equal`]); the rest is the server's to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collation {
    name: String,
    rules: Rules,
}

/// Kinds of difference that a collation passes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ignored {
    /// Between small letters and capitals.
    pub case: bool,
    /// Of accents.
    pub accents: bool,
    /// Between hiragana and katakana.
    pub kana: bool,
    /// Between the wide form of a letter and the other.
    pub width: bool,
}

impl Ignored {
    /// What one of two passes over.
    #[must_use]
    pub fn or(self, other: Ignored) -> Ignored {
        Ignored {
            case: self.case || other.case,
            accents: self.accents || other.accents,
            kana: self.kana || other.kana,
            width: self.width || other.width,
        }
    }
}

/// In which code page a collation has `char` and `varchar`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodePage {
    /// Every character there is.
    Utf8,
    /// The one of that number.
    Numbered(u32),
    /// That of a language; of two languages that are not known here, it is not known whether theirs is one.
    OfLanguage(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rules {
    /// Code units, whatever they mean; `BIN` and `BIN2` differ in order alone.
    Binary,
    Linguistic {
        case_sensitive: bool,
        letters: Letters,
    },
}

/// Which letters of ASCII stand for themselves: two strings of them are one only if they differ by case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letters {
    All,
    /// All but these, in lower case.
    AllBut(&'static str),
    /// Pairs of letters count as one, or letters as others.
    None,
}

impl Letters {
    fn of_both(self, other: Letters) -> Letters {
        match (self, other) {
            (Letters::All, letters) | (letters, Letters::All) => letters,
            (Letters::AllBut(one), Letters::AllBut(another)) if one == another => self,
            _ => Letters::None,
        }
    }
}

/// Collations by the beginnings of their names, those alone of which it is known. Left out, for instance, are
/// Danish_Norwegian (`aa` is `å`), Hungarian, Croatian, Czech, Slovak and Traditional_Spanish (pairs that are
/// letters), Lithuanian (`i` beside `y`), and `SQL_Latin1_General_CP1254`, which is Turkish.
const LETTERS: [(&str, Letters); 33] = [
    ("Latin1_General_", Letters::All),
    ("SQL_Latin1_General_CP1_", Letters::All),
    ("SQL_Latin1_General_CP437_", Letters::All),
    ("SQL_Latin1_General_CP850_", Letters::All),
    ("SQL_Latin1_General_Pref_CP1_", Letters::All),
    ("SQL_Latin1_General_Pref_CP437_", Letters::All),
    ("SQL_Latin1_General_Pref_CP850_", Letters::All),
    ("French_", Letters::All),
    ("German_PhoneBook_", Letters::All),
    ("Modern_Spanish_", Letters::All),
    ("Cyrillic_General_", Letters::All),
    ("Ukrainian_", Letters::All),
    ("Greek_", Letters::All),
    ("Hebrew_", Letters::All),
    ("Arabic_", Letters::All),
    ("Thai_", Letters::All),
    ("Japanese_", Letters::All),
    ("Korean_", Letters::All),
    ("Chinese_PRC_", Letters::All),
    ("Chinese_Taiwan_", Letters::All),
    ("Chinese_Simplified_", Letters::All),
    ("Chinese_Traditional_", Letters::All),
    ("Chinese_Hong_Kong_", Letters::All),
    // `i` and `I` are two letters.
    ("Turkish_", Letters::AllBut("i")),
    ("Azeri_Latin_", Letters::AllBut("i")),
    // `w` is a `v` in the older versions.
    ("Finnish_Swedish_", Letters::AllBut("vw")),
    // Named so that nobody adds them by mistake.
    ("Danish_", Letters::None),
    ("Hungarian_", Letters::None),
    ("Croatian_", Letters::None),
    ("Czech_", Letters::None),
    ("Slovak_", Letters::None),
    ("Traditional_Spanish_", Letters::None),
    ("SQL_Latin1_General_CP1254_", Letters::None),
];

/// What follows the language in the name of a collation from Windows, beside its version.
const FLAGS: &[&str] = &[
    "BIN", "BIN2", "CI", "CS", "AI", "AS", "KS", "WS", "VSS", "SC",
];

/// Code pages of languages (T-SQL reference, "Collation and Unicode support", "Supported collations").
const PAGES: &[(&str, u32)] = &[
    ("LATIN1_GENERAL", 1252),
    ("DANISH_NORWEGIAN", 1252),
    ("FINNISH_SWEDISH", 1252),
    ("FRENCH", 1252),
    ("GERMAN_PHONEBOOK", 1252),
    ("ICELANDIC", 1252),
    ("MODERN_SPANISH", 1252),
    ("TRADITIONAL_SPANISH", 1252),
    ("CYRILLIC_GENERAL", 1251),
    ("UKRAINIAN", 1251),
    ("GREEK", 1253),
    ("TURKISH", 1254),
    ("HEBREW", 1255),
    ("ARABIC", 1256),
    ("VIETNAMESE", 1258),
    ("THAI", 874),
    ("ALBANIAN", 1250),
    ("CROATIAN", 1250),
    ("CZECH", 1250),
    ("HUNGARIAN", 1250),
    ("POLISH", 1250),
    ("ROMANIAN", 1250),
    ("SLOVAK", 1250),
    ("SLOVENIAN", 1250),
    ("ESTONIAN", 1257),
    ("LATVIAN", 1257),
    ("LITHUANIAN", 1257),
];

impl Collation {
    /// Reads the rules from a name such as `SQL_Latin1_General_CP1_CI_AS`.
    pub fn from_name(name: &str) -> Collation {
        let has = |flag: &str| name.split('_').any(|part| part.eq_ignore_ascii_case(flag));
        let begins = |with: &str| {
            let start = name.get(..with.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(with))
        };
        let rules = match has("BIN") || has("BIN2") {
            true => Rules::Binary,
            false => Rules::Linguistic {
                case_sensitive: has("CS"),
                letters: LETTERS
                    .iter()
                    .find(|(start, _)| begins(start))
                    .map_or(Letters::None, |(_, letters)| *letters),
            },
        };
        Collation {
            name: name.to_owned(),
            rules,
        }
    }

    /// A notion of sameness for two sides: texts that are certainly one by either collation are one by it, and certain is
    /// what is so by both.
    #[must_use]
    pub fn or(&self, other: &Collation) -> Collation {
        let rules = match (self.rules, other.rules) {
            (Rules::Binary, rules) | (rules, Rules::Binary) => rules,
            (
                Rules::Linguistic {
                    case_sensitive,
                    letters,
                },
                Rules::Linguistic {
                    case_sensitive: also,
                    letters: others,
                },
            ) => Rules::Linguistic {
                case_sensitive: case_sensitive && also,
                letters: letters.of_both(others),
            },
        };
        Collation {
            name: format!("{} or {}", self.name, other.name),
            rules,
        }
    }

    /// Whether it passes over a kind of difference that the other does not (T-SQL reference, "Collation and Unicode
    /// support"): of case, accents, width or kana.
    pub fn ignores_more_than(&self, other: &Collation) -> bool {
        let there = other.ignored();
        self.ignored().or(there) != there
    }

    /// The kinds of difference that it passes over.
    pub fn ignored(&self) -> Ignored {
        let has = |flag: &str| {
            let mut parts = self.name.split('_');
            parts.any(|part| part.eq_ignore_ascii_case(flag))
        };
        match self.rules {
            Rules::Binary => Ignored::default(),
            Rules::Linguistic { case_sensitive, .. } => Ignored {
                case: !case_sensitive,
                accents: has("AI"),
                kana: !has("KS"),
                width: !has("WS"),
            },
        }
    }

    /// Whether `i` is the small letter of `İ`, and `ı` that of `I`, as in Turkish and Azeri.
    pub fn is_turkic(&self) -> bool {
        let name = self.name.to_ascii_uppercase();
        let mut languages = ["TURKISH_", "AZERI_LATIN_", "SQL_LATIN1_GENERAL_CP1254_"].iter();
        languages.any(|language| name.starts_with(language))
    }

    /// In which code page `char` and `varchar` are under it (T-SQL reference, "Windows collation name", "SQL Server
    /// collation name"): of a name that begins with `SQL_`, the one that it has behind `CP`.
    pub fn code_page(&self) -> CodePage {
        let name = self.name.to_ascii_uppercase();
        let parts: Vec<&str> = name.split('_').collect();
        if parts.contains(&"UTF8") {
            return CodePage::Utf8;
        }
        if parts.first() == Some(&"SQL") {
            let mut from_the_end = parts.iter().rev();
            let number = from_the_end.find_map(|part| part.strip_prefix("CP")?.parse().ok());
            return match number {
                Some(1) => CodePage::Numbered(1252),
                Some(number) => CodePage::Numbered(number),
                None => CodePage::OfLanguage(name),
            };
        }
        // Behind the language are a version and what counts.
        let language = parts.iter().take_while(|part| {
            !FLAGS.contains(part) && !part.bytes().all(|byte| byte.is_ascii_digit())
        });
        let language: Vec<&str> = language.copied().collect();
        let language = language.join("_");
        match PAGES.iter().find(|(name, _)| *name == language) {
            Some((_, number)) => CodePage::Numbered(*number),
            None => CodePage::OfLanguage(language),
        }
    }

    /// Whether each character of `char` and `varchar` is certainly one byte under it.
    pub fn has_one_byte_each(&self) -> bool {
        match self.code_page() {
            CodePage::Numbered(number) => !matches!(number, 932 | 936 | 949 | 950),
            CodePage::Utf8 | CodePage::OfLanguage(_) => false,
        }
    }

    /// The collation's name, as it came.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is known of this text which others like it are the same key.
    pub fn is_certain(&self, text: &str) -> bool {
        match self.rules {
            Rules::Binary => true,
            Rules::Linguistic { letters, .. } => {
                text.bytes().all(|byte| stands_for_itself(byte, letters))
            }
        }
    }

    /// One representative for strings that the server takes for one key: trailing blanks are dropped (they never
    /// count, not even under a binary collation), and the case of a certain text where the collation ignores it.
    ///
    /// Equal representatives are equal keys. Different ones are different keys where both are
    /// [certain](Collation::is_certain).
    pub fn fold<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let trimmed = text.trim_end_matches(' ');
        let case_counts = match self.rules {
            Rules::Binary => true,
            Rules::Linguistic { case_sensitive, .. } => case_sensitive,
        };
        let has_capitals = || trimmed.bytes().any(|byte| byte.is_ascii_uppercase());
        match case_counts || !has_capitals() || !self.is_certain(trimmed) {
            true => Cow::Borrowed(trimmed),
            false => Cow::Owned(trimmed.to_ascii_lowercase()),
        }
    }

    /// Whether the server might take the two for one key. `false` is certain; so is `true` where both are
    /// [certain](Collation::is_certain).
    ///
    /// What stands for itself must stand in both, in the same order; what does not may be anything, or nothing: a
    /// ligature is two letters, a soft hyphen none. A letter before it may be changed by it, as by an accent.
    pub fn may_equal(&self, one: &str, other: &str) -> bool {
        self.pattern(one).may_equal(&self.pattern(other))
    }

    /// What is certain of a text: for [`Collation::may_equal`] of many.
    pub fn pattern(&self, text: &str) -> TextPattern {
        match self.rules {
            Rules::Binary => TextPattern {
                runs: vec![self.fold(text).into_owned()],
            },
            Rules::Linguistic {
                case_sensitive,
                letters,
            } => TextPattern::new(text, case_sensitive, letters),
        }
    }
}

/// Printable ASCII. Control characters have no weight, and are not seen.
fn stands_for_itself(byte: u8, letters: Letters) -> bool {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' => match letters {
            Letters::All => true,
            Letters::AllBut(not) => !not.bytes().any(|n| n.eq_ignore_ascii_case(&byte)),
            Letters::None => false,
        },
        b' '..=b'~' => true,
        _ => false,
    }
}

/// What is certain of a text under a collation, with gaps in which there may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPattern {
    /// The runs of what is certain; between each two of them a gap.
    runs: Vec<String>,
}

impl TextPattern {
    fn new(text: &str, case_sensitive: bool, letters: Letters) -> TextPattern {
        let mut runs = vec![String::new()];
        for letter in text.trim_end_matches(' ').chars() {
            let certain = u8::try_from(letter).is_ok_and(|byte| stands_for_itself(byte, letters));
            if let (true, Some(run)) = (certain, runs.last_mut()) {
                run.push(match case_sensitive {
                    true => letter,
                    false => letter.to_ascii_lowercase(),
                });
                continue;
            }
            if let Some(run) = runs.last_mut() {
                // Blanks before something that is not seen are trailing blanks.
                run.truncate(run.trim_end_matches(' ').len());
                run.pop();
            }
            runs.push(String::new());
        }
        TextPattern { runs }
    }

    /// What every text begins with that may be the same.
    pub fn prefix(&self) -> &str {
        self.runs.first().map_or("", String::as_str)
    }

    /// The text itself, folded, where all of it is certain.
    pub fn whole(&self) -> Option<&str> {
        match self.runs.as_slice() {
            [whole] => Some(whole),
            _ => None,
        }
    }

    /// Whether the server might take texts of the two for one key.
    pub fn may_equal(&self, other: &TextPattern) -> bool {
        match (self.whole(), other.whole()) {
            (Some(one), Some(other)) => one == other,
            (None, Some(whole)) => self.fits(whole),
            (Some(whole), None) => other.fits(whole),
            // Both have gaps, which take what the other has in the middle.
            (None, None) => {
                let ends = |pattern: &TextPattern| -> (String, String) {
                    let end = |run: Option<&String>| run.cloned().unwrap_or_default();
                    (end(pattern.runs.first()), end(pattern.runs.last()))
                };
                let ((a, z), (b, y)) = (ends(self), ends(other));
                (a.starts_with(&b) || b.starts_with(&a)) && (z.ends_with(&y) || y.ends_with(&z))
            }
        }
    }

    /// Whether the text has the runs in their order, the first at its start and the last at its end.
    fn fits(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.runs.as_slice() else {
            return false;
        };
        let inner = text
            .strip_prefix(first.as_str())
            .and_then(|rest| rest.strip_suffix(last.as_str()));
        let Some(mut rest) = inner else {
            return false;
        };
        for run in middle {
            match rest.find(run.as_str()) {
                Some(at) => rest = rest.get(at + run.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        true
    }
}

impl fmt::Display for Collation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
