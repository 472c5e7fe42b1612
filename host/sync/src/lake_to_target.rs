//! The second half: read changes, stage, merge.

use std::sync::Arc;

use icehost_lake::LakeTable;
use icehost_plan::{Contents, Delta, Table, ValidMergePlan};
use icehost_sqlserver::{
    ErrorKind, MOST_POSITIONS, MergeCounts, Position, PositionsLayout, Previous, SqlTable,
    StillGone, TargetState, Terms, lower,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::delivery_start::{Line, NO_SNAPSHOT, Situation, Start};
use crate::delta::{as_changes, delta, expected_delta, keyed, request};
use crate::error::Doing;
use crate::failpoint::{self, failpoint, stands};
use crate::key_doubts::KeyDoubts;
use crate::landing_at_target::{Landing, Question, check_takes_changes, keys_must_be_unique};
use crate::landing_digest;
use crate::layout;
use crate::moved_rows::{Elsewhere, too_many};
use crate::newest;
use crate::same_table;
use crate::staging_at_target::Staging;
use crate::stop::{self, OfAttempt};
use crate::target_table::{OpenTarget, Taken, remove_created, taken};
use crate::{DeletionGuard, Event, Lake, LoadJob, Merging, Observer, SyncError, SyncJob, Target};

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

/// What the second half did.
pub(crate) struct Delivered {
    pub(crate) run_id: Uuid,
    pub(crate) snapshot_id: Option<i64>,
    pub(crate) counts: MergeCounts,
    pub(crate) warnings: Vec<String>,
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
    /// One attempt, from the lake's current snapshot to the committed merge. It leaves nothing behind where
    /// it fails: a table that it created goes again, unless another run has filled it meanwhile.
    pub(crate) async fn attempt(
        &self,
        run_id: Uuid,
        observer: &dyn Observer,
        cancel: &CancellationToken,
    ) -> Result<Delivered, SyncError> {
        let lake = self.open_lake().await?;
        let mut target = OpenTarget::open(self.target, &lake).await?;
        same_table::refuse_origin(&lake, &mut target).await?;
        target.check_updatable().await?;
        self.settle_key(&mut target, &lake).await?;
        let created = {
            // Whether there is a table to be taken away again must be known.
            let _creating = stop::hold();
            target.create().await?
        };
        let delivering = self.deliver(&lake, &mut target, created, run_id, observer, cancel);
        let delivered = stop::stoppable(cancel, stop::PART, delivering).await;
        if delivered.is_err() && created {
            let _removing = stop::hold();
            // The session may be lost, or hold locks; a new one looks after the table.
            let table = target.table.clone();
            drop(target);
            remove_created(self.target, &table).await;
        }
        delivered
    }

    async fn deliver(
        &self,
        lake: &LakeTable,
        target: &mut OpenTarget,
        created: bool,
        run_id: Uuid,
        observer: &dyn Observer,
        cancel: &CancellationToken,
    ) -> Result<Delivered, SyncError> {
        let mut delivered = Delivered {
            run_id,
            snapshot_id: None,
            counts: MergeCounts::default(),
            warnings: Vec::new(),
        };
        let current = lake.current_snapshot().map(|snapshot| snapshot.id);
        if current.is_none() && !stands(failpoint::GUARD_LAKE_THAT_IS_GONE) {
            return Ok(delivered);
        }
        delivered.snapshot_id = current;
        let line = Line::of(lake, current);
        let state = self.state(target, lake).await?;
        let merge = self.merge_digest(lake, &target.table).await;
        let situation = self.situation(&state, created, &line, merge.as_deref());
        let start = situation.start();
        if line.is_blank(&situation) {
            return Ok(delivered);
        }
        let position = Position {
            merge: merge.clone(),
            ..position(lake, &line, &state, run_id)
        };
        if start == Start::UpToDate {
            delivered
                .warnings
                .extend(situation.told_of_gone_rows(&target.table));
            let marks = situation.marks();
            target
                .connection
                .mark_positions(&marks, &position.run_id, &target.table)
                .await
                .doing(|| format!("writing the position of target table {}", target.table.name))?;
            self.adopt(target, &state, &position).await?;
            tell(&delivered.warnings, observer);
            return Ok(delivered);
        }
        let from = match start {
            Start::Changes(from) => Some(from),
            Start::Everything(_) | Start::UpToDate => None,
        };
        let description = self.describe(lake)?;
        let takes = taken(&description, &target.table, self.exclude)?;
        let reading = || format!("reading lake table {}", lake.name());
        let wanted = || lake.changes(request(from, current, &takes.columns));
        let of_lake = (&description, takes.columns.as_slice());
        let changes = wanted().await.doing(reading)?;
        let read = delta(&changes, &takes.columns, &target.table);
        let landing = self
            .land(&target.table, read, &takes.columns, &situation)
            .await?;
        landing.statements(&target.table, target.connection.server().has_merge())?;
        let changes = keyed(changes, &landing.plan, of_lake, &target.table).doing(reading)?;
        let changes = newest::one_of_each_key(changes, &landing.plan, self.most_bytes);
        let unordered = |error| {
            let columns = &landing.delta.columns;
            newest::with_way_on(error, self.merging, lake, &landing.plan, columns)
        };
        delivered.warnings.extend(landing.warnings.iter().cloned());
        delivered
            .warnings
            .extend(situation.told_of_gone_rows(&target.table));
        if from.is_none() {
            delivered
                .warnings
                .extend(takes.left_out_warning(&target.table));
        }
        failpoint(failpoint::BEFORE_LOAD)?;

        let layout = target
            .connection
            .ensure_positions()
            .await
            .doing(|| format!("preparing target table {}", target.table.name))?;
        if layout == PositionsLayout::Earlier {
            delivered.warnings.push(EARLIER_LAYOUT.to_owned());
        }
        tell(&delivered.warnings, observer);
        let guard = self.deletions;
        let attempt = OfAttempt::new();
        let terms = Terms {
            target: Some(state.identity.clone()),
            keys_are_unique: keys_must_be_unique(&description, &landing.plan, &landing.delta),
            delete_absent: landing.delete_absent,
            found_empty: state.empty,
            into_empty: landing.into_empty,
            replace_repeated: false,
            spellings_of_others: !self.target.keys_never_move
                && !situation.shared_with().is_empty(),
            still_gone: None,
            may_delete: Some(Arc::new(move |absent| {
                guard.lets_through(as_of_lake(absent))
            })),
            committing: Some(Arc::new(move || Box::new(attempt.hold()))),
            replaces: situation.replaced(),
            marks: situation.marks(),
        };
        let name = target.table.name.to_string();
        let doubts = KeyDoubts::of(
            lake,
            &description,
            &takes.columns,
            (&landing.plan, &landing.delta),
            &target.table,
        );
        let again = async |with_others: bool| {
            let changes = wanted().await.doing(reading)?;
            let changes = keyed(changes, &landing.plan, of_lake, &target.table).doing(reading)?;
            let changes = newest::one_of_each_key(changes, &landing.plan, self.most_bytes);
            Ok::<_, SyncError>(match with_others {
                true => changes.with_others_of_each_key(),
                false => changes,
            })
        };
        let mut staging = Staging {
            lake,
            target: &target.table,
            landing: &landing,
            doubts: &doubts,
            elsewhere: self.elsewhere(&situation, lake, &target.table, &landing),
            withheld: None,
            most_bytes: self.most_bytes,
            terms,
            observer,
            cancel,
        };
        let staged = staging.stage(&mut target.connection, changes).await;
        let (mut loader, mut gone) = staged.map_err(unordered)?;
        let loading = || format!("loading into target table {name}");
        let mut with_others = false;
        let partial = from.is_some() && !state.empty;
        if partial
            && doubts
                .want_others(&mut loader, &landing)
                .await
                .doing(loading)?
        {
            tracing::info!(
                target = name,
                "keys are spelled anew: reading all rows that have them"
            );
            loader.discard().await.doing(loading)?;
            with_others = true;
            let changes = again(with_others).await?;
            let staged = staging.stage(&mut target.connection, changes).await;
            (loader, gone) = staged.map_err(unordered)?;
        }
        let mut keys = gone.columns()?;
        if let Some(elsewhere) = staging.elsewhere.clone().filter(|_| !keys.is_empty()) {
            if state.others.len() + 1 >= MOST_POSITIONS {
                return Err(too_many(&target.table));
            }
            if let Some(withheld) = elsewhere.look(&keys).await? {
                let told = withheld.told(lake.name(), &target.table);
                observer.event(Event::Warning(&told));
                delivered.warnings.push(told);
                loader.discard().await.doing(loading)?;
                staging.withheld = Some(withheld);
                let changes = again(with_others).await?;
                let staged = staging.stage(&mut target.connection, changes).await;
                (loader, gone) = staged.map_err(unordered)?;
                keys = gone.columns()?;
            }
            let keys = Arc::new(keys);
            let still_gone: StillGone = Arc::new(move |now| {
                let (elsewhere, keys) = (elsewhere.clone(), Arc::clone(&keys));
                Box::pin(async move { elsewhere.still_gone(&keys, &now).await })
            });
            loader.set_terms(Terms {
                still_gone: Some(still_gone),
                ..staging.terms.clone()
            });
        }
        doubts
            .keep_one_of_each(&mut loader, (&landing.plan, &landing.delta))
            .await
            .doing(loading)?;
        if let Some(collision) = doubts
            .collision(&mut loader, &landing)
            .await
            .doing(loading)?
        {
            return Err(doubts.refusal(&collision, lake, &target.table, &landing.plan));
        }

        observer.event(Event::Merging {
            rows: loader.rows(),
        });
        let merged = loader.merge(&landing.plan, &landing.delta, &position).await;
        if let Err(error) = &merged
            && let ErrorKind::Deletions(absent) = error.kind()
        {
            guard.check(&format!("target table {name}"), as_of_lake(*absent))?;
        }
        delivered.counts = merged.doing(|| format!("merging into target table {name}"))?;
        observer.event(Event::Merged);
        Ok(delivered)
    }

    /// The other lake tables that are delivered into the same table, unless no key is ever in several.
    fn elsewhere(
        &self,
        situation: &Situation<'_>,
        lake: &LakeTable,
        target: &SqlTable,
        landing: &Landing,
    ) -> Option<Elsewhere> {
        let others = situation.shared_with();
        (!others.is_empty() && !self.target.keys_never_move).then(|| {
            let all = &situation.state.others;
            Elsewhere::new((lake, target), landing, &others, all)
        })
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

    /// Notes which table a position belongs to where that is not known yet, or what has changed of it.
    async fn adopt(
        &self,
        target: &mut OpenTarget,
        state: &TargetState,
        position: &Position,
    ) -> Result<(), SyncError> {
        let noted = state.own.as_ref().is_some_and(|own| {
            own.target.as_ref() == Some(&state.identity)
                && own.target_rows == state.rows
                && own.loss.is_none()
                && own.lake_location == position.lake_location
                && own.sequence_number.is_some()
                && own.merge == position.merge
        });
        if noted {
            return Ok(());
        }
        target
            .connection
            .adopt_position(position, &target.table, &state.identity, state.rows)
            .await
            .doing(|| format!("writing the position of target table {}", target.table.name))
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

    pub(crate) async fn open_lake(&self) -> Result<LakeTable, SyncError> {
        self.lake
            .warehouse
            .load(&self.lake.table)
            .await
            .doing(|| format!("opening lake table {}", self.lake.table))
    }

    /// The lake's columns with the collations by which the source compares them.
    pub(crate) fn describe(&self, lake: &LakeTable) -> Result<Table, SyncError> {
        let description = lake
            .describe()
            .doing(|| format!("reading lake table {}", lake.name()))?;
        Ok(layout::with_collations(lake, description))
    }

    /// Asks the merger how the delta lands.
    pub(crate) async fn plan(
        &self,
        target: &SqlTable,
        delta: &Delta,
    ) -> Result<ValidMergePlan, SyncError> {
        let Merging { strategy, options } = self.merging;
        let plan = strategy.plan(&target.table, delta, options).await?;
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

/// What is not noticed where the table of positions is an earlier version's.
const EARLIER_LAYOUT: &str = "the login may not add columns to dbo.icehost_positions, which an earlier version made: \
     that the target was dropped and created again, or emptied by another, is not noticed until it may (ALTER on the table, once)";

fn position(lake: &LakeTable, line: &Line, state: &TargetState, run_id: Uuid) -> Position {
    Position {
        lake_table: lake.name().to_owned(),
        lake_uuid: lake.uuid(),
        lake_location: line.location.clone(),
        previous: state.own.as_ref().map(|own| Previous {
            snapshot_id: own.snapshot_id,
            run_id: own.run_id.clone(),
        }),
        snapshot_id: line.current,
        sequence_number: line.sequence_number(),
        run_id: run_id.to_string(),
        merge: None,
    }
}

/// The server counts what the guard knows as the lake's.
fn as_of_lake(absent: icehost_sqlserver::Absent) -> icehost_lake::Absent {
    icehost_lake::Absent {
        rows: absent.rows,
        of: absent.of,
    }
}

fn tell(warnings: &[String], observer: &dyn Observer) {
    for warning in warnings {
        observer.event(Event::Warning(warning));
    }
}
