//! What the lake's tests share: small tables of people, written and read by row.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

pub mod avro;
pub mod foreign;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use futures::TryStreamExt;
use icehost_lake::{
    ChangePlan, ChangesRequest, CommitRequest, Committed, LakeTable, LakeTableName, NewColumn,
    NewTable, Result, RowChange, ScanRequest, StageOptions, Staged, Warehouse,
};
use icehost_plan::expression::Node;
use icehost_plan::{
    Action, Clause, Collation, Column, ColumnType, Comparison, Contents, Delta, Expression,
    KeyPair, LakeType, MergePlan, Occasion, Side, SortKey, Table, Value, WriteMode,
};
use uuid::Uuid;

/// A person: id and name.
pub type Row = (i64, Option<String>);

pub fn row(id: i64, name: &str) -> Row {
    (id, Some(name.to_owned()))
}

pub fn rows(pairs: &[(i64, &str)]) -> Vec<Row> {
    pairs.iter().map(|(id, name)| row(*id, name)).collect()
}

pub fn name() -> LakeTableName {
    "demo.people".parse().unwrap()
}

/// `id long` (the key) and `name string`.
pub fn people() -> NewTable {
    let column = |name: &str, lake_type, required| NewColumn {
        name: name.to_owned(),
        lake_type,
        required,
        doc: None,
    };
    NewTable {
        columns: vec![
            column("id", LakeType::Long, true),
            column("name", LakeType::String, false),
        ],
        identifier: vec![0],
        properties: BTreeMap::new(),
    }
}

pub struct Fixture {
    pub dir: tempfile::TempDir,
    pub warehouse: Warehouse,
}

impl Fixture {
    pub fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let warehouse = Warehouse::open(dir.path()).unwrap();
        Fixture { dir, warehouse }
    }

    pub async fn table(&self) -> LakeTable {
        self.warehouse
            .create_table(&name(), &people())
            .await
            .unwrap()
    }

    pub async fn load(&self) -> LakeTable {
        self.warehouse.load(&name()).await.unwrap()
    }

    /// All files below the warehouse, relative to it.
    pub fn files(&self) -> Vec<String> {
        files_below(self.dir.path())
    }
}

pub fn files_below(root: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

pub fn batch(rows: &[Row]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.0)));
    let names: ArrayRef = Arc::new(StringArray::from_iter(rows.iter().map(|r| r.1.as_deref())));
    RecordBatch::try_from_iter_with_nullable([("id", ids, false), ("name", names, true)]).unwrap()
}

/// A delta with the columns of the table, as upserts.
pub fn delta_like(target: &Table) -> Delta {
    Delta {
        columns: target.columns.clone(),
        contents: Contents::Upserts,
        operation: None,
        rows: 0,
        run_time: 0,
    }
}

/// The same delta, as every row there is.
pub fn complete(delta: Delta) -> Delta {
    Delta {
        contents: Contents::Snapshot,
        ..delta
    }
}

pub fn clause(occasion: Occasion, action: Action) -> Clause {
    Clause {
        occasion,
        condition: None,
        action,
    }
}

pub fn append_plan() -> MergePlan {
    MergePlan {
        keys: vec![],
        among: None,
        deduplicate: vec![],
        clauses: vec![clause(Occasion::NotMatched, Action::WriteAll)],
        mode: WriteMode::Append,
    }
}

pub fn upsert_plan(keys: &[u32]) -> MergePlan {
    MergePlan {
        keys: keys
            .iter()
            .map(|&key| KeyPair {
                source: key,
                target: key,
            })
            .collect(),
        among: None,
        deduplicate: vec![],
        clauses: vec![
            clause(Occasion::Matched, Action::WriteAll),
            clause(Occasion::NotMatched, Action::WriteAll),
        ],
        mode: WriteMode::MergeOnRead,
    }
}

pub fn lower(table: &LakeTable, plan: MergePlan, delta: &Delta) -> Result<RowChange> {
    let target = table.describe()?;
    let valid = plan.validate(&target, delta).expect("a valid plan");
    RowChange::from_plan(&valid, &target, delta)
}

pub fn appending(table: &LakeTable) -> RowChange {
    let delta = delta_like(&table.describe().unwrap());
    lower(table, append_plan(), &delta).unwrap()
}

pub fn upserting(table: &LakeTable) -> RowChange {
    let delta = delta_like(&table.describe().unwrap());
    lower(table, upsert_plan(&[0]), &delta).unwrap()
}

pub async fn stage(
    table: &LakeTable,
    change: RowChange,
    batches: &[RecordBatch],
) -> Result<Staged> {
    stage_with(table, change, batches, StageOptions::default()).await
}

pub async fn stage_with(
    table: &LakeTable,
    change: RowChange,
    batches: &[RecordBatch],
    options: StageOptions,
) -> Result<Staged> {
    let mut writer = table.stage(Uuid::new_v4(), change, options).await?;
    for batch in batches {
        writer.write(batch.clone()).await?;
    }
    writer.finish().await
}

pub async fn commit(table: &LakeTable, staged: Staged) -> Result<Option<Committed>> {
    table
        .commit(CommitRequest {
            staged: Some(staged),
            ..CommitRequest::default()
        })
        .await
}

pub async fn append(table: &LakeTable, rows: &[Row]) -> Committed {
    let staged = stage(table, appending(table), &[batch(rows)])
        .await
        .unwrap();
    commit(table, staged).await.unwrap().expect("a snapshot")
}

pub async fn upsert(table: &LakeTable, rows: &[Row]) -> Committed {
    let staged = stage(table, upserting(table), &[batch(rows)])
        .await
        .unwrap();
    commit(table, staged).await.unwrap().expect("a snapshot")
}

pub fn rows_of(batches: &[RecordBatch]) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in batches {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        let names = batch.column(1).as_string::<i32>();
        for (id, name) in ids.iter().zip(names) {
            rows.push((id.unwrap(), name.map(str::to_owned)));
        }
    }
    rows
}

/// The columns' names and every row, NULL as nothing.
pub fn table_text(batches: &[RecordBatch]) -> String {
    let mut lines = Vec::new();
    for batch in batches {
        if lines.is_empty() {
            let fields = batch.schema_ref().fields();
            let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
            lines.push(names.join(","));
        }
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter();
            let values =
                values.map(|v| arrow_cast::display::array_value_to_string(v, row).unwrap());
            lines.push(values.collect::<Vec<_>>().join(","));
        }
    }
    lines.join("; ")
}

pub async fn scan(table: &LakeTable, request: ScanRequest) -> Result<Vec<RecordBatch>> {
    table.scan(request)?.try_collect().await
}

/// The rows of a snapshot, sorted.
pub async fn read(table: &LakeTable, snapshot_id: Option<i64>) -> Vec<Row> {
    let request = ScanRequest {
        snapshot_id,
        ..ScanRequest::default()
    };
    let mut rows = rows_of(&scan(table, request).await.unwrap());
    rows.sort();
    rows
}

/// The changes between two snapshots as operation and row, in the order in which they come. Rows of a whole
/// snapshot count as inserts. They are the same where nothing fits into memory.
pub async fn changes(table: &LakeTable, request: ChangesRequest) -> Result<Vec<(i32, Row)>> {
    let without_memory = ChangesRequest {
        most_bytes: 0,
        ..request.clone()
    };
    let plan = table.changes(request).await?;
    let stats = plan.stats();
    let found = told(plan).await?;
    let again = found.iter().filter(|(operation, _)| *operation == 2);
    let most = stats.rows + again.count() as u64;
    assert!(found.len() as u64 <= most, "more rows than promised");
    assert!(
        stats.has_removals || found.iter().all(|(operation, _)| *operation == 1),
        "removals that were not announced"
    );
    assert_eq!(told(table.changes(without_memory).await?).await?, found);
    Ok(found)
}

/// The rows of a plan with their operations.
pub async fn told(plan: ChangePlan) -> Result<Vec<(i32, Row)>> {
    let has_operation = plan.delta().operation.is_some();
    let batches: Vec<RecordBatch> = plan.stream().try_collect().await?;
    let mut found = Vec::new();
    for batch in &batches {
        let operations = match has_operation {
            true => batch.column(2).as_primitive::<Int32Type>().clone(),
            false => Int32Array::from_value(1, batch.num_rows()),
        };
        let rows = rows_of(std::slice::from_ref(batch));
        found.extend(operations.iter().map(Option::unwrap).zip(rows));
    }
    Ok(found)
}

/// Adds the operation column that deltas of changes have.
pub fn changes_delta(target: &Table) -> Delta {
    let mut delta = delta_like(target);
    delta.operation = Some(delta.columns.len() as u32);
    delta.columns.push(Delta::operation_column());
    delta.contents = Contents::Changes;
    delta
}

pub fn with_operations(rows: &[Row], operations: &[i32]) -> RecordBatch {
    let batch = batch(rows);
    let operations: ArrayRef = Arc::new(Int32Array::from(operations.to_vec()));
    RecordBatch::try_from_iter([
        ("id", Arc::clone(batch.column(0))),
        ("name", Arc::clone(batch.column(1))),
        ("icehost_operation", operations),
    ])
    .unwrap()
}

/// `column = value`, over the source.
pub fn equals(column: u32, value: Value) -> Expression {
    compare(Comparison::Eq, column, value)
}

pub fn compare(op: Comparison, column: u32, value: Value) -> Expression {
    Expression {
        nodes: vec![
            Node::Column {
                side: Side::Source,
                column,
            },
            Node::Literal(value),
            Node::Compare {
                op,
                left: 0,
                right: 1,
            },
        ],
        root: 2,
    }
}

pub fn collated(mut delta: Delta, ordinal: usize, collation: &str) -> Delta {
    delta.columns[ordinal].collation = Some(Collation::from_name(collation));
    delta
}

pub fn lake_column(name: &str, lake_type: LakeType, nullable: bool) -> Column {
    Column::new(name, ColumnType::Lake(lake_type), nullable)
}

pub fn by(column: u32, direction: icehost_plan::Direction) -> SortKey {
    SortKey { column, direction }
}
