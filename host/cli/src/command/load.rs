//! `icehost load`

use icehost_lake::Warehouse;
use icehost_sqlserver::{Endpoint, TableName};
use icehost_sync::{Lake, LoadJob, Settings, Target, load, preview};

use crate::args::{LoadArguments, Output};
use crate::command::retry_policy;
use crate::command::sync::merging;
use crate::failure::Failure;
use crate::interrupt::cancel_on_signal;
use crate::render::{Progress, print_preview, print_report};
use crate::strategies;

pub(crate) async fn run(arguments: LoadArguments, output: Output) -> Result<(), Failure> {
    let cancel = cancel_on_signal();
    let limits = strategies::limits(
        arguments.run.strategy_timeout,
        arguments.run.strategy_memory,
    );
    let runtime = strategies::runtime(&arguments.run.cache, limits)?;
    let lake = Lake {
        warehouse: Warehouse::open(&arguments.lake.warehouse)?,
        table: arguments.lake.lake_table.parse()?,
    };
    let table = match &arguments.target_table {
        Some(name) => TableName::parse(name)?,
        None => TableName::new("dbo", lake.table.name()),
    };
    let job = LoadJob {
        lake,
        target: Target {
            endpoint: Endpoint::parse(&arguments.target)?,
            table,
            create: arguments.create_target,
        },
        merge: merging(
            &runtime,
            &arguments.merge.merge,
            &arguments.merge.merge_option,
        )
        .await?,
        full: arguments.full,
        exclude: arguments.exclude_columns,
        settings: Settings {
            retry: retry_policy(&arguments.run),
            ..Settings::default()
        },
    };
    let progress = Progress::new(output);
    if arguments.run.dry_run {
        let preview = preview::load(&job).await;
        progress.finish();
        print_preview(&preview?, output);
        return Ok(());
    }
    let report = load(&job, &progress, &cancel).await;
    progress.finish();
    let mut report = report?;
    report.set_component_time(runtime.time_in_components());
    print_report(&report, output);
    Ok(())
}
