//! The rows that go to a target: which columns, under which names, as what.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use icehost_lake::{ChangePlan, ChangesRequest, KeyFold, LakeError};
use icehost_plan::{Column, Contents, Delta, KeyPair, Operation, Table, ValidMergePlan};
use icehost_sqlserver::SqlTable;

use crate::SyncError;
use crate::delivery::key_doubts;
use crate::delivery::key_doubts::tells_rows_by_its_key;
use crate::delivery::table::Taken;

/// The columns that the target takes.
pub(crate) fn request(from: Option<i64>, to: Option<i64>, takes: &[Taken]) -> ChangesRequest {
    ChangesRequest {
        columns: Some(takes.iter().map(|taken| taken.ordinal).collect()),
        ..ChangesRequest::new(from, to)
    }
}

/// The changes by the merge's key, as the target compares it: which rows are one is the target's notion. Where the merge
/// goes by the lake's key, it is the lake's, too: rows that are one for it are versions of a row.
pub(crate) fn keyed(
    changes: ChangePlan,
    plan: &ValidMergePlan,
    (lake, takes): (&Table, &[Taken]),
    target: &SqlTable,
) -> Result<ChangePlan, LakeError> {
    let columns: Vec<u32> = plan.keys.iter().map(|key| key.source).collect();
    let by_its_key = tells_rows_by_its_key(lake, plan, &changes.delta());
    let collation = |key: &KeyPair| {
        let column = target.table.columns.get(key.target as usize)?;
        let there = column.collation.as_ref()?;
        let own = key_doubts::collation(key, takes).filter(|own| by_its_key && *own != there);
        Some(own.map_or_else(|| there.clone(), |own| own.or(there)))
    };
    let fold = KeyFold::new(plan.keys.iter().map(collation));
    changes.keyed(&columns, fold)
}

/// The delta under the target's spelling of its columns.
pub(crate) fn delta(changes: &ChangePlan, takes: &[Taken], target: &SqlTable) -> Delta {
    let mut delta = Delta {
        run_time: crate::rows::run_time::now(),
        ..changes.delta()
    };
    for (column, taken) in delta.columns.iter_mut().zip(takes) {
        *column = taken.column.clone();
    }
    if let Some(operation) = delta.operation {
        let own = operation_column(takes, target);
        if let Some(column) = delta.columns.get_mut(operation as usize) {
            *column = own;
        }
    }
    delta
}

/// The delta that a dry run shows, for a lake table that may not exist yet.
pub(crate) fn expected_delta(
    takes: &[Taken],
    from: Option<i64>,
    rows: u64,
    target: &SqlTable,
) -> Delta {
    let delta = Delta {
        operation: None,
        contents: Contents::Snapshot,
        columns: takes.iter().map(|taken| taken.column.clone()).collect(),
        rows,
        run_time: crate::rows::run_time::now(),
    };
    match from {
        Some(_) => as_changes(&delta, takes, target),
        None => delta,
    }
}

/// A snapshot as changes: every row comes as a new image, with an operation column behind the others. Deletions
/// of rows that are absent are the target's own to add.
pub(crate) fn as_changes(snapshot: &Delta, takes: &[Taken], target: &SqlTable) -> Delta {
    let mut columns = snapshot.columns.clone();
    let operation = columns.len() as u32;
    columns.push(operation_column(takes, target));
    Delta {
        operation: Some(operation),
        contents: Contents::Changes,
        columns,
        ..snapshot.clone()
    }
}

/// A batch of a snapshot as one of changes.
pub(crate) fn batch_as_changes(
    batch: &RecordBatch,
    delta: &Delta,
) -> Result<RecordBatch, SyncError> {
    let rows = batch.num_rows();
    let update = Int32Array::from_value(Operation::Update as i32, rows);
    let name = delta.columns.last().map_or("", |column| &column.name);
    let mut fields = batch.schema().fields().to_vec();
    fields.push(Arc::new(Field::new(name, DataType::Int32, false)));
    let mut arrays: Vec<ArrayRef> = batch.columns().to_vec();
    arrays.push(Arc::new(update));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|error| {
        SyncError::schema(
            format!("preparing rows of the lake: {error}"),
            "please report this as a defect",
        )
    })
}

/// The operation column, under a name that neither a column of the delta nor one of the target has: a table may
/// have a column of that name.
fn operation_column(takes: &[Taken], target: &SqlTable) -> Column {
    let mut column = Delta::operation_column();
    let taken = |name: &str| {
        let same = |other: &str| other.to_lowercase() == name.to_lowercase();
        takes.iter().any(|taken| same(&taken.column.name))
            || target.columns.iter().any(|column| same(&column.name))
    };
    while taken(&column.name) {
        column.name.push('_');
    }
    column
}
