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
//! What went and came is read once, and remembered by hashes of its key and of its whole image (`records`). Key by key
//! it is settled what is delivered (`settle`), as positions in files, which are then read again.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_row::{RowConverter, SortField};
use icehost_plan::Operation;
use roaring::RoaringTreemap;

use crate::changes::ChangePlan;
use crate::changes::difference::FileChange;
use crate::changes::emit::Emit;
use crate::changes::hasher::{Hash, Hasher};
use crate::changes::records::{Kind, Record, Records};
use crate::changes::settle::{self, Delivered, Rows, Wanted};
use crate::changes::sought::Sought;
use crate::error::{LakeError, Result};
use crate::failpoint::{self, stands};
use crate::keys::KeyEncoder;
use crate::read::data_file::Pick;
use crate::read::deletes::SnapshotRows;
use crate::read::live_files::LiveFile;
use crate::read::stream::Output;
use crate::schema::LakeColumn;
use crate::versions;

/// Rows in a batch of keys.
const KEY_ROWS: usize = 8192;
/// Of the memory, what is for rows that went and came; the rest is for keys that are looked for.
const PART_OF_RECORDS: usize = 2;

/// Reads the changes of a plan.
pub(crate) fn produce(plan: &ChangePlan, output: &Output) -> Result<()> {
    let emit = Emit::new(plan, output);
    if plan.stats().has_removals || plan.with_others {
        return Net::new(plan)?.produce(&emit);
    }
    if stands(failpoint::GUARD_NEWEST) {
        let all: Vec<_> = plan.changes.iter().map(|c| (c.file(), None)).collect();
        versions::look(plan, &all)?;
    }
    for change in &plan.changes {
        let sink = &mut |batch, _: &[u64]| emit.all(batch, Operation::Insert);
        if plan.read(change, sink)?.is_break() {
            break;
        }
    }
    Ok(())
}

struct Net<'a> {
    plan: &'a ChangePlan,
    hasher: Hasher,
    images: RowConverter,
    keys: Option<(KeyEncoder, Vec<LakeColumn>)>,
    /// The sequence number of the last commit whose rows were there before, in part at least.
    settled: i64,
}

impl<'a> Net<'a> {
    fn new(plan: &'a ChangePlan) -> Result<Self> {
        let kinds = plan.columns.iter().map(|column| column.lake_type);
        let images = kinds.map(|kind| SortField::new(kind.arrow())).collect();
        let columns = plan.key.iter().filter_map(|&at| plan.columns.get(at));
        let columns: Vec<LakeColumn> = columns.cloned().collect();
        let kinds = columns.iter().map(|column| column.lake_type).collect();
        let keys = match columns.is_empty() {
            true => None,
            false => Some((KeyEncoder::new(kinds, plan.fold.clone())?, columns)),
        };
        Ok(Net {
            plan,
            hasher: Hasher::default(),
            images: RowConverter::new(images)?,
            keys,
            settled: last_settled(plan),
        })
    }

    fn produce(&self, emit: &Emit<'_>) -> Result<()> {
        let delivered = self.settle()?;
        let files = self.delivered_files(&delivered);
        if stands(failpoint::GUARD_NEWEST) {
            let looked_at: Vec<_> = files.iter().map(|(_, f, rows)| (*f, Some(rows))).collect();
            versions::look(self.plan, &looked_at)?;
        }
        if self.emit_deletes(&delivered.deleted, emit)?.is_continue() {
            self.emit_rows(files, &delivered.inserted, emit)?;
        }
        Ok(())
    }

    fn settle(&self) -> Result<Delivered> {
        let most = self.plan.most_bytes;
        let for_records = most / PART_OF_RECORDS;
        let mut records = Records::new(for_records, &self.plan.scratch);
        self.enter(&mut records)?;
        let overtaken = |file| self.is_overtaken(file);
        let wanted = settle::wanted(&mut records, &overtaken)?;
        let mut alike = Rows::new();
        if !wanted.is_empty()
            && let Some((encoder, columns)) = &self.keys
            && stands(failpoint::GUARD_LIVE_KEYS)
        {
            let for_keys = most - for_records;
            let mut sought = Sought::new(encoder, &self.hasher, columns.clone(), for_keys);
            self.look_for(&wanted, &mut sought)?;
            drop(wanted);
            let (files, after) = (&self.plan.files, &self.plan.after);
            sought.find(files, after, &mut alike, &mut |row| records.add(row))?;
        }
        settle::delivered(&mut records, &overtaken, alike)
    }

    /// Whether a file is not the last: a row that was there before may have been committed after its rows.
    fn is_overtaken(&self, file: u32) -> bool {
        let file = self.plan.after.data.get(file as usize);
        self.plan.with_others || file.is_some_and(|file| file.sequence <= self.settled)
    }

    /// Enters all rows that went, then all that came.
    fn enter(&self, records: &mut Records) -> Result<()> {
        let data = (0u32..).zip(&self.plan.after.data);
        let numbers: HashMap<&str, u32> = data.map(|(at, file)| (file.path(), at)).collect();
        for (at, change) in (0u32..).zip(&self.plan.changes) {
            let (kind, file) = match change.removes() {
                true => (Kind::Went, at),
                false => {
                    let number = numbers.get(change.file().path()).copied();
                    let number = number.ok_or_else(|| {
                        LakeError::internal("a changed file is none of the snapshot's")
                    })?;
                    (Kind::Came, number)
                }
            };
            let sink = &mut |batch: RecordBatch, positions: &[u64]| {
                let keys = self.key_hashes(&self.key_columns(&batch), batch.num_rows())?;
                let images = self.images.convert_columns(batch.columns())?;
                for ((image, key), &position) in images.iter().zip(keys).zip(positions) {
                    let image = self.hasher.hash(image.data());
                    records.add(Record {
                        key: key.unwrap_or(image),
                        keyless: key.is_none(),
                        image,
                        kind,
                        file,
                        position,
                    })?;
                }
                Ok(ControlFlow::Continue(()))
            };
            let _all = self.plan.read(change, sink)?;
        }
        Ok(())
    }

    /// Hands on the keys of the rows.
    fn look_for(&self, wanted: &Wanted, sought: &mut Sought<'_>) -> Result<()> {
        let (before, after) = (&self.plan.before, &self.plan.after);
        let went = wanted.went.iter().filter_map(|(&at, rows)| {
            let change = self.plan.changes.get(at as usize)?;
            Some((change.file(), before, rows))
        });
        let came = wanted.came.iter().filter_map(|(&at, rows)| {
            let file = after.data.get(at as usize)?;
            Some((file, after, rows))
        });
        for (file, snapshot, rows) in went.chain(came) {
            let columns = sought.columns().to_vec();
            let sink = &mut |batch: RecordBatch, _: &[u64]| {
                sought.add(batch.columns())?;
                Ok(ControlFlow::Continue(()))
            };
            let _all = self.read(snapshot, file, (&columns, KEY_ROWS), rows, sink)?;
        }
        Ok(())
    }

    fn emit_deletes(&self, deleted: &Rows, emit: &Emit<'_>) -> Result<ControlFlow<()>> {
        for (&at, rows) in deleted {
            let Some(change) = self.plan.changes.get(at as usize) else {
                continue;
            };
            let how = (self.plan.columns.as_slice(), self.plan.batch_rows);
            let sink = &mut |batch, _: &[u64]| emit.all(batch, Operation::Delete);
            let flow = self.read(&self.plan.before, change.file(), how, rows, sink)?;
            if flow.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The files with rows that are delivered, in the order of their commits, with their numbers.
    fn delivered_files(&self, delivered: &Delivered) -> Vec<(u32, &LiveFile, RoaringTreemap)> {
        let data = (0u32..).zip(&self.plan.after.data);
        let rows = |at: u32| match (delivered.inserted.get(&at), delivered.updated.get(&at)) {
            (Some(inserted), Some(updated)) => Some(inserted | updated),
            (one, other) => one.or(other).cloned(),
        };
        data.filter_map(|(at, file)| Some((at, file, rows(at)?)))
            .collect()
    }

    /// The rows that are new or changed, and those that a key has that may have seemed gone, in the order of
    /// their commits.
    fn emit_rows(
        &self,
        files: Vec<(u32, &LiveFile, RoaringTreemap)>,
        inserted: &Rows,
        emit: &Emit<'_>,
    ) -> Result<()> {
        for (at, file, rows) in files {
            let inserted = inserted.get(&at);
            let sink = &mut |batch: RecordBatch, positions: &[u64]| {
                let operation = |&position: &u64| match inserted {
                    Some(inserted) if inserted.contains(position) => Operation::Insert as i32,
                    _ => Operation::Update as i32,
                };
                emit.each(batch, positions.iter().map(operation).collect())
            };
            let how = (self.plan.columns.as_slice(), self.plan.batch_rows);
            if self
                .read(&self.plan.after, file, how, &rows, sink)?
                .is_break()
            {
                break;
            }
        }
        Ok(())
    }

    /// Reads rows of a snapshot's file.
    fn read(
        &self,
        snapshot: &SnapshotRows,
        file: &LiveFile,
        (columns, batch_rows): (&[LakeColumn], usize),
        rows: &RoaringTreemap,
        sink: crate::read::data_file::Sink<'_>,
    ) -> Result<ControlFlow<()>> {
        let files = &self.plan.files;
        let pick = Pick::Only(rows.clone());
        snapshot
            .deletes
            .read_picked(files, file, columns, &pick, batch_rows, sink)
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
        let Some((encoder, _)) = &self.keys else {
            return Ok(vec![None; rows]);
        };
        let keys = encoder.encode(columns)?;
        Ok((0..rows)
            .map(|row| (!keys.is_null(row)).then(|| self.hasher.hash(keys.bytes(row))))
            .collect())
    }
}

fn last_settled(plan: &ChangePlan) -> i64 {
    let added: std::collections::HashSet<&str> = plan
        .changes
        .iter()
        .filter(|change| matches!(change, FileChange::FileAdded(_)))
        .map(|change| change.file().path())
        .collect();
    let settled = plan.after.data.iter();
    let settled = settled.filter(|file| !added.contains(file.path()));
    settled.map(|file| file.sequence).max().unwrap_or(i64::MIN)
}
