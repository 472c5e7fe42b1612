//! What the numbers of rows in source and lake tell of rows that a strategy does not see.
//!
//! A lake that matches rows by the source's own key has as many as the source, less what is still to come. Where it
//! has more, rows are gone from the source, or have another key; where it has less, rows have come below the mark.
//!
//! The source's own count costs nothing and is an estimate, in which rows count that are not committed yet. That rows
//! are gone is told where it has moved away from the lake's since the last snapshot; the estimate is one from after the
//! read, since what came before it is in the lake. That rows are missing is told only where they have been counted, with
//! the filter that the rows were read by, less its lower bound: what the runs up to this one were to read, be it
//! without a value or ahead of the clock. It is not told of more than the estimate from before the read is short of:
//! what came in between may be in the count, and not in the lake.

use icehost_lake::{LakeTable, SnapshotInfo};
use icehost_plan::{AggregateFunction, Coverage, Expression, LowerBound, Probe, Value};
use icehost_sqlserver::SqlTable;

use crate::detection::detected::Detected;
use crate::error::Doing;
use crate::source::open::OpenSource;
use crate::{SyncError, WatermarkRecord};

/// Larger tables are counted only by runs that find nothing new.
const QUICKLY_COUNTED: u64 = 1_000_000;

/// What is known before the commit.
pub(crate) struct Counts {
    /// Rows of the source, for the watermark.
    source_rows: Option<u64>,
    /// Rows that the lake is to have after the run, for the watermark.
    expected: Option<u64>,
    /// No transformer has left out a row, in this run or before.
    every_row: Option<bool>,
    /// Nothing where the numbers tell nothing.
    known: Option<Known>,
}

struct Known {
    /// Rows of the source, as it estimates since the rows were read.
    source: u64,
    /// Rows by which the lake had more at its last snapshot with a watermark.
    surplus_before: i64,
    /// Rows that the lake was to have by now, counted because it is likely to have fewer.
    counted: Option<u64>,
}

/// Whether the lake gets as many rows as are read, where no transformer drops one: it matches them by the source's own
/// key, as that is.
pub(crate) fn are_comparable(source: &OpenSource, detected: &Detected) -> bool {
    let change = &detected.change;
    let written = |at: &u32| {
        let column = change.columns.get(*at as usize);
        column.is_none_or(|column| source.transforms.writes(&column.name))
    };
    change.unique_keys && change.rows.has_key() && !change.rows.key_columns().iter().any(written)
}

/// That a lake table has more rows than its source; `None` where it has not.
pub(crate) fn gone(source: &SqlTable, lake: &str, in_lake: u64, in_source: u64) -> Option<String> {
    let surplus = in_lake.checked_sub(in_source).filter(|rows| *rows > 0)?;
    Some(format!(
        "lake table {lake} has {surplus} row{} more than {}: rows that were deleted there, or got another key, stay in the \
         lake, since the strategy does not see that",
        if surplus == 1 { "" } else { "s" },
        source.name
    ))
}

impl Counts {
    /// Compares what is known before the commit, in the transaction that the rows were read in. `new` rows are to be
    /// committed; transformers have `dropped` so many of those that were read.
    pub(crate) async fn take(
        source: &mut OpenSource,
        lake: &LakeTable,
        detected: &Detected,
        new: u64,
        dropped: u64,
    ) -> Result<Counts, SyncError> {
        let stored = detected.stored.as_ref();
        let kept_before = match stored {
            None => Some(true),
            Some(stored) => stored.record.every_row,
        };
        let before = source.table.table.row_estimate;
        let mut counts = Counts {
            source_rows: before,
            expected: None,
            every_row: kept_before.map(|kept| kept && dropped == 0),
            known: None,
        };
        let (Some(before), true) = (before, are_comparable(source, detected)) else {
            return Ok(counts);
        };
        let doing = || format!("counting rows of source table {}", source.table.name);
        let now = source.connection.row_estimate(&source.table).await;
        let Some(now) = now.doing(doing)? else {
            return Ok(counts);
        };
        // Nothing has been told yet of what has gone since the read.
        counts.source_rows = Some(match stored {
            None => now.max(before),
            Some(_) => now,
        });
        // An earlier version did not note it.
        let every_row = counts.every_row.unwrap_or(source.transforms.is_empty());
        let incremental = detected.plan.coverage == Coverage::Incremental;
        let (Some(stored), true) = (stored, every_row && incremental) else {
            return Ok(counts);
        };
        let Some(in_lake) = lake.current_snapshot().as_ref().and_then(rows_of) else {
            return Ok(counts);
        };
        let at_stored = lake.snapshot(stored.snapshot_id).ok();
        let in_lake_then = at_stored.as_ref().and_then(rows_of);
        let then = in_lake_then.zip(stored.record.source_rows);
        // A transaction that was open at the last run may have come to its end since: that the lake had fewer then
        // explains nothing.
        let surplus_before = then.map_or(0, |(lake, source)| surplus(lake, source).max(0));
        let valued = before.saturating_sub(without_value(detected));
        counts.expected = Some(valued);
        // Of the rows that are to be committed some are changed ones, which the lake has: how many it is short of
        // after that, only the next run sees.
        let was_short = in_lake_then
            .zip(stored.record.expected_rows)
            .is_some_and(|(lake, expected)| lake < expected);
        let fewer = surplus(in_lake.saturating_add(new), valued) < 0 || was_short;
        let quick = new == 0 || before <= QUICKLY_COUNTED;
        let counted = match (fewer && quick, wanted(detected)) {
            (true, Some((_, filter))) => {
                let counted = source.connection.count_of(&source.table, &filter).await;
                Some(counted.doing(doing)?.min(valued))
            }
            _ => None,
        };
        counts.known = Some(Known {
            source: now,
            surplus_before,
            counted,
        });
        Ok(counts)
    }

    /// The watermark with what later runs compare with.
    pub(crate) fn noted(&self, record: WatermarkRecord) -> WatermarkRecord {
        WatermarkRecord {
            source_rows: self.source_rows,
            expected_rows: self.expected,
            every_row: self.every_row,
            ..record
        }
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
        let known = self.known.as_ref()?;
        let surplus = surplus(now, known.source);
        let (table, name) = (&source.table.name, lake.name());
        if let Some(missing) = known.counted.and_then(|counted| counted.checked_sub(now))
            && missing > 0
        {
            let column = wanted(detected).and_then(|(bound, _)| {
                let column = source.table.columns.get(bound.column as usize)?;
                Some(column.name.clone())
            });
            let column = column.unwrap_or_default();
            let ending = if missing == 1 { "" } else { "s" };
            return Some(format!(
                "{table} has {missing} row{ending} more than lake table {name}, with values of '{column}' that have been passed: \
                 they came later than others with larger values, as after a clock was set back, or were taken out of the \
                 lake; `icehost watermark set` with an earlier mark reads from there again and leaves out what the lake has"
            ));
        }
        let emptied = || {
            let before = detected.stored.as_ref().and_then(|s| s.record.source_rows);
            before.is_some_and(|before| known.source < before / 2)
        };
        match surplus > known.surplus_before && (committed || emptied()) {
            true => gone(&source.table, name, now, known.source),
            false => None,
        }
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

/// The plan's lower bound on a column whose largest value was probed, alone or before others, and the filter without
/// it.
fn wanted(detected: &Detected) -> Option<(LowerBound, Expression)> {
    let bound = detected.plan.lower_bound()?;
    let mut answers = Probe::with_readings(&detected.probes, &detected.readings);
    let probed = answers.any(|(probe, readings)| {
        let of = probe.largest_of().first();
        of == Some(&bound.column) && readings.first().is_some_and(|value| *value != Value::Null)
    });
    if !probed {
        return None;
    }
    let filter = detected.plan.filter_without(&bound)?;
    Some((bound, filter))
}
