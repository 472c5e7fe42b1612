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
    /// In ascending order, but for those that were added since they were [sorted](WrongKeys::sort).
    groups: Vec<Hash>,
    most: usize,
    /// Of spellings that may be of one key, those that are not.
    apart: Apart,
    /// What those of them have in common with others that are wrong.
    beside: HashSet<Hash>,
}

/// Which of the wrong keys were seen, a bit for each.
#[derive(Debug)]
pub(crate) struct Seen(Vec<u64>);

impl Seen {
    /// Adds one; false where it was there.
    pub(crate) fn add(&mut self, place: usize) -> bool {
        let bit = 1 << (place % 64);
        let Some(bits) = self.0.get_mut(place / 64) else {
            return false;
        };
        let new = *bits & bit == 0;
        *bits |= bit;
        new
    }

    fn has(&self, place: usize) -> bool {
        let bits = self.0.get(place / 64).copied().unwrap_or(0);
        bits & (1 << (place % 64)) != 0
    }
}

impl WrongKeys {
    /// What each takes, in bytes.
    pub(crate) const EACH: usize = size_of::<Hash>();

    /// Remembers at most so many.
    pub(crate) fn at_most(most: usize) -> WrongKeys {
        WrongKeys {
            groups: Vec::new(),
            most,
            apart: Apart::default(),
            beside: HashSet::new(),
        }
    }

    /// Takes in which spellings are not of one key.
    pub(crate) fn put_apart(&mut self, apart: Apart) {
        let beside = apart.groups(|key| self.has_key(key));
        self.beside.extend(beside);
        self.apart.extend(apart);
    }

    /// The key of a row.
    pub(crate) fn key(&self, hashed: &Hashed) -> Hash {
        self.apart.key(hashed)
    }

    /// Adds a key. Those that are added have to be sorted before they are looked for.
    pub(crate) fn add(&mut self, group: Hash) {
        if self.groups.len() < self.most && self.groups.last() != Some(&group) {
            self.groups.push(group);
        }
    }

    /// Sorts what was added.
    pub(crate) fn sort(&mut self) {
        self.groups.sort_unstable();
        self.groups.dedup();
    }

    pub(crate) fn has_key(&self, key: Hash) -> bool {
        self.place(key).is_some()
    }

    fn place(&self, key: Hash) -> Option<usize> {
        self.groups.binary_search(&key).ok()
    }

    /// Whether a row's key is among them.
    pub(crate) fn has(&self, hashed: &Hashed) -> bool {
        self.has_key(self.key(hashed))
    }

    /// None of them, to begin with.
    pub(crate) fn none_seen(&self) -> Seen {
        Seen(vec![0; self.groups.len().div_ceil(64)])
    }

    /// How many are remembered.
    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The rows of a batch whose keys are among them, and not among `except`, where there are such. `arrays` are what the rows are compared
    /// by.
    pub(crate) fn filter(
        &self,
        batch: &RecordBatch,
        shape: &Shape,
        arrays: &[ArrayRef],
        except: Option<&Seen>,
    ) -> Result<RecordBatch, SyncError> {
        let hashed = shape.hash(arrays).map_err(defect)?;
        let is_wrong = |key: Hash| {
            let place = self.place(key);
            place.is_some_and(|place| except.is_none_or(|except| !except.has(place)))
        };
        let wrong = hashed.iter().map(|h| Some(is_wrong(self.key(h))));
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

    /// The places of those of them that rows of a batch have, each as often as there are rows.
    pub(crate) fn places(
        &self,
        shape: &Shape,
        arrays: &[ArrayRef],
    ) -> Result<Vec<usize>, SyncError> {
        let hashed = shape.hash(arrays).map_err(defect)?;
        let places = hashed.iter().map(|hashed| self.place(self.key(hashed)));
        Ok(places.flatten().collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_whatever_the_order_in_which_they_came() {
        let mut wrong = WrongKeys::at_most(5);
        for key in [7, 7, 9, 3, 1 << 100, 8, 2] {
            wrong.add(key);
        }
        wrong.sort();
        assert_eq!(wrong.len(), 5);
        let found: Vec<bool> = [7, 9, 3, 1 << 100, 8, 2, 0]
            .into_iter()
            .map(|key| wrong.has_key(key))
            .collect();
        assert_eq!(found, [true, true, true, true, true, false, false]);
        let mut seen = wrong.none_seen();
        let place = wrong.place(9);
        assert_eq!(place.map(|place| seen.has(place)), Some(false));
        assert_eq!(place.map(|place| seen.add(place)), Some(true));
        assert_eq!(place.map(|place| seen.add(place)), Some(false));
        assert_eq!(place.map(|place| seen.has(place)), Some(true));
        assert_eq!(wrong.place(8).map(|place| seen.has(place)), Some(false));
    }

    #[test]
    fn many_keys_have_a_bit_each() {
        let mut wrong = WrongKeys::at_most(1000);
        (0..1000).rev().for_each(|key| wrong.add(key));
        wrong.sort();
        let mut seen = wrong.none_seen();
        let odd = (0..1000).filter(|key| key % 2 == 1);
        assert!(odd.clone().all(|place| seen.add(place)));
        assert!(!odd.clone().any(|place| seen.add(place)));
        assert_eq!((0..1000).filter(|place| seen.has(*place)).count(), 500);
    }
}
