//! What components cost: loading them cold and cached, and calling them. Prints medians.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use icehost_plan::{Column, ColumnType, Features, SqlType, Table, Value};
use icehost_strategy::{Context, Options, Runtime, RuntimeOptions};

const LOADS: usize = 21;
const CALLS: usize = 2_001;

fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort_unstable();
    durations[durations.len() / 2]
}

fn table() -> Table {
    let column = |name: &str, sql| Column::new(name, ColumnType::Sql(sql), false);
    let mut columns = vec![
        column("Id", SqlType::Int),
        column("ModifiedDate", SqlType::DateTime2(7)),
    ];
    columns.extend((0..10).map(|i| column(&format!("Column{i}"), SqlType::BigInt)));
    Table {
        name: "dbo.Orders".to_owned(),
        columns,
        features: Features::default(),
        row_estimate: None,
    }
}

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let cached = RuntimeOptions {
        cache_dir: Some(directory.path().join("cache")),
        ..RuntimeOptions::default()
    };
    for shipped in icehost_plugins::shipped() {
        let (mut cold, mut warm) = (Vec::new(), Vec::new());
        for _ in 0..LOADS {
            let runtime = Runtime::new(RuntimeOptions::default()).unwrap();
            cold.push(
                runtime
                    .load(shipped.name, shipped.component)
                    .await
                    .unwrap()
                    .load_time(),
            );
            let runtime = Runtime::new(cached.clone()).unwrap();
            let strategy = runtime.load(shipped.name, shipped.component).await.unwrap();
            if strategy.from_cache() {
                warm.push(strategy.load_time());
            }
        }
        println!(
            "load {:<12} {:>7} bytes  cold {:>10.2?}  cached {:>10.2?}",
            shipped.name,
            shipped.component.len(),
            median(cold),
            median(warm)
        );
    }
    let runtime = Runtime::new(cached).unwrap();
    let component = icehost_plugins::find("timestamp").unwrap().component;
    let strategy = runtime.load("timestamp", component).await.unwrap();
    let detector = strategy.as_change_detector().unwrap();
    let table = table();
    let options = Options::none(&strategy).unwrap();
    let context = Context {
        table: &table,
        options: &options,
        watermark: None,
    };
    let readings = [Value::Timestamp(17_698_608_001_234_567)];
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        let started = Instant::now();
        detector.plan(&context, &readings).await.unwrap();
        calls.push(started.elapsed());
    }
    println!(
        "call timestamp.plan, {} columns, fresh sandbox  {:>10.2?}",
        table.columns.len(),
        median(calls)
    );
}
