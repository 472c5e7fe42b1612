//! How long a strategy takes to answer.

use std::time::{Duration, Instant};

use icehost_strategy::{Options, Strategy, StrategyError};

use crate::case::CaseFile;
use crate::detector;

/// How long a case takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// The case's name.
    pub name: String,
    /// Calls into the strategy in one run: three for a change detector, one for a merger, each in a fresh
    /// sandbox.
    pub calls: u32,
    /// The median of the runs.
    pub median: Duration,
    /// The slowest.
    pub slowest: Duration,
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
    for file in files {
        for case in file
            .cases
            .iter()
            .filter(|case| case.expected.error.is_none())
        {
            let options = Options::from_json(strategy, case.options.clone())?;
            let mut times = Vec::with_capacity(runs as usize);
            let mut calls = 0;
            for _ in 0..runs.max(1) {
                let started = Instant::now();
                if let Ok(detector) = strategy.as_change_detector() {
                    calls = 3;
                    detector::run(&detector, case, &options).await?;
                } else if let (Ok(merger), Some(delta)) = (strategy.as_merger(), &case.delta) {
                    calls = 1;
                    merger.plan(&case.table, delta, &options).await?;
                }
                times.push(started.elapsed());
            }
            times.sort_unstable();
            timings.push(Timing {
                name: format!("{}: {}", file.name, case.name),
                calls,
                median: times.get(times.len() / 2).copied().unwrap_or_default(),
                slowest: times.last().copied().unwrap_or_default(),
            });
        }
    }
    Ok(timings)
}
