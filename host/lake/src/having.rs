//! Which of some keys a table has.

use std::collections::HashMap;
use std::ops::ControlFlow;

use arrow_array::{Array, ArrayRef};

use crate::changes::hasher::{Hash, Hasher};
use crate::error::{LakeError, Result, blocking};
use crate::keys::{Alike, KeyEncoder, KeyFold};
use crate::read::data_file::Pick;
use crate::read::deletes::SnapshotRows;
use crate::read::live_files::TableFiles;
use crate::staging::key_bounds::KeyBounds;
use crate::table::LakeTable;

/// Rows in a batch of keys.
const BATCH_ROWS: usize = 8192;

impl LakeTable {
    /// Of keys, which a row of a snapshot has, or one that a server may take for it. `columns` are the ordinals of the
    /// table's columns that are compared, and `keys` their values, one array for each.
    ///
    /// Files that hold none of the keys by the bounds of their columns are not opened. Memory: about a hundred bytes for
    /// each key, beside the keys themselves.
    ///
    /// # Errors
    /// Those of a scan; and keys that come in another number of columns.
    pub async fn have(
        &self,
        snapshot: i64,
        columns: &[u32],
        keys: Vec<ArrayRef>,
        fold: KeyFold,
    ) -> Result<Vec<bool>> {
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
            let mut doubtful = Alike::default();
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
            let may_be = doubtful.rows(&encoder, &keys, &wanted, rows)?;
            for (have, may_be) in have.iter_mut().zip(may_be) {
                *have |= may_be;
            }
            Ok(have)
        })
        .await
    }
}
