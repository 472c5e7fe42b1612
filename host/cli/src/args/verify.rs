//! The flags of `icehost verify`: those of `icehost sync` that say what is where, or those of `icehost load`.

use std::path::PathBuf;

use clap::Args;

use super::sync::{CommitMode, FirstLoadArguments, TimePrecision};
use super::{
    CacheArguments, DeletionArguments, LimitArguments, RunArguments, SyncArguments,
    TargetArguments, WatermarkStoreArguments, pair,
};

/// Source, lake and target of a sync; lake and target alone, where no source table is named; or the pipelines of a
/// configuration file.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// Pipelines of the configuration file, as NAME or NAME@TENANT [default: all]
    #[arg(value_name = "PIPELINE", requires = "config")]
    pub(crate) pipelines: Vec<String>,

    /// Take connections, tables and strategies from this file, instead of from flags
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// The source, as for sync
    #[arg(
        long,
        value_name = "URL",
        env = "ICEHOST_SOURCE",
        hide_env_values = true
    )]
    pub(crate) source: Option<String>,

    /// The source table, as SCHEMA.TABLE; without it lake and target are compared
    #[arg(long, value_name = "TABLE", requires_all = ["source", "strategy"])]
    pub(crate) table: Option<String>,

    /// Only these columns, separated by commas
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        conflicts_with = "exclude_columns"
    )]
    pub(crate) columns: Vec<String>,

    /// All columns but these, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) exclude_columns: Vec<String>,

    /// What the watermark calls the source [default: DATABASE.SCHEMA.TABLE]
    #[arg(long, value_name = "NAME", requires = "table")]
    pub(crate) source_name: Option<String>,

    /// Directory that holds the Iceberg tables, as NAMESPACE/TABLE/{data,metadata}
    #[arg(
        long,
        value_name = "DIR",
        env = "ICEHOST_WAREHOUSE",
        required_unless_present = "config"
    )]
    pub(crate) warehouse: Option<PathBuf>,

    /// The Iceberg table, as NAMESPACE.TABLE [default: the source's schema and table, in lower case]
    #[arg(long, value_name = "TABLE", required_unless_present_any = ["config", "table"])]
    pub(crate) lake_table: Option<String>,

    /// The strategy of the sync
    #[arg(long, value_name = "NAME|FILE", requires = "table")]
    pub(crate) strategy: Option<String>,

    /// An option of the strategy; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair, requires = "strategy")]
    pub(crate) strategy_option: Vec<(String, String)>,

    /// How deltas land
    #[arg(long, value_name = "NAME|FILE", required_unless_present = "config")]
    pub(crate) merge: Option<String>,

    /// An option of the merge strategy; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) merge_option: Vec<(String, String)>,

    /// How deltas land in the lake [default: the same as --merge]
    #[arg(long, value_name = "NAME|FILE", requires = "table")]
    pub(crate) lake_merge: Option<String>,

    /// An option of the lake's merge strategy; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair, requires = "lake_merge")]
    pub(crate) lake_merge_option: Vec<(String, String)>,

    /// The target, as for sync and load
    #[arg(
        long,
        value_name = "URL",
        env = "ICEHOST_TARGET",
        hide_env_values = true,
        required_unless_present_any = ["config", "table"]
    )]
    pub(crate) target: Option<String>,

    /// Columns that were carried as the login is shown them, which is masked
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) allow_masked: Vec<String>,

    /// The target table, as SCHEMA.TABLE [default: the source's, or dbo and the lake table's name]
    #[arg(long, value_name = "TABLE", requires = "target")]
    pub(crate) target_table: Option<String>,

    /// What becomes of a column's values before they are written; may be repeated
    #[arg(long, value_name = "COLUMN=RULE", value_parser = pair, requires = "table")]
    pub(crate) column_rule: Vec<(String, String)>,

    /// What a strategy makes of rows on their way to the lake; may be repeated, and counts in order
    #[arg(long, value_name = "NAME|FILE", requires = "table")]
    pub(crate) transform: Vec<String>,

    /// An option of a transformer, as NAME:KEY=VALUE where there are several; may be repeated
    #[arg(long, value_name = "[NAME:]KEY=VALUE", value_parser = pair, requires = "transform")]
    pub(crate) transform_option: Vec<(String, String)>,

    /// The environment variable that holds the key for hashes
    #[arg(long, value_name = "NAME")]
    pub(crate) hash_key_env: Option<String>,

    /// The file that holds the key for hashes
    #[arg(long, value_name = "FILE", conflicts_with = "hash_key_env")]
    pub(crate) hash_key_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) store: WatermarkStoreArguments,

    /// Memory that the run may take, for example 256MiB
    #[arg(long, value_name = "SIZE", env = "ICEHOST_MEMORY_LIMIT", value_parser = icehost_config::parse_size)]
    pub(crate) memory_limit: Option<u64>,

    /// Differing keys that are named, of each class; all are counted
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) limit: u32,

    /// Deliver again what is wrong, just those keys, and compare again; watermark and position stay where they are.
    /// Refused for append-only and scd2
    #[arg(long)]
    pub(crate) repair: bool,

    /// How often a run starts again after a lost connection or a deadlock
    #[arg(long, value_name = "N", default_value_t = icehost_config::DEFAULT_RETRIES)]
    pub(crate) retries: u32,

    #[command(flatten)]
    pub(crate) limits: LimitArguments,

    #[command(flatten)]
    pub(crate) cache: CacheArguments,
}

impl VerifyArguments {
    /// What is said of strategies.
    pub(crate) fn run(&self) -> RunArguments {
        RunArguments {
            dry_run: false,
            retries: self.retries,
            // It deletes nothing.
            deletions: DeletionArguments::default(),
            limits: self.limits.clone(),
            cache: self.cache.clone(),
        }
    }

    /// The sync whose outcome is looked at.
    pub(crate) fn into_sync(self) -> SyncArguments {
        SyncArguments {
            run: self.run(),
            pipelines: self.pipelines,
            config: self.config,
            jobs: 1,
            source: self.source,
            table: self.table,
            columns: self.columns,
            exclude_columns: self.exclude_columns,
            allow_masked: self.allow_masked,
            // Nothing that is hidden is taken for deleted.
            allow_row_filter: true,
            source_name: self.source_name,
            warehouse: self.warehouse,
            lake_table: self.lake_table,
            strategy: self.strategy,
            strategy_option: self.strategy_option,
            merge: self.merge,
            merge_option: self.merge_option,
            lake_merge: self.lake_merge,
            lake_merge_option: self.lake_merge_option,
            target: TargetArguments {
                target: self.target,
                target_table: self.target_table,
                create_target: true,
            },
            column_rule: self.column_rule,
            transform: self.transform,
            transform_option: self.transform_option,
            hash_key_env: self.hash_key_env,
            hash_key_file: self.hash_key_file,
            time_precision: TimePrecision::Truncate,
            store: self.store,
            first_load: FirstLoadArguments {
                parallel: 1,
                range_rows: None,
                commit: CommitMode::Once,
                restart: false,
                memory_limit: self.memory_limit,
                batch_size: None,
            },
        }
    }
}
