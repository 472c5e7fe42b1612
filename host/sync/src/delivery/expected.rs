//! What a delivery would be, for whoever asks beforehand.

use icehost_lake::LakeTable;
use icehost_sqlserver::lower::MergeStatements;

use crate::delivery::delta::expected_delta;
use crate::delivery::hashed;
use crate::delivery::landing::Landing;
use crate::delivery::origin;
use crate::delivery::permissions::{position_permissions, table_permissions};
use crate::delivery::start::{Line, Start};
use crate::delivery::table::{OpenTarget, taken};
use crate::delivery::task::Delivery;
use crate::{Source, SyncError};

/// A delivery that is not made.
pub(crate) struct Expected {
    /// The snapshot whose rows the target has; `None` where it would get all of them.
    pub(crate) from: Option<i64>,
    /// How the delta would land.
    pub(crate) landing: Landing,
    /// The statements that would carry it out.
    pub(crate) merge: MergeStatements,
}

impl Delivery<'_> {
    /// What would be delivered now, without the rows, and how it would land.
    ///
    /// # Errors
    /// Those that a delivery would meet before it reads rows.
    pub(crate) async fn expect(
        &self,
        target: &mut OpenTarget,
        lake: &LakeTable,
    ) -> Result<Expected, SyncError> {
        origin::refuse(lake, target).await?;
        target.check_updatable().await?;
        self.settle_key(target, lake).await?;
        let description = self.describe(lake)?;
        let takes = taken(&description, &target.table, self.exclude)?;
        let rows = description.row_estimate.unwrap_or(0);
        let current = lake.current_snapshot().map(|snapshot| snapshot.id);
        if target.creation.is_some() {
            let delta = expected_delta(&takes.columns, None, rows, &target.table);
            let plan = self.plan(&target.table, &delta).await?;
            let landing = Landing {
                delta,
                plan,
                delete_absent: false,
                into_empty: false,
                warnings: Vec::new(),
            };
            return expected(target, None, landing);
        }
        let line = Line::of(lake, current);
        let state = self.state(target, lake).await?;
        let merge = self.merge_digest(lake, &target.table).await;
        let situation = self.situation(&state, false, &line, merge.as_deref());
        let from = match situation.start() {
            Start::UpToDate => current,
            Start::Changes(from) => Some(from),
            Start::Everything(_) => None,
        };
        let delta = expected_delta(&takes.columns, from, rows, &target.table);
        let landing = self
            .land(&target.table, delta, &takes.columns, &situation)
            .await?;
        expected(target, from, landing)
    }

    /// Before the lake table is there: whether its rows could be delivered, and the login may do what that takes.
    ///
    /// # Errors
    /// Those that the first delivery would meet before it reads rows, and what is not permitted.
    pub(crate) async fn look_ahead(
        &self,
        source: &Source,
        lake: &LakeTable,
    ) -> Result<(), SyncError> {
        let mut target = OpenTarget::open(self.target, lake).await?;
        let expected = self.expect(&mut target, lake).await?;
        hashed::check(source, &self.describe(lake)?, &target.table, self.exclude)?;
        table_permissions(&mut target, &expected.landing.plan).await?;
        position_permissions(&mut target.connection).await
    }
}

fn expected(
    target: &OpenTarget,
    from: Option<i64>,
    landing: Landing,
) -> Result<Expected, SyncError> {
    let has_merge = target.connection.server().has_merge();
    Ok(Expected {
        from,
        merge: landing.statements(&target.table, has_merge)?,
        landing,
    })
}
