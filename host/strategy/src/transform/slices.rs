//! How a batch is cut into pieces.

use arrow_array::RecordBatch;

/// Bytes of a piece, about: what is handed over is copied into the component's memory, and 1 MiB crosses in less
/// time than it takes to read.
const PIECE: usize = 1 << 20;

/// Offsets and lengths of the pieces; none without rows.
pub(super) fn of(batch: &RecordBatch) -> Vec<(usize, usize)> {
    let rows = batch.num_rows();
    let bytes: usize = batch
        .columns()
        .iter()
        .map(|column| match column.to_data().get_slice_memory_size() {
            Ok(bytes) => bytes,
            Err(_) => column.get_array_memory_size(),
        })
        .sum();
    let pieces = bytes.div_ceil(PIECE).clamp(1, rows.max(1));
    let length = rows.div_ceil(pieces).max(1);
    (0..rows)
        .step_by(length)
        .map(|offset| (offset, length.min(rows - offset)))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow_array::{Array, Int64Array, StringArray};

    use super::*;

    fn batch(column: Arc<dyn Array>) -> RecordBatch {
        RecordBatch::try_from_iter([("a", column)]).unwrap()
    }

    #[test]
    fn pieces_are_of_about_a_mebibyte_and_hold_each_row_once() {
        for rows in [0, 1, 7, 131_072, 131_073, 1_000_001] {
            let pieces = of(&batch(Arc::new(Int64Array::from(vec![0; rows]))));
            let mut next = 0;
            for &(offset, length) in &pieces {
                assert_eq!(offset, next);
                assert!((1..=131_073).contains(&length), "{rows}: {length}");
                next += length;
            }
            assert_eq!(next, rows);
        }
    }

    #[test]
    fn a_row_is_never_cut() {
        let large = "x".repeat(5 << 20);
        let pieces = of(&batch(Arc::new(StringArray::from(vec![large.as_str()]))));
        assert_eq!(pieces, [(0, 1)]);
    }
}
