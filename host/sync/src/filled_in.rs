//! Rows that had no value in the cursor's column, and have one now.
//!
//! A strategy that reads rows without a value in every run (`nulls=every-run`) does not see that one of them gets a
//! value below the mark: it is in no range that is read. But the lake has it without a value, and the source has no
//! such row any more. So the keys of both are compared, and a row that has gone from the ones without a value is read
//! by its key, wherever its value lies. One that was deleted is not found, and stays, as with every cursor.

use std::collections::{HashMap, HashSet};

use arrow_array::{Array, ArrayRef};
use arrow_row::{RowConverter, SortField};
use futures::TryStreamExt;
use icehost_lake::{LakeTable, ScanRequest};
use icehost_plan::values::ArrowValue;
use icehost_plan::{
    Comparison, Coverage, Expression, ExtractionPlan, LogicalType, Node, Side, ValidExtractionPlan,
    Value,
};
use icehost_sqlserver::ExtractOptions;

use crate::detection::{Detected, OpenSource};
use crate::error::Doing;
use crate::{SyncError, SyncJob};

/// Most literals for keys in one plan; a plan has others, and a thousand in all.
const MOST_LITERALS: usize = 300;
/// Most bytes of them.
const MOST_BYTES: usize = 16 << 10;
/// Bytes that a key takes here, about.
const KEY_BYTES: usize = 256;
const TICKS_PER_MICROSECOND: i64 = 10;

/// What to read instead of what the detector wants.
pub(crate) struct AlsoRead {
    pub(crate) plan: ValidExtractionPlan,
    /// What is left to be read, for the user.
    pub(crate) told: Option<String>,
}

type Key = Box<[u8]>;

/// The plan with the rows that may have got a value; `None` where there are none. The source is at the read that the
/// plan is for.
pub(crate) async fn also_read(
    job: &SyncJob,
    source: &mut OpenSource,
    lake: &LakeTable,
    detected: &Detected,
    extract: ExtractOptions,
) -> Result<Option<AlsoRead>, SyncError> {
    let plan = &detected.plan;
    if plan.coverage != Coverage::Incremental || lake.current_snapshot().is_none() {
        return Ok(None);
    }
    let Some(bound) = plan.lower_bound().filter(|bound| bound.or_null) else {
        return Ok(None);
    };
    let Some(columns) = Columns::of(job, source, lake, detected, bound.column)? else {
        return Ok(None);
    };
    let most = job.settings.memory.held_bytes() / KEY_BYTES;
    let looking = || {
        format!(
            "looking for rows of lake table {} without a value",
            lake.name()
        )
    };
    let in_lake = lake
        .rows_without(columns.cursor_in_lake, &columns.key_in_lake, most)
        .await
        .doing(looking)?;
    let Some(in_lake) = in_lake else {
        return Ok(Some(columns.too_many(source, lake, plan.clone(), most)));
    };
    let mut gone: HashMap<Key, Vec<Value>> = HashMap::new();
    for batch in &in_lake {
        for (row, key) in keys(batch.columns())?.into_iter().enumerate() {
            if let Some(values) = columns.values(batch.columns(), row) {
                gone.insert(key, values);
            }
        }
    }
    if gone.is_empty() {
        return Ok(None);
    }
    columns
        .take_out_what_is_there(source, extract, &mut gone)
        .await?;
    if !gone.is_empty() && !detected.change.rows.has_key() {
        columns
            .take_out_what_has_a_newer_row(lake, &mut gone)
            .await?;
    }
    if gone.is_empty() {
        return Ok(None);
    }
    Ok(Some(columns.by_key(source, lake, plan, gone)?))
}

/// The cursor's column and those of the key, in source and lake.
struct Columns {
    cursor: u32,
    key: Vec<u32>,
    kinds: Vec<LogicalType>,
    cursor_in_lake: u32,
    key_in_lake: Vec<u32>,
}

impl Columns {
    /// `None` where rows have no key, or it is not in the lake as the source has it.
    fn of(
        job: &SyncJob,
        source: &OpenSource,
        lake: &LakeTable,
        detected: &Detected,
        cursor: u32,
    ) -> Result<Option<Columns>, SyncError> {
        let table = &source.table.table;
        let key = match detected.change.rows.has_key() {
            true => detected.change.chosen_key(table).unwrap_or_default(),
            false => table.key(),
        };
        let there = lake
            .columns()
            .doing(|| format!("reading lake table {}", lake.name()))?;
        let in_lake = |ordinal: u32| {
            let name = &table.columns.get(ordinal as usize)?.name;
            let as_it_is = !job.source.rules.concern(name) && !source.transforms.writes(name);
            let at = there.iter().position(|column| column.name == *name)?;
            u32::try_from(at).ok().filter(|_| as_it_is)
        };
        let kind =
            |&ordinal: &u32| Some(table.columns.get(ordinal as usize)?.column_type.logical());
        let kinds: Option<Vec<LogicalType>> = key.iter().map(kind).collect();
        let key_in_lake: Option<Vec<u32>> = key.iter().map(|&ordinal| in_lake(ordinal)).collect();
        let (Some(cursor_in_lake), Some(key_in_lake), Some(kinds)) =
            (in_lake(cursor), key_in_lake, kinds)
        else {
            return Ok(None);
        };
        Ok((!key.is_empty()).then_some(Columns {
            cursor,
            key,
            kinds,
            cursor_in_lake,
            key_in_lake,
        }))
    }

    /// The key of a row as the source compares it; `None` for a type whose values it may have otherwise.
    fn values(&self, columns: &[ArrayRef], row: usize) -> Option<Vec<Value>> {
        let parts = columns.iter().zip(&self.kinds);
        parts
            .map(|(column, kind)| value(ArrowValue::of(column, row)?, *kind))
            .collect()
    }

    /// Takes out the keys of rows that the source has without a value.
    async fn take_out_what_is_there(
        &self,
        source: &mut OpenSource,
        extract: ExtractOptions,
        gone: &mut HashMap<Key, Vec<Value>>,
    ) -> Result<(), SyncError> {
        let table = &source.table;
        let doing = || format!("reading source table {}", table.name);
        let column = Node::Column {
            side: Side::Source,
            column: self.cursor,
        };
        let plan = ExtractionPlan {
            source: icehost_plan::ChangeSource::Rows,
            coverage: Coverage::Incremental,
            columns: self.key.clone(),
            filter: Some(Expression {
                nodes: vec![column, Node::IsNull(0)],
                root: 1,
            }),
            order_by: Vec::new(),
            split_on: None,
            observe: Vec::new(),
        };
        let plan = valid(plan, source)?;
        let connection = &mut source.connection;
        let mut extraction = connection
            .extract(table, &plan, extract)
            .await
            .doing(doing)?;
        while let Some(batch) = extraction.next_batch().await.doing(doing)? {
            for key in keys(batch.columns())? {
                gone.remove(&key);
            }
        }
        extraction.finish().doing(doing)?;
        Ok(())
    }

    /// Takes out the keys whose newest row has a value: a lake that keeps every row has the one before, too.
    async fn take_out_what_has_a_newer_row(
        &self,
        lake: &LakeTable,
        gone: &mut HashMap<Key, Vec<Value>>,
    ) -> Result<(), SyncError> {
        let doing = || format!("reading lake table {}", lake.name());
        let mut columns = self.key_in_lake.clone();
        columns.push(self.cursor_in_lake);
        let request = ScanRequest {
            columns: Some(columns),
            ..ScanRequest::default()
        };
        let mut valued: HashSet<Key> = HashSet::new();
        let mut batches = lake.scan(request).doing(doing)?;
        while let Some(batch) = batches.try_next().await.doing(doing)? {
            let (key, cursor) = batch.columns().split_at(self.key.len());
            for (row, key) in keys(key)?.into_iter().enumerate() {
                if !gone.contains_key(&key) {
                    continue;
                }
                match cursor.first().is_some_and(|cursor| cursor.is_null(row)) {
                    true => valued.remove(&key),
                    false => valued.insert(key),
                };
            }
        }
        gone.retain(|key, _| !valued.contains(key));
        Ok(())
    }

    /// The plan and the rows with these keys, or as many as it has room for.
    fn by_key(
        &self,
        source: &OpenSource,
        lake: &LakeTable,
        plan: &ValidExtractionPlan,
        gone: HashMap<Key, Vec<Value>>,
    ) -> Result<AlsoRead, SyncError> {
        let all = gone.len();
        // In an order, so that what is read does not hang on chance.
        let mut gone: Vec<(Key, Vec<Value>)> = gone.into_iter().collect();
        gone.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut bytes = 0;
        let fits = |(key, _): &(Key, Vec<Value>)| {
            bytes += key.len();
            bytes <= MOST_BYTES
        };
        let some = gone.into_iter().take_while(fits).map(|(_, values)| values);
        let some: Vec<Vec<Value>> = some.take(MOST_LITERALS / self.key.len()).collect();
        let left = all - some.len();
        let mut wider = ExtractionPlan::clone(plan);
        if let (Some(filter), false) = (&mut wider.filter, some.is_empty()) {
            self.or_key(filter, some);
        }
        Ok(AlsoRead {
            plan: valid(wider, source)?,
            told: (left > 0).then(|| self.told(source, lake, left as u64)),
        })
    }

    fn or_key(&self, filter: &mut Expression, keys: Vec<Vec<Value>>) {
        let mut add = |node: Node| {
            filter.nodes.push(node);
            filter.nodes.len() as u32 - 1
        };
        let columns: Vec<u32> = self
            .key
            .iter()
            .map(|&column| {
                add(Node::Column {
                    side: Side::Source,
                    column,
                })
            })
            .collect();
        let of_key = match columns.as_slice() {
            [only] => add(Node::OneOf {
                item: *only,
                values: keys.into_iter().flatten().collect(),
            }),
            _ => {
                let mut any = Vec::with_capacity(keys.len());
                for values in keys {
                    let mut all = Vec::with_capacity(values.len());
                    for (left, value) in columns.iter().zip(values) {
                        let right = add(Node::Literal(value));
                        all.push(add(Node::Compare {
                            op: Comparison::Eq,
                            left: *left,
                            right,
                        }));
                    }
                    any.push(add(Node::AllOf(all)));
                }
                add(Node::AnyOf(any))
            }
        };
        let before = filter.root;
        filter.nodes.push(Node::AnyOf(vec![before, of_key]));
        filter.root = filter.nodes.len() as u32 - 1;
    }

    fn too_many(
        &self,
        source: &OpenSource,
        lake: &LakeTable,
        plan: ValidExtractionPlan,
        most: usize,
    ) -> AlsoRead {
        let told = format!(
            "lake table {} has more than {most} rows without a value in '{}', too many to compare: those that have got \
             one below the mark are not read; {}",
            lake.name(),
            self.name(source),
            WAY_ON
        );
        AlsoRead {
            plan,
            told: Some(told),
        }
    }

    fn told(&self, source: &OpenSource, lake: &LakeTable, left: u64) -> String {
        format!(
            "{left} rows that lake table {} has without a value in '{}' have one in {}, or are gone from it, and are left \
             to later runs; {WAY_ON}",
            lake.name(),
            self.name(source),
            source.table.name
        )
    }

    fn name(&self, source: &OpenSource) -> String {
        let column = source.table.table.columns.get(self.cursor as usize);
        column.map_or_else(String::new, |column| column.name.clone())
    }
}

const WAY_ON: &str = "`icehost watermark set` with a mark below what they have got reads them and leaves out what the lake has";

fn valid(plan: ExtractionPlan, source: &OpenSource) -> Result<ValidExtractionPlan, SyncError> {
    plan.validate(&source.table.table)
        .map_err(|error| SyncError::Plan {
            doing: format!("planning to read source table {}", source.table.name),
            error,
            hint: "please report this as a defect".to_owned(),
        })
}

/// The rows of columns in a form that compares by bytes.
fn keys(columns: &[ArrayRef]) -> Result<Vec<Key>, SyncError> {
    let field = |column: &ArrayRef| SortField::new(column.data_type().clone());
    let rows = RowConverter::new(columns.iter().map(field).collect())
        .and_then(|converter| converter.convert_columns(columns))
        .map_err(|error| {
            SyncError::schema(
                format!("comparing keys: {error}"),
                "please report this as a defect",
            )
        })?;
    Ok(rows.iter().map(|row| row.data().into()).collect())
}

/// A value of the lake as one of the source's kind.
fn value(value: ArrowValue<'_>, kind: LogicalType) -> Option<Value> {
    let ticks = |microseconds: i64| microseconds.checked_mul(TICKS_PER_MICROSECOND);
    Some(match (value, kind) {
        (ArrowValue::Boolean(value), LogicalType::Boolean) => Value::Boolean(value),
        (ArrowValue::Integer(value), LogicalType::Integer) => Value::Integer(value),
        (ArrowValue::Decimal { unscaled, scale }, LogicalType::Decimal) => {
            Value::Decimal { unscaled, scale }
        }
        (ArrowValue::Text(text), LogicalType::Text) => Value::Text(text.to_owned()),
        (ArrowValue::Binary(bytes), LogicalType::Uuid) => Value::Uuid(bytes.try_into().ok()?),
        (ArrowValue::Binary(bytes), LogicalType::Binary) => Value::Binary(bytes.to_vec()),
        (ArrowValue::Date(days), LogicalType::Date) => Value::Date(days),
        (ArrowValue::Time(time), LogicalType::Time) => {
            Value::Time(u64::try_from(ticks(time)?).ok()?)
        }
        (ArrowValue::Timestamp(moment), LogicalType::Timestamp) => Value::Timestamp(ticks(moment)?),
        (ArrowValue::Timestamp(moment), LogicalType::TimestampTz) => Value::TimestampTz {
            ticks: ticks(moment)?,
            offset_minutes: 0,
        },
        _ => return None,
    })
}
