//! Rows that a lake table does not have any more, of a target into which others are delivered, too.
//!
//! Whose a row of such a target is, nobody can tell by looking at it: one that has moved from one source to another was
//! brought by the one lake table and would be taken out by the other. So the keys that go are looked for in the other lake
//! tables, at the snapshots that they have delivered, and a row stays whose key one of them has. Where a lake table
//! cannot be looked into, nothing is taken out.

use std::collections::HashSet;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_row::{RowConverter, SortField};
use arrow_schema::ArrowError;
use arrow_select::filter::filter_record_batch;
use icehost_lake::{Having, KeyFold, LakeTable, Warehouse};
use icehost_plan::{Delta, KeyPair, Operation};
use icehost_sqlserver::{KnownPosition, SqlTable};
use uuid::Uuid;

use crate::delivery::asked_keys::AskTarget;
use crate::delivery::landing::{Landing, listed};
use crate::delivery::start::NO_SNAPSHOT;
use crate::error::Doing;
use crate::rows::operations::operations;
use crate::{SyncError, Target};

/// The keys of deletions, in the columns of the merge's key.
#[derive(Debug, Default)]
pub(crate) struct GoneKeys {
    batches: Vec<Vec<ArrayRef>>,
    bytes: usize,
}

impl GoneKeys {
    /// Takes those of a batch. `key` are the columns of the key.
    ///
    /// # Errors
    /// More of them than so many bytes hold.
    pub(crate) fn add(
        &mut self,
        batch: &RecordBatch,
        delta: &Delta,
        key: &[usize],
        most_bytes: usize,
    ) -> Result<(), SyncError> {
        let Some(operations) = operations(batch, delta) else {
            return Ok(());
        };
        let gone = operations
            .iter()
            .map(|op| Some(op == Some(Operation::Delete as i32)));
        let gone: BooleanArray = gone.collect();
        if gone.true_count() == 0 {
            return Ok(());
        }
        let keys = batch.project(key).map_err(broken)?;
        let keys = filter_record_batch(&keys, &gone).map_err(broken)?;
        self.bytes += keys.get_array_memory_size();
        if self.bytes > most_bytes {
            return Err(SyncError::settings(
                format!(
                    "more keys are gone than there is memory for, and they are to be looked for in other lake tables: \
                     they take {} MiB and more",
                    most_bytes >> 20
                ),
                "give the run more with --memory-limit, or say with --keys-never-move that no key is in several lake tables",
            ));
        }
        self.batches.push(keys.columns().to_vec());
        Ok(())
    }

    /// All of them, column by column.
    pub(crate) fn columns(&self) -> Result<Vec<ArrayRef>, SyncError> {
        let columns = self.batches.first().map_or(0, Vec::len);
        let column = |at: usize| {
            let parts: Vec<&dyn Array> = self
                .batches
                .iter()
                .filter_map(|batch| batch.get(at).map(AsRef::as_ref))
                .collect();
            arrow_select::concat::concat(&parts).map_err(broken)
        };
        (0..columns).map(column).collect()
    }
}

/// Deletions that are not made.
#[derive(Debug)]
pub(crate) struct Withheld {
    converter: RowConverter,
    keys: HashSet<Box<[u8]>>,
    columns: Vec<usize>,
    /// The lake tables that have the keys.
    pub(crate) had_by: Vec<String>,
}

impl Withheld {
    fn new(
        keys: &[ArrayRef],
        stay: &[bool],
        columns: Vec<usize>,
        had_by: Vec<String>,
    ) -> Result<Withheld, SyncError> {
        let fields = keys
            .iter()
            .map(|key| SortField::new(key.data_type().clone()));
        let converter = RowConverter::new(fields.collect()).map_err(broken)?;
        let rows = converter.convert_columns(keys).map_err(broken)?;
        let keys = rows.iter().zip(stay).filter(|(_, stays)| **stays);
        Ok(Withheld {
            keys: keys.map(|(row, _)| row.data().into()).collect(),
            converter,
            columns,
            had_by,
        })
    }

    /// The batch without the deletions of these keys.
    pub(crate) fn take_out(
        &self,
        batch: &RecordBatch,
        delta: &Delta,
    ) -> Result<RecordBatch, SyncError> {
        let Some(operations) = operations(batch, delta) else {
            return Ok(batch.clone());
        };
        let keys = batch.project(&self.columns).map_err(broken)?;
        let keys = self
            .converter
            .convert_columns(keys.columns())
            .map_err(broken)?;
        let kept: BooleanArray = keys
            .iter()
            .zip(operations)
            .map(|(key, operation)| {
                let gone = operation == Some(Operation::Delete as i32);
                Some(!(gone && self.keys.contains(key.data())))
            })
            .collect();
        filter_record_batch(batch, &kept).map_err(broken)
    }

    /// What the user should know.
    pub(crate) fn told(&self, lake_table: &str, target: &SqlTable) -> String {
        let many = self.had_by.len() != 1;
        format!(
            "rows that lake table {lake_table} no longer has stay in target table {} ({}), since {} {} rows of the same keys, \
             and {} delivered into it, too; where they are not as they are there, `icehost load --full` of it brings them",
            target.name,
            self.keys.len(),
            listed(&self.had_by),
            if many { "have" } else { "has" },
            if many { "are" } else { "is" },
        )
    }
}

/// The other lake tables, and how their keys compare.
#[derive(Debug, Clone)]
pub(crate) struct Elsewhere {
    /// The columns of the merge's key, by name.
    names: Vec<String>,
    /// Where they stand in the delta.
    pub(crate) key: Vec<usize>,
    fold: KeyFold,
    /// Who knows which keys are one.
    ask: AskTarget,
    lake_table: String,
    target: String,
    /// As they were when the delivery began.
    others: Vec<KnownPosition>,
    /// Positions of the target that were known then, and the runs that had written them.
    known: HashSet<(Uuid, String)>,
    lake_uuid: Uuid,
}

impl Elsewhere {
    /// `others` are those that are delivered into this very table, among `all` that are known under its name.
    pub(crate) fn new(
        lake: &LakeTable,
        (to, target): (&Target, &SqlTable),
        Landing { plan, delta, .. }: &Landing,
        others: &[&KnownPosition],
        all: &[KnownPosition],
    ) -> Elsewhere {
        let collation = |key: &KeyPair| {
            let column = target.table.columns.get(key.target as usize)?;
            column.collation.clone()
        };
        let name = |key: &KeyPair| Some(delta.columns.get(key.source as usize)?.name.clone());
        Elsewhere {
            names: plan.keys.iter().filter_map(name).collect(),
            key: plan.keys.iter().map(|key| key.source as usize).collect(),
            fold: KeyFold::new(plan.keys.iter().map(collation)),
            ask: AskTarget::new(to, target, plan),
            lake_table: lake.name().to_owned(),
            target: target.name.to_string(),
            others: others.iter().map(|other| (*other).clone()).collect(),
            known: all
                .iter()
                .map(|known| (known.lake_uuid, known.run_id.clone()))
                .collect(),
            lake_uuid: lake.uuid(),
        }
    }

    /// Looks for keys that are gone. `None` where no other lake table has one.
    ///
    /// # Errors
    /// [`SyncError::Position`] where one cannot be looked into.
    pub(crate) async fn look(&self, keys: &[ArrayRef]) -> Result<Option<Withheld>, SyncError> {
        let rows = keys.first().map_or(0, |column| column.len());
        let mut stay = vec![false; rows];
        let mut had_by = Vec::new();
        for other in &self.others {
            let found = self.look_into(other, keys).await;
            let found = found.map_err(|why| self.blind(other, rows, &why))?;
            let have = self
                .ask
                .settle(found)
                .await
                .doing(|| format!("asking target table {} which keys are one", self.target))?;
            if have.contains(&true) {
                had_by.push(self.named(other));
            }
            for (stay, has) in stay.iter_mut().zip(have) {
                *stay |= has;
            }
        }
        match had_by.is_empty() {
            true => Ok(None),
            false => Withheld::new(keys, &stay, self.key.clone(), had_by).map(Some),
        }
    }

    /// Whether the keys but those that are withheld are still in no other lake table, of which these are the positions
    /// now.
    pub(crate) async fn still_gone(&self, keys: &[ArrayRef], now: &[KnownPosition]) -> bool {
        let moved = |other: &&KnownPosition| {
            let known = (other.lake_uuid, other.run_id.clone());
            other.lake_uuid != self.lake_uuid && !self.known.contains(&known)
        };
        for other in now.iter().filter(moved) {
            match self.look_into(other, keys).await {
                Ok(found) => match self.ask.settle(found).await {
                    Ok(have) if !have.contains(&true) => {}
                    _ => return false,
                },
                Err(_) => return false,
            }
        }
        true
    }

    /// Which of the keys a lake table has, or why that cannot be told.
    async fn look_into(&self, other: &KnownPosition, keys: &[ArrayRef]) -> Result<Having, String> {
        let rows = keys.first().map_or(0, |column| column.len());
        let has_none = || Having {
            have: vec![false; rows],
            doubtful: None,
        };
        if other.snapshot_id == NO_SNAPSHOT {
            return Ok(has_none());
        }
        let location = other.lake_location.as_deref();
        let location = location.ok_or("where it lies is not known")?;
        let lake = Warehouse::open_place(location).await;
        let lake = lake
            .map_err(|error| error.to_string())?
            .ok_or_else(|| format!("it lies on another machine, at {location}"))?;
        if lake.uuid() != other.lake_uuid {
            return Err(format!("another lake table lies at {location} now"));
        }
        let at = match (lake.snapshot(other.snapshot_id), lake.current_snapshot()) {
            (Ok(delivered), _) => delivered.id,
            (Err(_), Some(current)) => current.id,
            (Err(_), None) => return Ok(has_none()),
        };
        let description = lake.describe().map_err(|error| error.to_string())?;
        let ordinal = |name: &String| {
            let mut columns = description.columns.iter();
            let at = columns.position(|c| c.name.to_lowercase() == name.to_lowercase());
            at.map(|at| at as u32)
                .ok_or_else(|| format!("it has no column '{name}'"))
        };
        let ordinals: Vec<u32> = self.names.iter().map(ordinal).collect::<Result<_, _>>()?;
        let have = lake
            .have(at, &ordinals, keys.to_vec(), self.fold.clone())
            .await;
        have.map_err(|error| error.to_string())
    }

    /// What another lake table is called: two may have one name, in warehouses of their own.
    fn named(&self, other: &KnownPosition) -> String {
        match &other.lake_location {
            Some(location) if other.lake_table == self.lake_table => {
                format!("{} at {location}", other.lake_table)
            }
            _ => other.lake_table.clone(),
        }
    }

    fn blind(&self, other: &KnownPosition, rows: usize, why: &str) -> SyncError {
        let Elsewhere {
            lake_table, target, ..
        } = self;
        SyncError::position(
            format!(
                "rows that lake table {lake_table} no longer has would go from target table {target} ({rows}), into which {} is \
                 delivered, too, and whether that has rows of the same keys cannot be told: {why}",
                self.named(other)
            ),
            "say with --keys-never-move that no key is ever in several of the lake tables that are delivered into the target; \
             where the other one is gone, delete its row from dbo.icehost_positions",
        )
    }
}

/// Refuses to look for keys in more lake tables than are known.
pub(crate) fn too_many(target: &SqlTable) -> SyncError {
    SyncError::position(
        format!(
            "more lake tables are delivered into target table {} than keys that go from it can be looked for in",
            target.name
        ),
        "say with --keys-never-move that no key is ever in several of them",
    )
}

fn broken(error: ArrowError) -> SyncError {
    SyncError::schema(
        format!("looking for keys that are gone: {error}"),
        "please report this as a defect",
    )
}
