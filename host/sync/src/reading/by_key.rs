//! Rows that a plan reads by their keys, wherever else they lie.

use arrow_array::ArrayRef;
use arrow_row::{RowConverter, SortField};
use futures::TryStreamExt;
use icehost_lake::{LakeTable, ScanRequest};
use icehost_plan::values::ArrowValue;
use icehost_plan::{
    Comparison, Expression, ExtractionPlan, LogicalType, Node, Side, ValidExtractionPlan, Value,
};

use crate::detection::detected::Detected;
use crate::error::Doing;
use crate::source::open::OpenSource;
use crate::{SyncError, SyncJob};

/// Most literals for keys in one plan; a plan has others, and a thousand in all.
const MOST_LITERALS: usize = 300;
/// Most bytes of them.
const MOST_BYTES: usize = 16 << 10;
const TICKS_PER_MICROSECOND: i64 = 10;

/// A key in a form that compares by bytes.
pub(crate) type Key = Box<[u8]>;

/// What to read instead of what the detector wants.
pub(crate) struct AlsoRead {
    pub(crate) plan: ValidExtractionPlan,
    /// Rows that it reads by their keys.
    pub(crate) rows: u64,
    /// What is left to be read, for the user.
    pub(crate) told: Option<String>,
}

/// The cursor's column and those of the key, in source and lake.
pub(crate) struct Columns {
    pub(crate) cursor: u32,
    pub(crate) key: Vec<u32>,
    kinds: Vec<LogicalType>,
    pub(crate) cursor_in_lake: u32,
    pub(crate) key_in_lake: Vec<u32>,
}

impl Columns {
    /// `None` where rows have no key, or it is not in the lake as the source has it.
    pub(crate) fn of(
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
    pub(crate) fn values(&self, columns: &[ArrayRef], row: usize) -> Option<Vec<Value>> {
        let parts = columns.iter().zip(&self.kinds);
        parts
            .map(|(column, kind)| value(ArrowValue::of(column, row)?, *kind))
            .collect()
    }

    /// Gives each row of the lake, in the order of commits: its key, the cursor's column, and the row's place in that.
    pub(crate) async fn each_in_lake(
        &self,
        lake: &LakeTable,
        mut take: impl FnMut(Key, &ArrayRef, usize),
    ) -> Result<(), SyncError> {
        let doing = || format!("reading lake table {}", lake.name());
        let mut columns = self.key_in_lake.clone();
        columns.push(self.cursor_in_lake);
        let request = ScanRequest {
            columns: Some(columns),
            ..ScanRequest::default()
        };
        let mut batches = lake.scan(request).doing(doing)?;
        while let Some(batch) = batches.try_next().await.doing(doing)? {
            let (key, cursor) = batch.columns().split_at(self.key.len());
            for cursor in cursor {
                for (row, key) in keys(key)?.into_iter().enumerate() {
                    take(key, cursor, row);
                }
            }
        }
        Ok(())
    }

    /// How many of the keys, from the first on, one plan has room for.
    pub(crate) fn room<'k>(&self, keys: impl Iterator<Item = &'k Key>) -> usize {
        let mut bytes = 0;
        let fits = |key: &&Key| {
            bytes += key.len();
            bytes <= MOST_BYTES
        };
        let most = MOST_LITERALS / self.key.len().max(1);
        keys.take_while(fits).take(most).count()
    }

    /// A filter for the rows with these keys.
    pub(crate) fn with_key(&self, keys: Vec<Vec<Value>>) -> Expression {
        let mut filter = Expression {
            nodes: Vec::new(),
            root: 0,
        };
        filter.root = self.add_keys(&mut filter.nodes, keys);
        filter
    }

    /// Lets a filter take the rows with these keys, too.
    pub(crate) fn or_key(&self, filter: &mut Expression, keys: Vec<Vec<Value>>) {
        let before = filter.root;
        let of_key = self.add_keys(&mut filter.nodes, keys);
        filter.nodes.push(Node::AnyOf(vec![before, of_key]));
        filter.root = filter.nodes.len() as u32 - 1;
    }

    fn add_keys(&self, nodes: &mut Vec<Node>, keys: Vec<Vec<Value>>) -> u32 {
        let mut add = |node: Node| {
            nodes.push(node);
            nodes.len() as u32 - 1
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
        if let [only] = columns.as_slice() {
            return add(Node::OneOf {
                item: *only,
                values: keys.into_iter().flatten().collect(),
            });
        }
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

    /// The cursor column's name.
    pub(crate) fn name(&self, source: &OpenSource) -> String {
        let column = source.table.table.columns.get(self.cursor as usize);
        column.map_or_else(String::new, |column| column.name.clone())
    }
}

/// A plan of our own, checked like any other.
pub(crate) fn valid(
    plan: ExtractionPlan,
    source: &OpenSource,
) -> Result<ValidExtractionPlan, SyncError> {
    plan.validate(&source.table.table)
        .map_err(|error| SyncError::Plan {
            doing: format!("planning to read source table {}", source.table.name),
            error,
            hint: "please report this as a defect".to_owned(),
        })
}

/// The rows of columns in a form that compares by bytes.
pub(crate) fn keys(columns: &[ArrayRef]) -> Result<Vec<Key>, SyncError> {
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
pub(crate) fn value(value: ArrowValue<'_>, kind: LogicalType) -> Option<Value> {
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
