//! `icehost sync`

use icehost_lake::{LakeTableName, Warehouse};
use icehost_sqlserver::{ColumnSelection, Endpoint, TableName};
use icehost_strategy::{Options, Runtime};
use icehost_sync::{
    Detection, FirstLoadSettings, Lake, MemoryBudget, Merging, Settings, Source, SyncJob, Target,
    preview, sync,
};

use crate::args::{CommitMode, Output, SyncArguments, TimePrecision};
use crate::command::retry_policy;
use crate::command::watermark::store;
use crate::failure::Failure;
use crate::interrupt::cancel_on_signal;
use crate::render::{Progress, print_preview, print_report};
use crate::strategies;

pub(crate) async fn run(arguments: SyncArguments, output: Output) -> Result<(), Failure> {
    let cancel = cancel_on_signal();
    let limits = strategies::limits(
        arguments.run.strategy_timeout,
        arguments.run.strategy_memory,
    );
    let runtime = strategies::runtime(&arguments.run.cache, limits)?;
    let job = job(&arguments, &runtime).await?;
    let progress = Progress::new(output);
    if arguments.run.dry_run {
        let preview = preview::sync(&job, &progress).await;
        progress.finish();
        print_preview(&preview?, output);
        return Ok(());
    }
    let report = sync(&job, &progress, &cancel).await;
    progress.finish();
    let mut report = report?;
    report.set_component_time(runtime.time_in_components());
    print_report(&report, output);
    Ok(())
}

async fn job(arguments: &SyncArguments, runtime: &Runtime) -> Result<SyncJob, Failure> {
    let table = TableName::parse(&arguments.table)?;
    let lake_merge = match &arguments.lake_merge {
        Some(name) => merging(runtime, name, &arguments.lake_merge_option).await?,
        None => {
            merging(
                runtime,
                &arguments.merge.merge,
                &arguments.merge.merge_option,
            )
            .await?
        }
    };
    let target = match &arguments.target.target {
        Some(url) => Some((
            Target {
                endpoint: Endpoint::parse(url)?,
                table: match &arguments.target.target_table {
                    Some(name) => TableName::parse(name)?,
                    None => table.clone(),
                },
                create: arguments.target.create_target,
            },
            merging(
                runtime,
                &arguments.merge.merge,
                &arguments.merge.merge_option,
            )
            .await?,
        )),
        None => None,
    };
    let strategy = strategies::detector(runtime, &arguments.strategy).await?;
    let options = Options::from_pairs(strategy.strategy(), &arguments.strategy_option)?;
    let first_load = &arguments.first_load;
    let memory = MemoryBudget {
        limit: first_load.memory_limit,
        batch: first_load.batch_size.map(|mib| u64::from(mib) << 20),
        connections: first_load.parallel as usize,
    };
    // Before anything is opened; the table's columns come on top.
    memory.divide(0)?;
    Ok(SyncJob {
        lake: Lake {
            warehouse: Warehouse::open(&arguments.warehouse)?,
            table: match &arguments.lake_table {
                Some(name) => name.parse()?,
                None => lake_name(&table)?,
            },
        },
        source: Source {
            endpoint: Endpoint::parse(&arguments.source)?,
            table,
            columns: ColumnSelection {
                include: (!arguments.columns.is_empty()).then(|| arguments.columns.clone()),
                exclude: arguments.exclude_columns.clone(),
                ..ColumnSelection::default()
            },
            name: arguments.source_name.clone(),
            time_precision: match arguments.time_precision {
                TimePrecision::Truncate => icehost_sqlserver::TimePrecision::Truncate,
                TimePrecision::Error => icehost_sqlserver::TimePrecision::Error,
            },
        },
        detection: Detection { strategy, options },
        lake_merge,
        target,
        settings: Settings {
            watermarks: store(&arguments.store),
            retry: retry_policy(&arguments.run),
            memory,
            first_load: FirstLoadSettings {
                range_rows: first_load.range_rows,
                commit: match first_load.commit {
                    CommitMode::Once => icehost_sync::CommitMode::Once,
                    CommitMode::PerRange => icehost_sync::CommitMode::PerRange,
                },
                restart: first_load.restart,
            },
        },
    })
}

/// A merge strategy with its options checked.
pub(crate) async fn merging(
    runtime: &Runtime,
    name: &str,
    options: &[(String, String)],
) -> Result<Merging, Failure> {
    let strategy = strategies::merger(runtime, name).await?;
    let options = Options::from_pairs(strategy.strategy(), options)?;
    Ok(Merging { strategy, options })
}

/// Schema and table in lower case, as lakes like their names.
fn lake_name(table: &TableName) -> Result<LakeTableName, Failure> {
    let schema = table.schema().unwrap_or("dbo");
    Ok(LakeTableName::new([
        schema.to_lowercase(),
        table.table().to_lowercase(),
    ])?)
}
