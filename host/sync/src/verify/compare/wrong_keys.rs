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
use crate::verify::compare::shape::{Hash, Shape};

/// The keys whose rows are wrong; as many as there is memory for.
#[derive(Debug, Default)]
pub(crate) struct WrongKeys {
    groups: HashSet<Hash>,
    most: usize,
}

impl WrongKeys {
    /// Remembers at most so many.
    pub(crate) fn at_most(most: usize) -> WrongKeys {
        WrongKeys {
            groups: HashSet::new(),
            most,
        }
    }

    pub(crate) fn add(&mut self, group: Hash) {
        if self.groups.len() < self.most {
            self.groups.insert(group);
        }
    }

    /// Whether a key is among them.
    pub(crate) fn has(&self, group: Hash) -> bool {
        self.groups.contains(&group)
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
        let is_wrong = |group: &Hash| self.groups.contains(group) && !except.contains(group);
        let wrong: BooleanArray = hashed.iter().map(|h| Some(is_wrong(&h.group))).collect();
        filter_record_batch(batch, &wrong).map_err(broken)
    }

    /// Those of them that rows of a batch have, each as often as there are rows.
    pub(crate) fn groups(
        &self,
        shape: &Shape,
        arrays: &[ArrayRef],
    ) -> Result<Vec<Hash>, SyncError> {
        let hashed = shape.hash(arrays).map_err(defect)?;
        let groups = hashed.into_iter().map(|hashed| hashed.group);
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
    SyncError::schema(why, "please report this as a defect")
}
