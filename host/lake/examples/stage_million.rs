//! Stages, commits, reads and upserts rows, and prints time and peak memory of each step.
//!
//! `cargo run --release -p icehost-lake --example stage_million -- [ROWS]` (default 1,000,000)
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use futures::TryStreamExt;
use icehost_lake::{
    CommitRequest, LakeTable, NewColumn, NewTable, RowChange, ScanRequest, StageOptions, Warehouse,
};
use icehost_plan::{
    Action, Clause, Contents, Delta, KeyPair, LakeType, MergePlan, Occasion, WriteMode,
};

const BATCH_ROWS: i64 = 8192;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let rows: i64 = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => 1_000_000,
    };
    let dir = tempfile::tempdir()?;
    let warehouse = Warehouse::open(dir.path())?;
    let name = "bench.people".parse()?;
    let prepared = warehouse.prepare_create(&name, &new_table()).await?;
    let started = Instant::now();
    let table = merge(&prepared, 0, rows, 1, true).await?;
    report("stage and commit", rows, started);

    let started = Instant::now();
    let mut stream = table.scan(ScanRequest::default())?;
    let mut read = 0;
    while let Some(batch) = stream.try_next().await? {
        read += batch.num_rows();
    }
    report("scan", read as i64, started);

    let started = Instant::now();
    let changed = rows / 100;
    merge(&table, rows / 2, changed, 37, false).await?;
    report("upsert", changed, started);
    Ok(())
}

/// Merges `count` rows with ids `step` apart.
async fn merge(
    table: &LakeTable,
    first: i64,
    count: i64,
    step: i64,
    unique_keys: bool,
) -> Result<LakeTable, Box<dyn Error>> {
    let options = StageOptions {
        unique_keys,
        ..StageOptions::default()
    };
    let mut writer = table
        .stage(uuid::Uuid::new_v4(), upserting(table)?, options)
        .await?;
    for start in (0..count).step_by(BATCH_ROWS as usize) {
        let end = count.min(start + BATCH_ROWS);
        let ids = (start..end).map(|i| (first + i * step) % 100_000_000);
        writer.write(batch(ids.collect())?).await?;
    }
    let request = CommitRequest {
        staged: Some(writer.finish().await?),
        ..CommitRequest::default()
    };
    let done = table
        .commit(request)
        .await?
        .ok_or("nothing was committed")?;
    Ok(done.table)
}

fn new_table() -> NewTable {
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
            column("city", LakeType::String, false),
            column("changed", LakeType::Timestamp, false),
        ],
        identifier: vec![0],
        properties: BTreeMap::new(),
    }
}

fn batch(ids: Vec<i64>) -> Result<RecordBatch, Box<dyn Error>> {
    let names = ids
        .iter()
        .map(|id| format!("person {}", id.wrapping_mul(2_654_435_761)));
    let cities = ids.iter().map(|id| format!("city {}", id % 1_000));
    let changed = ids.iter().map(|id| 1_700_000_000_000_000 + id * 977);
    let columns: [(&str, ArrayRef, bool); 4] = [
        ("id", Arc::new(Int64Array::from(ids.clone())), false),
        ("name", Arc::new(StringArray::from_iter_values(names)), true),
        (
            "city",
            Arc::new(StringArray::from_iter_values(cities)),
            true,
        ),
        (
            "changed",
            Arc::new(TimestampMicrosecondArray::from_iter_values(changed)),
            true,
        ),
    ];
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

fn upserting(table: &LakeTable) -> Result<RowChange, Box<dyn Error>> {
    let target = table.describe()?;
    let delta = Delta {
        columns: target.columns.clone(),
        contents: Contents::Upserts,
        operation: None,
        rows: 0,
    };
    let clause = |occasion| Clause {
        occasion,
        condition: None,
        action: Action::WriteAll,
    };
    let plan = MergePlan {
        keys: vec![KeyPair {
            source: 0,
            target: 0,
        }],
        deduplicate: vec![],
        clauses: vec![clause(Occasion::Matched), clause(Occasion::NotMatched)],
        mode: WriteMode::MergeOnRead,
    };
    Ok(RowChange::from_plan(
        &plan.validate(&target, &delta)?,
        &target,
        &delta,
    )?)
}

/// Peak memory is the whole process's so far, where the system tells it.
fn report(what: &str, rows: i64, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .map_or("unknown", str::trim);
    println!(
        "{what}: {rows} rows in {seconds:.2} s, {:.0} rows/s, peak memory {peak}",
        rows as f64 / seconds
    );
}
