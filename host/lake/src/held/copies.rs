//! Rows that have the identity of another one, wherever they are.

use std::ops::ControlFlow;

use arrow_array::{ArrayRef, RecordBatch};

use crate::error::Result;
use crate::held::{HeldRows, first_two};
use crate::keys::KeyFold;
use crate::read::data_file::Pick;
use crate::read::deletes::Deletes;
use crate::read::live_files::{LiveFile, TableFiles};
use crate::schema::LakeColumn;
use crate::staging::key_bounds::KeyBounds;

/// Rows in a batch of identities.
const BATCH_ROWS: usize = 8192;

/// What rows are told apart by, and which values of it are looked for.
pub(super) struct Copies {
    columns: Vec<LakeColumn>,
    bounds: KeyBounds,
}

impl Copies {
    /// At most so many bytes are for where the values can be.
    pub(super) fn new(columns: Vec<LakeColumn>, fold: &KeyFold, most_bytes: usize) -> Copies {
        let fields: Vec<_> = columns
            .iter()
            .map(|column| (column.field_id, column.lake_type))
            .collect();
        Copies {
            bounds: KeyBounds::new(&fields, fold).within(most_bytes),
            columns,
        }
    }

    pub(super) fn note(&mut self, parts: &[ArrayRef]) {
        self.bounds.note(parts);
    }
}

impl HeldRows {
    /// Takes out the rows of which there are others: none of them is as it should be. The rows are sorted.
    pub(super) fn leave_out_copies(
        &mut self,
        mut copies: Copies,
        files: &TableFiles,
        data: &[LiveFile],
        deletes: &Deletes,
    ) -> Result<()> {
        let Some((encoder, _)) = &self.identity else {
            return Ok(());
        };
        copies.bounds.seal();
        let mut found: Vec<u8> = vec![0; self.entries.len()];
        for file in data {
            if self.entries.is_empty() || !copies.bounds.may_be_in(file.file()) {
                continue;
            }
            let sink = &mut |batch: RecordBatch, _: &[u64]| {
                let keys = encoder.encode(batch.columns())?;
                for row in 0..batch.num_rows() {
                    let hash = self.hasher.hash(keys.bytes(row));
                    let wanted = [(hash >> 64) as u64, hash as u64];
                    let at = self.entries.binary_search_by_key(&wanted, first_two);
                    if let Some(found) = at.ok().and_then(|at| found.get_mut(at)) {
                        *found = found.saturating_add(1);
                    }
                }
                Ok(ControlFlow::Continue(()))
            };
            let pick = Pick::Near(&copies.bounds, deletes.positions(file));
            let _all =
                deletes.read_picked(files, file, &copies.columns, &pick, BATCH_ROWS, sink)?;
        }
        let mut found = found.into_iter();
        self.entries
            .retain(|_| found.next().is_none_or(|rows| rows <= 1));
        Ok(())
    }
}
