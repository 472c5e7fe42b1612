//! `icehost load`

use icehost_lake::Warehouse;
use icehost_sqlserver::{Endpoint, TableName};
use icehost_sync::{Lake, LoadJob, Settings, Target, load, preview};

use crate::args::{LoadArguments, Output};
use crate::command::sync::used;
use crate::failure::Failure;
use crate::interrupt::cancel_on_signal;
use crate::job::{merging, retry_policy};
use crate::render::{Progress, print_preview, print_report};
use crate::strategies::Strategies;

pub(crate) async fn run(arguments: LoadArguments, output: Output) -> Result<(), Failure> {
    let cancel = cancel_on_signal();
    let mut strategies = Strategies::new(&arguments.run.cache);
    let merge = used(
        &arguments.merge.merge,
        arguments.merge.merge_option,
        &arguments.run,
    );
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
        merge: merging(&mut strategies, &merge).await?,
        full: arguments.full,
        exclude: arguments.exclude_columns,
        settings: Settings {
            retry: retry_policy(arguments.run.retries),
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
    report.set_component_time(strategies.time());
    print_report(&report, output);
    Ok(())
}
