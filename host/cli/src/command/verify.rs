//! `icehost verify`: whether source, lake and target agree.

use std::path::Path;
use std::time::Instant;

use icehost_config::{Config, Pipeline};
use icehost_lake::Warehouse;
use icehost_sqlserver::TableName;
use icehost_sync::{
    Lake, LoadJob, MemoryBudget, Settings, SyncJob, Target, Verification, VerifyOptions, verify,
    verify_load,
};
use tokio_util::sync::CancellationToken;

use super::sync::{of_table, used};
use super::{address, meant_table, required};
use crate::advice::Advice;
use crate::args::{DeletionArguments, Output, VerifyArguments};
use crate::failure::Failure;
use crate::job::{ThisRun, deletion_guard, job, merging, retry_policy};
use crate::registry::Registry;
use crate::render::{Progress, Verified, print_verification, print_verified, problems};
use crate::strategies::{Strategies, shipped_names};

/// What there is to compare.
enum Job {
    Sync(Box<SyncJob>),
    Load(Box<LoadJob>),
}

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
    let place = arguments.table.place.warehouse.clone();
    let mut strategies = Strategies::new(&arguments.cache);
    let job = match arguments.table.table {
        Some(_) => {
            let (table, memory) = (arguments.table, &arguments.memory);
            let waits = arguments.waits.waits();
            let (limits, retries) = (&arguments.limits, arguments.retries);
            let pipeline = Pipeline {
                delete_limit: arguments.deletions.delete_limit,
                ..of_table(table, memory, limits, retries, waits)?
            };
            let this_run = this_run(arguments.deletions);
            Job::Sync(Box::new(
                sync_job(&pipeline, &mut strategies, &this_run).await?,
            ))
        }
        None => Job::Load(Box::new(load_job(arguments, &mut strategies).await?)),
    };
    let compared = compare(&job, &options, Progress::new(output), cancel).await;
    let verification = compared.map_err(|failure| match (&place, &job) {
        (Some(place), Job::Load(job)) => meant_table(failure, place, &job.lake.table),
        (Some(place), Job::Sync(job)) => meant_table(failure, place, &job.lake.table),
        (None, _) => failure,
    })?;
    print_verification(&verification, output)
}

/// What the next run is told, and nothing else says.
fn this_run(deletions: DeletionArguments) -> ThisRun {
    ThisRun {
        allow_deletes: deletions.allow_deletes,
        ..ThisRun::default()
    }
}

async fn compare(
    job: &Job,
    options: &VerifyOptions,
    progress: Progress,
    cancel: &CancellationToken,
) -> Result<Verification, Failure> {
    let compared = match job {
        Job::Sync(job) => verify(job, options, &progress, cancel).await,
        Job::Load(job) => verify_load(job, options, &progress, cancel).await,
    };
    progress.finish();
    Ok(compared?)
}

/// The sync whose outcome is looked at.
async fn sync_job(
    pipeline: &Pipeline,
    strategies: &mut Strategies,
    this_run: &ThisRun,
) -> Result<SyncJob, Failure> {
    let mut job = job(pipeline, strategies, this_run).await?;
    // One that is missing is found missing, and never created here.
    if let Some((target, _)) = &mut job.target {
        target.create = true;
    }
    Ok(job)
}

async fn load_job(
    arguments: VerifyArguments,
    strategies: &mut Strategies,
) -> Result<LoadJob, Failure> {
    let of = arguments.table;
    let merge = used(
        &required(of.merge.merge, "merge")?,
        of.merge.merge_option,
        &arguments.limits,
    );
    let lake = Lake {
        warehouse: Warehouse::open(&required(of.place.warehouse, "warehouse")?)?,
        table: required(of.place.lake_table, "lake-table")?.parse()?,
    };
    let table = match &of.target.target_table {
        Some(name) => TableName::parse(name)?,
        None => TableName::new("dbo", lake.table.name()),
    };
    Ok(LoadJob {
        lake,
        target: Target {
            endpoint: address(&required(of.target.target, "target")?, "target")?,
            connect: ThisRun::default().connect(arguments.waits.waits()),
            table,
            create: true,
            keys_never_move: of.target.keys_never_move,
        },
        merge: merging(strategies, &merge).await?,
        full: false,
        trust_position: false,
        exclude: of.exclude_columns,
        settings: Settings {
            retry: retry_policy(arguments.retries),
            deletions: deletion_guard(
                arguments.deletions.delete_limit,
                arguments.deletions.allow_deletes,
            ),
            memory: MemoryBudget {
                limit: arguments.memory.memory_limit,
                batch: arguments.memory.batch_size.map(|mib| u64::from(mib) << 20),
                ..MemoryBudget::default()
            },
            ..Settings::default()
        },
    })
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
    let file = Config::read(config, &shipped_names()).map_err(|found| problems(config, &found))?;
    let registry = Registry::of(&file, &arguments.cache, false);
    let mut outcomes = Vec::new();
    let this_run = this_run(arguments.deletions);
    for pipeline in file.select(&arguments.pipelines)? {
        if cancel.is_cancelled() {
            return Err(Failure::new(
                "stopped before every pipeline was compared",
                "run the same command again",
            ));
        }
        let advice = Advice::of(&pipeline.name, config).of_lake();
        let compared = one(
            &pipeline, arguments, &registry, &this_run, options, cancel, &advice,
        )
        .await;
        let outcome = match compared {
            Ok(verification) => Verified::Compared(Box::new(verification)),
            Err(failure) => {
                Verified::Failed(failure.with_advice(&advice).of_pipeline(&pipeline.name))
            }
        };
        outcomes.push((pipeline.name, outcome));
    }
    print_verified(&outcomes, started.elapsed(), output)
}

async fn one(
    pipeline: &Pipeline,
    arguments: &VerifyArguments,
    registry: &Registry,
    this_run: &ThisRun,
    options: &VerifyOptions,
    cancel: &CancellationToken,
    advice: &Advice,
) -> Result<Verification, Failure> {
    let mut strategies = Strategies::with_registry(&arguments.cache, registry);
    let job = sync_job(pipeline, &mut strategies, this_run).await?;
    let progress = Progress::of_pipeline(&pipeline.name, advice.clone());
    compare(&Job::Sync(Box::new(job)), options, progress, cancel).await
}
