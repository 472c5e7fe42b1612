//! From rows that came and went to inserts, updates and deletes.
//!
//! A key is gone when no row of the later snapshot has it. That is no matter of what went: one of several copies of
//! a row may have gone, or an old version of it, and the reader's copy may be of either. So the keys of rows that
//! went are looked for among all rows that are there; where one is found, its row is delivered instead of a delete.
//! Of several, all are, in the order of their commits, as a full read delivers them.
//!
//! Which keys are one is the reader's notion, a SQL Server's. Where only that server knows, both are delivered, the
//! delete first: whoever lets a row that is there win over one that went, for each key, has it right.
//!
//! Rows that may be gone are remembered by hashes of their key and of their whole image.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_row::{RowConverter, SortField};
use arrow_select::filter::filter_record_batch;
use icehost_plan::Operation;
use roaring::RoaringTreemap;

use crate::changes::ChangePlan;
use crate::changes::difference::FileChange;
use crate::changes::emit::Emit;
use crate::changes::hasher::{Hash, Hasher};
use crate::changes::sought::{Found, Sought};
use crate::error::Result;
use crate::failpoint::stands;
use crate::keys::KeyEncoder;
use crate::read::data_file::Pick;
use crate::read::live_files::LiveFile;
use crate::read::stream::Output;
use crate::versions::{self, Authors, Versions};

/// Reads the changes of a plan.
pub(crate) fn produce(plan: &ChangePlan, output: &Output) -> Result<()> {
    let emit = Emit::new(plan, output);
    if plan.stats().has_removals || plan.with_others {
        Net::new(plan)?.produce(&emit)
    } else {
        if stands("lake::guard-newest") {
            versions::look(plan)?;
        }
        let _flow = each_batch(plan, false, &mut |_, batch| {
            emit.all(batch, Operation::Insert)
        })?;
        Ok(())
    }
}

/// Reads the rows that are gone, or else those that are new, with the file that they are in.
fn each_batch(
    plan: &ChangePlan,
    removed: bool,
    sink: &mut dyn FnMut(&FileChange, RecordBatch) -> Result<ControlFlow<()>>,
) -> Result<ControlFlow<()>> {
    for change in plan
        .changes
        .iter()
        .filter(|change| change.removes() == removed)
    {
        let flow = change.read(
            &plan.files,
            &plan.before,
            &plan.after,
            &plan.columns,
            plan.batch_rows,
            &mut |batch, _| sink(change, batch),
        )?;
        if flow.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// How often an image is among the rows that went.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    /// Altogether; counted down while the new rows are read the second time.
    all: u32,
    /// Less those that came again; counted down while the rows that went are read the second time.
    gone: u32,
    /// As `gone`, for the third time.
    left: u32,
}

type Counts = HashMap<Hash, Count>;

/// The keys of rows that are not as they were.
#[derive(Debug, Default)]
struct Touched {
    /// New rows have them.
    new: HashSet<Hash>,
    /// Both new rows and rows that went.
    changed: HashSet<Hash>,
    /// A row that went has no key: nothing else can be known of it.
    keyless: bool,
}

struct Net<'a> {
    plan: &'a ChangePlan,
    hasher: Hasher,
    images: RowConverter,
    keys: Option<KeyEncoder>,
}

impl<'a> Net<'a> {
    fn new(plan: &'a ChangePlan) -> Result<Self> {
        let kinds = plan.columns.iter().map(|column| column.lake_type);
        let images = kinds.map(|kind| SortField::new(kind.arrow())).collect();
        let key_kinds: Vec<_> = plan
            .key
            .iter()
            .filter_map(|&at| plan.columns.get(at))
            .map(|column| column.lake_type)
            .collect();
        let keys = match key_kinds.is_empty() {
            true => None,
            false => Some(KeyEncoder::new(key_kinds, plan.fold.clone())?),
        };
        Ok(Net {
            plan,
            hasher: Hasher::default(),
            images: RowConverter::new(images)?,
            keys,
        })
    }

    fn produce(&self, emit: &Emit<'_>) -> Result<()> {
        let mut counts = self.removed_images()?;
        let mut touched = Touched::default();
        let mut sought = self.keys.as_ref().map(|encoder| {
            let columns = self.plan.key.iter();
            let columns = columns.filter_map(|&at| self.plan.columns.get(at).cloned());
            Sought::new(encoder, &self.hasher, columns.collect())
        });
        self.look_at_new_rows(&mut counts, &mut touched, &mut sought)?;
        self.look_at_removed_rows(&mut counts, &mut touched, &mut sought)?;
        let nothing_gone = sought.as_ref().is_none_or(Sought::is_empty) && !touched.keyless;
        let found = match sought {
            Some(sought) if !sought.is_empty() && stands("lake::guard-live-keys") => {
                sought.find(&self.plan.files, &self.plan.after)?
            }
            _ => Found::default(),
        };
        if !nothing_gone
            && self
                .emit_deletes(&mut counts, &touched, &found, emit)?
                .is_break()
        {
            return Ok(());
        }
        let _flow = self.emit_rows(&mut counts, &touched, &found, emit)?;
        Ok(())
    }

    fn removed_images(&self) -> Result<Counts> {
        let mut counts = Counts::new();
        let _all = each_batch(self.plan, true, &mut |_, batch| {
            for image in self.image_hashes(&batch)? {
                let count = counts.entry(image).or_default();
                count.all += 1;
                count.gone += 1;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(counts)
    }

    /// Tells new images from those that are only written again.
    fn look_at_new_rows(
        &self,
        counts: &mut Counts,
        touched: &mut Touched,
        sought: &mut Option<Sought<'_>>,
    ) -> Result<()> {
        let settled = self.last_settled();
        let _all = each_batch(self.plan, false, &mut |change, batch| {
            let columns = self.key_columns(&batch);
            let keys = self.key_hashes(&columns, batch.num_rows())?;
            // A file that is not the last: a row that was there before may have been committed after it.
            let overtaken = change.file().sequence <= settled;
            let mut looked_for = vec![false; batch.num_rows()];
            let images = self.image_hashes(&batch)?.into_iter();
            for ((image, key), looked_for) in images.zip(keys).zip(&mut looked_for) {
                match counts.get_mut(&image) {
                    Some(count) if count.gone > 0 => count.gone -= 1,
                    _ => {
                        touched.new.extend(key);
                        *looked_for = (overtaken || self.plan.with_others) && key.is_some();
                    }
                }
            }
            if let Some(sought) = sought {
                sought.add(&columns, looked_for)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(())
    }

    /// The sequence number of the last commit whose rows were there before, in part at least.
    fn last_settled(&self) -> i64 {
        let added: HashSet<&str> = self
            .plan
            .changes
            .iter()
            .filter(|change| matches!(change, FileChange::FileAdded(_)))
            .map(|change| change.file().path())
            .collect();
        let settled = self.plan.after.data.iter();
        let settled = settled.filter(|file| !added.contains(file.path()));
        settled.map(|file| file.sequence).max().unwrap_or(i64::MIN)
    }

    /// Tells the keys that may be gone.
    fn look_at_removed_rows(
        &self,
        counts: &mut Counts,
        touched: &mut Touched,
        sought: &mut Option<Sought<'_>>,
    ) -> Result<()> {
        let _all = each_batch(self.plan, true, &mut |_, batch| {
            let columns = self.key_columns(&batch);
            let keys = self.key_hashes(&columns, batch.num_rows())?;
            let mut looked_for = vec![false; batch.num_rows()];
            let images = self.image_hashes(&batch)?.into_iter();
            for ((image, key), looked_for) in images.zip(keys).zip(&mut looked_for) {
                let Some(count) = counts.get_mut(&image).filter(|count| count.gone > 0) else {
                    continue;
                };
                count.gone -= 1;
                count.left += 1;
                match key {
                    None => touched.keyless = true,
                    Some(key) if touched.new.contains(&key) => {
                        touched.changed.insert(key);
                    }
                    Some(_) => *looked_for = true,
                }
            }
            if let Some(sought) = sought {
                sought.add(&columns, looked_for)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(())
    }

    /// The rows that went and whose key no row has.
    fn emit_deletes(
        &self,
        counts: &mut Counts,
        touched: &Touched,
        found: &Found,
        emit: &Emit<'_>,
    ) -> Result<ControlFlow<()>> {
        each_batch(self.plan, true, &mut |_, batch| {
            let keys = self.key_hashes(&self.key_columns(&batch), batch.num_rows())?;
            let mut deleted = Vec::with_capacity(batch.num_rows());
            for (image, key) in self.image_hashes(&batch)?.into_iter().zip(keys) {
                let gone = match counts.get_mut(&image) {
                    Some(count) if count.left > 0 => {
                        count.left -= 1;
                        true
                    }
                    _ => false,
                };
                let there = |key| touched.new.contains(&key) || found.keys.contains(&key);
                deleted.push(gone && !key.is_some_and(there));
            }
            let rows = filter_record_batch(&batch, &BooleanArray::from(deleted))?;
            emit.all(rows, Operation::Delete)
        })
    }

    /// The rows that are new or changed, and those that a key has that may have seemed gone, in the order of
    /// their commits.
    fn emit_rows(
        &self,
        counts: &mut Counts,
        touched: &Touched,
        found: &Found,
        emit: &Emit<'_>,
    ) -> Result<ControlFlow<()>> {
        let nothing = RoaringTreemap::new();
        let new: HashMap<&str, &FileChange> = self
            .plan
            .changes
            .iter()
            .filter(|change| !change.removes())
            .map(|change| (change.file().path(), change))
            .collect();
        let delivered = |file: &&LiveFile| {
            new.contains_key(file.path()) || found.rows.contains_key(file.path())
        };
        let mut authors = Authors::default();
        let mut versions = None;
        for file in self.plan.after.data.iter().filter(delivered) {
            let all_own = authors.place(&self.plan.files, file)?.is_own();
            if !all_own && stands("lake::guard-newest") {
                versions = Versions::new(self.plan)?;
                break;
            }
        }
        for file in &self.plan.after.data {
            let wanted = found.rows.get(file.path()).unwrap_or(&nothing);
            let (pick, restored) = match new.get(file.path()) {
                Some(FileChange::RowsRestored(_, rows)) => {
                    (Some(Pick::Only(rows | wanted)), Some(rows))
                }
                Some(_) => (None, None),
                None if wanted.is_empty() => continue,
                None => (Some(Pick::Only(wanted.clone())), Some(&nothing)),
            };
            let place = match versions {
                Some(_) => Some(authors.place(&self.plan.files, file)?),
                None => None,
            };
            let sink = &mut |batch: RecordBatch, positions: &[u64]| {
                let is_new = |position: u64| restored.is_none_or(|rows| rows.contains(position));
                let keys = self.key_hashes(&self.key_columns(&batch), batch.num_rows())?;
                let mut picked = Vec::with_capacity(batch.num_rows());
                let mut operations = Vec::new();
                let images = self.image_hashes(&batch)?.into_iter();
                for ((image, key), &position) in images.zip(keys).zip(positions) {
                    let new = is_new(position) && !again(counts, image);
                    let touched_key = key.is_some_and(|key| touched.new.contains(&key));
                    let pick = new || touched_key || wanted.contains(position);
                    picked.push(pick);
                    if pick {
                        let changed = key.is_some_and(|key| touched.changed.contains(&key));
                        operations.push(match new && !changed {
                            true => Operation::Insert as i32,
                            false => Operation::Update as i32,
                        });
                    }
                }
                let rows = filter_record_batch(&batch, &BooleanArray::from(picked))?;
                if let (Some(versions), Some(place)) = (&mut versions, place) {
                    versions.note(&rows, place)?;
                }
                emit.each(rows, operations)
            };
            if self.read(file, pick, sink)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if let Some(versions) = versions {
            versions.judge()?;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn read(
        &self,
        file: &LiveFile,
        pick: Option<Pick<'_>>,
        sink: crate::read::data_file::Sink<'_>,
    ) -> Result<ControlFlow<()>> {
        let plan = self.plan;
        let (files, deletes) = (&plan.files, &plan.after.deletes);
        match pick {
            None => deletes.read_live(files, file, &plan.columns, plan.batch_rows, sink),
            Some(pick) => {
                deletes.read_picked(files, file, &plan.columns, &pick, plan.batch_rows, sink)
            }
        }
    }

    fn image_hashes(&self, batch: &RecordBatch) -> Result<Vec<Hash>> {
        let rows = self.images.convert_columns(batch.columns())?;
        Ok(rows
            .iter()
            .map(|row| self.hasher.hash(row.data()))
            .collect())
    }

    fn key_columns(&self, batch: &RecordBatch) -> Vec<ArrayRef> {
        self.plan
            .key
            .iter()
            .map(|&at| Arc::clone(batch.column(at)))
            .collect()
    }

    /// `None` for a key with a NULL, which equals no other, and where there is no key.
    fn key_hashes(&self, columns: &[ArrayRef], rows: usize) -> Result<Vec<Option<Hash>>> {
        let Some(encoder) = &self.keys else {
            return Ok(vec![None; rows]);
        };
        let keys = encoder.encode(columns)?;
        Ok((0..rows)
            .map(|row| (!keys.is_null(row)).then(|| self.hasher.hash(keys.bytes(row))))
            .collect())
    }
}

/// Whether a row is only written again: the same rows as in the first reading, the first so many of each image.
fn again(counts: &mut Counts, image: Hash) -> bool {
    match counts.get_mut(&image) {
        Some(count) if count.all > 0 => {
            count.all -= 1;
            true
        }
        _ => false,
    }
}
