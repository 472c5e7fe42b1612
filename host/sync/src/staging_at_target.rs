//! Changes of the lake on their way into the target's staging table.

use std::sync::atomic::{AtomicU64, Ordering};

use futures::TryStreamExt;
use icehost_lake::{ChangePlan, LakeTable};
use icehost_sqlserver::{Connection, Loader, SqlTable, Terms};
use tokio_util::sync::CancellationToken;

use crate::delta::batch_as_changes;
use crate::error::Doing;
use crate::failpoint;
use crate::landing_at_target::Landing;
use crate::shared_deletions::deletions;
use crate::{Event, Observer, SyncError};

/// What is staged, for whom.
pub(crate) struct Staging<'a> {
    pub(crate) lake: &'a LakeTable,
    pub(crate) target: &'a SqlTable,
    pub(crate) landing: &'a Landing,
    pub(crate) terms: Terms,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) cancel: &'a CancellationToken,
    /// How many of the rows that were staged last are deletions.
    pub(crate) deletions: AtomicU64,
}

impl<'a> Staging<'a> {
    /// Reads the changes and loads them into a new staging table, a batch at a time.
    pub(crate) async fn stage<'c>(
        &self,
        connection: &'c mut Connection,
        changes: ChangePlan,
    ) -> Result<Loader<'c>, SyncError>
    where
        'a: 'c,
    {
        let loading = || format!("loading into target table {}", self.target.name);
        let reading = || format!("reading lake table {}", self.lake.name());
        let mut loader = Loader::begin(connection, self.target, &self.landing.delta.columns)
            .await
            .doing(loading)?;
        loader.set_terms(self.terms.clone());
        self.observer.event(Event::Loading {
            rows: changes.stats().rows,
        });
        let mut batches = changes.stream();
        let mut bytes = 0;
        self.deletions.store(0, Ordering::Relaxed);
        while let Some(batch) = tokio::select! {
            batch = batches.try_next() => batch.doing(reading)?,
            () = self.cancel.cancelled() => return Err(SyncError::cancelled()),
        } {
            bytes += batch.get_array_memory_size() as u64;
            let batch = match self.landing.delete_absent {
                true => batch_as_changes(&batch, &self.landing.delta)?,
                false => batch,
            };
            let gone = deletions(&batch, &self.landing.delta);
            self.deletions.fetch_add(gone, Ordering::Relaxed);
            loader.stage(&batch).await.doing(loading)?;
            failpoint(failpoint::WHILE_LOADING)?;
            self.observer.event(Event::Loaded {
                rows: loader.rows(),
                bytes,
            });
        }
        Ok(loader)
    }
}
