//! `icehost sync --config`: the pipelines of a configuration file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use icehost_config::{Config, Pipeline};
use icehost_sync::{preview, sync};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::advice::Advice;
use crate::args::{CacheArguments, Output, SyncArguments};
use crate::command::sync::this_run;
use crate::failure::Failure;
use crate::job::{ThisRun, job};
use crate::logging::PIPELINE;
use crate::registry::Registry;
use crate::render::{Outcome, Progress, Told, problems, summary};
use crate::strategies::{Strategies, shipped_names};

/// What the flags beside `--config` say.
#[derive(Clone)]
struct Switches {
    dry_run: bool,
    this_run: ThisRun,
    cache: CacheArguments,
    registry: Registry,
    /// The file.
    config: PathBuf,
}

impl Switches {
    fn advice(&self, pipeline: &Pipeline) -> Advice {
        Advice::of(&pipeline.name, &self.config)
    }
}

/// Runs the pipelines that are named, or all, so many at a time. One that fails stops none of the others.
pub(crate) async fn run(
    config: &Path,
    arguments: &SyncArguments,
    output: Output,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let started = Instant::now();
    let file = Config::read(config, &shipped_names()).map_err(|found| problems(config, &found))?;
    let pipelines = file.select(&arguments.pipelines)?;
    let names: Vec<String> = pipelines.iter().map(|each| each.name.clone()).collect();
    let switches = Switches {
        dry_run: arguments.run.dry_run,
        this_run: this_run(arguments),
        cache: arguments.run.cache.clone(),
        registry: Registry::of(&file, &arguments.run.cache, false),
        config: config.to_owned(),
    };
    let slots = Arc::new(Semaphore::new(arguments.jobs as usize));
    let mut running = JoinSet::new();
    let mut order = HashMap::new();
    for (index, pipeline) in pipelines.into_iter().enumerate() {
        let (slots, switches, cancel) = (Arc::clone(&slots), switches.clone(), cancel.clone());
        let span = tracing::error_span!(PIPELINE, name = %pipeline.name);
        let task = async move {
            // Never closed, so there is always a permit in the end.
            let _slot = slots.acquire().await.ok();
            one(&pipeline, &switches, &cancel)
                .await
                .map_err(|failure| failure.with_advice(&switches.advice(&pipeline)))
        };
        order.insert(running.spawn(task.instrument(span)).id(), index);
    }
    let mut ended: Vec<Option<Outcome>> = names.iter().map(|_| None).collect();
    let mut told = Told::of(names.len(), output);
    while let Some(joined) = running.join_next_with_id().await {
        let (id, result) = match joined {
            Ok((id, result)) => (id, result),
            Err(error) => {
                let failure = Failure::new(
                    format!("the pipeline's task failed: {error}"),
                    "please report this as a defect",
                );
                (error.id(), Err(failure))
            }
        };
        let Some(&index) = order.get(&id) else {
            continue;
        };
        let name = &names[index];
        let outcome = result.unwrap_or_else(Outcome::Failed);
        told.ended(name, &outcome);
        ended[index] = Some(outcome);
    }
    let outcomes: Vec<(String, Outcome)> = names
        .into_iter()
        .zip(ended)
        .filter_map(|(name, outcome)| Some((name, outcome?)))
        .collect();
    summary(&outcomes, started.elapsed(), output)
}

async fn one(
    pipeline: &Pipeline,
    switches: &Switches,
    cancel: &CancellationToken,
) -> Result<Outcome, Failure> {
    if cancel.is_cancelled() {
        return Err(Failure::new(
            "stopped before it began",
            "run the same command again to go on",
        ));
    }
    // Strategies of its own: what they take is this pipeline's, and what they break too.
    let mut strategies = Strategies::with_registry(&switches.cache, &switches.registry);
    let job = job(pipeline, &mut strategies, &switches.this_run).await?;
    let advice = switches.advice(pipeline);
    let progress = Progress::of_pipeline(&pipeline.name, advice.clone());
    if switches.dry_run {
        let preview = preview::sync(&job, &progress).await?;
        return Ok(Outcome::Previewed(Box::new(preview)));
    }
    let mut report = sync(&job, &progress, cancel).await?;
    report.set_component_time(strategies.time());
    advice.complete_all(&mut report.warnings);
    Ok(Outcome::Synced(Box::new(report)))
}
