//! `icehost load`

use icehost_config::{Connection, Lake, Limits, Target};
use icehost_run::{Delivery, Registry, Runner, Strategies, ThisRun};
use icehost_sqlserver::TableName;
use icehost_sync::{LoadJob, load, preview};
use tokio_util::sync::CancellationToken;

use super::{Place, address, meant_table, pipeline, required};
use crate::advice::Advice;
use crate::args::{LoadArguments, Output, TargetArguments};
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

/// Between the tables that flags name.
async fn of_flags(arguments: LoadArguments) -> Result<(LoadJob, Strategies), Failure> {
    let runner = Runner {
        caches: arguments.run.cache.caches()?,
        registry: Registry::none(),
        this_run: this_run(&arguments),
    };
    let run = &arguments.run;
    let limits = Limits {
        memory: arguments.memory_limit,
        batch_size: None,
        retries: run.retries,
        waits: run.waits.waits(),
        deletions: run.deletions.delete_limit,
    };
    let merge = used(
        &required(arguments.merge.merge, "merge")?,
        arguments.merge.merge_option,
        &run.limits,
    );
    let from = Place::of(&arguments.lake)?.lake();
    let to = Target {
        create: arguments.create_target,
        ..of_lake(&arguments.target, &from)?
    };
    let delivery = Delivery {
        full: arguments.full,
        trust_position: arguments.trust_position,
        exclude: arguments.exclude_columns,
    };
    Ok(runner
        .delivery((&from, &to), &merge, &limits, delivery)
        .await?)
}

/// The target table of a lake table.
pub(super) fn of_lake(target: &TargetArguments, lake: &Lake) -> Result<Target, Failure> {
    Ok(Target {
        connection: Connection::to(address(
            &required(target.target.clone(), "target")?,
            "target",
        )?),
        table: match &target.target_table {
            Some(name) => TableName::parse(name)?,
            None => TableName::new("dbo", lake.table.name()),
        },
        create: false,
        keys_never_move: target.keys_never_move,
    })
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
