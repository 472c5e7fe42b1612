//! Rows of the table that a delta was to bring again, and did not bring.

use std::ops::ControlFlow;

use arrow_array::{ArrayRef, RecordBatch, UInt64Array};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use icehost_plan::{LakeType, Value};

use crate::error::{Result, blocking};
use crate::held::floor::Floor;
use crate::held::{BATCH_ROWS, Bounded, HeldRows, above, parts};
use crate::read::data_file::Pick;
use crate::read::deletes::Deletes;
use crate::read::live_files::{LiveFile, TableFiles};
use crate::schema::LakeColumn;
use crate::staging::key_values::each;
use crate::table::LakeTable;

/// Nothing of this identity was in the delta.
pub(super) const UNSEEN: u8 = 0;
/// A row of it was.
pub(super) const SEEN: u8 = 1;
/// The very row was.
pub(super) const SAME: u8 = 2;

/// What a delta said of the rows that it was to bring again.
#[derive(Debug, Default)]
pub struct Unseen {
    /// Rows whose identity it did not have, with the columns that were asked for: those with the greatest values in the
    /// bound's column, if there are more than were asked for.
    pub rows: Vec<RecordBatch>,
    /// The greatest value in the bound's column of the rows that it brought as they are, as the number that Iceberg
    /// compares by; `None` where it brought none.
    pub standing: Option<i128>,
}

/// Values that do not count as read, as the rows of a delta are written.
#[derive(Debug)]
pub(super) struct Apart {
    at: usize,
    kind: LakeType,
    above: i128,
}

impl Apart {
    /// Values above one, in the column at this place of the table.
    pub(super) fn new(columns: &[LakeColumn], at: usize, above: &Value) -> Option<Apart> {
        let column = columns.get(at)?;
        let above = Floor::new(column.clone(), above, false)?.exact()?;
        Some(Apart {
            at,
            kind: column.lake_type,
            above,
        })
    }

    /// How many rows lie there, of those that `counts`.
    pub(super) fn count(&self, image: &RecordBatch, counts: impl Fn(usize) -> bool) -> u64 {
        let mut rows = 0;
        each(image.column(self.at), self.kind, |row, value| {
            rows += u64::from(value > self.above && counts(row));
        });
        rows
    }
}

impl HeldRows {
    /// Whether the delta, which is done, has left out identities that it was to bring.
    pub fn has_unseen(&self) -> bool {
        self.identity.is_some() && self.found.contains(&UNSEEN)
    }
}

impl LakeTable {
    /// The rows that the delta did not bring though they lie above its bound, at most about `most`, with the columns at
    /// `wanted` behind the bound's.
    ///
    /// # Errors
    /// Those of a scan.
    pub async fn unseen(&self, held: HeldRows, wanted: &[u32], most: usize) -> Result<Unseen> {
        let (table, wanted) = (self.clone(), wanted.to_vec());
        blocking(move || look(&table, &held, &wanted, most)).await
    }
}

fn look(table: &LakeTable, held: &HeldRows, wanted: &[u32], most: usize) -> Result<Unseen> {
    let mut found = Unseen::default();
    let (Some(snapshot), Some(bounded), Some((encoder, at))) = (
        table.metadata.current_snapshot_id(),
        &held.bounded,
        &held.identity,
    ) else {
        return Ok(found);
    };
    let Bounded {
        floor,
        at: bound_at,
    } = bounded;
    let columns = table.columns()?;
    let kind = floor.column.lake_type;
    let files = TableFiles::new(table);
    let live = files.live_files(snapshot)?;
    let may_be_in = |file: &&LiveFile| floor.may_be_in(file.file());
    let deletes = Deletes::load(&files, &live.deletes, None)?;
    // The identity's columns, the bound's, and those that are asked for.
    let mut read: Vec<LakeColumn> = parts_of(&columns, at);
    read.push(floor.column.clone());
    let ordinals: Vec<usize> = wanted.iter().map(|&column| column as usize).collect();
    read.extend(parts_of(&columns, &ordinals));
    let identity: Vec<usize> = (0..at.len()).collect();
    let answer: Vec<usize> = (at.len()..read.len()).collect();
    tracing::debug!(table = %table.display, column = bound_at, "look for rows that did not come again");
    for file in live.data.iter().filter(may_be_in) {
        let pick = Pick::Only(above(floor, &files, file, &deletes)?);
        let sink = &mut |batch: RecordBatch, _: &[u64]| {
            let keys = encoder.encode(&parts(batch.columns(), &identity))?;
            let states: Vec<Option<u8>> = (0..batch.num_rows())
                .map(|row| held.state_of(keys.bytes(row)))
                .collect();
            let mut unseen: Vec<(i128, u64)> = Vec::new();
            let bound: &ArrayRef = batch.column(at.len());
            each(bound, kind, |row, value| {
                match states.get(row).copied().flatten() {
                    Some(UNSEEN) => unseen.push((value, row as u64)),
                    Some(SAME) => found.standing = found.standing.max(Some(value)),
                    _ => {}
                }
            });
            if !unseen.is_empty() {
                let rows = batch.project(&answer)?;
                found.rows.push(greatest(&rows, unseen, most)?);
                found.keep_greatest(kind, most)?;
            }
            Ok(ControlFlow::Continue(()))
        };
        let _all = deletes.read_picked(&files, file, &read, &pick, BATCH_ROWS, sink)?;
    }
    Ok(found)
}

impl Unseen {
    /// Leaves out what is more than was asked for, once that is much.
    fn keep_greatest(&mut self, kind: LakeType, most: usize) -> Result<()> {
        let rows: usize = self.rows.iter().map(RecordBatch::num_rows).sum();
        let Some(first) = self.rows.first() else {
            return Ok(());
        };
        if rows <= most.saturating_mul(4) {
            return Ok(());
        }
        let all = concat_batches(&first.schema(), &self.rows)?;
        let mut values = Vec::with_capacity(all.num_rows());
        each(all.column(0), kind, |row, value| {
            values.push((value, row as u64))
        });
        self.rows = vec![greatest(&all, values, most)?];
        Ok(())
    }
}

/// The rows with the greatest values, in their order.
fn greatest(batch: &RecordBatch, mut rows: Vec<(i128, u64)>, most: usize) -> Result<RecordBatch> {
    if rows.len() > most {
        rows.sort_unstable_by(|one, other| other.cmp(one));
        rows.truncate(most);
    }
    rows.sort_unstable_by_key(|(_, row)| *row);
    let rows: UInt64Array = rows.into_iter().map(|(_, row)| row).collect();
    Ok(take_record_batch(batch, &rows)?)
}

fn parts_of(columns: &[LakeColumn], at: &[usize]) -> Vec<LakeColumn> {
    let parts = at.iter().filter_map(|&at| columns.get(at).cloned());
    parts.collect()
}
