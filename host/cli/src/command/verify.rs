//! `icehost verify`: whether source, lake and target agree.

use std::path::Path;
use std::time::Instant;

use icehost_config::{Lake, Limits, Target};
use icehost_lake::LakeTableName;
use icehost_run::{Delivery, ErrorKind, Registry, Runner, Strategies, ThisRun};
use icehost_sync::{LoadJob, VerifyOptions, verify_load};
use tokio_util::sync::CancellationToken;

use super::load::of_lake;
use super::sync::{of_table, used};
use super::{configuration, meant_table, required};
use crate::advice::Advice;
use crate::args::{DeletionArguments, Output, VerifyArguments};
use crate::failure::Failure;
use crate::render::{Progress, Verified, print_verification, print_verified};

pub(crate) async fn run(
    arguments: VerifyArguments,
    output: Output,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let options = VerifyOptions {
        limit: arguments.limit as usize,
        repair: arguments.repair,
        exclude: match arguments.config {
            Some(_) => arguments.table.exclude_columns.clone(),
            None => Vec::new(),
        },
    };
    if let Some(config) = arguments.config.clone() {
        return pipelines(&config, &arguments, &options, output, cancel).await;
    }
    let caches = arguments.cache.caches()?;
    let this_run = this_run(arguments.deletions);
    let place = arguments.table.place.warehouse.clone();
    let meant = |failure: Failure, table: &LakeTableName| match &place {
        Some(place) => meant_table(failure, place, table),
        None => failure,
    };
    let runner = Runner {
        caches,
        registry: Registry::none(),
        this_run,
    };
    let limits = Limits {
        deletions: arguments.deletions.delete_limit,
        ..arguments.memory.limits(arguments.retries, arguments.waits)
    };
    if arguments.table.table.is_none() {
        let (job, _strategies) = load_job(arguments, &runner, &limits).await?;
        let progress = Progress::new(output);
        let compared = verify_load(&job, &options, &progress, cancel).await;
        progress.finish();
        let compared = compared.map_err(|error| meant(error.into(), &job.lake.table))?;
        return print_verification(&compared, output);
    }
    let pipeline = of_table(arguments.table, &arguments.limits, limits)?;
    let progress = Progress::new(output);
    let compared = runner.verify(&pipeline, &options, &progress, cancel).await;
    progress.finish();
    let compared = compared.map_err(|error| meant(error.into(), &pipeline.lake.table))?;
    print_verification(&compared, output)
}

/// What the next run is told, and nothing else says.
fn this_run(deletions: DeletionArguments) -> ThisRun {
    ThisRun {
        allow_deletes: deletions.allow_deletes,
        ..ThisRun::default()
    }
}

/// The delivery whose outcome is looked at.
async fn load_job(
    arguments: VerifyArguments,
    runner: &Runner,
    limits: &Limits,
) -> Result<(LoadJob, Strategies), Failure> {
    let of = arguments.table;
    let merge = used(
        &required(of.merge.merge, "merge")?,
        of.merge.merge_option,
        &arguments.limits,
    );
    let from = Lake {
        warehouse: required(of.place.warehouse, "warehouse")?,
        table: required(of.place.lake_table, "lake-table")?.parse()?,
        merge: None,
        watermark_dir: None,
    };
    // One that is missing is found missing, and never created here.
    let to = Target {
        create: true,
        ..of_lake(&of.target, &from)?
    };
    let delivery = Delivery {
        exclude: of.exclude_columns,
        ..Delivery::default()
    };
    Ok(runner
        .delivery((&from, &to), &merge, limits, delivery)
        .await?)
}

/// Compares the pipelines that are named, or all, one after the other. One that fails stops none of the others.
async fn pipelines(
    config: &Path,
    arguments: &VerifyArguments,
    options: &VerifyOptions,
    output: Output,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let started = Instant::now();
    let file = configuration(config)?;
    let pipelines = file.select(&arguments.pipelines)?;
    let caches = arguments.cache.caches()?;
    let runner = Runner {
        registry: Registry::of(&file, &caches, false),
        caches,
        this_run: this_run(arguments.deletions),
    };
    let mut outcomes = Vec::new();
    for pipeline in pipelines {
        if cancel.is_cancelled() {
            return Err(Failure::new(
                ErrorKind::Cancelled,
                "stopped before every pipeline was compared",
                "run the same command again",
            ));
        }
        let advice = Advice::of(&pipeline.name, config).of_lake();
        let progress = Progress::of_pipeline(&pipeline.name, advice.clone());
        let outcome = match runner.verify(&pipeline, options, &progress, cancel).await {
            Ok(verification) => Verified::Compared(Box::new(verification)),
            Err(error) => {
                let failure = Failure::from(error).with_advice(&advice);
                Verified::Failed(failure.of_pipeline(&pipeline.name))
            }
        };
        outcomes.push((pipeline.name, outcome));
    }
    print_verified(&outcomes, started.elapsed(), output)
}
