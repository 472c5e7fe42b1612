//! All rows of a snapshot.

use arrow_array::RecordBatch;
use futures::TryStreamExt;

use crate::error::{LakeError, LakeErrorKind, Result, blocking};
use crate::read::deletes::SnapshotRows;
use crate::read::live_files::{LiveFile, TableFiles};
use crate::read::stream::{BatchStream, produce};
use crate::schema::LakeColumn;
use crate::table::LakeTable;
use crate::versions::Authors;

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanRequest {
    /// The snapshot; `None` for the current one.
    pub snapshot_id: Option<i64>,
    /// Ordinals of the columns, in the order in which they are wanted; `None` for all.
    pub columns: Option<Vec<u32>>,
    /// Most rows in a batch; wide rows come in smaller ones.
    pub batch_rows: usize,
}

impl Default for ScanRequest {
    fn default() -> Self {
        ScanRequest {
            snapshot_id: None,
            columns: None,
            batch_rows: 8192,
        }
    }
}

impl LakeTable {
    /// Reads a snapshot's rows as the current schema has them: columns by field id, NULL in rows older than
    /// the column. Rows come in the order of their commits.
    ///
    /// Memory: a few batches, and the snapshot's deletes.
    pub fn scan(&self, request: ScanRequest) -> Result<BatchStream> {
        self.scan_with(request, |_, _, _, batch| Ok(batch))
    }

    /// The same rows, and behind the columns that are wanted one more, which [`crate::Turn::of`] reads.
    pub fn scan_in_turn(&self, request: ScanRequest) -> Result<BatchStream> {
        self.scan_with(request, |files, authors, file, batch| {
            let turn = authors.place(files, file)?.turn();
            turn.beside(&batch).map_err(LakeError::internal)
        })
    }

    fn scan_with(
        &self,
        request: ScanRequest,
        each: impl Fn(&TableFiles, &mut Authors, &LiveFile, RecordBatch) -> Result<RecordBatch>
        + Send
        + 'static,
    ) -> Result<BatchStream> {
        let columns = self.select(request.columns.as_deref())?;
        let snapshot_id = match request.snapshot_id {
            None => self.metadata.current_snapshot_id(),
            Some(id) => Some(self.snapshot(id)?.id),
        };
        let files = TableFiles::new(self);
        Ok(produce(move |output| {
            let rows = SnapshotRows::load(&files, snapshot_id)?;
            let mut authors = Authors::default();
            for file in &rows.data {
                let sink = &mut |batch, _: &[u64]| {
                    Ok(output.push(each(&files, &mut authors, file, batch)?))
                };
                let flow =
                    rows.deletes
                        .read_live(&files, file, &columns, request.batch_rows, sink)?;
                if flow.is_break() {
                    break;
                }
            }
            Ok(())
        }))
    }

    /// Whether the current snapshot has a row. Reads as far as the first.
    ///
    /// # Errors
    /// Those of a scan.
    pub async fn has_rows(&self) -> Result<bool> {
        let Some(current) = self.current_snapshot() else {
            return Ok(false);
        };
        if current.summary_number("total-records") == Some(0) {
            return Ok(false);
        }
        let mut batches = self.scan(ScanRequest {
            columns: Some(Vec::new()),
            ..ScanRequest::default()
        })?;
        while let Some(batch) = batches.try_next().await? {
            if batch.num_rows() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Rows of the current snapshot, counted by its files and its position deletes; `None` where equality deletes may
    /// take out more. The totals of a snapshot's summary may be less: some engines leave deletes in place whose files
    /// are gone.
    ///
    /// # Errors
    /// Those of a scan.
    pub async fn count_rows(&self) -> Result<Option<u64>> {
        let files = TableFiles::new(self);
        let current = self.metadata.current_snapshot_id();
        blocking(move || {
            let rows = SnapshotRows::load(&files, current)?;
            if rows.deletes.by_equality() {
                return Ok(None);
            }
            let live = rows.data.iter().map(|file| {
                let deleted = rows.deletes.positions(file).len();
                file.file().record_count().saturating_sub(deleted)
            });
            Ok(Some(live.sum()))
        })
        .await
    }

    /// The columns at these ordinals.
    pub(crate) fn select(&self, ordinals: Option<&[u32]>) -> Result<Vec<LakeColumn>> {
        let all = self.columns()?;
        let Some(ordinals) = ordinals else {
            return Ok(all);
        };
        ordinals
            .iter()
            .map(|&ordinal| {
                all.get(ordinal as usize).cloned().ok_or_else(|| {
                    LakeError::new(
                        LakeErrorKind::InvalidData,
                        format!(
                            "column {ordinal} is out of range: lake table {} has {} columns",
                            self.display,
                            all.len()
                        ),
                    )
                })
            })
            .collect()
    }
}
