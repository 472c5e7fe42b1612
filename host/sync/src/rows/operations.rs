//! What happened to the rows of a batch.

use arrow_array::{Int32Array, RecordBatch, cast::AsArray, types::Int32Type};
use icehost_plan::Delta;

/// What happened to each row of a batch; `None` where the delta does not say.
pub(crate) fn operations<'a>(batch: &'a RecordBatch, delta: &Delta) -> Option<&'a Int32Array> {
    let column = batch.columns().get(delta.operation? as usize)?;
    column.as_primitive_opt::<Int32Type>()
}
