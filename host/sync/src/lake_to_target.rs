//! The second half: read changes, stage, merge.

use futures::TryStreamExt;
use icehost_lake::{ChangePlan, ChangesRequest, KeyFold, LakeError, LakeTable};
use icehost_plan::{Column, Contents, Delta, KeyPair, Table, ValidMergePlan};
use icehost_sqlserver::{Loader, MergeCounts, Position, SqlTable};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::error::Doing;
use crate::failpoint::failpoint;
use crate::layout;
use crate::target_table::{OpenTarget, Taken, drop_created, taken};
use crate::{Event, Lake, LoadJob, Merging, Observer, SyncError, Target};

/// What goes where, and how it lands.
pub(crate) struct Delivery<'a> {
    pub(crate) lake: &'a Lake,
    pub(crate) target: &'a Target,
    pub(crate) merging: &'a Merging,
    /// Deliver every row, not just what changed since the target's position.
    pub(crate) full: bool,
    /// Lake columns that the target does not take.
    pub(crate) exclude: &'a [String],
}

/// What the second half did.
pub(crate) struct Delivered {
    pub(crate) run_id: Uuid,
    pub(crate) snapshot_id: Option<i64>,
    pub(crate) counts: MergeCounts,
}

impl LoadJob {
    pub(crate) fn delivery(&self) -> Delivery<'_> {
        Delivery {
            lake: &self.lake,
            target: &self.target,
            merging: &self.merge,
            full: self.full,
            exclude: &self.exclude,
        }
    }
}

impl Delivery<'_> {
    /// One attempt, from the lake's current snapshot to the committed merge. It leaves nothing behind where
    /// it fails: a table that it created goes again.
    pub(crate) async fn attempt(
        &self,
        run_id: Uuid,
        observer: &dyn Observer,
        cancel: &CancellationToken,
    ) -> Result<Delivered, SyncError> {
        let lake = self.open_lake().await?;
        let mut target = OpenTarget::open(self.target, &lake).await?;
        let created = target.create().await?;
        let delivered = self
            .deliver(&lake, &mut target, run_id, observer, cancel)
            .await;
        if delivered.is_err() && created {
            // The session may be lost; a new one drops the table.
            drop(target);
            drop_created(self.target).await;
        }
        delivered
    }

    async fn deliver(
        &self,
        lake: &LakeTable,
        target: &mut OpenTarget,
        run_id: Uuid,
        observer: &dyn Observer,
        cancel: &CancellationToken,
    ) -> Result<Delivered, SyncError> {
        let nothing = |snapshot_id| Delivered {
            run_id,
            snapshot_id,
            counts: MergeCounts::default(),
        };
        let Some(current) = lake.current_snapshot() else {
            return Ok(nothing(None));
        };
        let doing = || format!("reading the position of target table {}", target.table.name);
        let previous = target
            .connection
            .read_position(lake.uuid(), &target.table)
            .await
            .doing(doing)?;
        if previous == Some(current.id) && !self.full {
            return Ok(nothing(Some(current.id)));
        }
        let from = if self.full { None } else { previous };
        let description = self.describe(lake)?;
        let takes = taken(&description, &target.table, self.exclude)?;
        let changes = lake
            .changes(request(from, current.id, &takes))
            .await
            .doing(|| format!("reading lake table {}", lake.name()))?;
        let delta = delta(&changes, &takes);
        let plan = self.plan(&target.table, &delta).await?;
        let changes = keyed(changes, &plan, &target.table)
            .doing(|| format!("reading lake table {}", lake.name()))?;
        failpoint("sync::before-load")?;

        target
            .connection
            .ensure_positions()
            .await
            .doing(|| format!("preparing target table {}", target.table.name))?;
        let staging = || format!("loading into target table {}", target.table.name);
        let mut loader = Loader::begin(&mut target.connection, &target.table, &delta.columns)
            .await
            .doing(staging)?;
        let name = target.table.name.to_string();
        stage(&mut loader, changes, lake, &name, observer, cancel).await?;

        observer.event(Event::Merging {
            rows: loader.rows(),
        });
        let position = Position {
            lake_table: lake.name().to_owned(),
            lake_uuid: lake.uuid(),
            previous,
            snapshot_id: current.id,
            run_id: run_id.to_string(),
        };
        let counts = loader
            .merge(&plan, &delta, &position)
            .await
            .doing(|| format!("merging into target table {}", target.table.name))?;
        observer.event(Event::Merged);
        Ok(Delivered {
            run_id,
            snapshot_id: Some(current.id),
            counts,
        })
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
        Ok(strategy.plan(&target.table, delta, options).await?)
    }
}

/// A delivery that is not made.
pub(crate) struct Expected {
    /// The snapshot whose rows the target has; `None` where it would get all of them.
    pub(crate) from: Option<i64>,
    /// The delta, but for its rows.
    pub(crate) delta: Delta,
    /// How it would land.
    pub(crate) plan: ValidMergePlan,
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
        let table = &target.table;
        let position = match target.creation {
            Some(_) => None,
            None => target
                .connection
                .read_position(lake.uuid(), table)
                .await
                .doing(|| format!("reading the position of target table {}", table.name))?,
        };
        let from = position.filter(|_| !self.full);
        let description = self.describe(lake)?;
        let takes = taken(&description, table, self.exclude)?;
        let delta = expected_delta(&takes, from, description.row_estimate.unwrap_or(0));
        let plan = self.plan(table, &delta).await?;
        Ok(Expected { from, delta, plan })
    }
}

/// The columns that the target takes.
pub(crate) fn request(from: Option<i64>, to: i64, takes: &[Taken]) -> ChangesRequest {
    ChangesRequest {
        columns: Some(takes.iter().map(|taken| taken.ordinal).collect()),
        ..ChangesRequest::new(from, to)
    }
}

/// The changes by the merge's key, as the target compares it: which rows are one is the target's notion.
pub(crate) fn keyed(
    changes: ChangePlan,
    plan: &ValidMergePlan,
    target: &SqlTable,
) -> Result<ChangePlan, LakeError> {
    let columns: Vec<u32> = plan.keys.iter().map(|key| key.source).collect();
    let collation = |key: &KeyPair| {
        let column = target.table.columns.get(key.target as usize)?;
        column.collation.clone()
    };
    let fold = KeyFold::new(plan.keys.iter().map(collation));
    changes.keyed(&columns, fold)
}

/// The delta under the target's spelling of its columns.
fn delta(changes: &ChangePlan, takes: &[Taken]) -> Delta {
    let mut delta = Delta {
        run_time: crate::run_time::now(),
        ..changes.delta()
    };
    for (column, taken) in delta.columns.iter_mut().zip(takes) {
        *column = taken.column.clone();
    }
    delta
}

/// The delta that a dry run shows, for a lake table that may not exist yet.
pub(crate) fn expected_delta(takes: &[Taken], from: Option<i64>, rows: u64) -> Delta {
    let mut columns: Vec<Column> = takes.iter().map(|taken| taken.column.clone()).collect();
    let changes = from.is_some();
    if changes {
        columns.push(Delta::operation_column());
    }
    Delta {
        operation: changes.then_some(takes.len() as u32),
        contents: if changes {
            Contents::Changes
        } else {
            Contents::Snapshot
        },
        columns,
        rows,
        run_time: crate::run_time::now(),
    }
}

/// Reads the changes and loads them into the staging table, a batch at a time.
async fn stage(
    loader: &mut Loader<'_>,
    changes: ChangePlan,
    lake: &LakeTable,
    target: &str,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> Result<(), SyncError> {
    observer.event(Event::Loading {
        rows: changes.stats().rows,
    });
    let mut batches = changes.stream();
    let mut bytes = 0;
    while let Some(batch) = tokio::select! {
        batch = batches.try_next() => batch.doing(|| format!("reading lake table {}", lake.name()))?,
        () = cancel.cancelled() => return Err(SyncError::cancelled()),
    } {
        bytes += batch.get_array_memory_size() as u64;
        loader
            .stage(&batch)
            .await
            .doing(|| format!("loading into target table {target}"))?;
        failpoint("sync::while-loading")?;
        observer.event(Event::Loaded {
            rows: loader.rows(),
            bytes,
        });
    }
    Ok(())
}
