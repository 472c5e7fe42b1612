//! Rows that have no value in a column.

use std::ops::ControlFlow;

use arrow_array::RecordBatch;
use arrow_select::filter::filter_record_batch;

use crate::error::{Result, blocking};
use crate::read::deletes::SnapshotRows;
use crate::read::live_files::TableFiles;
use crate::table::LakeTable;

/// Rows in a batch.
const BATCH_ROWS: usize = 8192;

impl LakeTable {
    /// Of the current snapshot's rows that have no value in a column, the columns at `wanted`, in the order of their
    /// commits; `None` where there are more than `most` such rows. Files without such rows are not opened.
    ///
    /// # Errors
    /// Those of a scan.
    pub async fn rows_without(
        &self,
        column: u32,
        wanted: &[u32],
        most: usize,
    ) -> Result<Option<Vec<RecordBatch>>> {
        let ordinals: Vec<u32> = std::iter::once(column)
            .chain(wanted.iter().copied())
            .collect();
        let columns = self.select(Some(&ordinals))?;
        let files = TableFiles::new(self);
        let current = self.metadata.current_snapshot_id();
        blocking(move || {
            let snapshot = SnapshotRows::load(&files, current)?;
            let id = columns.first().map_or(0, |column| column.field_id);
            let shape: Vec<usize> = (1..columns.len()).collect();
            let mut found = Vec::new();
            let mut rows = 0;
            for file in &snapshot.data {
                if file.file().null_value_counts().get(&id) == Some(&0) {
                    continue;
                }
                let sink = &mut |batch: RecordBatch, _: &[u64]| {
                    let without = arrow_arith::boolean::is_null(batch.column(0))?;
                    let batch = filter_record_batch(&batch.project(&shape)?, &without)?;
                    rows += batch.num_rows();
                    if batch.num_rows() > 0 {
                        found.push(batch);
                    }
                    Ok(match rows > most {
                        true => ControlFlow::Break(()),
                        false => ControlFlow::Continue(()),
                    })
                };
                let deletes = &snapshot.deletes;
                if deletes
                    .read_live(&files, file, &columns, BATCH_ROWS, sink)?
                    .is_break()
                {
                    return Ok(None);
                }
            }
            Ok(Some(found))
        })
        .await
    }
}
