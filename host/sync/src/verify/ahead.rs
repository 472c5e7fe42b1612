//! Rows that the lake is to get, held against the target as the delivery of them will be.
//!
//! What a delivery says of its rows it says once they are staged. So what the next run reads is staged at the target as
//! it is read, in a temporary table, asked about, and given up. A run says of a row whatever else comes with it: that a
//! column cannot hold it, or that its key and another's are one. What its key is for the rows that are there is
//! asked where those are what the lake has now; where they are not, what is delivered before this may change it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::RecordBatch;
use icehost_lake::{LakeTable, Look};
use icehost_plan::{Delta, ValidMergePlan};
use icehost_sqlserver::{Connection, Loader, SqlTable, Terms, lower};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::delivery::delta::{batch_as_changes, expected_delta};
use crate::delivery::key_doubts::KeyDoubts;
use crate::delivery::landing::keys_must_be_unique;
use crate::delivery::start::{Line, NO_SNAPSHOT, Start};
use crate::delivery::table::{OpenTarget, by_hand, taken};
use crate::delivery::task::Delivery;
use crate::error::Doing;
use crate::verify::collisions::Collisions;
use crate::{SyncError, SyncJob};

/// Batches that wait, each of about a megabyte.
const WAITING: usize = 2;

/// Said where the target is not where the lake is.
const NOT_LEVEL: &str = "whether the target's rows let in those that the lake has yet to get is not asked before the target \
     has what the lake has: each of them was held against its columns, and against the others";

/// Said where more keys come than there is room for, or nobody knows which are one.
const NOT_ALL_KEYS: &str = "whether the target takes keys that the lake has yet to get for one with others that the lake has \
     is not known of all of them";

/// A target that is to get rows.
pub(crate) struct Ahead {
    connection: Connection,
    table: SqlTable,
    /// Where the columns that the target takes stand in the rows.
    places: Vec<usize>,
    delta: Delta,
    plan: ValidMergePlan,
    doubts: KeyDoubts,
    keys_are_unique: bool,
    /// `None` where no key can be one with another, or rows of the lake may go in the same run.
    collisions: Option<Collisions>,
    /// The target has the rows of the lake as it is now; or it is yet to be created.
    is_level: bool,
    /// It has none.
    empty: bool,
    /// It is yet to be created.
    missing: bool,
    lake: LakeTable,
}

/// What comes of a reading.
enum Part {
    /// It begins, perhaps once more.
    Begun,
    Rows(RecordBatch),
}

/// Where readings put what they read.
#[derive(Clone)]
pub(crate) struct Rows(Sender<Part>);

/// What they have put there.
pub(crate) struct Parts(Receiver<Part>);

pub(crate) fn rows() -> (Rows, Parts) {
    let (sender, receiver) = channel(WAITING);
    (Rows(sender), Parts(receiver))
}

impl Rows {
    /// For a reading that begins. It is shown rows on a thread that may wait.
    pub(crate) fn look(&self) -> Look {
        let rows = self.0.clone();
        let begun = AtomicBool::new(false);
        Arc::new(move |batch: &RecordBatch| {
            // Whoever has found what ends a run hears no more.
            if !begun.swap(true, Ordering::Relaxed) {
                let _ = rows.blocking_send(Part::Begun);
            }
            let _ = rows.blocking_send(Part::Rows(batch.clone()));
        })
    }
}

impl Ahead {
    /// `None` where there is no target that could take rows of the lake, which whoever plans the delivery is told.
    pub(crate) async fn of_lake(
        job: &SyncJob,
        lake: &LakeTable,
        exclude: &[String],
    ) -> Option<Ahead> {
        let delivery = Delivery {
            exclude,
            ..job.delivery()?
        };
        // What a transformer drops takes rows of the lake along.
        let stays = job.source.transforms.is_empty();
        Ahead::new(&delivery, lake, stays).await.ok()
    }

    async fn new(
        delivery: &Delivery<'_>,
        lake: &LakeTable,
        stays: bool,
    ) -> Result<Ahead, SyncError> {
        let mut open = OpenTarget::open(delivery.target, lake).await?;
        delivery.settle_key(&mut open, lake).await?;
        let description = delivery.describe(lake)?;
        let takes = taken(&description, &open.table, delivery.exclude)?.columns;
        let delta = expected_delta(&takes, Some(NO_SNAPSHOT), 0, &open.table);
        let plan = delivery.plan(&open.table, &delta).await?;
        let has_merge = open.connection.server().has_merge();
        lower::merge(&open.table, &delta, &plan, has_merge)
            .doing(|| format!("planning the merge into target table {}", open.table.name))?;
        let missing = open.creation.is_some();
        let (mut is_level, mut empty) = (true, true);
        if !missing {
            let line = Line::of(lake, lake.current_snapshot().map(|snapshot| snapshot.id));
            let state = delivery.state(&mut open, lake).await?;
            let merge = delivery.merge_digest(lake, &open.table).await;
            let situation = delivery.situation(&state, false, &line, merge.as_deref());
            is_level = situation.start() == Start::UpToDate;
            empty = state.empty;
        }
        let by = (&plan, &delta);
        let doubts = KeyDoubts::of(lake, &description, &takes, by, &open.table);
        let collisions = (doubts.may_collide() && stays).then(|| {
            let most_bytes = delivery.most_bytes;
            Collisions::new(delivery.target, &open.table, &plan, &takes, most_bytes)
        });
        Ok(Ahead {
            collisions,
            places: takes.iter().map(|taken| taken.ordinal as usize).collect(),
            doubts,
            keys_are_unique: keys_must_be_unique(lake, &description, &plan, &delta),
            connection: open.connection,
            table: open.table,
            delta,
            plan,
            is_level,
            empty,
            missing,
            lake: lake.clone(),
        })
    }

    /// Takes the rows, and asks once they are there. What could not be asked.
    ///
    /// # Errors
    /// What a delivery of them ends with.
    pub(crate) async fn hold(mut self, parts: Parts) -> Result<Vec<String>, SyncError> {
        let missing = self.missing;
        self.stage(parts).await.map_err(|error| match missing {
            true => by_hand(error),
            false => error,
        })
    }

    async fn stage(&mut self, Parts(mut parts): Parts) -> Result<Vec<String>, SyncError> {
        let loading = || format!("loading into target table {}", self.table.name);
        let mut part = parts.recv().await;
        while let Some(Part::Begun) = part {
            let begun = Loader::begin(&mut self.connection, &self.table, &self.delta.columns);
            let mut loader = begun.await.doing(loading)?;
            if let Some(collisions) = &mut self.collisions {
                collisions.begin();
            }
            loader.set_terms(Terms {
                keys_are_unique: self.keys_are_unique,
                found_empty: self.empty || !self.is_level,
                ..Terms::default()
            });
            part = parts.recv().await;
            while let Some(Part::Rows(batch)) = part {
                let batch = batch.project(&self.places).map_err(|error| {
                    SyncError::internal(format!("preparing rows of the source: {error}"))
                })?;
                let batch = batch_as_changes(&batch, &self.delta)?;
                self.doubts.note(&batch);
                if let Some(collisions) = &mut self.collisions {
                    collisions.note(&batch)?;
                }
                loader.stage(&batch).await.doing(loading)?;
                part = parts.recv().await;
            }
            if part.is_some() {
                loader.discard().await.doing(loading)?;
                continue;
            }
            let by = (&self.plan, &self.delta);
            let kept = self.doubts.keep_one_of_each(&mut loader, by).await;
            kept.doing(loading)?;
            let collision = self.doubts.collision(&mut loader, by).await;
            if let Some(collision) = collision.doing(loading)? {
                let told = self.doubts.told(&self.lake, &self.table, &self.plan);
                return Err(told.both(&collision));
            }
            let mut notes = Vec::new();
            if let Some(collisions) = &self.collisions {
                let found = collisions.find(&self.lake).await?;
                if let Some(key) = found.key {
                    let told = self.doubts.told(&self.lake, &self.table, &self.plan);
                    return Err(told.to_come(&key));
                }
                if !found.all {
                    notes.push(NOT_ALL_KEYS.to_owned());
                }
            }
            let rows = loader.rows();
            let asked = loader.rehearse(&self.plan, &self.delta).await;
            asked.doing(|| format!("merging into target table {}", self.table.name))?;
            if rows > 0 && !self.is_level {
                notes.push(NOT_LEVEL.to_owned());
            }
            return Ok(notes);
        }
        Ok(Vec::new())
    }
}
