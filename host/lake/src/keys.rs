//! Keys of rows in a form that compares by bytes.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, StringArray};
use arrow_row::{RowConverter, Rows, SortField};
use icehost_plan::{Collation, LakeType};

use crate::error::{LakeError, Result};

/// How text in each key column compares, in key order: by a collation, or byte by byte where there is none.
///
/// A source that takes `foo` and `FOO` for one key must find the row again under either.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeyFold(Vec<Option<Collation>>);

impl KeyFold {
    /// From the collation of each key column.
    pub fn new(collations: impl IntoIterator<Item = Option<Collation>>) -> Self {
        KeyFold(collations.into_iter().collect())
    }

    /// The collation of a key column, by its position in the key.
    pub(crate) fn get(&self, position: usize) -> Option<&Collation> {
        self.0.get(position)?.as_ref()
    }
}

/// Turns key columns into byte strings, equal where the keys are one.
#[derive(Debug)]
pub(crate) struct KeyEncoder {
    converter: RowConverter,
    types: Vec<LakeType>,
    fold: KeyFold,
}

impl KeyEncoder {
    pub(crate) fn new(types: Vec<LakeType>, fold: KeyFold) -> Result<Self> {
        let fields = types.iter().map(|t| SortField::new(t.arrow())).collect();
        Ok(KeyEncoder {
            converter: RowConverter::new(fields)?,
            types,
            fold,
        })
    }

    /// The keys of a batch's rows. `columns` are in key order and of the types given to `new`.
    pub(crate) fn encode(&self, columns: &[ArrayRef]) -> Result<Keys> {
        let mut folded = Vec::with_capacity(columns.len());
        for (position, column) in columns.iter().enumerate() {
            folded.push(match (self.types.get(position), self.fold.get(position)) {
                (Some(LakeType::String), Some(collation)) => fold_text(column, collation)?,
                _ => Arc::clone(column),
            });
        }
        let rows = self.converter.convert_columns(&folded)?;
        let nullable = folded.iter().filter(|c| c.null_count() > 0).cloned();
        Ok(Keys {
            rows,
            nullable: nullable.collect(),
        })
    }
}

/// The keys of a batch.
pub(crate) struct Keys {
    rows: Rows,
    nullable: Vec<ArrayRef>,
}

impl Keys {
    /// The key of a row.
    pub(crate) fn bytes(&self, row: usize) -> &[u8] {
        self.rows.row(row).data()
    }

    /// Whether a part of the key is NULL, so that the key equals no other.
    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.nullable.iter().any(|column| column.is_null(row))
    }
}

fn fold_text(column: &ArrayRef, collation: &Collation) -> Result<ArrayRef> {
    let text = column
        .as_any()
        .downcast_ref::<StringArray>()
        .ok_or_else(|| LakeError::internal(format!("a text key came as {}", column.data_type())))?;
    let folded: StringArray = text.iter().map(|v| v.map(|v| collation.fold(v))).collect();
    Ok(Arc::new(folded))
}
