//! `icehost sync`

use icehost_config::{
    Component, Connection, FirstLoad, GivenOptions, KeyPlace, Lake, Limits, Pipeline, Places,
    Shaping, Source, Target, Use,
};
use icehost_run::{Registry, Runner, ThisRun};
use icehost_sqlserver::TableName;
use tokio_util::sync::CancellationToken;

use crate::args::{LimitArguments, Output, SyncArguments, TableArguments};
use crate::command::pipelines;
use crate::command::{address, required};
use crate::failure::Failure;
use crate::render::{Progress, print_preview, print_report};

pub(crate) async fn run(
    arguments: SyncArguments,
    output: Output,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    if let Some(config) = &arguments.config {
        return pipelines::run(config, &arguments, output, cancel).await;
    }
    let runner = Runner {
        caches: arguments.run.cache.caches()?,
        registry: Registry::none(),
        this_run: this_run(&arguments),
    };
    let dry_run = arguments.run.dry_run;
    let pipeline = pipeline(arguments)?;
    let progress = Progress::new(output);
    if dry_run {
        let preview = runner.preview_sync(&pipeline, &progress).await;
        progress.finish();
        print_preview(&preview?, output);
        return Ok(());
    }
    let report = runner.sync(&pipeline, &progress, cancel).await;
    progress.finish();
    print_report(&report?, output);
    Ok(())
}

/// What the flags say of this run alone.
pub(crate) fn this_run(arguments: &SyncArguments) -> ThisRun {
    ThisRun {
        restart: arguments.first_load.restart,
        allow_deletes: arguments.run.deletions.allow_deletes,
        looks_only: arguments.run.dry_run,
        ..ThisRun::default()
    }
}

/// The pipeline that the flags describe.
fn pipeline(arguments: SyncArguments) -> Result<Pipeline, Failure> {
    let run = &arguments.run;
    let limits = Limits {
        deletions: run.deletions.delete_limit,
        ..arguments.memory.limits(run.retries, run.waits)
    };
    let mut pipeline = of_table(arguments.table, &run.limits, limits)?;
    if let Some(target) = &mut pipeline.target {
        target.create = arguments.create_target;
    }
    pipeline.source.time_precision = arguments.time_precision.into();
    pipeline.first_load = arguments.first_load.first_load();
    Ok(pipeline)
}

/// What the flags say of a table: what is where, and how it moves.
pub(crate) fn of_table(
    arguments: TableArguments,
    of_strategies: &LimitArguments,
    limits: Limits,
) -> Result<Pipeline, Failure> {
    let table = TableName::parse(&required(arguments.table, "table")?)?;
    let target = match &arguments.target.target {
        Some(url) => Some(Target {
            connection: Connection::to(address(url, "target")?),
            table: match &arguments.target.target_table {
                Some(name) => TableName::parse(name)?,
                None => table.clone(),
            },
            create: false,
            keys_never_move: arguments.target.keys_never_move,
        }),
        None => None,
    };
    let of_strategies = |name: &str, options| used(name, options, of_strategies);
    Ok(Pipeline {
        name: table.to_string(),
        place: None,
        places: Places::default(),
        lake: Lake {
            warehouse: required(arguments.place.warehouse, "warehouse")?,
            table: match &arguments.place.lake_table {
                Some(name) => name.parse()?,
                None => icehost_config::default_lake_table(&table)?,
            },
            merge: arguments
                .lake_merge
                .map(|name| of_strategies(&name, arguments.lake_merge_option)),
            watermark_dir: arguments.store.watermark_dir,
        },
        source: Source {
            connection: Connection::to(address(&required(arguments.source, "source")?, "source")?),
            table,
            name: arguments.source_name,
            columns: arguments.columns,
            exclude_columns: arguments.exclude_columns,
            allow_masked: arguments.allow_masked,
            allow_row_filter: arguments.allow_row_filter,
            time_precision: icehost_sqlserver::TimePrecision::Truncate,
        },
        detection: of_strategies(
            &required(arguments.strategy, "strategy")?,
            arguments.strategy_option,
        ),
        merge: of_strategies(
            &required(arguments.merge.merge, "merge")?,
            arguments.merge.merge_option,
        ),
        target,
        shaping: Shaping {
            column_rules: arguments.column_rule,
            hash_key: match (arguments.hash_key_env, arguments.hash_key_file) {
                (Some(name), _) => Some(KeyPlace::Environment(name)),
                (None, file) => file.map(KeyPlace::File),
            },
            transforms: transforms(
                &arguments.transform,
                arguments.transform_option,
                of_strategies,
            )?,
        },
        first_load: FirstLoad::default(),
        limits,
    })
}

/// The transformers as flags name them. An option without a name belongs to the only one.
fn transforms(
    names: &[String],
    options: Vec<(String, String)>,
    used: impl Fn(&str, Vec<(String, String)>) -> Use,
) -> Result<Vec<Use>, Failure> {
    let mut given: Vec<Vec<(String, String)>> = vec![Vec::new(); names.len()];
    for (key, value) in options {
        let named = (0..).zip(names).find_map(|(of, name)| {
            let rest = key.strip_prefix(name.as_str())?.strip_prefix(':')?;
            Some((of, rest.to_owned()))
        });
        let (of, key) = match (named, names) {
            (Some(named), _) => named,
            (None, [_]) => (0, key),
            (None, _) => {
                let failure = Failure::config(
                    format!("--transform-option {key}=… does not say which transformer it is for"),
                    format!(
                        "write NAME:KEY=VALUE, where NAME is one of {}",
                        names.join(", ")
                    ),
                );
                let named = key.split_once(':').map(|(name, _)| name);
                let near = named.and_then(|name| {
                    icehost_config::nearest(name, names.iter().map(String::as_str))
                });
                return Err(match near {
                    Some(near) => failure.with_guess(near),
                    None => failure,
                });
            }
        };
        if let Some(given) = given.get_mut(of) {
            given.push((key, value));
        }
    }
    let pairs = names.iter().zip(given);
    Ok(pairs.map(|(name, given)| used(name, given)).collect())
}

/// A strategy as flags name it.
pub(crate) fn used(name: &str, options: Vec<(String, String)>, limits: &LimitArguments) -> Use {
    Use {
        component: Component::named(name, limits.strategy_timeout, limits.strategy_memory),
        options: GivenOptions::Pairs(options),
        place: None,
    }
}
