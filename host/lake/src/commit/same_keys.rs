//! Keys of which only the server knows whether they are one.

use std::collections::{HashMap, HashSet};
use std::fmt;

use arrow_array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow_select::concat::concat;
use arrow_select::take::take;
use futures::future::BoxFuture;
use icehost_untrusted::quoted;

use crate::error::{LakeError, LakeErrorKind, Result};
use crate::keys::{Alike, KeyEncoder};
use crate::row_change::Matched;
use crate::staging::Staged;
use crate::staging::delta_keys::{Decision, DeltaKeys};

/// Most keys of a table that are asked about at once.
const MOST_ROWS: usize = 1_000_000;
/// Most memory that they take.
const MOST_BYTES: usize = 128 << 20;

/// Keys of a delta and keys of a table that may be one. Columns are those of the key, in its order; the delta's texts
/// come without trailing blanks, and in one case where that is certain not to count.
#[derive(Clone)]
pub struct KeyQuestion {
    /// The delta's keys.
    pub delta: Vec<ArrayRef>,
    /// The table's keys.
    pub table: Vec<ArrayRef>,
    /// Which entry of the delta each of its keys is.
    entries: Vec<u32>,
    /// The snapshot of the table's keys.
    snapshot: i64,
}

impl fmt::Debug for KeyQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = |columns: &[ArrayRef]| columns.first().map_or(0, |column| column.len());
        f.debug_struct("KeyQuestion")
            .field("delta", &rows(&self.delta))
            .field("table", &rows(&self.table))
            .finish_non_exhaustive()
    }
}

/// Someone who knows which keys are one.
pub trait SameKeys: Send {
    /// The pairs that are: rows of the question's delta and of its table, from 0.
    ///
    /// # Errors
    /// Nobody could be asked.
    fn same<'a>(&'a mut self, question: &'a KeyQuestion) -> BoxFuture<'a, Result<Vec<(u32, u32)>>>;
}

/// Nobody is there to be asked.
pub(super) struct Nobody;

impl SameKeys for Nobody {
    fn same<'a>(&'a mut self, question: &'a KeyQuestion) -> BoxFuture<'a, Result<Vec<(u32, u32)>>> {
        Box::pin(async move {
            let asked = shown(&question.delta, 0);
            let there = shown(&question.table, 0);
            Err(unknown(format!(
                "only the source's server knows whether the key {asked} is the same as {there}, and it cannot be asked"
            )))
        })
    }
}

/// What was answered, of one snapshot.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    snapshot: i64,
    /// By the encoding of a key of the table: the delta's entries that are one with it.
    entries: HashMap<Box<[u8]>, Vec<u32>>,
}

impl Answers {
    pub(super) fn new(
        staged: &Staged,
        question: &KeyQuestion,
        pairs: &[(u32, u32)],
    ) -> Result<Answers> {
        let mut answers = Answers {
            snapshot: question.snapshot,
            entries: HashMap::new(),
        };
        let Some((_, encoder)) = &staged.keys else {
            return Ok(answers);
        };
        let keys = encoder.encode(&question.table)?;
        let rows = question.table.first().map_or(0, |column| column.len());
        for &(delta, table) in pairs {
            let entry = question.entries.get(delta as usize);
            let (Some(&entry), true) = (entry, (table as usize) < rows) else {
                return Err(LakeError::internal(
                    "an answer is about keys that were not asked about",
                ));
            };
            let key = keys.bytes(table as usize).into();
            answers.entries.entry(key).or_default().push(entry);
        }
        Ok(answers)
    }

    /// The entries that are one with a key of the table; none where the answers are of another snapshot.
    pub(super) fn of(&self, snapshot: i64, key: &[u8]) -> &[u32] {
        match self.snapshot == snapshot {
            true => self.entries.get(key).map_or(&[], Vec::as_slice),
            false => &[],
        }
    }

    pub(super) fn are_of(&self, snapshot: i64) -> bool {
        self.snapshot == snapshot
    }
}

/// Collects the question while the table's keys are read a second time.
pub(super) struct Asking<'a> {
    keys: &'a DeltaKeys,
    encoder: &'a KeyEncoder,
    /// The delta's keys that the table does not have as they are spelled.
    unmatched: Vec<u32>,
    columns: Vec<ArrayRef>,
    alike: Alike,
    table: Vec<Vec<ArrayRef>>,
    seen: HashSet<Box<[u8]>>,
    bytes: usize,
}

impl<'a> Asking<'a> {
    /// `None` where nothing needs to be asked: every key was found, or no text is uncertain, or it makes no
    /// difference.
    ///
    /// `uncertain`: among the table's keys that were read and not found in the delta there is one.
    pub(super) fn new(
        staged: &'a Staged,
        (keys, encoder): (&'a DeltaKeys, &'a KeyEncoder),
        found: &[bool],
        uncertain: bool,
    ) -> Result<Option<Self>> {
        // Where all rows go that the delta does not have, so does one with the same key in another spelling.
        if staged.change.delete_unlisted && !keys.entries.iter().any(|e| keeps(e.decision)) {
            return Ok(None);
        }
        let mut unmatched = Vec::new();
        let mut spelled = Vec::new();
        let entries = keys.entries.iter().zip(found);
        let wanted: Vec<bool> = entries
            .map(|(entry, found)| !found && (uncertain || entry.uncertain))
            .collect();
        if !wanted.contains(&true) {
            return Ok(None);
        }
        for (key, entry) in keys.each() {
            if wanted.get(entry as usize).copied().unwrap_or(false) {
                unmatched.push(entry);
                spelled.push(key);
            }
        }
        let columns = encoder.decode(&spelled)?;
        let mut alike = Alike::default();
        let encoded = encoder.encode(&columns)?;
        alike.add(encoder, &columns, &encoded, 0..unmatched.len())?;
        Ok(Some(Asking {
            keys,
            encoder,
            unmatched,
            columns,
            alike,
            table: Vec::new(),
            seen: HashSet::new(),
            bytes: 0,
        }))
    }

    /// Takes a batch of keys of the table.
    ///
    /// # Errors
    /// More keys than are asked about.
    pub(super) fn see(&mut self, batch: &RecordBatch) -> Result<()> {
        let encoded = self.encoder.encode(batch.columns())?;
        let rows = batch.num_rows();
        let alike = self
            .alike
            .rows(self.encoder, batch.columns(), &encoded, rows)?;
        let mut picked = Vec::new();
        for (row, alike) in alike.into_iter().enumerate() {
            let key = encoded.bytes(row);
            if alike && self.keys.find(key).is_none() && self.seen.insert(key.into()) {
                self.bytes += key.len();
                picked.push(row as u64);
            }
        }
        if picked.is_empty() {
            return Ok(());
        }
        if self.seen.len() > MOST_ROWS || self.bytes > MOST_BYTES {
            return Err(unknown(format!(
                "only the source's server knows which of more than {} keys of the table is the same as the key {}, and that is more than it is asked about",
                self.seen.len() - 1,
                shown(&self.columns, 0)
            )));
        }
        let picked = UInt64Array::from(picked);
        let columns = batch.columns().iter();
        let columns = columns.map(|column| take(column, &picked, None));
        self.table.push(columns.collect::<Result<_, _>>()?);
        Ok(())
    }

    /// What is to be asked; `None` where no key of the table may be one of the delta's.
    pub(super) fn question(self, snapshot: i64) -> Result<Option<KeyQuestion>> {
        if self.table.is_empty() {
            return Ok(None);
        }
        let mut table = Vec::with_capacity(self.columns.len());
        for at in 0..self.columns.len() {
            let parts: Vec<&dyn Array> = self
                .table
                .iter()
                .filter_map(|columns| Some(columns.get(at)?.as_ref()))
                .collect();
            table.push(concat(&parts)?);
        }
        // Of the delta's keys those that may be one with any of these.
        let mut there = Alike::default();
        let encoded = self.encoder.encode(&table)?;
        let rows = table.first().map_or(0, |column| column.len());
        there.add(self.encoder, &table, &encoded, 0..rows)?;
        let encoded = self.encoder.encode(&self.columns)?;
        let alike = there.rows(self.encoder, &self.columns, &encoded, self.unmatched.len())?;
        let picked: Vec<u64> = (0u64..)
            .zip(alike)
            .filter_map(|(row, alike)| alike.then_some(row))
            .collect();
        let picked_entries = picked
            .iter()
            .filter_map(|&row| self.unmatched.get(row as usize).copied());
        let entries = picked_entries.collect();
        let picked = UInt64Array::from(picked);
        let delta = self.columns.iter();
        let delta = delta.map(|column| take(column, &picked, None));
        Ok(Some(KeyQuestion {
            delta: delta.collect::<Result<_, _>>()?,
            table,
            entries,
            snapshot,
        }))
    }
}

/// Whether a row of the table stays as it is where the delta has its key.
pub(super) fn keeps(decision: Decision) -> bool {
    decision.matched == Matched::Keep
}

fn unknown(message: String) -> LakeError {
    LakeError::new(LakeErrorKind::KeysUnknown, message).with_hint(
        "give the key column a binary collation at the source, choose another key (the merge's option keys), or \
         keep every row that is read (append-only)",
    )
}

/// A key in a message.
fn shown(columns: &[ArrayRef], row: usize) -> String {
    let parts: Vec<String> = columns
        .iter()
        .filter(|column| row < column.len())
        .map(|column| {
            let text = arrow_cast::display::array_value_to_string(column, row);
            quoted(&text.unwrap_or_default(), 100)
        })
        .collect();
    parts.join(", ")
}
