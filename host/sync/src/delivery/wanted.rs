//! The lake's changes that a target is to get, which can be asked for again.

use icehost_lake::{ChangePlan, LakeTable};
use icehost_plan::{Table, ValidMergePlan};
use icehost_sqlserver::SqlTable;

use crate::SyncError;
use crate::delivery::delta::{keyed, request};
use crate::delivery::newest;
use crate::delivery::table::Taken;
use crate::error::Doing;

/// Which changes.
pub(crate) struct Wanted<'a> {
    pub(crate) lake: &'a LakeTable,
    /// The snapshot whose rows are there; `None` where all are to come.
    pub(crate) from: Option<i64>,
    pub(crate) to: Option<i64>,
    /// The lake's columns.
    pub(crate) description: &'a Table,
    /// Those of them that the target takes.
    pub(crate) takes: &'a [Taken],
    /// Most memory for what is remembered of rows and keys while it is told what changed.
    pub(crate) most_bytes: usize,
}

impl Wanted<'_> {
    /// The changes, before it is known how they land.
    pub(crate) async fn changes(&self) -> Result<ChangePlan, SyncError> {
        let request = request(self.from, self.to, self.takes);
        self.lake.changes(request).await.doing(|| self.reading())
    }

    /// The same by the keys of the plan by which they land.
    pub(crate) fn by_key(
        &self,
        changes: ChangePlan,
        plan: &ValidMergePlan,
        target: &SqlTable,
    ) -> Result<ChangePlan, SyncError> {
        let of_lake = (self.description, self.takes);
        let changes = keyed(changes, plan, of_lake, target).doing(|| self.reading())?;
        Ok(newest::one_of_each_key(changes, plan, self.most_bytes))
    }

    /// The changes once more; `with_others`: with all rows that have one of their keys.
    pub(crate) async fn again(
        &self,
        with_others: bool,
        plan: &ValidMergePlan,
        target: &SqlTable,
    ) -> Result<ChangePlan, SyncError> {
        let changes = self.by_key(self.changes().await?, plan, target)?;
        Ok(match with_others {
            true => changes.with_others_of_each_key(),
            false => changes,
        })
    }

    fn reading(&self) -> String {
        format!("reading lake table {}", self.lake.name())
    }
}
