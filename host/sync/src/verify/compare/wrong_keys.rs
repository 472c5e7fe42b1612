//! What is wrong, delivered again: just those keys.
//!
//! The lake gets the source's rows as they were compared, in a commit that leaves the watermark where it is; the
//! target gets the lake's, in a merge under its position, which stays where it is.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int32Array, RecordBatch, new_null_array};
use arrow_schema::{ArrowError, Schema};
use arrow_select::filter::filter_record_batch;
use icehost_plan::{Action, Column, MergePlan, Occasion, Operation};

use crate::SyncError;
use crate::verify::compare::apart::Apart;
use crate::verify::compare::shape::{Hash, Hashed, Shape};

/// The keys whose rows are wrong; as many as there is memory for.
#[derive(Debug, Default)]
pub(crate) struct WrongKeys {
    groups: HashSet<Hash>,
    most: usize,
    /// Of spellings that may be of one key, those that are not.
    apart: Apart,
    /// What those of them have in common with others that are wrong.
    beside: HashSet<Hash>,
}

impl WrongKeys {
    /// Remembers at most so many.
    pub(crate) fn at_most(most: usize) -> WrongKeys {
        WrongKeys {
            groups: HashSet::new(),
            most,
            apart: Apart::default(),
            beside: HashSet::new(),
        }
    }

    /// Takes in which spellings are not of one key.
    pub(crate) fn put_apart(&mut self, apart: Apart) {
        let beside = apart.groups(|key| self.groups.contains(&key));
        self.beside.extend(beside);
        self.apart.extend(apart);
    }

    /// The key of a row.
    pub(crate) fn key(&self, hashed: &Hashed) -> Hash {
        self.apart.key(hashed)
    }

    pub(crate) fn add(&mut self, group: Hash) {
        if self.groups.len() < self.most {
            self.groups.insert(group);
        }
    }

    pub(crate) fn has_key(&self, key: Hash) -> bool {
        self.groups.contains(&key)
    }

    /// Whether a row's key is among them.
    pub(crate) fn has(&self, hashed: &Hashed) -> bool {
        self.groups.contains(&self.key(hashed))
    }

    /// How many are remembered.
    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The rows of a batch whose keys are among them, and not among `except`. `arrays` are what the rows are compared
    /// by.
    pub(crate) fn filter(
        &self,
        batch: &RecordBatch,
        shape: &Shape,
        arrays: &[ArrayRef],
        except: &HashSet<Hash>,
    ) -> Result<RecordBatch, SyncError> {
        let hashed = shape.hash(arrays).map_err(defect)?;
        let is_wrong = |key: &Hash| self.groups.contains(key) && !except.contains(key);
        let wrong = hashed.iter().map(|h| Some(is_wrong(&self.key(h))));
        let wrong: BooleanArray = wrong.collect();
        filter_record_batch(batch, &wrong).map_err(broken)
    }

    /// The rows of a batch whose keys are among them, and those whose keys another server may take for one of them.
    pub(crate) fn with_others(
        &self,
        batch: &RecordBatch,
        shape: &Shape,
        arrays: &[ArrayRef],
    ) -> Result<RecordBatch, SyncError> {
        let hashed = shape.hash(arrays).map_err(defect)?;
        let wanted = hashed
            .iter()
            .map(|h| Some(self.has(h) || self.beside.contains(&h.group)));
        let wanted: BooleanArray = wanted.collect();
        filter_record_batch(batch, &wanted).map_err(broken)
    }

    /// Those of them that rows of a batch have, each as often as there are rows.
    pub(crate) fn groups(
        &self,
        shape: &Shape,
        arrays: &[ArrayRef],
    ) -> Result<Vec<Hash>, SyncError> {
        let hashed = shape.hash(arrays).map_err(defect)?;
        let groups = hashed.iter().map(|hashed| self.key(hashed));
        let wrong = groups.filter(|group| self.groups.contains(group));
        Ok(wrong.collect())
    }

    /// Adds those of them that stand in a batch.
    pub(crate) fn seen(
        &self,
        shape: &Shape,
        arrays: &[ArrayRef],
        seen: &mut HashSet<Hash>,
    ) -> Result<(), SyncError> {
        seen.extend(self.groups(shape, arrays)?);
        Ok(())
    }
}

/// Refuses a merge that cannot deliver a row again without harm.
pub(crate) fn check_repairable(plan: &MergePlan, what: &str) -> Result<(), SyncError> {
    let history = plan
        .clauses
        .iter()
        .any(|clause| matches!(clause.action, Action::Supersede(_)));
    let complete = plan.clauses.iter().any(|clause| {
        clause.occasion == Occasion::NotMatchedBySource && clause.action != Action::Skip
    });
    let by_hand = "the report of `icehost verify` without --repair names the rows; put them right by hand, or load into an empty table";
    let (why, hint) = if plan.keys.is_empty() {
        ("its merge adds every row that is delivered", by_hand)
    } else if history {
        (
            "its merge would make a version of every row that is delivered",
            "`icehost load --full` makes the current version of each row what it should be, under the time of the run; what \
             else the report names, put right by hand",
        )
    } else if complete {
        (
            "its merge takes out the rows that are not delivered",
            by_hand,
        )
    } else {
        return Ok(());
    };
    Err(SyncError::settings(
        format!("{what} cannot be repaired: {why}"),
        hint,
    ))
}

/// Rows of a delta with their operation: the columns by name, NULL where there is none.
pub(crate) fn delta_rows(
    columns: &[Column],
    rows: &RecordBatch,
    operation: Operation,
) -> Result<RecordBatch, SyncError> {
    let mut fields = Vec::with_capacity(columns.len());
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
    let (last, columns) = match columns.split_last() {
        Some(split) => split,
        None => return Err(defect("a delta without columns".to_owned())),
    };
    for column in columns {
        let wanted = column.arrow_field();
        let array = match rows.column_by_name(&column.name) {
            Some(array) => Arc::clone(array),
            None => new_null_array(wanted.data_type(), rows.num_rows()),
        };
        fields.push(
            wanted
                .with_data_type(array.data_type().clone())
                .with_nullable(true),
        );
        arrays.push(array);
    }
    fields.push(last.arrow_field());
    arrays.push(Arc::new(Int32Array::from_value(
        operation as i32,
        rows.num_rows(),
    )));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(broken)
}

pub(crate) fn broken(error: ArrowError) -> SyncError {
    defect(error.to_string())
}

fn defect(why: String) -> SyncError {
    SyncError::internal(why)
}
