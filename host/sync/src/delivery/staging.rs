//! Changes of the lake on their way into the target's staging table.

use futures::TryStreamExt;
use icehost_lake::ChangePlan;
use icehost_sqlserver::{Connection, Loader, SqlTable, Terms};

use crate::delivery::delta::batch_as_changes;
use crate::delivery::key_doubts::KeyDoubts;
use crate::delivery::landing::Landing;
use crate::delivery::moved_rows::{Elsewhere, GoneKeys, Withheld};
use crate::delivery::task::Delivery;
use crate::delivery::wanted::Wanted;
use crate::error::Doing;
use crate::failpoint;
use crate::run::Run;
use crate::{Event, SyncError};

/// What is staged, for whom.
pub(crate) struct Staging<'a> {
    pub(crate) run: &'a Run<'a, Delivery<'a>>,
    pub(crate) wanted: &'a Wanted<'a>,
    pub(crate) target: &'a SqlTable,
    pub(crate) landing: &'a Landing,
    /// Looks at the keys that come.
    pub(crate) doubts: &'a KeyDoubts,
    pub(crate) terms: Terms,
    /// The other lake tables that are delivered into the target; `None` where no key is in several.
    pub(crate) elsewhere: Option<Elsewhere>,
    /// Deletions that are not made.
    pub(crate) withheld: Option<Withheld>,
}

impl<'a> Staging<'a> {
    /// Reads the changes and loads them into a new staging table, a batch at a time. Gives the keys that go, where they
    /// are looked for elsewhere.
    pub(crate) async fn stage<'c>(
        &self,
        connection: &'c mut Connection,
        changes: ChangePlan,
    ) -> Result<(Loader<'c>, GoneKeys), SyncError>
    where
        'a: 'c,
    {
        let loading = || format!("loading into target table {}", self.target.name);
        let reading = || format!("reading lake table {}", self.wanted.lake.name());
        let mut loader = Loader::begin(connection, self.target, &self.landing.delta.columns)
            .await
            .doing(loading)?;
        loader.set_terms(self.terms.clone());
        self.run.observer.event(Event::Loading {
            rows: changes.stats().rows,
        });
        let mut batches = changes.stream();
        let mut bytes = 0;
        let mut gone = GoneKeys::default();
        while let Some(batch) = tokio::select! {
            batch = batches.try_next() => batch.doing(reading)?,
            () = self.run.cancel.cancelled() => return Err(SyncError::cancelled()),
        } {
            bytes += batch.get_array_memory_size() as u64;
            let batch = match self.landing.delete_absent {
                true => batch_as_changes(&batch, &self.landing.delta)?,
                false => batch,
            };
            let batch = match &self.withheld {
                Some(withheld) => withheld.take_out(&batch, &self.landing.delta)?,
                None => batch,
            };
            if let Some(elsewhere) = &self.elsewhere {
                let most_bytes = self.wanted.most_bytes;
                gone.add(&batch, &self.landing.delta, &elsewhere.key, most_bytes)?;
            }
            self.doubts.note(&batch);
            loader.stage(&batch).await.doing(loading)?;
            failpoint(failpoint::WHILE_LOADING)?;
            self.run.observer.event(Event::Loaded {
                rows: loader.rows(),
                bytes,
            });
        }
        Ok((loader, gone))
    }
}
