//! From what a pipeline says to a job that can run. Flags and configuration files both come this way.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use icehost_config::{KeyPlace, Pipeline, Use, Waits};
use icehost_lake::Warehouse;
use icehost_sqlserver::{ColumnSelection, ConnectOptions, Servers};
use icehost_sync::{
    ColumnRule, ColumnRules, CommitMode, DeletionGuard, Detection, DirectoryWatermarks,
    FirstLoadSettings, HashKey, Lake, MemoryBudget, Merging, RetryPolicy, Settings,
    SnapshotWatermarks, Source, SyncJob, Target, Transforming, Transforms, WatermarkStore,
};

use crate::RunError;
use crate::strategies::{Strategies, options};

/// Most bytes of a key's file.
const MAX_KEY: u64 = 64 << 10;

/// What is said for one run only, beside flags or a file.
#[derive(Debug, Clone, Default)]
pub struct ThisRun {
    /// Discard what an interrupted first load has left.
    pub restart: bool,
    /// Delete as many rows as a complete read did not find.
    pub allow_deletes: bool,
    /// What the run learns of its servers.
    pub servers: Servers,
    /// Nothing is read or written: a server that is away is none that comes back.
    pub looks_only: bool,
}

impl ThisRun {
    /// How a pipeline's servers are waited for.
    pub fn connect(&self, waits: Waits) -> ConnectOptions {
        let default = ConnectOptions::default();
        ConnectOptions {
            lock_timeout: waits.lock,
            idle_timeout: waits.idle.or(default.idle_timeout),
            query_timeout: waits.query,
            reconnect_timeout: match self.looks_only {
                true => Duration::ZERO,
                false => waits.reconnect.unwrap_or(default.reconnect_timeout),
            },
            servers: self.servers.clone(),
            ..default
        }
    }
}

/// Loads the strategies, checks their options and reads the secrets; nothing is connected yet.
pub(crate) async fn job(
    pipeline: &Pipeline,
    strategies: &mut Strategies,
    this_run: &ThisRun,
) -> Result<SyncJob, RunError> {
    let lake_merge = merging(strategies, pipeline.lands_by()).await?;
    let connect = this_run.connect(pipeline.limits.waits);
    let target = match &pipeline.target {
        Some(to) => Some((
            target(to, &connect)?,
            merging(strategies, &pipeline.merge).await?,
        )),
        None => None,
    };
    let detection = detection(strategies, pipeline).await?;
    let memory = memory(pipeline);
    // Before anything is opened; the table's columns come on top.
    memory.divide(0)?;
    Ok(SyncJob {
        lake: lake(&pipeline.lake, memory)?,
        source: Source {
            rules: rules(pipeline)?,
            transforms: transforms(strategies, pipeline).await?,
            ..source(pipeline, &connect)?
        },
        detection,
        lake_merge,
        target,
        settings: Settings {
            watermarks: watermark_store(pipeline.lake.watermark_dir.as_deref()),
            retry: retry_policy(pipeline.limits.retries),
            memory,
            first_load: FirstLoadSettings {
                range_rows: pipeline.first_load.range_rows,
                commit: match pipeline.first_load.commit_per_range {
                    true => CommitMode::PerRange,
                    false => CommitMode::Once,
                },
                restart: this_run.restart,
            },
            deletions: deletion_guard(pipeline.limits.deletions, this_run.allow_deletes),
        },
    })
}

/// The source table, with nothing done to its rows.
pub(crate) fn source(pipeline: &Pipeline, connect: &ConnectOptions) -> Result<Source, RunError> {
    let source = &pipeline.source;
    Ok(Source {
        endpoint: source.connection.endpoint()?,
        connect: connect.clone(),
        table: source.table.clone(),
        columns: columns(source),
        name: source.name.clone(),
        time_precision: source.time_precision,
        sees_every_row: source.allow_row_filter,
        rules: ColumnRules::default(),
        transforms: Transforms::default(),
    })
}

/// The lake table, read within what the run may take.
pub(crate) fn lake(lake: &icehost_config::Lake, memory: MemoryBudget) -> Result<Lake, RunError> {
    Ok(Lake {
        warehouse: Warehouse::open(&lake.warehouse)?.with_room(memory.room()),
        table: lake.table.clone(),
    })
}

/// The target table.
pub(crate) fn target(
    target: &icehost_config::Target,
    connect: &ConnectOptions,
) -> Result<Target, RunError> {
    Ok(Target {
        endpoint: target.connection.endpoint()?,
        connect: connect.clone(),
        table: target.table.clone(),
        create: target.create,
        keys_never_move: target.keys_never_move,
    })
}

/// What becomes of the values of columns; reads the key where a rule needs it.
pub(crate) fn rules(pipeline: &Pipeline) -> Result<ColumnRules, RunError> {
    let mut rules = Vec::with_capacity(pipeline.shaping.column_rules.len());
    for (column, text) in &pipeline.shaping.column_rules {
        let rule: ColumnRule = text.parse().map_err(|why| {
            RunError::config(
                format!("the rule for column '{column}': {why}"),
                "for example Email=hash, Phone=truncate:4, Note=null or Region=constant:EU",
            )
        })?;
        rules.push((column.clone(), rule));
    }
    let hashes = rules.iter().any(|(_, rule)| *rule == ColumnRule::Hash);
    let key = match &pipeline.shaping.hash_key {
        Some(place) if hashes => Some(hash_key(place)?),
        _ => None,
    };
    Ok(ColumnRules { rules, key })
}

fn hash_key(place: &KeyPlace) -> Result<HashKey, RunError> {
    let (what, bytes) = match place {
        KeyPlace::Environment(name) => (
            icehost_untrusted::variable(name),
            std::env::var(name)
                .map(String::into_bytes)
                .map_err(|_| "it is not set, or is no text".to_owned()),
        ),
        KeyPlace::File(path) => (
            icehost_untrusted::file_of_secret(path),
            icehost_untrusted::read_file_or_pipe(path, MAX_KEY)
                .map(|mut bytes| {
                    if bytes.last() == Some(&b'\n') {
                        bytes.pop();
                    }
                    bytes
                })
                .map_err(|error| error.to_string()),
        ),
    };
    let failed = |why: String| {
        RunError::config(
            format!("cannot take the key for hashes from {what}: {why}"),
            "keep it where icehost can read it; openssl rand -hex 32 makes one",
        )
    };
    let bytes = bytes.map_err(&failed)?;
    HashKey::new(&bytes).map_err(failed)
}

/// The change detector of a pipeline with its options checked.
pub(crate) async fn detection(
    strategies: &mut Strategies,
    pipeline: &Pipeline,
) -> Result<Detection, RunError> {
    let strategy = strategies.detector(&pipeline.detection.component).await?;
    let options = options(strategy.strategy(), &pipeline.detection)?;
    Ok(Detection { strategy, options })
}

/// A merge strategy with its options checked.
pub(crate) async fn merging(strategies: &mut Strategies, used: &Use) -> Result<Merging, RunError> {
    let strategy = strategies.merger(&used.component).await?;
    let options = options(strategy.strategy(), used)?;
    Ok(Merging { strategy, options })
}

/// The transformers of a pipeline with their options checked.
pub(crate) async fn transforms(
    strategies: &mut Strategies,
    pipeline: &Pipeline,
) -> Result<Transforms, RunError> {
    let mut transforms = Vec::with_capacity(pipeline.shaping.transforms.len());
    for used in &pipeline.shaping.transforms {
        let strategy = strategies.transformer(&used.component).await?;
        let options = options(strategy.strategy(), used)?;
        transforms.push(Transforming { strategy, options });
    }
    Ok(Transforms(transforms))
}

/// Which columns a pipeline carries.
fn columns(source: &icehost_config::Source) -> ColumnSelection {
    ColumnSelection {
        include: (!source.columns.is_empty()).then(|| source.columns.clone()),
        exclude: source.exclude_columns.clone(),
        masked: source.allow_masked.clone(),
        ..ColumnSelection::default()
    }
}

/// What a pipeline may take.
pub(crate) fn memory(pipeline: &Pipeline) -> MemoryBudget {
    MemoryBudget {
        limit: pipeline.limits.memory,
        batch: pipeline.limits.batch_size.map(|mib| u64::from(mib) << 20),
        connections: pipeline.first_load.parallel as usize,
    }
}

/// How many rows may go because they are absent; `limit` in percent, where it is not the default.
pub(crate) fn deletion_guard(limit: Option<u8>, allow: bool) -> DeletionGuard {
    let default = DeletionGuard::default();
    DeletionGuard {
        limit: limit.unwrap_or(default.limit),
        allow,
    }
}

/// The store in a directory, or the one in snapshots only.
pub fn watermark_store(directory: Option<&Path>) -> Arc<dyn WatermarkStore> {
    match directory {
        Some(directory) => Arc::new(DirectoryWatermarks::new(directory)),
        None => Arc::new(SnapshotWatermarks),
    }
}

/// The default policy with so many attempts after the first.
pub(crate) fn retry_policy(retries: u32) -> RetryPolicy {
    RetryPolicy {
        attempts: retries.saturating_add(1),
        ..RetryPolicy::default()
    }
}
