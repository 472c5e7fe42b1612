//! `icehost plugin bench`: what a strategy costs a run.

use std::path::PathBuf;
use std::time::Duration;

use icehost_conformance::{CaseFile, Throughput, Timing};
use icehost_run::Caches;
use icehost_strategy::{Runtime, RuntimeOptions, Strategy, Usage};

use super::component;
use super::test;
use crate::args::{CacheArguments, LimitArguments, Output};
use crate::failure::Failure;
use crate::render::line;

/// What was measured.
struct Costs {
    strategy: Strategy,
    compiled: Duration,
    /// `None` without a cache.
    cached: Option<Duration>,
    instantiated: Duration,
    cases: Vec<(Timing, Usage)>,
}

/// How to measure.
pub(super) struct Bench {
    pub(super) cache: CacheArguments,
    pub(super) limits: LimitArguments,
    pub(super) runs: u32,
}

impl Bench {
    /// Times loading, compiled and from the cache, instantiation, and the strategy's cases, and counts what these
    /// use.
    ///
    /// # Errors
    /// What keeps the strategy or its cases from being run.
    pub(super) async fn run(
        &self,
        path: &str,
        cases: Option<PathBuf>,
        output: Output,
    ) -> Result<(), Failure> {
        let files = test::of(path, cases)?;
        let (name, bytes) = component(path).await?;
        let costs = self.measure(&name, &bytes, &files).await?;
        match output {
            Output::Json => line(object(&costs)),
            Output::Text => print(&costs),
        }
        Ok(())
    }

    async fn measure(
        &self,
        name: &str,
        bytes: &[u8],
        files: &[CaseFile],
    ) -> Result<Costs, Failure> {
        let limits = self.limits.limits();
        let caches = self.cache.caches()?;
        let uncached = Caches::none(icehost_run::this_program()?).runtime(limits.clone())?;
        let compiled = uncached.load(name, bytes).await?.load_time();
        // The first of these writes the cache, if it has to. Each knows what it has loaded before.
        let runtime = || caches.runtime(limits.clone());
        runtime()?.load(name, bytes).await?;
        let runtime = runtime()?;
        let strategy = runtime.load(name, bytes).await?;
        let cached = strategy.from_cache().then(|| strategy.load_time());
        let instantiated = icehost_conformance::instantiation(&strategy, self.runs).await?;
        let timings = icehost_conformance::time(&strategy, files, self.runs).await?;
        // Counting makes it slower: another engine does it.
        let counting = Runtime::new(RuntimeOptions {
            count_fuel: true,
            ..caches.options(limits.clone())
        })?;
        let counted = counting.load(name, bytes).await?;
        let usages = icehost_conformance::usage(&counted, files).await?;
        Ok(Costs {
            strategy,
            compiled,
            cached,
            instantiated,
            cases: timings.into_iter().zip(usages).collect(),
        })
    }
}

fn object(costs: &Costs) -> serde_json::Value {
    serde_json::json!({
        "strategy": costs.strategy.description().name,
        "size": costs.strategy.size(),
        "compile_ms": milliseconds(costs.compiled),
        "load_from_cache_ms": costs.cached.map(milliseconds),
        "instantiate_ms": milliseconds(costs.instantiated),
        "cases": costs.cases.iter().map(|(timing, usage)| serde_json::json!({
            "name": timing.name,
            "calls": timing.calls,
            "median_ms": milliseconds(timing.median),
            "slowest_ms": milliseconds(timing.slowest),
            "memory": usage.memory_bytes,
            "fuel": usage.fuel,
            "rows_per_second": timing.throughput.map(rows_per_second),
            "instance_memory": timing.throughput.map(|throughput| throughput.memory),
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
    line(format!(
        "instantiate      {:.3} ms",
        milliseconds(costs.instantiated)
    ));
    for (timing, usage) in &costs.cases {
        line(format!(
            "{:.3} ms ({:.3} at most), {:.1} MiB, {} of fuel for {} in fresh sandboxes: {}",
            milliseconds(timing.median),
            milliseconds(timing.slowest),
            mebibytes(usage.memory_bytes),
            usage.fuel.unwrap_or_default(),
            match timing.calls {
                1 => "a call".to_owned(),
                calls => format!("{calls} calls"),
            },
            timing.name
        ));
        if let Some(throughput) = timing.throughput {
            line(format!(
                "  {:.0} rows/s in batches of {} rows, {:.1} MiB at most",
                rows_per_second(throughput),
                throughput.rows,
                mebibytes(throughput.memory)
            ));
        }
    }
}

fn rows_per_second(throughput: Throughput) -> f64 {
    throughput.rows as f64 / throughput.median.as_secs_f64().max(1e-9)
}

fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
