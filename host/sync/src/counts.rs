//! What the numbers of rows in source and lake tell of rows that a strategy does not see.
//!
//! A lake that matches rows by the source's own key has as many as the source, less what is still to come. Where it
//! has more, rows are gone from the source, or have another key; where it has less, rows have come below the mark.
//! The source's own count costs nothing and is an estimate, in which rows count that are not committed yet: that rows
//! are gone is told only where it has moved away from the lake's since the last snapshot, and that rows are missing
//! only where they have been counted.

use icehost_lake::{LakeTable, SnapshotInfo};
use icehost_plan::{AggregateFunction, Coverage, Value};

use crate::SyncError;
use crate::detection::{Detected, OpenSource};
use crate::error::Doing;

/// Larger tables are counted only by runs that find nothing new.
const QUICKLY_COUNTED: u64 = 1_000_000;

/// What is known before the commit; nothing where the numbers tell nothing.
pub(crate) struct Counts(Option<Known>);

struct Known {
    /// Rows of the source, as it estimates.
    source: u64,
    /// Rows by which the lake had more at its last snapshot with a watermark.
    surplus_before: i64,
    /// Rows of the source up to its largest value, counted because the lake is likely to have fewer.
    counted: Option<u64>,
}

impl Counts {
    /// Compares what is known before the commit, in the transaction that the rows were read in. `new` rows are to be
    /// committed.
    pub(crate) async fn take(
        source: &mut OpenSource,
        lake: &LakeTable,
        detected: &Detected,
        new: u64,
    ) -> Result<Counts, SyncError> {
        let change = &detected.change;
        let comparable = change.unique_keys
            && change.rows.has_key()
            && source.transforms.is_empty()
            && detected.plan.coverage == Coverage::Incremental;
        let rows = source.table.table.row_estimate;
        let (Some(rows), Some(stored), true) = (rows, &detected.stored, comparable) else {
            return Ok(Counts(None));
        };
        let Some(now) = lake.current_snapshot().as_ref().and_then(rows_of) else {
            return Ok(Counts(None));
        };
        let at_stored = lake.snapshot(stored.snapshot_id).ok();
        let then = at_stored
            .as_ref()
            .and_then(rows_of)
            .zip(stored.record.source_rows);
        let surplus_before = then.map_or(0, |(lake, source)| surplus(lake, source).max(0));
        // A transaction that was open at the last run may have come to its end since: that the lake had fewer then
        // explains nothing.
        let valued = rows.saturating_sub(without_value(detected));
        let fewer = surplus(now.saturating_add(new), valued) < 0;
        let quick = new == 0 || rows <= QUICKLY_COUNTED;
        let counted = match (fewer && quick, bound(detected)) {
            (true, Some((column, largest))) => Some(
                source
                    .connection
                    .count_through(&source.table, column, &largest)
                    .await
                    .doing(|| format!("counting rows of source table {}", source.table.name))?,
            ),
            _ => None,
        };
        Ok(Counts(Some(Known {
            source: rows,
            surplus_before,
            counted,
        })))
    }

    /// What the user should know, now that the lake is as it is. `committed`: this run has made a snapshot.
    ///
    /// A snapshot's summary says how many rows there are, or less; before anything is told they are counted.
    pub(crate) async fn tell(
        &self,
        source: &OpenSource,
        lake: &LakeTable,
        detected: &Detected,
        committed: bool,
    ) -> Option<String> {
        let now = lake.current_snapshot().as_ref().and_then(rows_of)?;
        self.told(now, source, lake, detected, committed)?;
        let now = lake.count_rows().await.ok()??;
        self.told(now, source, lake, detected, committed)
    }

    /// What is to be told if the lake has so many rows.
    fn told(
        &self,
        now: u64,
        source: &OpenSource,
        lake: &LakeTable,
        detected: &Detected,
        committed: bool,
    ) -> Option<String> {
        let known = self.0.as_ref()?;
        let surplus = surplus(now, known.source);
        let (table, name) = (&source.table.name, lake.name());
        if let Some(missing) = known.counted.and_then(|counted| counted.checked_sub(now))
            && missing > 0
        {
            let column = bound(detected).and_then(|(column, _)| {
                let column = source.table.columns.get(column as usize)?;
                Some(column.name.clone())
            });
            let column = column.unwrap_or_default();
            return Some(format!(
                "{table} has {missing} rows more than lake table {name}, with values of '{column}' that have been passed: \
                 they came later than others with larger values, as after a clock was set back, or were taken out of the \
                 lake; `icehost watermark set` with an earlier mark reads from there again and leaves out what the lake has"
            ));
        }
        let emptied = || {
            let before = detected.stored.as_ref().and_then(|s| s.record.source_rows);
            before.is_some_and(|before| known.source < before / 2)
        };
        if surplus > known.surplus_before && (committed || emptied()) {
            return Some(format!(
                "lake table {name} has {surplus} rows more than {table}: rows that were deleted there, or got another key, \
                 stay in the lake, since the strategy does not see that"
            ));
        }
        None
    }
}

/// Rows without a value in the column that changes are found by, where these are not read.
fn without_value(detected: &Detected) -> u64 {
    let Some(bound) = detected.plan.lower_bound().filter(|bound| !bound.or_null) else {
        return 0;
    };
    match detected.aggregate(AggregateFunction::CountNull, bound.column) {
        Some(Value::Integer(rows)) => u64::try_from(*rows).unwrap_or(0),
        _ => 0,
    }
}

fn surplus(lake: u64, source: u64) -> i64 {
    i64::try_from(i128::from(lake) - i128::from(source)).unwrap_or(0)
}

/// Live rows, where the snapshot's summary tells them.
fn rows_of(snapshot: &SnapshotInfo) -> Option<u64> {
    let number = |field| snapshot.summary_number(field);
    match number("total-equality-deletes") {
        None | Some(0) => {}
        Some(_) => return None,
    }
    let deleted = number("total-position-deletes").unwrap_or(0);
    number("total-records")?.checked_sub(deleted)
}

/// The column whose largest value was probed and that the plan has a lower bound on, and that value.
fn bound(detected: &Detected) -> Option<(u32, Value)> {
    let column = detected.plan.lower_bound()?.column;
    let value = detected.aggregate(AggregateFunction::Max, column)?;
    (*value != Value::Null).then(|| (column, value.clone()))
}
