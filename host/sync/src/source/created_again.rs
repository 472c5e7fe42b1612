//! A source table that was dropped and created again under its name.
//!
//! A watermark says how far *a table* has been read. What another table has below it has never been read, whatever
//! was there before; so such a run stops, unless all that there is lies above what it reads from. A table that was
//! emptied and filled again is the same one to the server, and nothing tells of it.

use icehost_plan::{Aggregate, AggregateFunction, Coverage, Probe, ValidExtractionPlan};
use icehost_sqlserver::SqlTable;

use crate::SyncError;
use crate::error::Doing;
use crate::source::open::OpenSource;
use crate::watermark::record::{SourceTable, WatermarkRecord};

/// Which table the source is; `None` for a view, whose rows are those of other tables.
pub(crate) fn which(source: &SqlTable) -> Option<SourceTable> {
    (!source.is_view).then(|| SourceTable {
        object: source.object_id,
        created: source.created.clone(),
    })
}

/// Refuses to go on from the watermark of a table that is gone, where the one in its place has rows below what is
/// read. It is asked in the transaction in which rows are read.
pub(crate) async fn check(
    source: &mut OpenSource,
    record: &WatermarkRecord,
    plan: &ValidExtractionPlan,
) -> Result<(), SyncError> {
    let now = which(&source.table);
    let same = record.source_table.is_none() || now.is_none() || record.source_table == now;
    if same || plan.coverage == Coverage::Full {
        return Ok(());
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
        record.ways_on("its older rows are those that the lake has"),
    ))
}
