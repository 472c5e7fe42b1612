//! What a staged delta means for the table as a commit finds it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use arrow_array::RecordBatch;
use arrow_select::filter::filter_record_batch;
use iceberg::spec::DataFile;
use roaring::RoaringTreemap;

use crate::commit::same_keys::{Asking, KeyQuestion};
use crate::commit::{Stopping, check_asked, spilled};
use crate::error::{LakeError, LakeErrorKind, Result};
use crate::keys::KeyEncoder;
use crate::read::data_file::Pick;
use crate::read::deletes::Deletes;
use crate::read::live_files::{LiveFile, TableFiles};
use crate::schema::LakeColumn;
use crate::staging::Staged;
use crate::staging::delta_keys::{DeltaKeys, StagedRow, StagedRows};
use crate::staging::key_bounds::KeyBounds;
use crate::staging::key_set::{KeySet, Keys};
use crate::table::LakeTable;

/// Rows in a batch of keys.
const BATCH_ROWS: usize = 8192;

/// Positions by data file, in the order that position delete files want.
pub(crate) type Positions = BTreeMap<String, RoaringTreemap>;

/// The rows that a commit adds and takes out.
#[derive(Debug, Default)]
pub(crate) struct Effect {
    /// The staged files that hold at least one row that counts.
    pub(crate) data: Vec<DataFile>,
    /// Position deletes, of earlier snapshots' files and of the staged ones.
    pub(crate) deletes: Positions,
    /// Rows in `data`, less those that are deleted at once.
    pub(crate) rows_appended: u64,
    /// Rows of earlier snapshots that are deleted.
    pub(crate) rows_removed: u64,
    /// Those of them that go for no other reason than that the delta does not have them.
    pub(crate) absent: Absent,
}

/// Rows of the table that a complete delta does not have, and that go for no other reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Absent {
    /// Rows that would go.
    pub rows: u64,
    /// The table's live rows, those among them.
    pub of: u64,
}

impl Effect {
    pub(crate) fn is_empty(&self) -> bool {
        self.data.is_empty() && self.deletes.is_empty()
    }

    /// Settles a staged delta against the table's rows, or says what has to be asked before.
    pub(crate) fn of(
        staged: &Staged,
        base: &LakeTable,
        stopping: Option<&dyn Stopping>,
    ) -> Result<ControlFlow<Box<KeyQuestion>, Effect>> {
        let mut effect = Effect::default();
        let (removed, superseded, absent) = match &staged.keys {
            None if !staged.change.keys.is_empty()
                && !staged.vouched
                && base.current_snapshot().is_some() =>
            {
                return Err(LakeError::new(
                    LakeErrorKind::Conflict,
                    format!(
                        "lake table {} was empty when the rows were staged, and no longer is",
                        base.display
                    ),
                )
                .with_hint("run again: the rows are then matched by their keys"));
            }
            None => (Positions::new(), StagedRows::default(), Absent::default()),
            Some((keys, encoder)) => match settle(staged, keys, encoder, base, stopping)? {
                ControlFlow::Break(question) => return Ok(ControlFlow::Break(question)),
                ControlFlow::Continue(settled) => settled,
            },
        };
        effect.rows_removed = removed.values().map(RoaringTreemap::len).sum();
        effect.deletes = removed;
        effect.absent = absent;
        effect.add_staged(&staged.data_files, &superseded);
        Ok(ControlFlow::Continue(effect))
    }

    fn add_staged(&mut self, files: &[DataFile], superseded: &StagedRows) {
        for (index, file) in (0u32..).zip(files) {
            let gone = superseded.of(index).cloned().unwrap_or_default();
            if gone.len() == file.record_count() {
                continue;
            }
            self.rows_appended += file.record_count() - gone.len();
            if !gone.is_empty() {
                self.deletes.insert(file.file_path().to_owned(), gone);
            }
            self.data.push(file.clone());
        }
    }
}

/// The table's rows that go, the staged rows that do not count, and how many of the former are only absent.
pub(super) type Settled = (Positions, StagedRows, Absent);

/// The files of the table that may have rows with keys of the delta, and how they are read.
pub(super) struct Candidates<'a> {
    pub(super) keys: &'a KeySet,
    base: &'a LakeTable,
    stopping: Option<&'a dyn Stopping>,
    pub(super) snapshot: i64,
    files: TableFiles,
    pub(super) data: Vec<LiveFile>,
    deletes: Deletes,
    columns: Vec<LakeColumn>,
    /// Whether rows go whose key is not in the delta, so that each is read.
    pub(super) everything: bool,
}

impl<'a> Candidates<'a> {
    /// `None` where there is nothing to be read.
    fn of(
        staged: &'a Staged,
        keys: &'a KeySet,
        base: &'a LakeTable,
        stopping: Option<&'a dyn Stopping>,
    ) -> Result<Option<Candidates<'a>>> {
        let everything = staged.change.delete_unlisted;
        let none = matches!(&keys.keys, Keys::Held(held) if held.entries.is_empty());
        let (Some(snapshot), false) = (base.metadata.current_snapshot_id(), none && !everything)
        else {
            return Ok(None);
        };
        let files = TableFiles::new(base);
        let live = files.live_files(snapshot)?;
        let of = live.data.len();
        let candidates = live.data.into_iter();
        let data: Vec<LiveFile> = candidates
            .filter(|file| everything || keys.bounds.may_be_in(file.file()))
            .collect();
        tracing::debug!(
            table = %base.display,
            of,
            read = data.len(),
            "match keys against data files"
        );
        let wanted: HashSet<&str> = data.iter().map(|file| file.path()).collect();
        let deletes = Deletes::load(&files, &live.deletes, Some(&wanted))?;
        let ordinals: Vec<u32> = staged.change.keys.iter().map(|key| key.target).collect();
        Ok(Some(Candidates {
            keys,
            base,
            stopping,
            snapshot,
            columns: base.select(Some(&ordinals))?,
            files,
            deletes,
            data,
            everything,
        }))
    }

    /// Reads the keys of a file's rows that may be among the delta's, with their positions; of all rows, where
    /// `everything` is asked for.
    pub(super) fn read(
        &self,
        file: &LiveFile,
        everything: bool,
        take: &mut dyn FnMut(RecordBatch, &[u64]) -> Result<()>,
    ) -> Result<()> {
        let sink = &mut |batch: RecordBatch, positions: &[u64]| {
            check_asked(self.stopping, self.base)?;
            let (batch, positions) = near(&self.keys.bounds, self.everything, batch, positions)?;
            take(batch, &positions)?;
            Ok(ControlFlow::Continue(()))
        };
        let gone = self.deletes.positions(file);
        let pick = match everything {
            true => Pick::Except(gone),
            false => Pick::Near(&self.keys.bounds, gone),
        };
        let (files, columns) = (&self.files, &self.columns);
        let _all_read = self
            .deletes
            .read_picked(files, file, columns, &pick, BATCH_ROWS, sink)?;
        Ok(())
    }
}

fn settle(
    staged: &Staged,
    keys: &KeySet,
    encoder: &KeyEncoder,
    base: &LakeTable,
    stopping: Option<&dyn Stopping>,
) -> Result<ControlFlow<Box<KeyQuestion>, Settled>> {
    let candidates = Candidates::of(staged, keys, base, stopping)?;
    match &keys.keys {
        Keys::Held(held) => settle_held(staged, held, encoder, candidates.as_ref()),
        Keys::Spilled(spilled) => {
            spilled::settle(spilled, encoder, candidates.as_ref()).map(ControlFlow::Continue)
        }
    }
}

fn settle_held(
    staged: &Staged,
    keys: &DeltaKeys,
    encoder: &KeyEncoder,
    candidates: Option<&Candidates<'_>>,
) -> Result<ControlFlow<Box<KeyQuestion>, Settled>> {
    let mut absent = Absent::default();
    let mut found = vec![false; keys.entries.len()];
    let mut removed = Positions::new();
    if let Some(candidates) = candidates {
        let (snapshot, everything) = (candidates.snapshot, candidates.everything);
        let mut uncertain = false;
        for file in &candidates.data {
            let mut gone = RoaringTreemap::new();
            candidates.read(file, everything, &mut |batch, positions| {
                let encoded = encoder.encode(batch.columns())?;
                absent.of += positions.len() as u64;
                for (row, &position) in positions.iter().enumerate() {
                    let key = encoded.bytes(row);
                    let native = match encoded.is_null(row) {
                        true => None,
                        false => keys.find(key).map(|entry| entry as u32),
                    };
                    // What is spelled otherwise, the server was asked about.
                    let asked = match (native, &staged.answers) {
                        (None, Some(answers)) => answers.of(snapshot, key),
                        _ => &[],
                    };
                    uncertain |= native.is_none() && encoded.is_uncertain(row);
                    let mut goes = everything && native.is_none() && asked.is_empty();
                    absent.rows += u64::from(goes);
                    for &entry in native.iter().chain(asked) {
                        if let Some(found) = found.get_mut(entry as usize) {
                            *found = true;
                        }
                        let entry = keys.entries.get(entry as usize);
                        goes |= entry.is_some_and(|entry| entry.decision.removes());
                    }
                    if goes {
                        gone.insert(position);
                    }
                }
                Ok(())
            })?;
            if !gone.is_empty() {
                removed.insert(file.path().to_owned(), gone);
            }
        }
        let answered = staged.answers.as_ref();
        let answered = answered.is_some_and(|answers| answers.are_of(snapshot));
        let asking = match answered {
            true => None,
            false => Asking::new(staged, (keys, encoder), &found, uncertain)?,
        };
        if let Some(mut asking) = asking {
            for file in &candidates.data {
                candidates.read(file, false, &mut |batch, _| asking.see(&batch))?;
            }
            if let Some(question) = asking.question(snapshot)? {
                return Ok(ControlFlow::Break(Box::new(question)));
            }
        }
    }
    let mut superseded = keys.superseded.clone();
    superseded.extend(uncounted(keys, &found));
    // Unless the whole table was read, what was read of it says nothing.
    let absent = match staged.change.delete_unlisted {
        true => absent,
        false => Absent::default(),
    };
    Ok(ControlFlow::Continue((removed, superseded, absent)))
}

/// Staged rows that do not count, by whether the table has their key.
pub(super) fn uncounted<'a>(
    keys: &'a DeltaKeys,
    found: &'a [bool],
) -> impl Iterator<Item = StagedRow> {
    let entries = keys.entries.iter().zip(found);
    entries.filter_map(|(entry, found)| match entry.decision.writes(*found) {
        true => None,
        false => entry.row,
    })
}

/// Of the rows that were read, those that may have a key of the delta: few, and the others are not worth encoding.
fn near<'a>(
    bounds: &KeyBounds,
    everything: bool,
    batch: RecordBatch,
    positions: &'a [u64],
) -> Result<(RecordBatch, Cow<'a, [u64]>)> {
    let among = match everything {
        true => None,
        false => bounds.among(batch.columns()),
    };
    let Some(among) = among else {
        return Ok((batch, Cow::Borrowed(positions)));
    };
    let picked = among.values().set_indices();
    let picked = picked.filter_map(|row| positions.get(row).copied());
    let picked = picked.collect();
    Ok((filter_record_batch(&batch, &among)?, Cow::Owned(picked)))
}
