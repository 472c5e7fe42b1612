//! The second half: read changes, stage, merge.

use icehost_lake::LakeTable;
use icehost_sqlserver::{MergeCounts, Position, PositionsLayout};
use uuid::Uuid;

use crate::SyncError;
use crate::bounds::stop;
use crate::delivery::delta::delta;
use crate::delivery::key_doubts::KeyDoubts;
use crate::delivery::landing_digest;
use crate::delivery::origin;
use crate::delivery::position::{confirm, position};
use crate::delivery::staging::Staging;
use crate::delivery::start::{Line, Situation, Start};
use crate::delivery::table::{OpenTarget, by_hand, remove_created, taken};
use crate::delivery::task::Delivery;
use crate::delivery::terms::terms;
use crate::delivery::wanted::Wanted;
use crate::error::Doing;
use crate::failpoint::{self, failpoint, stands};
use crate::run::Run;

/// What the second half did.
pub(crate) struct Delivered {
    pub(crate) run_id: Uuid,
    pub(crate) snapshot_id: Option<i64>,
    pub(crate) counts: MergeCounts,
    pub(crate) warnings: Vec<String>,
}

/// One attempt, from the lake's current snapshot to the committed merge. It leaves nothing behind where
/// it fails: a table that it created goes again, unless another run has filled it meanwhile.
pub(crate) async fn attempt(run: Run<'_, Delivery<'_>>) -> Result<Delivered, SyncError> {
    let delivery = run.job;
    let lake = delivery.open_lake().await?;
    let mut target = OpenTarget::open(delivery.target, &lake).await?;
    origin::refuse(&lake, &mut target).await?;
    target.check_updatable().await?;
    delivery.settle_key(&mut target, &lake).await?;
    let created = {
        // Whether there is a table to be taken away again must be known.
        let _creating = stop::hold();
        target.create().await?
    };
    let delivering = deliver(&run, &lake, &mut target, created);
    let delivered = stop::stoppable(run.cancel, stop::PART, delivering).await;
    if delivered.is_err() && created {
        let _removing = stop::hold();
        // The session may be lost, or hold locks; a new one looks after the table.
        let table = target.table.clone();
        drop(target);
        remove_created(delivery.target, &table).await;
    }
    delivered.map_err(|error| match created {
        true => by_hand(error),
        false => error,
    })
}

/// Finds out where the delivery starts, and delivers from there.
async fn deliver(
    run: &Run<'_, Delivery<'_>>,
    lake: &LakeTable,
    target: &mut OpenTarget,
    created: bool,
) -> Result<Delivered, SyncError> {
    let delivery = run.job;
    let mut delivered = Delivered {
        run_id: run.id,
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
    let state = delivery.state(target, lake).await?;
    let merge = delivery.merge_digest(lake, &target.table).await;
    let situation = delivery.situation(&state, created, &line, merge.as_deref());
    let start = situation.start();
    if line.is_blank(&situation) {
        return Ok(delivered);
    }
    let position = Position {
        merge: merge.as_deref().map(landing_digest::noted),
        ..position(lake, &line, &state, run.id)
    };
    let from = match start {
        Start::UpToDate => {
            let gone = situation.told_of_gone_rows(&target.table);
            delivered.warnings.extend(gone);
            confirm(target, &situation, &position).await?;
            tell(run, &delivered.warnings);
            return Ok(delivered);
        }
        Start::Changes(from) => Some(from),
        Start::Everything(_) => None,
    };
    let due = Due {
        lake,
        situation: &situation,
        from,
        position: &position,
    };
    bring(run, &due, target, &mut delivered).await?;
    Ok(delivered)
}

/// What a target is to get.
struct Due<'a> {
    lake: &'a LakeTable,
    situation: &'a Situation<'a>,
    /// The snapshot whose rows it has; `None` where it gets all of them.
    from: Option<i64>,
    /// Where it is then.
    position: &'a Position,
}

/// Finds out how what is due lands, stages it and merges it.
async fn bring(
    run: &Run<'_, Delivery<'_>>,
    due: &Due<'_>,
    target: &mut OpenTarget,
    delivered: &mut Delivered,
) -> Result<(), SyncError> {
    let (delivery, lake, situation) = (run.job, due.lake, due.situation);
    let description = delivery.describe(lake)?;
    let takes = taken(&description, &target.table, delivery.exclude)?;
    let wanted = Wanted {
        lake,
        from: due.from,
        to: delivered.snapshot_id,
        description: &description,
        takes: &takes.columns,
        most_bytes: delivery.most_bytes,
    };
    let changes = wanted.changes().await?;
    let read = delta(&changes, &takes.columns, &target.table);
    let landing = delivery
        .land(&target.table, read, &takes.columns, situation)
        .await?;
    landing.statements(&target.table, target.connection.server().has_merge())?;
    let changes = wanted.by_key(changes, &landing.plan, &target.table)?;
    delivered.warnings.extend(landing.warnings.iter().cloned());
    let gone = situation.told_of_gone_rows(&target.table);
    delivered.warnings.extend(gone);
    if due.from.is_none() {
        let left_out = takes.left_out_warning(&target.table);
        delivered.warnings.extend(left_out);
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
    tell(run, &delivered.warnings);
    let by = (&landing.plan, &landing.delta);
    let doubts = KeyDoubts::of(lake, &description, &takes.columns, by, &target.table);
    let mut staging = Staging {
        run,
        wanted: &wanted,
        target: &target.table,
        landing: &landing,
        doubts: &doubts,
        elsewhere: delivery.elsewhere(situation, lake, &target.table, &landing),
        withheld: None,
        terms: terms(delivery, situation, (lake, &description), &landing),
    };
    let connection = &mut target.connection;
    let merged = staging.merge(connection, changes, situation.state, due.position);
    let merged = merged.await?;
    delivered.counts = merged.counts;
    delivered.warnings.extend(merged.withheld);
    Ok(())
}

/// What is not noticed where the table of positions is an earlier version's.
const EARLIER_LAYOUT: &str = "the login may not add columns to dbo.icehost_positions, which an earlier version made: \
     that the target was dropped and created again, or emptied by another, is not noticed until it may (ALTER on the table, once)";

fn tell(run: &Run<'_, Delivery<'_>>, warnings: &[String]) {
    for warning in warnings {
        run.warn(warning);
    }
}
