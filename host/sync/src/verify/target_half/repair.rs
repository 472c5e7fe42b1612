//! The target's half of a repair.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use futures::TryStreamExt;
use icehost_lake::{BatchStream, LakeTable, ScanRequest};
use icehost_plan::{Delta, Operation, ValidExtractionPlan, ValidMergePlan};
use icehost_sqlserver::{
    ExtractOptions, KnownPosition, Loader, Position, Previous, Terms, TimePrecision,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bounds::stop::OfAttempt;
use crate::delivery::key_doubts::KeyDoubts;
use crate::delivery::table as target_table;
use crate::delivery::table::OpenTarget;
use crate::error::Doing;
use crate::verify::compare::shape::Shape;
use crate::verify::compare::states::States;
use crate::verify::compare::wrong_keys::{Seen, WrongKeys, broken, check_repairable, delta_rows};
use crate::verify::target_half::rules::deletes;
use crate::{SyncError, Target};

/// Keys of the target that get the lake's rows.
pub(crate) struct TargetRepair<'a> {
    pub(crate) target: &'a Target,
    pub(crate) lake: &'a LakeTable,
    /// The snapshot whose rows the target should have.
    pub(crate) at: i64,
    /// The position that the target has, and keeps.
    pub(crate) position: &'a KnownPosition,
    /// How changes land.
    pub(crate) plan: &'a ValidMergePlan,
    pub(crate) delta: &'a Delta,
    /// Ordinals of the compared columns in lake and target.
    pub(crate) pairs: &'a [(u32, u32)],
    /// Ordinals of the delta's columns in the lake.
    pub(crate) takes: Vec<u32>,
    pub(crate) shape: &'a Shape,
    pub(crate) wrong: &'a WrongKeys,
    /// Which keys are one for the lake and several for the target.
    pub(crate) doubts: &'a KeyDoubts,
    /// No two rows of the lake may have a key of the merge in common.
    pub(crate) keys_are_unique: bool,
    /// How the target is read, and which of its rows count.
    pub(crate) read: &'a ValidExtractionPlan,
    pub(crate) states: &'a States,
    pub(crate) batch_bytes: usize,
    pub(crate) row_bytes: usize,
}

impl TargetRepair<'_> {
    /// Merges: what the lake does not have goes, what it has comes. Gives the rows that changed.
    pub(crate) async fn run(
        &self,
        open: &mut OpenTarget,
        cancel: &CancellationToken,
    ) -> Result<u64, SyncError> {
        check_repairable(self.plan, &format!("target table {}", open.table.name))?;
        let table = open.table.clone();
        let there = self.there(cancel).await?;
        let mut loader = self.begin(open).await?;
        self.stage_gone(&mut loader, &there, cancel).await?;
        let mut batches = self.scan()?;
        while let Some(batch) = self.next(&mut batches, cancel).await? {
            let arrays = self.arrays(&batch);
            // Where the target takes two keys for one, both have to be seen.
            let rows = self.wrong.with_others(&batch, self.shape, &arrays)?;
            if rows.num_rows() > 0 {
                let rows = self.renamed(&rows)?;
                let come = delta_rows(&self.delta.columns, &rows, Operation::Update)?;
                self.doubts.note(&come);
                loader.stage(&come).await.doing(|| self.staging())?;
            }
        }
        let by = (self.plan, self.delta);
        let kept = self.doubts.keep_one_of_each(&mut loader, by);
        kept.await.doing(|| self.staging())?;
        let collision = self.doubts.collision(&mut loader, by).await;
        if let Some(collision) = collision.doing(|| self.staging())? {
            let doubts = self.doubts;
            return Err(doubts.told(self.lake, &table, self.plan).both(&collision));
        }
        let spared = loader.spare_keys_that_come(self.plan, self.delta);
        spared.await.doing(|| self.staging())?;
        self.merge(loader).await
    }

    fn staging(&self) -> String {
        format!("loading into target table {}", self.target.table)
    }

    async fn begin<'l>(&self, open: &'l mut OpenTarget) -> Result<Loader<'l>, SyncError> {
        Loader::begin(&mut open.connection, &open.table, &self.delta.columns)
            .await
            .doing(|| self.staging())
    }

    /// Stages deletions of the rows of the target whose keys are wrong, but for some.
    async fn stage_gone(
        &self,
        loader: &mut Loader<'_>,
        but: &Seen,
        cancel: &CancellationToken,
    ) -> Result<(), SyncError> {
        let stage = async |batch: RecordBatch| {
            let rows = self
                .wrong
                .filter(&batch, self.shape, batch.columns(), Some(but))?;
            if rows.num_rows() == 0 {
                return Ok(());
            }
            let gone = delta_rows(&self.delta.columns, &rows, Operation::Delete)?;
            loader.stage(&gone).await.doing(|| self.staging())
        };
        self.each_found(stage, cancel).await
    }

    /// Reads the rows of the target that count, by a session of its own: another one loads meanwhile.
    async fn each_found(
        &self,
        mut each: impl AsyncFnMut(RecordBatch) -> Result<(), SyncError>,
        cancel: &CancellationToken,
    ) -> Result<(), SyncError> {
        let (mut reader, found) = target_table::find(self.target).await?;
        let Some(table) = found else {
            return Ok(());
        };
        let doing = || format!("reading target table {}", table.name);
        let options = ExtractOptions {
            batch_bytes: self.batch_bytes,
            largest_row: self.row_bytes,
            time_precision: TimePrecision::Truncate,
            ..ExtractOptions::default()
        };
        let mut extraction = reader
            .extract(&table, self.read, options)
            .await
            .doing(doing)?;
        while let Some(batch) = tokio::select! {
            batch = extraction.next_batch() => batch.doing(doing)?,
            () = cancel.cancelled() => return Err(SyncError::cancelled()),
        } {
            each(self.states.standing(batch).map_err(broken)?).await?;
        }
        extraction.finish().doing(doing)?;
        Ok(())
    }

    /// Merges what is staged, in one transaction, under the position that the target has. Gives the rows that changed.
    async fn merge(&self, mut loader: Loader<'_>) -> Result<u64, SyncError> {
        let attempt = OfAttempt::new();
        loader.set_terms(Terms {
            committing: Some(Arc::new(move || Box::new(attempt.hold()))),
            keys_are_unique: self.keys_are_unique,
            // A row that stands beside another one of its key can only go with all of them, and come again.
            replace_repeated: deletes(self.plan),
            ..Terms::default()
        });
        let known = self.position;
        let position = Position {
            lake_table: self.lake.name().to_owned(),
            lake_uuid: self.lake.uuid(),
            lake_location: self.lake.place(),
            previous: Some(Previous {
                snapshot_id: known.snapshot_id,
                run_id: known.run_id.clone(),
            }),
            snapshot_id: known.snapshot_id,
            sequence_number: self
                .lake
                .snapshot(known.snapshot_id)
                .doing(|| format!("reading lake table {}", self.lake.name()))?
                .sequence_number,
            run_id: Uuid::now_v7().to_string(),
            merge: known.merge.clone(),
        };
        let counts = loader
            .merge(self.plan, self.delta, &position)
            .await
            .doing(|| format!("merging into target table {}", self.target.table))?;
        Ok(counts.inserted + counts.updated + counts.deleted)
    }

    /// The wrong keys that the lake has.
    async fn there(&self, cancel: &CancellationToken) -> Result<Seen, SyncError> {
        let mut there = self.wrong.none_seen();
        let mut batches = self.scan()?;
        while let Some(batch) = self.next(&mut batches, cancel).await? {
            let places = self.wrong.places(self.shape, &self.arrays(&batch))?;
            places.into_iter().for_each(|place| {
                there.add(place);
            });
        }
        Ok(there)
    }

    fn scan(&self) -> Result<BatchStream, SyncError> {
        let request = ScanRequest {
            snapshot_id: Some(self.at),
            columns: Some(self.takes.clone()),
            ..ScanRequest::default()
        };
        self.lake
            .scan(request)
            .doing(|| format!("reading lake table {}", self.lake.name()))
    }

    async fn next(
        &self,
        batches: &mut BatchStream,
        cancel: &CancellationToken,
    ) -> Result<Option<RecordBatch>, SyncError> {
        tokio::select! {
            batch = batches.try_next() => {
                batch.doing(|| format!("reading lake table {}", self.lake.name()))
            }
            () = cancel.cancelled() => Err(SyncError::cancelled()),
        }
    }

    /// The compared columns of a batch of the lake, in the shape's order.
    fn arrays(&self, batch: &RecordBatch) -> Vec<ArrayRef> {
        let column = |(ordinal, _): &(u32, u32)| {
            let at = self.takes.iter().position(|taken| taken == ordinal)?;
            batch.columns().get(at).cloned()
        };
        let columns = self.pairs.iter().filter_map(column);
        columns
            .chain(self.states.expected(batch.num_rows()))
            .collect()
    }

    /// The rows under the delta's names.
    fn renamed(&self, rows: &RecordBatch) -> Result<RecordBatch, SyncError> {
        let columns = self.delta.columns.iter().zip(rows.columns());
        let columns = columns.map(|(column, array)| (column.name.clone(), Arc::clone(array)));
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))
            .map_err(broken)
    }
}
