//! What goes from a lake table to a target, and what a delivery, a preview and a comparison ask of it alike.

use icehost_lake::LakeTable;
use icehost_plan::{Contents, Delta, Table, ValidMergePlan};
use icehost_sqlserver::{SqlTable, TargetState, lower};

use crate::delivery::delta::{as_changes, expected_delta};
use crate::delivery::landing::{Landing, Question, check_takes_changes};
use crate::delivery::landing_digest;
use crate::delivery::moved_rows::Elsewhere;
use crate::delivery::own_key;
use crate::delivery::start::{Line, NO_SNAPSHOT, Situation};
use crate::delivery::table::{OpenTarget, Taken, taken};
use crate::error::Doing;
use crate::rows::source_columns;
use crate::{DeletionGuard, Lake, LoadJob, Merging, SyncError, SyncJob, Target};

/// What goes where, and how it lands.
pub(crate) struct Delivery<'a> {
    pub(crate) lake: &'a Lake,
    pub(crate) target: &'a Target,
    pub(crate) merging: &'a Merging,
    /// Deliver every row, not just what changed since the target's position.
    pub(crate) full: bool,
    /// Go on from the position though the target does not look as it was left.
    pub(crate) trust_position: bool,
    /// Lake columns that the target does not take.
    pub(crate) exclude: &'a [String],
    /// How many rows may go because the lake does not have them.
    pub(crate) deletions: DeletionGuard,
    /// Most memory for what is remembered of rows and keys while it is told what changed.
    pub(crate) most_bytes: usize,
}

impl LoadJob {
    pub(crate) fn delivery(&self) -> Delivery<'_> {
        Delivery {
            lake: &self.lake,
            target: &self.target,
            merging: &self.merge,
            full: self.full,
            trust_position: self.trust_position,
            exclude: &self.exclude,
            deletions: self.settings.deletions,
            most_bytes: self.settings.memory.held_bytes(),
        }
    }
}

impl SyncJob {
    /// Its second half; `None` where it has no target.
    pub(crate) fn delivery(&self) -> Option<Delivery<'_>> {
        let (target, merging) = self.target.as_ref()?;
        Some(Delivery {
            lake: &self.lake,
            target,
            merging,
            full: false,
            trust_position: false,
            exclude: &[],
            deletions: self.settings.deletions,
            most_bytes: self.settings.memory.held_bytes(),
        })
    }
}

impl Delivery<'_> {
    pub(crate) async fn open_lake(&self) -> Result<LakeTable, SyncError> {
        self.lake
            .warehouse
            .load(&self.lake.table)
            .await
            .doing(|| format!("opening lake table {}", self.lake.table))
    }

    /// The lake's columns with the collations by which the source compares them, and the key that it has.
    pub(crate) fn describe(&self, lake: &LakeTable) -> Result<Table, SyncError> {
        let description = lake
            .describe()
            .doing(|| format!("reading lake table {}", lake.name()))?;
        let description = source_columns::with_collations(lake, description);
        Ok(own_key::with_source_key(lake, description))
    }

    pub(crate) async fn state(
        &self,
        target: &mut OpenTarget,
        lake: &LakeTable,
    ) -> Result<TargetState, SyncError> {
        target
            .connection
            .target_state(lake.uuid(), &target.table)
            .await
            .doing(|| format!("reading the position of target table {}", target.table.name))
    }

    /// A digest of how changes land; `None` where they do not, which whoever delivers is told by their plan.
    pub(crate) async fn merge_digest(&self, lake: &LakeTable, target: &SqlTable) -> Option<String> {
        let description = self.describe(lake).ok()?;
        let takes = taken(&description, target, self.exclude).ok()?;
        let delta = Delta {
            run_time: 0,
            ..expected_delta(&takes.columns, Some(NO_SNAPSHOT), 0, target)
        };
        let plan = self.plan(target, &delta).await.ok()?;
        Some(landing_digest::of(&plan, &delta, target))
    }

    pub(crate) fn situation<'s>(
        &self,
        state: &'s TargetState,
        created: bool,
        line: &'s Line,
        merge: Option<&'s str>,
    ) -> Situation<'s> {
        Situation {
            state,
            created,
            line,
            full: self.full,
            trust: self.trust_position,
            merge,
        }
    }

    /// The other lake tables that are delivered into the same table, unless no key is ever in several.
    pub(crate) fn elsewhere(
        &self,
        situation: &Situation<'_>,
        lake: &LakeTable,
        target: &SqlTable,
        landing: &Landing,
    ) -> Option<Elsewhere> {
        let others = situation.shared_with();
        (!others.is_empty() && !self.target.keys_never_move).then(|| {
            let all = &situation.state.others;
            Elsewhere::new(lake, (self.target, target), landing, &others, all)
        })
    }

    /// A table that is yet to be created has the lake's key, unless the merge adds every row.
    pub(crate) async fn settle_key(
        &self,
        target: &mut OpenTarget,
        lake: &LakeTable,
    ) -> Result<(), SyncError> {
        if target.creation.is_none() {
            return Ok(());
        }
        let takes = taken(&self.describe(lake)?, &target.table, self.exclude)?;
        let delta = expected_delta(&takes.columns, None, 0, &target.table);
        if self.plan(&target.table, &delta).await?.keys.is_empty() {
            target.take_every_row();
        }
        Ok(())
    }

    /// Asks the merger how the delta lands.
    pub(crate) async fn plan(
        &self,
        target: &SqlTable,
        delta: &Delta,
    ) -> Result<ValidMergePlan, SyncError> {
        let Merging { strategy, options } = self.merging;
        let plan = match strategy.plan(&target.table, delta, options).await {
            Ok(plan) => plan,
            Err(error) => {
                // A merger that compares or writes values does not fit columns of another kind: that is not its fault.
                lower::check_kinds(target, &delta.columns)
                    .doing(|| format!("planning the merge into target table {}", target.name))?;
                return Err(error.into());
            }
        };
        check_takes_changes(target, &plan)?;
        Ok(plan)
    }

    /// How the rows land: as they were read or, where every row is delivered again, as changes, so that what the
    /// lake does not have goes by the merger's own way with deletions.
    pub(crate) async fn land(
        &self,
        target: &SqlTable,
        read: Delta,
        takes: &[Taken],
        situation: &Situation<'_>,
    ) -> Result<Landing, SyncError> {
        let plan = self.plan(target, &read).await?;
        // Where rows are there, those that come may all be among them.
        if situation.state.empty || plan.keys.is_empty() {
            lower::check_inserts(target, &read, &plan)
                .doing(|| format!("planning the merge into target table {}", target.name))?;
        }
        let question = Question::new(target, situation, &plan);
        question.refuse()?;
        let warnings = question.warnings();
        let into_empty = question.must_be_empty();
        if read.contents != Contents::Snapshot || !question.deletes_absent() {
            return Ok(Landing {
                delta: read,
                plan,
                delete_absent: false,
                into_empty,
                warnings,
            });
        }
        let delta = as_changes(&read, takes, target);
        let plan = self.plan(target, &delta).await?;
        Ok(Landing {
            delta,
            plan,
            delete_absent: true,
            into_empty,
            warnings,
        })
    }
}
