//! One state of a table: definition, rows and the indexes over them.

use std::hash::Hasher;
use std::sync::Arc;

use rustc_hash::FxHasher;

use super::change_log::ChangeLog;
use super::index::HashIndex;
use super::rows::{Row, RowId, Rows};
use super::{IndexDefinition, IndexKind, TableDefinition};
use crate::collation::Collation;
use crate::compare::{compare, hash};
use crate::convert::to_text;
use crate::error::SqlResult;
use crate::session::SqlError;
use crate::types::Datum;

/// A row to add, replace or remove.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Insert { id: RowId, row: Row },
    Update { id: RowId, new: Row },
    Delete(RowId),
}

#[derive(Debug, Clone)]
struct KeyIndex {
    /// Which of the definition's indexes.
    number: usize,
    ordinals: Vec<usize>,
    collations: Vec<Collation>,
    entries: HashIndex,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct TableVersion {
    pub(crate) definition: Arc<TableDefinition>,
    pub(crate) rows: Rows,
    keys: Vec<KeyIndex>,
}

/// The hash of a key's values.
pub(crate) fn key_hash<'a>(values: impl Iterator<Item = (&'a Datum, &'a Collation)>) -> u64 {
    let mut hasher = FxHasher::default();
    for (value, collation) in values {
        hash(value, collation, &mut hasher);
    }
    // Spread, since shards are chosen by the upper bits.
    hasher.finish().wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl KeyIndex {
    fn hash_of(&self, row: &Row) -> u64 {
        key_hash(
            self.ordinals
                .iter()
                .map(|ordinal| &row[*ordinal])
                .zip(&self.collations),
        )
    }

    fn find(&self, rows: &Rows, hash: u64, key: &[&Datum]) -> Option<RowId> {
        self.entries.candidates(hash).find(|id| {
            rows.get(*id).is_some_and(|row| {
                self.ordinals.iter().zip(key).zip(&self.collations).all(
                    |((ordinal, value), collation)| {
                        compare(&row[*ordinal], value, collation).is_eq()
                    },
                )
            })
        })
    }
}

impl TableVersion {
    /// An empty table.
    pub(crate) fn empty(definition: Arc<TableDefinition>) -> Self {
        let mut version = Self {
            definition,
            rows: Rows::default(),
            keys: Vec::new(),
        };
        version.keys = version.empty_keys();
        version
    }

    fn empty_keys(&self) -> Vec<KeyIndex> {
        let unique = self
            .definition
            .indexes
            .iter()
            .enumerate()
            .filter(|(_, index)| index.is_unique());
        unique
            .map(|(number, index)| KeyIndex {
                number,
                ordinals: index.columns.iter().map(|(ordinal, _)| *ordinal).collect(),
                collations: self.definition.key_collations(index),
                entries: HashIndex::default(),
            })
            .collect()
    }

    /// The unique indexes: a handle for [`Self::seek`], the key's ordinals and collations.
    pub(crate) fn unique_keys(&self) -> impl Iterator<Item = (usize, &[usize], &[Collation])> {
        self.keys
            .iter()
            .enumerate()
            .map(|(handle, key)| (handle, key.ordinals.as_slice(), key.collations.as_slice()))
    }

    /// The row with that key, `values` being of the columns' own types.
    pub(crate) fn seek(&self, handle: usize, values: &[&Datum]) -> Option<(RowId, &Row)> {
        let key = self.keys.get(handle)?;
        let hash = key_hash(values.iter().copied().zip(&key.collations));
        let id = key.find(&self.rows, hash, values)?;
        self.rows.get(id).map(|row| (id, row))
    }

    /// Applies a statement's changes. Keys are checked when all of them are in place, so that rows may
    /// exchange keys. After an error the version is worthless: the caller drops it.
    ///
    /// # Errors
    /// 2627 and 2601, naming the duplicate key; `table` is what the message calls the table.
    pub(crate) fn apply(&mut self, changes: Vec<Change>, table: &str) -> SqlResult<()> {
        for change in &changes {
            let (id, new) = match change {
                Change::Insert { .. } => continue,
                Change::Update { id, new } => (*id, Some(new)),
                Change::Delete(id) => (*id, None),
            };
            let Some(old) = self.rows.get(id).cloned() else {
                continue;
            };
            for key in &mut self.keys {
                let hash = key.hash_of(&old);
                if new.is_none_or(|new| key.hash_of(new) != hash) {
                    key.entries.remove(hash, id);
                }
            }
        }
        let mut placed = Vec::with_capacity(changes.len());
        for change in changes {
            match change {
                Change::Insert { id, row } => placed.push((id, row)),
                Change::Update { id, new } => placed.push((id, new)),
                Change::Delete(id) => {
                    self.rows.remove(id);
                }
            }
        }
        for (id, row) in placed {
            let old = self.rows.get(id).cloned();
            self.rows.insert(id, row.clone());
            self.enter(id, &row, old.as_ref(), table)?;
        }
        Ok(())
    }

    /// Applies what a transaction has changed on another version to this one. The rows and keys were locked for
    /// it, so they are as they were there.
    pub(crate) fn replay(&mut self, changes: &ChangeLog) {
        let changes = changes.net();
        for (id, new) in &changes {
            let Some(old) = self.rows.get(*id).cloned() else {
                continue;
            };
            for key in &mut self.keys {
                let hash = key.hash_of(&old);
                if new.as_ref().is_none_or(|new| key.hash_of(new) != hash) {
                    key.entries.remove(hash, *id);
                }
            }
        }
        for (id, new) in changes {
            let Some(new) = new else {
                self.rows.remove(id);
                continue;
            };
            let old = self.rows.get(id).cloned();
            for key in &mut self.keys {
                let hash = key.hash_of(&new);
                if old.as_ref().is_none_or(|old| key.hash_of(old) != hash) {
                    key.entries.insert(hash, id);
                }
            }
            self.rows.insert(id, new);
        }
    }

    /// The hashes of a row's unique keys, each with its index's number.
    pub(crate) fn key_hashes(&self, row: &Row) -> impl Iterator<Item = (usize, u64)> {
        self.keys.iter().map(|key| (key.number, key.hash_of(row)))
    }

    /// As [`Self::seek`] would look for it: the number of the index and the key's hash.
    pub(crate) fn key_hash_of(&self, handle: usize, values: &[&Datum]) -> Option<(usize, u64)> {
        let key = self.keys.get(handle)?;
        let hash = key_hash(values.iter().copied().zip(&key.collations));
        Some((key.number, hash))
    }

    /// Enters a row's keys; `old` is the row that it replaces.
    fn enter(&mut self, id: RowId, row: &Row, old: Option<&Row>, table: &str) -> SqlResult<()> {
        for number in 0..self.keys.len() {
            let key = &self.keys[number];
            let hash = key.hash_of(row);
            let unchanged = old.is_some_and(|old| key.hash_of(old) == hash);
            let values: Vec<&Datum> = key.ordinals.iter().map(|ordinal| &row[*ordinal]).collect();
            let holder = if key.entries.candidates(hash).all(|other| other == id) {
                None
            } else {
                key.find_other(&self.rows, hash, &values, id)
            };
            if holder.is_some() {
                return Err(duplicate_key(
                    &self.definition.indexes[key.number],
                    &values,
                    table,
                ));
            }
            if !unchanged {
                self.keys[number].entries.insert(hash, id);
            }
        }
        Ok(())
    }

    /// Removes all rows.
    pub(crate) fn clear(&mut self) {
        self.rows = Rows::default();
        self.keys = self.empty_keys();
    }

    /// Puts another definition over rows that already fit it, and builds its indexes.
    pub(crate) fn redefine(
        &mut self,
        definition: Arc<TableDefinition>,
        rows: Option<Rows>,
        table: &str,
    ) -> SqlResult<()> {
        self.definition = definition;
        if let Some(rows) = rows {
            self.rows = rows;
        }
        self.keys = self.empty_keys();
        let rows = self.rows.clone();
        for (id, row) in rows.iter() {
            self.enter(id, row, None, table)
                .map_err(|error| creation_error(&error))?;
        }
        Ok(())
    }

    /// The rows changed one by one, at the same places.
    pub(crate) fn mapped_rows(
        &self,
        mut map: impl FnMut(&Row) -> SqlResult<Row>,
    ) -> SqlResult<Rows> {
        let mut rows = self.rows.clone();
        for (id, row) in self.rows.iter() {
            rows.replace(id, map(row)?);
        }
        Ok(rows)
    }
}

impl KeyIndex {
    fn find_other(&self, rows: &Rows, hash: u64, key: &[&Datum], id: RowId) -> Option<RowId> {
        self.entries
            .candidates(hash)
            .filter(|other| *other != id)
            .find(|other| {
                rows.get(*other).is_some_and(|row| {
                    self.ordinals.iter().zip(key).zip(&self.collations).all(
                        |((ordinal, value), collation)| {
                            compare(&row[*ordinal], value, collation).is_eq()
                        },
                    )
                })
            })
    }
}

fn duplicate_key(index: &IndexDefinition, values: &[&Datum], table: &str) -> SqlError {
    let shown: Vec<String> = values
        .iter()
        .map(|value| match value {
            Datum::Null => "<NULL>".to_owned(),
            Datum::Text { value, .. } => value.trim_end_matches(' ').to_owned(),
            Datum::Binary(_) => to_text(value, 1).unwrap_or_default().to_lowercase(),
            other => to_text(other, 0).unwrap_or_default(),
        })
        .collect();
    let shown = shown.join(", ");
    match index.kind {
        IndexKind::UniqueIndex | IndexKind::Plain => SqlError::new(
            2601,
            14,
            1,
            format!(
                "Cannot insert duplicate key row in object '{table}' with unique index '{}'. The duplicate key value is ({shown}).",
                index.name
            ),
        ),
        kind => SqlError::new(
            2627,
            14,
            1,
            format!(
                "Violation of {} constraint '{}'. Cannot insert duplicate key in object '{table}'. The duplicate key value is ({shown}).",
                if kind == IndexKind::PrimaryKey {
                    "PRIMARY KEY"
                } else {
                    "UNIQUE KEY"
                },
                index.name
            ),
        ),
    }
}

/// 1505: what a duplicate is called while an index is made.
fn creation_error(duplicate: &SqlError) -> SqlError {
    let value = duplicate
        .message
        .rsplit("The duplicate key value is ")
        .next()
        .unwrap_or("");
    SqlError::new(
        1505,
        16,
        1,
        format!(
            "The CREATE UNIQUE INDEX statement terminated because a duplicate key was found. The duplicate key value is {value}"
        ),
    )
}
