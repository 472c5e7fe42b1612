//! How often a row came to a lake that keeps one of each key: its snapshots tell it. A target that takes every row has
//! it so often at most, each time after another one, where the source set it back with its cursor.

use futures::TryStreamExt;
use icehost_lake::{ChangesRequest, LakeTable, SnapshotInfo};
use icehost_plan::Operation;
use tokio_util::sync::CancellationToken;

use crate::SyncError;
use crate::error::Doing;
use crate::rows::operations::operations;
use crate::verify::compare::hash::hash;
use crate::verify::compare::judge::Came;
use crate::verify::compare::rows::Read;
use crate::verify::compare::shape::Shape;
use crate::verify::compare::states::States;
use crate::verify::compare::wrong_keys::WrongKeys;

/// The line of snapshots that is looked through, and what of its rows is compared.
pub(crate) struct Arrivals<'a> {
    pub(crate) lake: &'a LakeTable,
    /// The last snapshot.
    pub(crate) to: i64,
    /// Ordinals of the compared columns.
    pub(crate) columns: Vec<u32>,
    pub(crate) states: &'a States,
    pub(crate) shape: &'a Shape,
}

impl Arrivals<'_> {
    /// How often the rows of these keys came; `None` where earlier snapshots have expired, and nobody knows.
    pub(crate) async fn of(
        &self,
        keys: &WrongKeys,
        cancel: &CancellationToken,
    ) -> Result<Option<Came>, SyncError> {
        let line = self.lake.ancestors(self.to);
        // Some engines take the parent away from what they leave.
        let begins = |first: &SnapshotInfo| first.parent.is_none() && first.sequence_number == 1;
        if !line.last().is_some_and(begins) {
            return Ok(None);
        }
        let doing = || format!("reading lake table {}", self.lake.name());
        let mut came = Came::new();
        for snapshot in line {
            let changes = ChangesRequest {
                columns: Some(self.columns.clone()),
                ..ChangesRequest::new(snapshot.parent, snapshot.id)
            };
            let changes = match self.lake.changes(changes).await {
                Ok(changes) => changes,
                // A column that was another one then has other values.
                Err(error) => {
                    tracing::info!(%error, "how often rows came to the lake cannot be told");
                    return Ok(None);
                }
            };
            let delta = changes.delta();
            let mut batches = changes.stream();
            while let Some(batch) = tokio::select! {
                batch = batches.try_next() => batch.doing(doing)?,
                () = cancel.cancelled() => return Err(SyncError::cancelled()),
            } {
                let mut arrays: Vec<_> = batch.columns().to_vec();
                arrays.truncate(self.columns.len());
                arrays.extend(self.states.expected(batch.num_rows()));
                let gone = operations(&batch, &delta);
                let is_gone = |row: usize| {
                    gone.is_some_and(|gone| gone.value(row) == Operation::Delete as i32)
                };
                let read = Read {
                    arrays,
                    cursor: Vec::new(),
                    turns: Vec::new(),
                    rows: batch.num_rows(),
                };
                for (row, hashed) in hash(self.shape, &read)?.into_iter().enumerate() {
                    if keys.has(&hashed) && !is_gone(row) {
                        *came.entry(hashed.row).or_default() += 1;
                    }
                }
            }
        }
        Ok(Some(came))
    }
}
