//! Keys, as people read them.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;
use uuid::Uuid;

use crate::verify::compare::shape::Shape;

/// Most bytes of a value that are shown.
const MOST_SHOWN: usize = 100;
/// Most columns of a row without a key that are shown.
const MOST_COLUMNS: usize = 3;

/// `Id = 7, Line = 2`; the first columns of a row that has no key. Nothing in it can lead a terminal astray.
pub(crate) fn key_text(shape: &Shape, arrays: &[ArrayRef], row: usize) -> String {
    let shown: Vec<usize> = match shape.key.is_empty() {
        true => (0..shape.columns.len().min(MOST_COLUMNS)).collect(),
        false => shape.key.clone(),
    };
    let parts = shown.into_iter().filter_map(|at| {
        let (column, array) = (shape.columns.get(at)?, arrays.get(at)?);
        Some(format!("{} = {}", column.name, value_text(array, row)))
    });
    let parts: Vec<String> = parts.collect();
    parts.join(", ")
}

fn value_text(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "NULL".to_owned();
    }
    let text = match array.data_type() {
        DataType::FixedSizeBinary(16) => {
            let bytes = array.as_fixed_size_binary().value(row);
            Uuid::from_slice(bytes).map_or_else(|_| String::new(), |uuid| uuid.to_string())
        }
        _ => {
            let formatter = ArrayFormatter::try_new(array.as_ref(), &FormatOptions::default());
            formatter.map_or_else(|_| String::new(), |shown| shown.value(row).to_string())
        }
    };
    icehost_untrusted::shown_up_to(&text, MOST_SHOWN)
}
