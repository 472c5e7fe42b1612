//! How long a strategy takes to answer, and what it uses.

use std::time::{Duration, Instant};

use icehost_strategy::{Options, Strategy, StrategyError, Usage};

use crate::case::{Case, CaseFile};
use crate::{detector, transformer};

/// How long a case takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// The case's name.
    pub name: String,
    /// Calls into the strategy in one run, each in a fresh sandbox: three for a change detector, one for a
    /// merger. A batch transformer is opened and applied to the case's rows, both in the same.
    pub calls: u32,
    /// The median of the runs.
    pub median: Duration,
    /// The slowest.
    pub slowest: Duration,
    /// What a transformer that is open does with the case's rows, repeated.
    pub throughput: Option<Throughput>,
}

/// How fast rows go through a transformer, into the component and out of it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throughput {
    /// Rows in a batch.
    pub rows: usize,
    /// The median of the runs, for a batch.
    pub median: Duration,
    /// The most that an instance had, in bytes.
    pub memory: usize,
}

/// How long it takes to make an instance of a strategy that is loaded: the median of so many.
///
/// # Errors
/// A component that cannot be instantiated.
pub async fn instantiation(strategy: &Strategy, runs: u32) -> Result<Duration, StrategyError> {
    let mut times = Vec::with_capacity(runs as usize);
    for _ in 0..runs.max(1) {
        let started = Instant::now();
        strategy.instantiate().await?;
        times.push(started.elapsed());
    }
    Ok(median(&mut times))
}

/// The one in the middle; they are in order afterwards.
pub(crate) fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Runs every case that expects an answer so many times.
///
/// # Errors
/// What the strategy answers instead: run its tests first.
pub async fn time(
    strategy: &Strategy,
    files: &[CaseFile],
    runs: u32,
) -> Result<Vec<Timing>, StrategyError> {
    let mut timings = Vec::new();
    for (name, case) in answered(files) {
        let options = Options::from_json(strategy, case.options.clone())?;
        let mut times = Vec::with_capacity(runs as usize);
        let mut calls = 0;
        for _ in 0..runs.max(1) {
            let started = Instant::now();
            calls = ask(strategy, case, &options).await?;
            times.push(started.elapsed());
        }
        let median = median(&mut times);
        let throughput = match strategy.as_batch_transformer() {
            Ok(transformer) => transformer::throughput(&transformer, case, &options, runs).await?,
            Err(_) => None,
        };
        timings.push(Timing {
            throughput,
            name,
            calls,
            median,
            slowest: times.last().copied().unwrap_or_default(),
        });
    }
    Ok(timings)
}

/// What one run of every case that expects an answer uses, in the order of [`time`].
///
/// Fuel is counted where the strategy was loaded by a runtime that does.
///
/// # Errors
/// What the strategy answers instead: run its tests first.
pub async fn usage(strategy: &Strategy, files: &[CaseFile]) -> Result<Vec<Usage>, StrategyError> {
    let mut usages = Vec::new();
    for (_, case) in answered(files) {
        let options = Options::from_json(strategy, case.options.clone())?;
        strategy.take_usage();
        ask(strategy, case, &options).await?;
        usages.push(strategy.take_usage());
    }
    Ok(usages)
}

/// The cases that do not expect an error, with their full names.
fn answered(files: &[CaseFile]) -> impl Iterator<Item = (String, &Case)> {
    files.iter().flat_map(|file| {
        let cases = file
            .cases
            .iter()
            .filter(|case| case.expected.error.is_none());
        cases.map(|case| (format!("{}: {}", file.name, case.name), case))
    })
}

/// Asks what a sync asks, and says how many calls that took.
async fn ask(strategy: &Strategy, case: &Case, options: &Options) -> Result<u32, StrategyError> {
    if let Ok(detector) = strategy.as_change_detector() {
        detector::run(&detector, case, options).await?;
        return Ok(3);
    }
    if let (Ok(merger), Some(delta)) = (strategy.as_merger(), &case.delta) {
        merger.plan(&case.table, delta, options).await?;
        return Ok(1);
    }
    if let Ok(transformer) = strategy.as_batch_transformer() {
        transformer::run(&transformer, case, options).await?;
        return Ok(2);
    }
    Ok(0)
}
