//! Rules that change a column's values on their way to the lake, so that what is not to be there never is:
//! NULL, a constant, a keyed hash, a cut.
//!
//! They are applied to the rows as they were read, before any of them is written. A column keeps its type in the
//! lake, so that a rule can be added to a table that is there.

pub(crate) mod apply;

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, Mac};
use icehost_plan::{Column, LakeType, Table};
use icehost_strategy::ChangeDetector;
use sha2::Sha256;

use crate::SyncError;

/// What becomes of a column's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnRule {
    /// All of them become NULL.
    Null,
    /// All of them become this value, NULLs too. The text is read as a value of the column's type.
    Constant(String),
    /// Each becomes its HMAC-SHA-256 (RFC 2104): equal values stay equal, and none can be found by trying values
    /// out without the key. Text becomes 64 hexadecimal digits, binary values 32 bytes; NULL stays NULL.
    Hash,
    /// Texts are cut after so many characters.
    Truncate(u32),
}

impl FromStr for ColumnRule {
    type Err = String;

    /// Reads `null`, `hash`, `constant:TEXT` or `truncate:N`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (word, rest) = match text.split_once(':') {
            Some((word, rest)) => (word, Some(rest)),
            None => (text, None),
        };
        match (word, rest) {
            ("null", None) => Ok(ColumnRule::Null),
            ("hash", None) => Ok(ColumnRule::Hash),
            ("constant", Some(value)) => Ok(ColumnRule::Constant(value.to_owned())),
            ("truncate", Some(length)) => length
                .parse()
                .map(ColumnRule::Truncate)
                .map_err(|_| format!("'{length}' is no number of characters")),
            _ => Err(format!(
                "{} is no column rule; there are null, hash, constant:VALUE and truncate:CHARACTERS",
                icehost_untrusted::given(text)
            )),
        }
    }
}

/// The key of the hashes. Neither `Debug` nor an error shows it, and no strategy sees it.
#[derive(Clone)]
pub struct HashKey(Hmac<Sha256>);

impl HashKey {
    /// Least length of a key: below it, the key could be tried out.
    pub const LEAST_BYTES: usize = 16;

    /// Takes the bytes of a key.
    ///
    /// # Errors
    /// A key that is shorter than [`HashKey::LEAST_BYTES`].
    pub fn new(bytes: &[u8]) -> Result<HashKey, String> {
        if bytes.len() < Self::LEAST_BYTES {
            return Err(format!(
                "the key for hashes has {} bytes, and needs {}",
                bytes.len(),
                Self::LEAST_BYTES
            ));
        }
        Hmac::new_from_slice(bytes)
            .map(HashKey)
            .map_err(|error| error.to_string())
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(…)")
    }
}

/// The rules of a pipeline, by the names of their columns.
#[derive(Debug, Clone, Default)]
pub struct ColumnRules {
    /// A column and what becomes of its values; names differ in case at most where that is unambiguous.
    pub rules: Vec<(String, ColumnRule)>,
    /// For [`ColumnRule::Hash`].
    pub key: Option<HashKey>,
}

impl ColumnRules {
    /// Whether a table's columns can have these rules.
    ///
    /// # Errors
    /// Rules for columns that are not there or of the key, that their type cannot take, or that lack the key;
    /// two for one column.
    pub fn check(&self, table: &Table) -> Result<(), SyncError> {
        self.resolve(table).map(drop)
    }

    /// The column of each rule, by its ordinal.
    ///
    /// # Errors
    /// Those of [`ColumnRules::check`].
    pub(crate) fn resolve<'a>(
        &'a self,
        table: &Table,
    ) -> Result<Vec<(u32, &'a ColumnRule)>, SyncError> {
        let mut resolved: Vec<(u32, &ColumnRule)> = Vec::new();
        for (name, rule) in &self.rules {
            let refused = |why: &str, hint: &str| {
                SyncError::settings(
                    format!("the rule for column '{name}' of {}: {why}", table.name),
                    hint,
                )
            };
            let ordinal = find(&table.columns, name).ok_or_else(|| {
                let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
                refused(
                    "there is no such column",
                    &format!("the columns that are carried are {}", names.join(", ")),
                )
            })?;
            let Some(column) = table.columns.get(ordinal as usize) else {
                continue;
            };
            if resolved.iter().any(|(known, _)| *known == ordinal) {
                return Err(refused(
                    "the column has another one",
                    "leave one of them out",
                ));
            }
            if let Err((why, hint)) = fits(rule, column, self.key.is_some()) {
                return Err(refused(&why, hint));
            }
            resolved.push((ordinal, rule));
        }
        Ok(resolved)
    }

    /// A change detector as it may be asked: columns that have a rule are hidden from it. It decides by what the
    /// server has, which is what no file of the lake is to hold, its watermark included.
    pub(crate) fn guard(&self, detector: &ChangeDetector) -> ChangeDetector {
        detector.withholding(self.rules.iter().map(|(column, _)| column.as_str()))
    }

    /// The columns that have a rule, as they were named.
    pub(crate) fn columns(&self) -> Vec<String> {
        self.rules
            .iter()
            .map(|(column, _)| column.clone())
            .collect()
    }

    /// Whether a column of this name has a rule.
    pub(crate) fn concern(&self, column: &str) -> bool {
        let folded = column.to_lowercase();
        self.rules
            .iter()
            .any(|(name, _)| name.to_lowercase() == folded)
    }

    /// What tells one set of rules from another, without the key.
    pub(crate) fn fingerprint(&self) -> Vec<String> {
        let key = self.key.as_ref().map(apply::key_check);
        let rules = self
            .rules
            .iter()
            .map(|(name, rule)| format!("{name} {rule:?}"));
        rules.chain(key).collect()
    }
}

impl ColumnRules {
    /// What tells rules from others by what they make of rows; the order in which they were given does not count, nor
    /// a key that none of them uses.
    pub(crate) fn fingerprint_of_rules(&self) -> Vec<String> {
        let rules = self.rules.iter();
        let rules = rules.map(|(name, rule)| format!("{} {rule:?}", name.to_lowercase()));
        let hashes = self.rules.iter().any(|(_, rule)| *rule == ColumnRule::Hash);
        let key = self.key.as_ref().filter(|_| hashes);
        rules.chain(key.map(apply::key_check)).collect()
    }
}

fn find(columns: &[Column], name: &str) -> Option<u32> {
    let exact = columns.iter().position(|column| column.name == name);
    let position = exact.or_else(|| {
        let mut alike = (0..columns.len()).filter(|&i| {
            columns
                .get(i)
                .is_some_and(|c| c.name.to_lowercase() == name.to_lowercase())
        });
        match (alike.next(), alike.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    })?;
    u32::try_from(position).ok()
}

/// Whether a column can have a rule; else why not, and what to do.
fn fits(rule: &ColumnRule, column: &Column, has_key: bool) -> Result<(), (String, &'static str)> {
    let kind = column.column_type.lake();
    let refused = |why: String, hint| Err((why, hint));
    if column.key_position.is_some() {
        return refused(
            "it is part of the key, by which rows are found again".to_owned(),
            "a key has to be carried as it is; --exclude-columns leaves other columns out",
        );
    }
    match rule {
        ColumnRule::Null if !column.nullable => refused(
            "it is NOT NULL".to_owned(),
            "give constant:VALUE, or leave the column out with --exclude-columns",
        ),
        ColumnRule::Hash if !matches!(kind, LakeType::String | LakeType::Binary) => refused(
            format!(
                "a hash is text or bytes, and its type is {}",
                column.column_type
            ),
            "hash columns of text or varbinary; for others there are null and constant:VALUE",
        ),
        ColumnRule::Hash if !has_key => refused(
            "a hash without a key could be found by trying values out".to_owned(),
            "name the key's place with --hash-key-env or --hash-key-file",
        ),
        ColumnRule::Truncate(_) if kind != LakeType::String => refused(
            format!("only text is cut, and its type is {}", column.column_type),
            "for other types there are null and constant:VALUE",
        ),
        ColumnRule::Constant(text) => apply::constant_of(text, column).map(drop).map_err(|why| {
            (
                why,
                "write the value as SQL Server shows it: 42, 12.50, true, 2026-01-31",
            )
        }),
        _ => Ok(()),
    }
}
