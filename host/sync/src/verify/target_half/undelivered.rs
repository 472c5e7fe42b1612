//! What is yet to be delivered: the lake changed since the snapshot that a target has reached.

use futures::TryStreamExt;
use icehost_lake::LakeTable;
use icehost_plan::{Table, ValidMergePlan};
use icehost_sqlserver::SqlTable;
use tokio_util::sync::CancellationToken;

use crate::SyncError;
use crate::delivery::delta::{keyed, request};
use crate::delivery::newest;
use crate::delivery::table::Taken;
use crate::error::Doing;
use crate::verify::compare::class::Class;
use crate::verify::compare::judge::{Again, Landing, Rules};
use crate::verify::compare::order::Order;
use crate::verify::compare::rows::{LakeRows, Rows};
use crate::verify::compare::shape::Shape;
use crate::verify::compare::two_sides::Comparing;
use crate::verify::report::Comparison;

/// Two snapshots of a lake table: the one that the target has reached, and the current one.
pub(crate) struct Between<'a> {
    pub(crate) lake: &'a LakeTable,
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// As much memory as a run has for what it remembers of changes: this stops where a run would.
    pub(crate) most_bytes: usize,
}

/// Any difference is yet to be delivered.
const RULES: Rules = Rules {
    landing: Landing::Same,
    missing: Class::Pending,
    changed: Class::Pending,
    extra: Some(Class::Pending),
    repeated: Class::Pending,
    unique: false,
    again: Again::Always,
    came: None,
    last_counts: false,
    overwrites: true,
};

impl Between<'_> {
    /// The rows that a run delivers which goes on from there.
    ///
    /// # Errors
    /// The changes cannot be told, and the run ends with that.
    pub(crate) async fn changes(
        &self,
        (of_lake, plan, target): ((&Table, &[Taken]), &ValidMergePlan, &SqlTable),
        cancel: &CancellationToken,
    ) -> Result<u64, SyncError> {
        let doing = || format!("reading lake table {}", self.lake.name());
        let changes = self
            .lake
            .changes(request(Some(self.from), Some(self.to), of_lake.1))
            .await
            .and_then(|changes| keyed(changes, plan, of_lake, target))
            .doing(doing)?;
        let mut batches = newest::one_of_each_key(changes, plan, self.most_bytes).stream();
        let mut rows = 0;
        while let Some(batch) = tokio::select! {
            batch = batches.try_next() => batch.doing(doing)?,
            () = cancel.cancelled() => return Err(SyncError::cancelled()),
        } {
            rows += batch.num_rows() as u64;
        }
        Ok(rows)
    }

    /// The rows in which the snapshots differ, where none comes from the other. `columns` are those that the target
    /// has, the first ones of `shape`.
    pub(crate) async fn differing(
        &self,
        columns: Vec<u32>,
        shape: &Shape,
        memory: usize,
        cancel: &CancellationToken,
    ) -> Result<u64, SyncError> {
        let rows = |snapshot| {
            Rows::Lake(LakeRows {
                table: self.lake,
                snapshot: Some(snapshot),
                columns: columns.clone(),
                states: None,
                turns: false,
            })
        };
        let comparing = Comparing {
            expected: rows(self.to),
            found: rows(self.from),
            shape: Shape {
                columns: shape.columns.iter().take(columns.len()).cloned().collect(),
                key: shape.key.clone(),
            },
            rules: RULES,
            order: Order::NONE,
            memory,
            limit: 0,
            remember: 0,
            server: None,
            asked: None,
        };
        let mut found = Comparison::default();
        comparing.run(&mut found, cancel).await?;
        Ok(found.pending.rows)
    }
}
