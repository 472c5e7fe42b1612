//! What an upsert costs as the table grows: stages and commits a table, then upserts rows into it, once those with
//! the highest keys and once rows strewn over the whole of it. Then what changed is told, remembered in memory and on
//! disk.
//!
//! `cargo run --release -p icehost-lake --example upsert_curve -- [ROWS] [long|uuid|random] [CHANGED]` (default
//! 1,000,000 long 10,000). A `uuid` counts up, as those of NEWSEQUENTIALID do; a `random` one does not, as those of
//! NEWID.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{
    ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use futures::TryStreamExt;
use icehost_lake::{
    ChangesRequest, CommitRequest, LakeTable, NewColumn, NewTable, RowChange, ScanRequest,
    StageOptions, Warehouse,
};
use icehost_plan::{
    Action, Clause, Contents, Delta, KeyPair, LakeType, MergePlan, Occasion, WriteMode,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const BATCH_ROWS: usize = 8192;
/// Too little for ten thousand rows that went and came.
const LITTLE_MEMORY: usize = 1 << 20;

#[derive(Clone, Copy, PartialEq)]
enum Key {
    Long,
    Uuid,
    Random,
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let rows: i64 = arguments.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let key = match arguments.next().as_deref() {
        None | Some("long") => Key::Long,
        Some("uuid") => Key::Uuid,
        Some("random") => Key::Random,
        Some(other) => return Err(format!("no such key: {other}").into()),
    };
    let changed: i64 = arguments.next().map_or(Ok(10_000), |n| n.parse())?;
    let dir = tempfile::tempdir()?;
    let warehouse = Warehouse::open(dir.path())?;
    let name = "bench.people".parse()?;
    let prepared = warehouse.prepare_create(&name, &new_table(key)).await?;

    let step = Step::begin();
    let table = merge(&prepared, key, 0..rows, true).await?;
    step.end("stage and commit", rows);

    let step = Step::begin();
    let mut stream = table.scan(ScanRequest::default())?;
    let mut read = 0;
    while let Some(batch) = stream.try_next().await? {
        read += batch.num_rows();
    }
    step.end("scan", read as i64);

    let changed = changed.min(rows);
    let before = table.current_snapshot().map(|snapshot| snapshot.id);
    let step = Step::begin();
    let table = merge(&table, key, rows - changed..rows, false).await?;
    step.end("upsert of the last", changed);

    let apart = (rows / changed).max(1);
    let strewn = (0..changed).map(|n| n * apart);
    let step = Step::begin();
    let table = merge(&table, key, strewn, false).await?;
    step.end("upsert of strewn", changed);

    // What takes most memory comes last: the peak is the whole process's.
    for (how, most_bytes) in [("on disk", LITTLE_MEMORY), ("in memory", usize::MAX)] {
        let request = ChangesRequest {
            most_bytes,
            ..ChangesRequest::new(before, table.current_snapshot().map(|snapshot| snapshot.id))
        };
        let step = Step::begin();
        let mut changes = table.changes(request).await?.stream();
        let mut read = 0;
        while let Some(batch) = changes.try_next().await? {
            read += batch.num_rows();
        }
        step.end(&format!("changes, {how},"), read as i64);
    }
    Ok(())
}

/// Merges rows with these ids.
async fn merge(
    table: &LakeTable,
    key: Key,
    mut ids: impl Iterator<Item = i64>,
    unique_keys: bool,
) -> Result<LakeTable> {
    let options = StageOptions {
        unique_keys,
        ..StageOptions::default()
    };
    let mut writer = table
        .stage(uuid::Uuid::new_v4(), upserting(table)?, options)
        .await?;
    loop {
        let some: Vec<i64> = ids.by_ref().take(BATCH_ROWS).collect();
        if some.is_empty() {
            break;
        }
        writer.write(batch(key, &some)?).await?;
    }
    let request = CommitRequest {
        staged: Some(writer.finish().await?),
        ..CommitRequest::default()
    };
    let done = table.commit(request).await?;
    Ok(done.ok_or("nothing was committed")?.table)
}

fn new_table(key: Key) -> NewTable {
    let column = |name: &str, lake_type, required| NewColumn {
        name: name.to_owned(),
        lake_type,
        required,
        doc: None,
    };
    let key_type = match key {
        Key::Long => LakeType::Long,
        Key::Uuid | Key::Random => LakeType::Uuid,
    };
    NewTable {
        columns: vec![
            column("id", key_type, true),
            column("name", LakeType::String, false),
            column("city", LakeType::String, false),
            column("changed", LakeType::Timestamp, false),
        ],
        identifier: vec![0],
        properties: BTreeMap::new(),
    }
}

/// Without a pattern, and the same for the same number (splitmix64).
fn scattered(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn uuid(key: Key, id: i64) -> [u8; 16] {
    let high = match key {
        Key::Random => scattered(id as u64),
        _ => id as u64,
    };
    (u128::from(high) << 64 | 0x8A5F_0123_4567_89AB).to_be_bytes()
}

fn batch(key: Key, ids: &[i64]) -> Result<RecordBatch> {
    let keys: ArrayRef = match key {
        Key::Long => Arc::new(Int64Array::from(ids.to_vec())),
        Key::Uuid | Key::Random => Arc::new(FixedSizeBinaryArray::try_from_iter(
            ids.iter().map(|&id| uuid(key, id)),
        )?),
    };
    let names = ids
        .iter()
        .map(|id| format!("person {}", id.wrapping_mul(2_654_435_761)));
    let cities = ids.iter().map(|id| format!("city {}", id % 1_000));
    let changed = ids.iter().map(|id| 1_700_000_000_000_000 + id * 977);
    let columns: [(&str, ArrayRef, bool); 4] = [
        ("id", keys, false),
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

fn upserting(table: &LakeTable) -> Result<RowChange> {
    let target = table.describe()?;
    let delta = Delta {
        columns: target.columns.clone(),
        contents: Contents::Upserts,
        operation: None,
        rows: 0,
        run_time: 0,
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
        among: None,
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

/// A measured piece of work.
struct Step {
    started: Instant,
    processor: f64,
}

impl Step {
    fn begin() -> Step {
        Step {
            started: Instant::now(),
            processor: processor_seconds(),
        }
    }

    /// Peak memory is the whole process's so far, where the system tells it.
    fn end(self, what: &str, rows: i64) {
        let seconds = self.started.elapsed().as_secs_f64();
        let processor = processor_seconds() - self.processor;
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .map_or("unknown", str::trim);
        println!(
            "{what} {rows} rows: {seconds:.3} s, {processor:.2} processor seconds, {:.0} rows/s, peak memory {peak}",
            rows as f64 / seconds
        );
    }
}

/// Of this process so far; 0 where the system does not tell.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |at: usize| fields.get(at).and_then(|t| t.parse::<f64>().ok());
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}
