//! `icehost sync --config`: the pipelines of a configuration file.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures::stream;
use icehost_config::Pipeline;
use icehost_run::{Done, Registry, RunError, Runner, schedule};
use tokio_util::sync::CancellationToken;

use super::configuration;
use crate::advice::Advice;
use crate::args::{Output, SyncArguments};
use crate::command::sync::this_run;
use crate::failure::Failure;
use crate::render::{Outcome, Progress, Told, summary};

/// How one pipeline is run.
struct One {
    runner: Runner,
    dry_run: bool,
    cancel: CancellationToken,
}

/// Runs the pipelines that are named, or all, so many at a time. One that fails stops none of the others.
pub(crate) async fn run(
    config: &Path,
    arguments: &SyncArguments,
    output: Output,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let started = Instant::now();
    let file = configuration(config)?;
    let pipelines = file.select(&arguments.pipelines)?;
    let caches = arguments.run.cache.caches()?;
    let one = Arc::new(One {
        runner: Runner {
            registry: Registry::of(&file, &caches, false),
            caches,
            this_run: this_run(arguments),
        },
        dry_run: arguments.run.dry_run,
        cancel: cancel.clone(),
    });
    let of_file = config.to_owned();
    let advice = move |name: &str| Advice::of(name, &of_file);
    let advice_of_run = advice.clone();
    let count = pipelines.len();
    let at_once = NonZeroUsize::new(arguments.jobs as usize).unwrap_or(NonZeroUsize::MIN);
    let mut running = schedule(stream::iter(pipelines), at_once, cancel, move |pipeline| {
        let advice = advice_of_run(&pipeline.name);
        Arc::clone(&one).run(pipeline, advice)
    });
    let mut ended: Vec<Option<(String, Outcome)>> = (0..count).map(|_| None).collect();
    let mut told = Told::of(count, output);
    while let Some(Done {
        index,
        name,
        outcome,
    }) = running.next().await
    {
        let outcome = outcome.unwrap_or_else(|error| {
            Outcome::Failed(Failure::from(error).with_advice(&advice(&name)))
        });
        told.ended(&name, &outcome);
        if let Some(place) = ended.get_mut(index) {
            *place = Some((name, outcome));
        }
    }
    let outcomes: Vec<(String, Outcome)> = ended.into_iter().flatten().collect();
    summary(&outcomes, started.elapsed(), output)
}

impl One {
    async fn run(self: Arc<One>, pipeline: Pipeline, advice: Advice) -> Result<Outcome, RunError> {
        let progress = Progress::of_pipeline(&pipeline.name, advice.clone());
        if self.dry_run {
            let preview = self.runner.preview_sync(&pipeline, &progress).await?;
            return Ok(Outcome::Previewed(Box::new(preview)));
        }
        let synced = self.runner.sync(&pipeline, &progress, &self.cancel).await;
        let mut report = synced?;
        advice.complete_all(&mut report.warnings);
        Ok(Outcome::Synced(Box::new(report)))
    }
}
