//! Which of some keys a table has.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use arrow_array::{Array, ArrayRef, UInt64Array};
use arrow_select::concat::concat;
use arrow_select::take::take;

use crate::changes::hasher::{Hash, Hasher};
use crate::error::{LakeError, Result, blocking};
use crate::keys::{Alike, KeyEncoder, KeyFold, Keys};
use crate::read::data_file::Pick;
use crate::read::deletes::SnapshotRows;
use crate::read::live_files::TableFiles;
use crate::staging::key_bounds::KeyBounds;
use crate::table::LakeTable;

/// Rows in a batch of keys.
const BATCH_ROWS: usize = 8192;

/// Most keys of a table that may be one with some of those that are looked for; and the most memory that they take.
const MOST_DOUBTFUL: usize = 1_000_000;
const MOST_BYTES: usize = 128 << 20;

/// Which of some keys a table has.
#[derive(Debug, Default)]
pub struct Having {
    /// Of each key, whether a row has it.
    pub have: Vec<bool>,
    /// Keys that no row has as they are spelled here, and of which only a server knows whether one has them.
    pub doubtful: Option<DoubtfulKeys>,
}

/// Keys that may be one.
#[derive(Debug)]
pub struct DoubtfulKeys {
    /// Which of the keys that were looked for.
    pub rows: Vec<usize>,
    /// Those keys, one array for each column.
    pub keys: Vec<ArrayRef>,
    /// The table's keys that may be one of them, each once; `None` where they are more than can be asked about.
    pub there: Option<Vec<ArrayRef>>,
}

/// Keys of the table that may be one with some of those that are looked for.
#[derive(Default)]
struct Doubtful {
    alike: Alike,
    seen: HashSet<Box<[u8]>>,
    bytes: usize,
    batches: Vec<Vec<ArrayRef>>,
}

impl Doubtful {
    fn is_too_large(&self) -> bool {
        self.seen.len() > MOST_DOUBTFUL || self.bytes > MOST_BYTES
    }

    /// Takes those rows of a batch of key columns that are picked.
    fn add(
        &mut self,
        encoder: &KeyEncoder,
        columns: &[ArrayRef],
        keys: &Keys,
        mut picked: Vec<usize>,
    ) -> Result<()> {
        self.alike
            .add(encoder, columns, keys, picked.iter().copied())?;
        if self.is_too_large() {
            self.batches.clear();
            return Ok(());
        }
        picked.retain(|&row| {
            let key = keys.bytes(row);
            let new = self.seen.insert(key.into());
            self.bytes += if new { key.len() } else { 0 };
            new
        });
        if !picked.is_empty() {
            self.batches.push(taken(columns, &picked)?);
        }
        Ok(())
    }

    /// All of them, column by column.
    fn columns(&self) -> Result<Option<Vec<ArrayRef>>> {
        if self.is_too_large() {
            return Ok(None);
        }
        let columns = self.batches.first().map_or(0, Vec::len);
        let column = |at: usize| {
            let batches = self.batches.iter();
            let parts: Vec<&dyn Array> =
                batches.filter_map(|b| Some(b.get(at)?.as_ref())).collect();
            Ok(concat(&parts)?)
        };
        let all: Result<_> = (0..columns).map(column).collect();
        all.map(Some)
    }
}

fn taken(columns: &[ArrayRef], rows: &[usize]) -> Result<Vec<ArrayRef>> {
    let picked = UInt64Array::from_iter_values(rows.iter().map(|&row| row as u64));
    let columns = columns.iter().map(|column| take(column, &picked, None));
    Ok(columns.collect::<std::result::Result<_, _>>()?)
}

impl LakeTable {
    /// Of keys, which a row of a snapshot has, and which only a server knows it to have. `columns` are the ordinals of the
    /// table's columns that are compared, and `keys` their values, one array for each.
    ///
    /// Files that hold none of the keys by the bounds of their columns are not opened. Memory: about a hundred bytes for
    /// each key, beside the keys themselves, and at most 128 MiB for keys of the table that may be one of them.
    ///
    /// # Errors
    /// Those of a scan; and keys that come in another number of columns.
    pub async fn have(
        &self,
        snapshot: i64,
        columns: &[u32],
        keys: Vec<ArrayRef>,
        fold: KeyFold,
    ) -> Result<Having> {
        let columns = self.select(Some(columns))?;
        if columns.len() != keys.len() {
            return Err(LakeError::internal(format!(
                "keys of {} columns are looked for in {} of lake table {}",
                keys.len(),
                columns.len(),
                self.name()
            )));
        }
        let kinds = columns.iter().map(|column| column.lake_type);
        let keys: Vec<ArrayRef> = kinds
            .zip(&keys)
            // What is no value of the table's type is in none of its rows.
            .map(|(kind, values)| arrow_cast::cast(values, &kind.arrow()))
            .collect::<std::result::Result<_, _>>()?;
        let files = TableFiles::new(self);
        blocking(move || {
            let kinds = columns.iter().map(|column| column.lake_type).collect();
            let encoder = KeyEncoder::new(kinds, fold)?;
            let hasher = Hasher::default();
            let wanted = encoder.encode(&keys)?;
            let rows = keys.first().map_or(0, |column| column.len());
            let mut by_hash: HashMap<Hash, Vec<usize>> = HashMap::with_capacity(rows);
            let mut have = vec![false; rows];
            for row in (0..rows).filter(|&row| !wanted.is_null(row)) {
                by_hash
                    .entry(hasher.hash(wanted.bytes(row)))
                    .or_default()
                    .push(row);
            }
            let mut alike = Alike::default();
            let whole = (0..rows).filter(|&row| !wanted.is_null(row));
            alike.add(&encoder, &keys, &wanted, whole)?;
            let fields: Vec<_> = columns.iter().map(|c| (c.field_id, c.lake_type)).collect();
            let mut bounds = KeyBounds::new(&fields, encoder.fold());
            bounds.note(&keys);
            bounds.seal();
            let snapshot = SnapshotRows::load(&files, Some(snapshot))?;
            // Keys of the table that may be one with some of those.
            let mut doubtful = Doubtful::default();
            for file in &snapshot.data {
                if !bounds.may_be_in(file.file()) {
                    continue;
                }
                let pick = Pick::Near(&bounds, snapshot.deletes.positions(file));
                let sink = &mut |batch: arrow_array::RecordBatch, _: &[u64]| {
                    let here = encoder.encode(batch.columns())?;
                    for row in (0..batch.num_rows()).filter(|&row| !here.is_null(row)) {
                        let same = by_hash.remove(&hasher.hash(here.bytes(row)));
                        for row in same.into_iter().flatten() {
                            if let Some(have) = have.get_mut(row) {
                                *have = true;
                            }
                        }
                    }
                    let may_be = alike.rows(&encoder, batch.columns(), &here, batch.num_rows())?;
                    let picked: Vec<usize> = (0..may_be.len())
                        .filter(|&row| may_be.get(row) == Some(&true))
                        .collect();
                    if !picked.is_empty() {
                        doubtful.add(&encoder, batch.columns(), &here, picked)?;
                    }
                    Ok(ControlFlow::Continue(()))
                };
                let _all_read = snapshot
                    .deletes
                    .read_picked(&files, file, &columns, &pick, BATCH_ROWS, sink)?;
            }
            let may_be = doubtful.alike.rows(&encoder, &keys, &wanted, rows)?;
            let in_doubt = have.iter().zip(may_be).enumerate();
            let in_doubt: Vec<usize> = in_doubt
                .filter(|(_, (have, may_be))| !**have && *may_be)
                .map(|(row, _)| row)
                .collect();
            let doubtful = match in_doubt.is_empty() {
                true => None,
                false => Some(DoubtfulKeys {
                    keys: taken(&keys, &in_doubt)?,
                    rows: in_doubt,
                    there: doubtful.columns()?,
                }),
            };
            Ok(Having { have, doubtful })
        })
        .await
    }
}
