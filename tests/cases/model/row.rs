//! The rows of the model's table, as source, lake and target show them.

use std::collections::BTreeMap;
use std::fmt;

/// One image of a row. Every write of the model has a value of its own, so that two images never look alike.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// The key, as it is spelled.
    pub key: String,
    /// The cursor of `id`: given with the insert, unchanged by updates.
    pub sequence: i64,
    /// Counts writes.
    pub value: i64,
    /// The cursor of `timestamp`: seconds since 2026-01-01.
    pub changed: i64,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row {
            key,
            sequence,
            value,
            changed,
        } = self;
        write!(f, "{key}#{sequence}={value}@{changed}")
    }
}

/// A key as the column's collation compares it.
pub fn folded(key: &str) -> String {
    key.to_ascii_lowercase()
}

/// Rows by their key as it is compared.
pub type Table = BTreeMap<String, Row>;

/// Rows by key; an error where a key stands twice.
pub fn by_key(rows: &[Row], of: &str) -> Result<Table, String> {
    let mut table = Table::new();
    for row in rows {
        if let Some(other) = table.insert(folded(&row.key), row.clone()) {
            return Err(format!("{of}: a key stands twice: {other:?} and {row:?}"));
        }
    }
    Ok(table)
}
