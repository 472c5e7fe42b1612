//! Staged changes, until it is known what their keys are for the target, and their merge.

use std::sync::Arc;

use icehost_lake::ChangePlan;
use icehost_sqlserver::{
    Connection, ErrorKind, Loader, MOST_POSITIONS, MergeCounts, Position, SqlServerError,
    StillGone, TargetState, Terms,
};

use crate::delivery::moved_rows::too_many;
use crate::delivery::newest;
use crate::delivery::staging::Staging;
use crate::delivery::terms::as_of_lake;
use crate::error::Doing;
use crate::{Event, SyncError};

/// What a merge has done.
pub(crate) struct Merged {
    /// The changes that came.
    pub(crate) rows: u64,
    pub(crate) counts: MergeCounts,
    /// Says which rows stay, since other lake tables have them.
    pub(crate) withheld: Option<String>,
}

impl<'a> Staging<'a> {
    /// Stages the changes and merges them. They are staged once more, where keys turn out to be spelled anew and all
    /// rows that have them are needed, and where rows that go turn out to be had by another lake table.
    pub(crate) async fn merge(
        &mut self,
        connection: &mut Connection,
        changes: ChangePlan,
        state: &TargetState,
        position: &Position,
    ) -> Result<Merged, SyncError> {
        self.bring(connection, changes, state, Some(position)).await
    }

    /// Stages the changes, asks what is asked before they are merged, and gives them up. How many there are.
    ///
    /// # Errors
    /// What a delivery ends with before it writes.
    pub(crate) async fn rehearse(
        &mut self,
        connection: &mut Connection,
        changes: ChangePlan,
        state: &TargetState,
    ) -> Result<u64, SyncError> {
        let brought = self.bring(connection, changes, state, None).await;
        brought.map(|brought| brought.rows)
    }

    /// `position`: `None` where nothing is to be merged.
    async fn bring(
        &mut self,
        connection: &mut Connection,
        changes: ChangePlan,
        state: &TargetState,
        position: Option<&Position>,
    ) -> Result<Merged, SyncError> {
        let name = self.target.name.to_string();
        let loading = || format!("loading into target table {name}");
        let staged = self.stage(connection, changes).await;
        let (mut loader, mut gone) = staged.map_err(|error| self.unordered(error))?;
        let rows = loader.rows();
        let mut with_others = false;
        let partial = self.wanted.from.is_some() && !state.empty;
        if partial
            && self
                .doubts
                .want_others(&mut loader, self.landing)
                .await
                .doing(loading)?
        {
            tracing::info!(
                target = name,
                "keys are spelled anew: reading all rows that have them"
            );
            loader.discard().await.doing(loading)?;
            with_others = true;
            let changes = self.again(with_others).await?;
            let staged = self.stage(connection, changes).await;
            (loader, gone) = staged.map_err(|error| self.unordered(error))?;
        }
        let mut keys = gone.columns()?;
        let mut told = None;
        if let Some(elsewhere) = self.elsewhere.clone().filter(|_| !keys.is_empty()) {
            if state.others.len() + 1 >= MOST_POSITIONS {
                return Err(too_many(self.target));
            }
            if let Some(withheld) = elsewhere.look(&keys).await? {
                let of_them = withheld.told(self.wanted.lake.name(), self.target);
                self.run.warn(&of_them);
                told = Some(of_them);
                loader.discard().await.doing(loading)?;
                self.withheld = Some(withheld);
                let changes = self.again(with_others).await?;
                let staged = self.stage(connection, changes).await;
                (loader, gone) = staged.map_err(|error| self.unordered(error))?;
                keys = gone.columns()?;
            }
            let keys = Arc::new(keys);
            let still_gone: StillGone = Arc::new(move |now| {
                let (elsewhere, keys) = (elsewhere.clone(), Arc::clone(&keys));
                Box::pin(async move { elsewhere.still_gone(&keys, &now).await })
            });
            loader.set_terms(Terms {
                still_gone: Some(still_gone),
                ..self.terms.clone()
            });
        }
        Ok(Merged {
            rows,
            counts: self.merge_staged(loader, position).await?,
            withheld: told,
        })
    }

    /// Merges what is staged, unless two of its keys are one for the target.
    async fn merge_staged(
        &self,
        mut loader: Loader<'_>,
        position: Option<&Position>,
    ) -> Result<MergeCounts, SyncError> {
        let (landing, doubts, name) = (self.landing, self.doubts, &self.target.name);
        let loading = || format!("loading into target table {name}");
        doubts
            .keep_one_of_each(&mut loader, (&landing.plan, &landing.delta))
            .await
            .doing(loading)?;
        if let Some(collision) = doubts
            .collision(&mut loader, (&landing.plan, &landing.delta))
            .await
            .doing(loading)?
        {
            let lake = self.wanted.lake;
            return Err(doubts
                .told(lake, self.target, &landing.plan)
                .both(&collision));
        }

        let by = (&landing.plan, &landing.delta);
        let Some(position) = position else {
            let asked = self.merged(loader.rehearse(by.0, by.1).await);
            return asked.map(|()| MergeCounts::default());
        };
        self.run.observer.event(Event::Merging {
            rows: loader.rows(),
        });
        let counts = self.merged(loader.merge(by.0, by.1, position).await)?;
        self.run.observer.event(Event::Merged);
        Ok(counts)
    }

    /// Rows that would go for being absent are told with what lets them go.
    fn merged<T>(&self, merged: Result<T, SqlServerError>) -> Result<T, SyncError> {
        let name = &self.target.name;
        if let Err(error) = &merged
            && let ErrorKind::Deletions(absent) = error.kind()
        {
            let guard = self.run.job.deletions;
            guard.check(&format!("target table {name}"), as_of_lake(*absent))?;
        }
        merged.doing(|| format!("merging into target table {name}"))
    }

    async fn again(&self, with_others: bool) -> Result<ChangePlan, SyncError> {
        let plan = &self.landing.plan;
        self.wanted.again(with_others, plan, self.target).await
    }

    fn unordered(&self, error: SyncError) -> SyncError {
        let (plan, columns) = (&self.landing.plan, &self.landing.delta.columns);
        newest::with_way_on(error, self.run.job.merging, self.wanted.lake, plan, columns)
    }
}
