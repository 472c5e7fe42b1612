//! `icehost load`

use icehost_lake::Warehouse;
use icehost_run::{
    Delivery, Registry, Runner, Strategies, ThisRun, deletion_guard, merging, retry_policy,
};
use icehost_sqlserver::TableName;
use icehost_sync::{Lake, LoadJob, MemoryBudget, Settings, Target, load, preview};
use tokio_util::sync::CancellationToken;

use super::{Place, address, meant_table, pipeline, required};
use crate::advice::Advice;
use crate::args::{LoadArguments, Output};
use crate::command::sync::used;
use crate::failure::Failure;
use crate::render::{Progress, print_preview, print_report};

pub(crate) async fn run(
    arguments: LoadArguments,
    output: Output,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let advice = arguments.lake.advice().of_lake();
    let done = carry_out(arguments, output, &advice, cancel).await;
    done.map_err(|failure| failure.with_advice(&advice))
}

async fn carry_out(
    arguments: LoadArguments,
    output: Output,
    advice: &Advice,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let dry_run = arguments.run.dry_run;
    // Beside a file its variable does not count.
    let place = match arguments.lake.config {
        Some(_) => None,
        None => arguments.lake.place.warehouse.clone(),
    };
    let (job, strategies) = match (&arguments.lake.config, &arguments.lake.pipeline) {
        (Some(_), Some(_)) => of_pipeline(arguments).await?,
        _ => of_flags(arguments).await?,
    };
    let progress = Progress::new(output).with_advice(advice);
    if dry_run {
        let preview = preview::load(&job).await;
        progress.finish();
        print_preview(&preview?, output);
        return Ok(());
    }
    let report = load(&job, &progress, cancel).await;
    progress.finish();
    let mut report = report.map_err(|error| match &place {
        Some(place) => meant_table(error.into(), place, &job.lake.table),
        None => error.into(),
    })?;
    report.set_component_time(strategies.time());
    advice.complete_all(&mut report.warnings);
    print_report(&report, output);
    Ok(())
}

fn this_run(arguments: &LoadArguments) -> ThisRun {
    ThisRun {
        looks_only: arguments.run.dry_run,
        allow_deletes: arguments.run.deletions.allow_deletes,
        ..ThisRun::default()
    }
}

async fn of_flags(arguments: LoadArguments) -> Result<(LoadJob, Strategies), Failure> {
    let this_run = this_run(&arguments);
    let mut strategies = Strategies::new(&arguments.run.cache.caches()?);
    let merge = used(
        &required(arguments.merge.merge, "merge")?,
        arguments.merge.merge_option,
        &arguments.run.limits,
    );
    let place = Place::of(&arguments.lake)?;
    let lake = Lake {
        warehouse: Warehouse::open(&place.warehouse)?,
        table: place.table,
    };
    let table = match &arguments.target.target_table {
        Some(name) => TableName::parse(name)?,
        None => TableName::new("dbo", lake.table.name()),
    };
    let job = LoadJob {
        lake,
        target: Target {
            endpoint: address(&required(arguments.target.target, "target")?, "target")?,
            connect: this_run.connect(arguments.run.waits.waits()),
            table,
            create: arguments.create_target,
            keys_never_move: arguments.target.keys_never_move,
        },
        merge: merging(&mut strategies, &merge).await?,
        full: arguments.full,
        trust_position: arguments.trust_position,
        exclude: arguments.exclude_columns,
        settings: Settings {
            retry: retry_policy(arguments.run.retries),
            deletions: deletion_guard(
                arguments.run.deletions.delete_limit,
                arguments.run.deletions.allow_deletes,
            ),
            memory: within(arguments.memory_limit)?,
            ..Settings::default()
        },
    };
    Ok((job, strategies))
}

/// What a load may take: one connection that reads nothing.
fn within(limit: Option<u64>) -> Result<MemoryBudget, Failure> {
    let memory = MemoryBudget {
        limit,
        ..MemoryBudget::default()
    };
    memory.divide(0)?;
    Ok(memory)
}

/// The second half of a pipeline.
async fn of_pipeline(arguments: LoadArguments) -> Result<(LoadJob, Strategies), Failure> {
    let config = required(arguments.lake.config.clone(), "config")?;
    let name = arguments.lake.pipeline.clone().unwrap_or_default();
    let (file, pipeline) = pipeline(&config, &name)?;
    let caches = arguments.run.cache.caches()?;
    let runner = Runner {
        registry: Registry::of(&file, &caches, false),
        caches,
        this_run: this_run(&arguments),
    };
    let delivery = Delivery {
        full: arguments.full,
        trust_position: arguments.trust_position,
        exclude: arguments.exclude_columns,
    };
    Ok(runner.load_job(&pipeline, delivery).await?)
}
