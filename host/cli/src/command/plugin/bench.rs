//! `icehost plugin bench`: what a strategy costs a run.

use std::path::PathBuf;
use std::time::Duration;

use icehost_strategy::{Limits, Runtime, RuntimeOptions};

use super::component;
use super::test::{cases_of, read};
use crate::args::{CacheArguments, Output};
use crate::failure::Failure;
use crate::render::line;
use crate::strategies;

/// Times loading, compiled and from the cache, and the strategy's cases.
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
    let uncached = Runtime::new(RuntimeOptions {
        cache_dir: None,
        limits: Limits::default(),
    })?;
    let compiled = uncached.load(&name, &bytes).await?.load_time();
    // The first of these writes the cache, if it has to.
    let runtime = strategies::runtime(cache, Limits::default())?;
    runtime.load(&name, &bytes).await?;
    let strategy = runtime.load(&name, &bytes).await?;
    let cached = strategy.from_cache().then(|| strategy.load_time());
    let timings = icehost_conformance::time(&strategy, &files, runs).await?;
    match output {
        Output::Json => line(serde_json::json!({
            "strategy": strategy.description().name,
            "size": strategy.size(),
            "compile_ms": milliseconds(compiled),
            "load_from_cache_ms": cached.map(milliseconds),
            "cases": timings.iter().map(|timing| serde_json::json!({
                "name": timing.name,
                "calls": timing.calls,
                "median_ms": milliseconds(timing.median),
                "slowest_ms": milliseconds(timing.slowest),
            })).collect::<Vec<_>>(),
        })),
        Output::Text => {
            line(format!(
                "size             {:.1} KiB",
                strategy.size() as f64 / 1024.0
            ));
            line(format!("compile and load {:.3} ms", milliseconds(compiled)));
            match cached {
                Some(cached) => line(format!("load from cache  {:.3} ms", milliseconds(cached))),
                None => line("load from cache  (there is none)"),
            }
            for timing in &timings {
                line(format!(
                    "{:.3} ms ({:.3} at most) for {} in fresh sandboxes: {}",
                    milliseconds(timing.median),
                    milliseconds(timing.slowest),
                    match timing.calls {
                        1 => "a call".to_owned(),
                        calls => format!("{calls} calls"),
                    },
                    timing.name
                ));
            }
        }
    }
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
