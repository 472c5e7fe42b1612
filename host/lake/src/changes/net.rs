//! From rows that came and went to inserts, updates and deletes.
//!
//! Rows that may be gone are remembered by hashes of their key and of their whole image, 128 bits from two
//! independently keyed SipHashes: for two of a thousand million rows to collide by chance is as likely as
//! one in 10^20, and nobody can choose values that do.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int32Array, RecordBatch};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use icehost_plan::{Delta, Operation};

use crate::changes::ChangePlan;
use crate::error::Result;
use crate::keys::KeyEncoder;
use crate::read::stream::Output;
use crate::schema;

type Hash = u128;

/// Reads the changes of a plan.
pub(crate) fn produce(plan: &ChangePlan, output: &Output) -> Result<()> {
    let emit = Emit::new(plan, output);
    if plan.stats().has_removals {
        Net::new(plan)?.produce(&emit)
    } else {
        let _flow = each_batch(plan, false, &mut |batch| emit.all(batch, Operation::Insert))?;
        Ok(())
    }
}

/// Reads the rows that are gone, or else those that are new.
fn each_batch(
    plan: &ChangePlan,
    removed: bool,
    sink: &mut dyn FnMut(RecordBatch) -> Result<ControlFlow<()>>,
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
            &mut |batch, _| sink(batch),
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
    /// Less those that came again.
    gone: u32,
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
        let mut counts: HashMap<Hash, Count> = HashMap::new();
        let _all = each_batch(self.plan, true, &mut |batch| {
            for image in self.image_hashes(&batch)? {
                let count = counts.entry(image).or_default();
                count.all += 1;
                count.gone += 1;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let mut new_keys: HashSet<Hash> = HashSet::new();
        let _all = each_batch(self.plan, false, &mut |batch| {
            let keys = self.key_hashes(&batch)?;
            for (image, key) in self.image_hashes(&batch)?.into_iter().zip(keys) {
                match counts.get_mut(&image) {
                    Some(count) if count.gone > 0 => count.gone -= 1,
                    _ => new_keys.extend(key),
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let mut changed_keys: HashSet<Hash> = HashSet::new();
        let flow = each_batch(self.plan, true, &mut |batch| {
            let keys = self.key_hashes(&batch)?;
            let mut deleted = Vec::with_capacity(batch.num_rows());
            for (image, key) in self.image_hashes(&batch)?.into_iter().zip(keys) {
                let gone = match counts.get_mut(&image) {
                    Some(count) if count.gone > 0 => {
                        count.gone -= 1;
                        true
                    }
                    _ => false,
                };
                let replaced = gone && key.is_some_and(|key| new_keys.contains(&key));
                if replaced {
                    changed_keys.extend(key);
                }
                deleted.push(gone && !replaced);
            }
            let rows = filter_record_batch(&batch, &BooleanArray::from(deleted))?;
            emit.all(rows, Operation::Delete)
        })?;
        if flow.is_break() {
            return Ok(());
        }
        drop(new_keys);
        let _flow = each_batch(self.plan, false, &mut |batch| {
            let keys = self.key_hashes(&batch)?;
            let mut new = Vec::with_capacity(batch.num_rows());
            let mut operations = Vec::new();
            for (image, key) in self.image_hashes(&batch)?.into_iter().zip(keys) {
                // The same rows as in the first reading: the first so many of each image.
                match counts.get_mut(&image) {
                    Some(count) if count.all > 0 => {
                        count.all -= 1;
                        new.push(false);
                    }
                    _ => {
                        new.push(true);
                        let changed = key.is_some_and(|key| changed_keys.contains(&key));
                        operations.push(match changed {
                            true => Operation::Update as i32,
                            false => Operation::Insert as i32,
                        });
                    }
                }
            }
            let rows = filter_record_batch(&batch, &BooleanArray::from(new))?;
            emit.each(rows, operations)
        })?;
        Ok(())
    }

    fn image_hashes(&self, batch: &RecordBatch) -> Result<Vec<Hash>> {
        let rows = self.images.convert_columns(batch.columns())?;
        Ok(rows
            .iter()
            .map(|row| self.hasher.hash(row.data()))
            .collect())
    }

    /// `None` for a key with a NULL, which equals no other, and where there is no key.
    fn key_hashes(&self, batch: &RecordBatch) -> Result<Vec<Option<Hash>>> {
        let Some(encoder) = &self.keys else {
            return Ok(vec![None; batch.num_rows()]);
        };
        let columns: Vec<ArrayRef> = self
            .plan
            .key
            .iter()
            .map(|&at| Arc::clone(batch.column(at)))
            .collect();
        let keys = encoder.encode(&columns)?;
        Ok((0..batch.num_rows())
            .map(|row| (!keys.is_null(row)).then(|| self.hasher.hash(keys.bytes(row))))
            .collect())
    }
}

#[derive(Default)]
struct Hasher(RandomState, RandomState);

impl Hasher {
    fn hash(&self, bytes: &[u8]) -> Hash {
        Hash::from(self.0.hash_one(bytes)) << 64 | Hash::from(self.1.hash_one(bytes))
    }
}

/// Hands rows on in the delta's shape.
struct Emit<'a> {
    output: &'a Output,
    schema: SchemaRef,
    wanted: usize,
    operation: bool,
}

impl<'a> Emit<'a> {
    fn new(plan: &ChangePlan, output: &'a Output) -> Self {
        let wanted = plan.columns.get(..plan.wanted).unwrap_or(&plan.columns);
        let mut fields = schema::nullable_arrow_schema(wanted).fields().to_vec();
        if plan.has_operation() {
            let column = Delta::operation_column();
            let kind = column.column_type.lake().arrow();
            fields.push(Arc::new(Field::new(column.name, kind, column.nullable)));
        }
        Emit {
            output,
            schema: Arc::new(Schema::new(fields)),
            wanted: wanted.len(),
            operation: plan.has_operation(),
        }
    }

    fn all(&self, rows: RecordBatch, operation: Operation) -> Result<ControlFlow<()>> {
        let operations = vec![operation as i32; rows.num_rows()];
        self.each(rows, operations)
    }

    fn each(&self, rows: RecordBatch, operations: Vec<i32>) -> Result<ControlFlow<()>> {
        let mut columns = rows.columns().to_vec();
        columns.truncate(self.wanted);
        if self.operation {
            columns.push(Arc::new(Int32Array::from(operations)));
        }
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        Ok(self.output.push(batch))
    }
}
