//! Rows that the next run would add to a target a second time, since its position is an earlier one than its rows.

use futures::TryStreamExt;
use icehost_plan::ValidMergePlan;
use icehost_sqlserver::{Connection, Loader, SqlTable};

use crate::SyncError;
use crate::delivery::delta::{delta, request};
use crate::delivery::start::Situation;
use crate::delivery::table::Taken;
use crate::delivery::task::Delivery;
use crate::error::Doing;
use crate::verify::target_half::undelivered::Between;

/// The rows of the next run.
pub(super) struct Repeated<'a> {
    pub(super) between: &'a Between<'a>,
    pub(super) delivery: &'a Delivery<'a>,
    pub(super) situation: Option<&'a Situation<'a>>,
    pub(super) takes: &'a [Taken],
}

impl Repeated<'_> {
    /// Stages them where they are in question, on a connection of their own, and asks the server whether one is there.
    ///
    /// # Errors
    /// What the next run says of one that is.
    pub(super) async fn refuse(
        &self,
        plan: &ValidMergePlan,
        target: &SqlTable,
    ) -> Result<(), SyncError> {
        let in_question = self.situation.is_some_and(Situation::has_unexplained_rows);
        if !plan.keys.is_empty() || !in_question {
            return Ok(());
        }
        let Between { lake, from, to, .. } = *self.between;
        let reading = || format!("reading lake table {}", lake.name());
        let loading = || format!("merging into target table {}", target.name);
        let changes = lake.changes(request(Some(from), Some(to), self.takes));
        let changes = changes.await.doing(reading)?;
        let delta = delta(&changes, self.takes, target);
        let plan = self.delivery.plan(target, &delta).await?;
        let to = self.delivery.target;
        let connection = Connection::open(&to.endpoint, &to.connect).await;
        let mut connection =
            connection.doing(|| format!("opening target table {}", target.name))?;
        let mut loader = Loader::begin(&mut connection, target, &delta.columns)
            .await
            .doing(loading)?;
        let mut batches = changes.within(self.between.most_bytes).stream();
        while let Some(batch) = batches.try_next().await.doing(reading)? {
            loader.stage(&batch).await.doing(loading)?;
        }
        loader.check_not_there(&plan, &delta).await.doing(loading)?;
        loader.discard().await.doing(loading)
    }
}
