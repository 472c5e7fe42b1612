//! `icehost plugin bench`: what a strategy costs a run.

use std::path::PathBuf;
use std::time::Duration;

use icehost_conformance::{CaseFile, Throughput, Timing};
use icehost_strategy::{Limits, Runtime, RuntimeOptions, Strategy, Usage};

use super::component;
use super::test::{cases_of, read};
use crate::args::{CacheArguments, Output};
use crate::failure::Failure;
use crate::render::line;
use crate::strategies;

/// What was measured.
struct Costs {
    strategy: Strategy,
    compiled: Duration,
    /// `None` without a cache.
    cached: Option<Duration>,
    cases: Vec<(Timing, Usage)>,
}

/// Times loading, compiled and from the cache, and the strategy's cases, and counts what these use.
///
/// # Errors
/// What keeps the strategy or its cases from being run.
pub(super) async fn run(
    cache: &CacheArguments,
    path: &str,
    cases: Option<PathBuf>,
    runs: u32,
    output: Output,
) -> Result<(), Failure> {
    let files = read(&cases_of(path, cases))?;
    let (name, bytes) = component(path).await?;
    let costs = measure(cache, &name, &bytes, &files, runs).await?;
    match output {
        Output::Json => line(object(&costs)),
        Output::Text => print(&costs),
    }
    Ok(())
}

async fn measure(
    cache: &CacheArguments,
    name: &str,
    bytes: &[u8],
    files: &[CaseFile],
    runs: u32,
) -> Result<Costs, Failure> {
    let uncached = Runtime::new(RuntimeOptions::default())?;
    let compiled = uncached.load(name, bytes).await?.load_time();
    // The first of these writes the cache, if it has to.
    let runtime = strategies::runtime(cache, Limits::default())?;
    runtime.load(name, bytes).await?;
    let strategy = runtime.load(name, bytes).await?;
    let cached = strategy.from_cache().then(|| strategy.load_time());
    let timings = icehost_conformance::time(&strategy, files, runs).await?;
    // Counting makes it slower: another engine does it.
    let counting = Runtime::new(RuntimeOptions {
        cache_dir: strategies::cache_dir(cache),
        count_fuel: true,
        ..RuntimeOptions::default()
    })?;
    let counted = counting.load(name, bytes).await?;
    let usages = icehost_conformance::usage(&counted, files).await?;
    Ok(Costs {
        strategy,
        compiled,
        cached,
        cases: timings.into_iter().zip(usages).collect(),
    })
}

fn object(costs: &Costs) -> serde_json::Value {
    serde_json::json!({
        "strategy": costs.strategy.description().name,
        "size": costs.strategy.size(),
        "compile_ms": milliseconds(costs.compiled),
        "load_from_cache_ms": costs.cached.map(milliseconds),
        "cases": costs.cases.iter().map(|(timing, usage)| serde_json::json!({
            "name": timing.name,
            "calls": timing.calls,
            "median_ms": milliseconds(timing.median),
            "slowest_ms": milliseconds(timing.slowest),
            "memory": usage.memory_bytes,
            "fuel": usage.fuel,
            "rows_per_second": timing.throughput.map(rows_per_second),
        })).collect::<Vec<_>>(),
    })
}

fn print(costs: &Costs) {
    let size = costs.strategy.size() as f64 / 1024.0;
    line(format!("size             {size:.1} KiB"));
    line(format!(
        "compile and load {:.3} ms",
        milliseconds(costs.compiled)
    ));
    match costs.cached {
        Some(cached) => line(format!("load from cache  {:.3} ms", milliseconds(cached))),
        None => line("load from cache  (there is none)"),
    }
    for (timing, usage) in &costs.cases {
        line(format!(
            "{:.3} ms ({:.3} at most), {:.1} MiB, {} of fuel for {} in fresh sandboxes: {}",
            milliseconds(timing.median),
            milliseconds(timing.slowest),
            usage.memory_bytes as f64 / f64::from(1 << 20),
            usage.fuel.unwrap_or_default(),
            match timing.calls {
                1 => "a call".to_owned(),
                calls => format!("{calls} calls"),
            },
            timing.name
        ));
        if let Some(throughput) = timing.throughput {
            line(format!(
                "  {:.0} rows/s in batches of {} rows",
                rows_per_second(throughput),
                throughput.rows
            ));
        }
    }
}

fn rows_per_second(throughput: Throughput) -> f64 {
    throughput.rows as f64 / throughput.median.as_secs_f64().max(1e-9)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
