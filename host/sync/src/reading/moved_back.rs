//! Rows that lie further back in the source than where they were read.
//!
//! A cursor reads again what lies just below its mark, and whatever is dated ahead of the server's clock; so a row that
//! the lake has there comes again, unless it is gone from there. Where it went back to, nothing is read. The keys of such
//! rows are asked for: one that was deleted is not found, and stays, as with every cursor; one that merely has an earlier
//! value now is read by its key.
//!
//! Rows that go back are a correction as long as others that were read as late as they were are still there. Where none
//! is, the whole source has gone back: it was restored, or filled again, and rows that nobody has read may lie below the
//! mark. Somebody who has set the mark vouches for it.

use std::collections::HashMap;

use arrow_array::{Array, ArrayRef};
use icehost_lake::{HeldRows, LakeTable};
use icehost_plan::values::ArrowValue;
use icehost_plan::{
    ChangeSource, Coverage, ExtractionPlan, LogicalType, ValidExtractionPlan, Value,
};
use icehost_sqlserver::ExtractOptions;

use crate::detection::detected::Detected;
use crate::error::Doing;
use crate::reading::by_key::{AlsoRead, Columns, Key, keys, valid, value};
use crate::source::open::OpenSource;
use crate::watermark::stale_mark::ways_on;
use crate::{SyncError, SyncJob};

/// Most rows whose keys are asked for, those that were read last.
const MOST_ASKED: usize = 3000;

/// A row that has not come again.
struct Gone {
    key: Key,
    values: Vec<Value>,
    /// What the lake has in the cursor's column.
    was: i128,
}

/// The plan with the rows that have gone back; `None` where there are none. `held` has met all rows of `read`, and the
/// source is at that read.
///
/// # Errors
/// [`SyncError::SourceWentBack`] where none of the rows is left that were read as late as those.
pub(crate) async fn look(
    job: &SyncJob,
    source: &mut OpenSource,
    lake: &LakeTable,
    detected: &Detected,
    read: &ValidExtractionPlan,
    held: HeldRows,
    extract: ExtractOptions,
) -> Result<Option<AlsoRead>, SyncError> {
    if !held.has_unseen() {
        return Ok(None);
    }
    let Some(bound) = read.lower_bound() else {
        return Ok(None);
    };
    let Some(columns) = Columns::of(job, source, lake, detected, bound.column)? else {
        return Ok(None);
    };
    if columns.key.contains(&columns.cursor) {
        return Ok(None);
    }
    let unseen = lake
        .unseen(held, &columns.key_in_lake, MOST_ASKED)
        .await
        .doing(|| {
            format!(
                "looking for rows of lake table {} that did not come again",
                lake.name()
            )
        })?;
    let mut gone = Vec::new();
    for batch in &unseen.rows {
        let (cursor, key) = batch.columns().split_at(1);
        for (row, bytes) in keys(key)?.into_iter().enumerate() {
            let was = cursor.first().and_then(|cursor| ordinal(cursor, row));
            if let (Some(was), Some(values)) = (was, columns.values(key, row)) {
                gone.push(Gone {
                    key: bytes,
                    values,
                    was,
                });
            }
        }
    }
    // Those that were read last come first.
    gone.sort_by(|one, other| {
        other
            .was
            .cmp(&one.was)
            .then_with(|| one.key.cmp(&other.key))
    });
    gone.truncate(MOST_ASKED);
    let now = columns.where_they_are(source, &gone, extract).await?;
    let mut back = gone;
    back.retain(|row| now.get(&row.key).is_some_and(|now| *now < row.was));
    if !back.is_empty() && !detected.change.rows.has_key() {
        columns
            .take_out_what_the_lake_has(lake, &now, &mut back)
            .await?;
    }
    if back.is_empty() {
        return Ok(None);
    }
    let clock = detected
        .last_of_clock(&source.table, columns.cursor)
        .and_then(|last| ordinal_of(&last));
    let dated = back
        .iter()
        .filter(|row| clock.is_none_or(|clock| row.was <= clock));
    let vouched = (detected.stored.as_ref()).is_some_and(|stored| stored.record.was_set());
    if let Some(earliest) = dated.min_by_key(|row| row.was)
        && !vouched
        && unseen
            .standing
            .is_none_or(|standing| standing < earliest.was)
    {
        let stored = detected.stored.as_ref();
        let hint = stored.map(|stored| ways_on(&stored.record));
        let now = now.get(&earliest.key);
        return Err(columns.went_back(source, earliest, now, hint.unwrap_or_default()));
    }
    let some = columns.room(back.iter().map(|row| &row.key));
    let left = back.len() - some;
    back.truncate(some);
    let mut wider = ExtractionPlan::clone(read);
    if let Some(filter) = &mut wider.filter {
        columns.or_key(filter, back.into_iter().map(|row| row.values).collect());
    }
    let (name, table) = (columns.name(source), &source.table.name);
    Ok(Some(AlsoRead {
        plan: valid(wider, source)?,
        rows: some as u64,
        told: (left > 0).then(|| {
            format!(
                "{left} rows of {table} have an earlier value in '{name}' than when they were read, and are left to later runs"
            )
        }),
    }))
}

impl Columns {
    /// What the source has in the cursor's column for these keys, of those that it has.
    async fn where_they_are(
        &self,
        source: &mut OpenSource,
        gone: &[Gone],
        extract: ExtractOptions,
    ) -> Result<HashMap<Key, i128>, SyncError> {
        let mut found = HashMap::new();
        let mut rest = gone;
        while !rest.is_empty() {
            let room = self.room(rest.iter().map(|row| &row.key)).max(1);
            let (some, others) = rest.split_at(room.min(rest.len()));
            rest = others;
            let mut columns = self.key.clone();
            columns.push(self.cursor);
            let plan = ExtractionPlan {
                source: ChangeSource::Rows,
                coverage: Coverage::Incremental,
                columns,
                filter: Some(self.with_key(some.iter().map(|row| row.values.clone()).collect())),
                order_by: Vec::new(),
                split_on: None,
                observe: Vec::new(),
            };
            let plan = valid(plan, source)?;
            let table = &source.table;
            let doing = || format!("reading source table {}", table.name);
            let mut extraction = source
                .connection
                .extract(table, &plan, extract.clone())
                .await
                .doing(doing)?;
            while let Some(batch) = extraction.next_batch().await.doing(doing)? {
                let (key, cursor) = batch.columns().split_at(self.key.len());
                for (row, key) in keys(key)?.into_iter().enumerate() {
                    if let Some(now) = cursor.first().and_then(|cursor| ordinal(cursor, row)) {
                        found.insert(key, now);
                    }
                }
            }
            extraction.finish().doing(doing)?;
        }
        Ok(found)
    }

    /// Takes out the keys whose newest row in the lake is as the source's: a lake that keeps every row has the one
    /// before, too.
    async fn take_out_what_the_lake_has(
        &self,
        lake: &LakeTable,
        now: &HashMap<Key, i128>,
        back: &mut Vec<Gone>,
    ) -> Result<(), SyncError> {
        let mut newest: HashMap<Key, i128> = HashMap::new();
        self.each_in_lake(lake, |key, cursor, row| {
            if let (Some(value), true) = (ordinal(cursor, row), now.contains_key(&key)) {
                newest.insert(key, value);
            }
        })
        .await?;
        back.retain(|row| newest.get(&row.key) != now.get(&row.key));
        Ok(())
    }

    fn went_back(
        &self,
        source: &OpenSource,
        row: &Gone,
        now: Option<&i128>,
        hint: String,
    ) -> SyncError {
        let (table, name) = (&source.table.name, self.name(source));
        let column = source.table.table.columns.get(self.cursor as usize);
        let kind = column.map(|column| column.column_type.logical());
        let text = |value: i128| kind.and_then(|kind| shown(value, kind));
        let values = match (text(row.was), now.and_then(|now| text(*now))) {
            (Some(was), Some(now)) => format!(": what was {was} is {now}"),
            _ => String::new(),
        };
        SyncError::SourceWentBack {
            message: format!(
                "the newest rows of {table} that were read are gone or have earlier values in '{name}'{values}: the table was \
                 restored, or filled again with older rows, and others below the mark may have been missed"
            ),
            hint,
        }
    }
}

/// A cursor's value as the number that Iceberg compares by.
fn ordinal(column: &ArrayRef, row: usize) -> Option<i128> {
    if column.is_null(row) {
        return None;
    }
    match ArrowValue::of(column, row)? {
        ArrowValue::Integer(value) | ArrowValue::Timestamp(value) => Some(value.into()),
        ArrowValue::Date(days) => Some(days.into()),
        ArrowValue::Decimal { unscaled, .. } => Some(unscaled),
        _ => None,
    }
}

fn ordinal_of(value: &Value) -> Option<i128> {
    match value {
        Value::Date(days) => Some((*days).into()),
        Value::Timestamp(ticks) | Value::TimestampTz { ticks, .. } => Some((ticks / 10).into()),
        _ => None,
    }
}

fn shown(ordinal: i128, kind: LogicalType) -> Option<String> {
    let small = i64::try_from(ordinal).ok()?;
    let of = match kind {
        LogicalType::Date => ArrowValue::Date(i32::try_from(ordinal).ok()?),
        LogicalType::Timestamp | LogicalType::TimestampTz => ArrowValue::Timestamp(small),
        LogicalType::Integer => ArrowValue::Integer(small),
        _ => return None,
    };
    Some(value(of, kind)?.text())
}
