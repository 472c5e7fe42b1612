//! How SQL Server compares text, so far as it decides whether two keys are one.

use std::borrow::Cow;
use std::fmt;

/// The comparison rules in a collation's name (T-SQL reference, "Collation and Unicode support").
///
/// The lake compares text byte by byte; SQL Server by these rules. [`Collation::fold`] maps strings that
/// SQL Server takes for one key to one string, so that a key changed from `foo` to `FOO` is found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collation {
    name: String,
    case_sensitive: bool,
    accent_sensitive: bool,
}

impl Collation {
    /// Reads the sensitivities from a name such as `SQL_Latin1_General_CP1_CI_AS`.
    pub fn from_name(name: &str) -> Collation {
        let has = |flag: &str| name.split('_').any(|part| part.eq_ignore_ascii_case(flag));
        let binary = has("BIN") || has("BIN2");
        Collation {
            name: name.to_owned(),
            case_sensitive: binary || has("CS"),
            accent_sensitive: binary || !has("AI"),
        }
    }

    /// The collation's name, as it came.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether two different strings can be one key for a reason that [`Collation::fold`] does not model:
    /// accent-insensitive comparison needs the server's own tables.
    pub fn folds_exactly(&self) -> bool {
        self.accent_sensitive
    }

    /// One representative for all strings that compare equal: trailing blanks are dropped (they never
    /// count, not even under a binary collation), and case is folded where the collation ignores it.
    pub fn fold<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let trimmed = text.trim_end_matches(' ');
        if self.case_sensitive || !trimmed.chars().any(|c| c.is_alphabetic()) {
            return Cow::Borrowed(trimmed);
        }
        // Windows collations fold one character to one character: no ß to SS.
        let upper = |c: char| {
            let mut mapped = c.to_uppercase();
            match (mapped.next(), mapped.next()) {
                (Some(single), None) => single,
                _ => c,
            }
        };
        Cow::Owned(trimmed.chars().map(upper).collect())
    }
}

impl fmt::Display for Collation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
