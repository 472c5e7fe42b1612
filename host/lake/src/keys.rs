//! Keys of rows in a form that compares by bytes.

mod alike;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, BinaryArray, StringArray};
use arrow_row::{RowConverter, Rows, SortField};
use icehost_plan::{Collation, LakeType};

use crate::error::{LakeError, Result};

pub(crate) use alike::Alike;

/// How the parts of a key compare, in key order.
///
/// By default byte by byte, as Iceberg has it. A key that stands in a SQL Server too compares as it does there:
/// text by its column's collation, binary values as if they were filled up with zeros (T-SQL reference, "binary
/// and varbinary"). A row must be found again under each spelling of its key.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeyFold {
    collations: Vec<Option<Collation>>,
    padded: bool,
}

impl KeyFold {
    /// As a SQL Server compares, from the collation of each key column; text without one byte by byte.
    pub fn new(collations: impl IntoIterator<Item = Option<Collation>>) -> Self {
        KeyFold {
            collations: collations.into_iter().collect(),
            padded: true,
        }
    }

    /// The collation of a key column, by its position in the key.
    pub(crate) fn get(&self, position: usize) -> Option<&Collation> {
        self.collations.get(position)?.as_ref()
    }
}

/// Turns key columns into byte strings, equal where the keys are certainly one.
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

    /// How the parts compare.
    pub(crate) fn fold(&self) -> &KeyFold {
        &self.fold
    }

    /// The keys of a batch's rows. `columns` are in key order and of the types given to `new`.
    pub(crate) fn encode(&self, columns: &[ArrayRef]) -> Result<Keys> {
        let mut folded = Vec::with_capacity(columns.len());
        let mut uncertain: Option<Vec<bool>> = None;
        for (position, column) in columns.iter().enumerate() {
            folded.push(match self.types.get(position) {
                Some(LakeType::String) => match self.fold.get(position) {
                    Some(collation) => fold_text(column, collation, &mut uncertain)?,
                    None => Arc::clone(column),
                },
                Some(LakeType::Binary) if self.fold.padded => unpadded(column),
                _ => Arc::clone(column),
            });
        }
        let rows = self.converter.convert_columns(&folded)?;
        let nullable = folded.iter().filter(|c| c.null_count() > 0).cloned();
        Ok(Keys {
            rows,
            nullable: nullable.collect(),
            uncertain,
        })
    }

    /// Key columns from encoded keys: texts as they were folded.
    pub(crate) fn decode(&self, keys: &[&[u8]]) -> Result<Vec<ArrayRef>> {
        let parser = self.converter.parser();
        let rows = keys.iter().map(|key| parser.parse(key));
        Ok(self.converter.convert_rows(rows)?)
    }

    /// The texts of a key that compare by a collation, in key order: what [`Keys::is_uncertain`] is about.
    pub(crate) fn texts<'a>(
        &'a self,
        columns: &'a [ArrayRef],
        row: usize,
    ) -> impl Iterator<Item = (&'a Collation, &'a str)> {
        let text = move |position: usize| {
            let collation = self.fold.get(position)?;
            let column = columns.get(position)?.as_string_opt::<i32>()?;
            column.is_valid(row).then(|| (collation, column.value(row)))
        };
        (0..columns.len()).filter_map(text)
    }

    /// What of a key is no text with a collation: equal where the keys may be one.
    pub(crate) fn exact_parts(&self, columns: &[ArrayRef]) -> Result<Rows> {
        let exact = |position: usize| {
            !matches!(self.types.get(position), Some(LakeType::String))
                || self.fold.get(position).is_none()
        };
        let mut kept = Vec::new();
        let mut fields = Vec::new();
        for (position, column) in columns.iter().enumerate().filter(|(at, _)| exact(*at)) {
            fields.push(SortField::new(column.data_type().clone()));
            kept.push(match self.types.get(position) {
                Some(LakeType::Binary) if self.fold.padded => unpadded(column),
                _ => Arc::clone(column),
            });
        }
        if kept.is_empty() {
            // A converter wants a column.
            let rows = columns.first().map_or(0, |column| column.len());
            fields.push(SortField::new(arrow_schema::DataType::Null));
            kept.push(arrow_array::new_null_array(
                &arrow_schema::DataType::Null,
                rows,
            ));
        }
        Ok(RowConverter::new(fields)?.convert_columns(&kept)?)
    }
}

/// The keys of a batch.
pub(crate) struct Keys {
    rows: Rows,
    nullable: Vec<ArrayRef>,
    uncertain: Option<Vec<bool>>,
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

    /// Whether keys that are encoded differently may be one with this one.
    pub(crate) fn is_uncertain(&self, row: usize) -> bool {
        let at = |rows: &Vec<bool>| rows.get(row).copied().unwrap_or(false);
        self.uncertain.as_ref().is_some_and(at)
    }
}

fn fold_text(
    column: &ArrayRef,
    collation: &Collation,
    uncertain: &mut Option<Vec<bool>>,
) -> Result<ArrayRef> {
    let text = column
        .as_any()
        .downcast_ref::<StringArray>()
        .ok_or_else(|| LakeError::internal(format!("a text key came as {}", column.data_type())))?;
    for (row, value) in text.iter().enumerate() {
        if value.is_some_and(|value| !collation.is_certain(value)) {
            let rows = uncertain.get_or_insert_with(|| vec![false; text.len()]);
            if let Some(uncertain) = rows.get_mut(row) {
                *uncertain = true;
            }
        }
    }
    let folded: StringArray = text.iter().map(|v| v.map(|v| collation.fold(v))).collect();
    Ok(Arc::new(folded))
}

/// Values whose order by bytes is that of a SQL Server: zeros at the ends of binary values do not count there, nor
/// does the sign of a zero.
pub(crate) fn as_a_server_orders(column: &ArrayRef) -> ArrayRef {
    if let Some(doubles) = column.as_primitive_opt::<Float64Type>() {
        return Arc::new(doubles.unary::<_, Float64Type>(|value| value + 0.0));
    }
    if let Some(floats) = column.as_primitive_opt::<Float32Type>() {
        return Arc::new(floats.unary::<_, Float32Type>(|value| value + 0.0));
    }
    unpadded(column)
}

/// Binary values without the zeros at their ends.
fn unpadded(column: &ArrayRef) -> ArrayRef {
    let Some(values) = column.as_binary_opt::<i32>() else {
        return Arc::clone(column);
    };
    let trimmed: BinaryArray = values
        .iter()
        .map(|value| {
            value.map(|value| {
                let end = value.iter().rposition(|&byte| byte != 0);
                value.get(..end.map_or(0, |end| end + 1)).unwrap_or(value)
            })
        })
        .collect();
    Arc::new(trimmed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow_array::Float64Array;

    fn encoded(kind: LakeType, fold: KeyFold, values: ArrayRef) -> Vec<Vec<u8>> {
        let keys = KeyEncoder::new(vec![kind], fold).unwrap();
        let rows = values.len();
        let keys = keys.encode(&[values]).unwrap();
        (0..rows).map(|row| keys.bytes(row).to_vec()).collect()
    }

    #[test]
    fn zeros_at_the_end_of_binary_values_do_not_count_on_a_server() {
        let values: ArrayRef = Arc::new(BinaryArray::from_vec(vec![
            b"\x01",
            b"\x01\0",
            b"\x01\0\0",
            b"\0\x01",
            b"",
            b"\0",
        ]));
        let there = encoded(LakeType::Binary, KeyFold::new([None]), Arc::clone(&values));
        assert_eq!((&there[0], &there[0]), (&there[1], &there[2]));
        assert_eq!(there[4], there[5]);
        assert!(there[0] != there[3] && there[0] != there[4]);
        let here = encoded(LakeType::Binary, KeyFold::default(), values);
        assert!(here[0] != here[1] && here[4] != here[5]);
    }

    #[test]
    fn values_that_a_server_takes_for_equal_come_in_no_order() {
        let zeros: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, -1.5]));
        let ordered = as_a_server_orders(&zeros);
        let ordered = ordered.as_primitive::<Float64Type>();
        assert_eq!(ordered.value(0).to_bits(), ordered.value(1).to_bits());
        assert_eq!(ordered.value(2), -1.5);
        let versions: ArrayRef = Arc::new(BinaryArray::from_vec(vec![b"\x01", b"\x01\0"]));
        let ordered = as_a_server_orders(&versions);
        assert_eq!(
            ordered.as_binary::<i32>().value(0),
            ordered.as_binary::<i32>().value(1)
        );
    }

    #[test]
    fn only_uncertain_keys_say_that_others_may_be_the_same() {
        let collation = Some(Collation::from_name("Latin1_General_CI_AS"));
        let encoder = KeyEncoder::new(vec![LakeType::String], KeyFold::new([collation])).unwrap();
        let texts: ArrayRef = Arc::new(StringArray::from(vec![
            Some("abc"),
            Some("ABC "),
            Some("３"),
            Some("3"),
            None,
        ]));
        let keys = encoder.encode(&[texts]).unwrap();
        assert_eq!(keys.bytes(0), keys.bytes(1));
        assert_ne!(keys.bytes(2), keys.bytes(3));
        let uncertain: Vec<bool> = (0..5).map(|row| keys.is_uncertain(row)).collect();
        assert_eq!(uncertain, [false, false, true, false, false]);
    }
}
