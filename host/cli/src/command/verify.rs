//! `icehost verify`: whether source, lake and target agree.

use std::path::Path;
use std::time::Instant;

use icehost_config::Pipeline;
use icehost_lake::{LakeTableName, Warehouse};
use icehost_run::{Registry, Runner, Strategies, ThisRun, deletion_guard, merging, retry_policy};
use icehost_sqlserver::TableName;
use icehost_sync::{Lake, LoadJob, MemoryBudget, Settings, Target, VerifyOptions, verify_load};
use tokio_util::sync::CancellationToken;

use super::sync::{of_table, used};
use super::{address, configuration, meant_table, required};
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
    if arguments.table.table.is_none() {
        let mut strategies = Strategies::new(&caches);
        let job = load_job(arguments, &mut strategies).await?;
        let progress = Progress::new(output);
        let compared = verify_load(&job, &options, &progress, cancel).await;
        progress.finish();
        let compared = compared.map_err(|error| meant(error.into(), &job.lake.table))?;
        return print_verification(&compared, output);
    }
    let (table, memory) = (arguments.table, &arguments.memory);
    let waits = arguments.waits.waits();
    let (limits, retries) = (&arguments.limits, arguments.retries);
    let pipeline = Pipeline {
        delete_limit: arguments.deletions.delete_limit,
        ..of_table(table, memory, limits, retries, waits)?
    };
    let runner = Runner {
        caches,
        registry: Registry::none(),
        this_run,
    };
    let progress = Progress::new(output);
    let compared = runner.verify(&pipeline, &options, &progress, cancel).await;
    progress.finish();
    let compared = compared.map_err(|error| meant(error.into(), &pipeline.lake_table))?;
    print_verification(&compared, output)
}

/// What the next run is told, and nothing else says.
fn this_run(deletions: DeletionArguments) -> ThisRun {
    ThisRun {
        allow_deletes: deletions.allow_deletes,
        ..ThisRun::default()
    }
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
