//! A source table that was dropped and created again under its name, and columns of which the same is so.
//!
//! A watermark says how far *a table* has been read. What another table has below it has never been read, whatever
//! was there before; so such a run stops, unless all that there is lies above what it reads from. A table that was
//! emptied and filled again is the same one to the server, and nothing tells of it.
//!
//! A column that was dropped and added again has other values in every row, and no cursor moves with them. The server
//! never gives a column's number again.

use icehost_plan::{Aggregate, AggregateFunction, Coverage, Probe, ValidExtractionPlan};
use icehost_sqlserver::SqlTable;

use crate::SyncError;
use crate::error::Doing;
use crate::source::open::OpenSource;
use crate::watermark::record::{SourceTable, WatermarkRecord};

/// Bytes of the names of columns that are told.
const MOST_NAMES: usize = 500;

/// Which table the source is; `None` for a view, whose rows are those of other tables.
pub(crate) fn which(source: &SqlTable) -> Option<SourceTable> {
    (!source.is_view).then(|| SourceTable {
        object: source.object_id,
        created: source.created.clone(),
        columns: source
            .columns
            .iter()
            .map(|column| (column.name.clone(), column.id))
            .collect(),
    })
}

/// Refuses to go on from the watermark of a table of which a column is another one under its name: the rows below what
/// is read would keep the values of the one that is gone.
fn check_columns(
    table: &SqlTable,
    before: &SourceTable,
    now: &SourceTable,
) -> Result<(), SyncError> {
    let replaced = now.replaced_columns(before);
    if replaced.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = replaced.iter().map(|name| format!("'{name}'")).collect();
    let (what, was) = match replaced.len() {
        1 => ("column", "is another one than was"),
        _ => ("columns", "are others than were"),
    };
    let names = icehost_untrusted::shown_up_to(&names.join(", "), MOST_NAMES);
    Err(SyncError::watermark(
        format!(
            "{what} {names} of {} {was} read up to the watermark: dropped and added again under the same name, or \
             renamed into its place; rows that the run would not read again have other values there than the lake",
            table.name
        ),
        "`icehost watermark clear` reads every row again; where their values are those that the lake has, \
         `icehost watermark set` with the same mark goes on",
    ))
}

/// Refuses to go on from the watermark of a table that is gone, where the one in its place has rows below what is
/// read. It is asked in the transaction in which rows are read.
pub(crate) async fn check(
    source: &mut OpenSource,
    record: &WatermarkRecord,
    plan: &ValidExtractionPlan,
) -> Result<(), SyncError> {
    let now = which(&source.table);
    let (Some(before), Some(now)) = (&record.source_table, &now) else {
        return Ok(());
    };
    if plan.coverage == Coverage::Full {
        return Ok(());
    }
    if before.is_same_table(now) {
        return check_columns(&source.table, before, now);
    }
    let Some(bound) = plan.lower_bound() else {
        return Ok(());
    };
    let least = Probe::from(Aggregate {
        function: AggregateFunction::Min,
        column: bound.column,
    });
    let table = &source.table;
    let readings = source
        .connection
        .probe(table, &[least])
        .await
        .doing(|| format!("probing source table {}", table.name))?;
    let Some(least) = readings.into_iter().find(|least| bound.excludes(least)) else {
        return Ok(());
    };
    let column = table.columns.get(bound.column as usize);
    let (column, created) = (
        column.map_or("", |column| &column.name),
        table.created.as_deref().unwrap_or("after that"),
    );
    Err(SyncError::watermark(
        format!(
            "{} is another table than the one that was read up to the watermark: it was created {created}, and has \
             rows that the run would not read, from {} in '{column}' on",
            table.name,
            least.text()
        ),
        "`icehost watermark clear` reads it from the start; where its older rows are those that the lake has, \
         `icehost watermark set` with the same mark goes on",
    ))
}
