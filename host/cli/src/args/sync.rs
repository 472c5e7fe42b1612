//! The flags of `icehost sync` and `icehost check`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{CacheArguments, RunArguments, TargetArguments, WatermarkStoreArguments, pair};

/// One table by flags, or the pipelines of a configuration file. What a file says is what the flags between
/// `source` and `run` say otherwise; see [`crate::usage`].
#[derive(Debug, Args)]
pub(crate) struct SyncArguments {
    /// Pipelines of the configuration file, as NAME or NAME@TENANT [default: all]
    #[arg(value_name = "PIPELINE", requires = "config")]
    pub(crate) pipelines: Vec<String>,

    /// Take connections, tables and strategies from this file, instead of from flags
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Pipelines that run at a time
    #[arg(long, value_name = "N", default_value_t = 1, requires = "config", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) jobs: u32,

    /// The source: mssql://USER:PASSWORD@HOST:PORT/DATABASE?encrypt=…, or an ADO.NET string
    #[arg(
        long,
        value_name = "URL",
        env = "ICEHOST_SOURCE",
        hide_env_values = true,
        required_unless_present = "config"
    )]
    pub(crate) source: Option<String>,

    /// The source table, as SCHEMA.TABLE; quote names with [brackets] or "quotes"
    #[arg(long, value_name = "TABLE", required_unless_present = "config")]
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

    /// Columns that are carried as the login is shown them, which is masked (dynamic data masking)
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) allow_masked: Vec<String>,

    /// The security policies of the source table show the login every row
    #[arg(long)]
    pub(crate) allow_row_filter: bool,

    /// What the watermark calls the source [default: DATABASE.SCHEMA.TABLE]
    #[arg(long, value_name = "NAME")]
    pub(crate) source_name: Option<String>,

    /// Directory or file: URL that holds the Iceberg tables, as NAMESPACE/TABLE/{data,metadata}
    #[arg(
        long,
        value_name = "DIR",
        env = "ICEHOST_WAREHOUSE",
        required_unless_present = "config"
    )]
    pub(crate) warehouse: Option<PathBuf>,

    /// The Iceberg table, as NAMESPACE.TABLE [default: the source's schema and table, in lower case]
    #[arg(long, value_name = "TABLE")]
    pub(crate) lake_table: Option<String>,

    /// Which rows changed? A shipped strategy (timestamp, id) or a component's file
    #[arg(long, value_name = "NAME|FILE", required_unless_present = "config")]
    pub(crate) strategy: Option<String>,

    /// An option of the strategy; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) strategy_option: Vec<(String, String)>,

    /// How a delta lands: a shipped strategy (upsert, append-only) or a component's file
    #[arg(long, value_name = "NAME|FILE", required_unless_present = "config")]
    pub(crate) merge: Option<String>,

    /// An option of the merge strategy; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) merge_option: Vec<(String, String)>,

    /// How a delta lands in the lake [default: the same as --merge]
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) lake_merge: Option<String>,

    /// An option of the lake's merge strategy; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair, requires = "lake_merge")]
    pub(crate) lake_merge_option: Vec<(String, String)>,

    #[command(flatten)]
    pub(crate) target: TargetArguments,

    /// What becomes of a column's values before they are written: null, hash, constant:VALUE or
    /// truncate:CHARACTERS; may be repeated
    #[arg(long, value_name = "COLUMN=RULE", value_parser = pair)]
    pub(crate) column_rule: Vec<(String, String)>,

    /// What a strategy makes of rows on their way to the lake: a shipped one (mask, tenant-filter) or a
    /// component's file; may be repeated, and counts in order
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) transform: Vec<String>,

    /// An option of a transformer, as NAME:KEY=VALUE where there are several; may be repeated
    #[arg(long, value_name = "[NAME:]KEY=VALUE", value_parser = pair, requires = "transform")]
    pub(crate) transform_option: Vec<(String, String)>,

    /// The environment variable that holds the key for hashes, 16 bytes or more
    #[arg(long, value_name = "NAME")]
    pub(crate) hash_key_env: Option<String>,

    /// The file that holds the key for hashes
    #[arg(long, value_name = "FILE", conflicts_with = "hash_key_env")]
    pub(crate) hash_key_file: Option<PathBuf>,

    /// What to do with the 100 ns digit of time(7), datetime2(7) and datetimeoffset(7), which Iceberg
    /// cannot hold
    #[arg(long, value_enum, default_value_t = TimePrecision::Truncate)]
    pub(crate) time_precision: TimePrecision,

    #[command(flatten)]
    pub(crate) store: WatermarkStoreArguments,

    #[command(flatten)]
    pub(crate) first_load: FirstLoadArguments,

    #[command(flatten)]
    pub(crate) run: RunArguments,
}

/// How a table is read for the first time.
#[derive(Debug, Args)]
pub(crate) struct FirstLoadArguments {
    /// Connections that read a table for the first time, each a range of its key at a time; an interrupted
    /// load goes on with the ranges that are missing
    #[arg(long, value_name = "N", env = "ICEHOST_PARALLEL", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) parallel: u32,

    /// Rows in a range, about [default: a quarter of a connection's share, 10,000 to 500,000]
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) range_rows: Option<u64>,

    /// How many snapshots a first load in ranges makes
    #[arg(long, value_enum, default_value_t = CommitMode::Once)]
    pub(crate) commit: CommitMode,

    /// Discard what an interrupted first load has left, and start over
    #[arg(long)]
    pub(crate) restart: bool,

    /// Memory that the run may take, for example 256MiB; fewer connections are used where it is small
    /// [default: 104MiB for one connection, 40MiB and 96MiB for each of several]
    #[arg(long, value_name = "SIZE", env = "ICEHOST_MEMORY_LIMIT", value_parser = icehost_config::parse_size)]
    pub(crate) memory_limit: Option<u64>,

    /// Memory that a batch of rows may take, in MiB [default: 4, or as much as the memory allows]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) batch_size: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CommitMode {
    /// One, when every range has been read
    Once,
    /// One per range; the last one carries the watermark
    PerRange,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "icehost.toml")]
    pub(crate) config: PathBuf,

    /// Connect nowhere, and read no passwords
    #[arg(long)]
    pub(crate) offline: bool,

    #[command(flatten)]
    pub(crate) cache: CacheArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TimePrecision {
    /// Cut it off, with a warning that names the columns
    Truncate,
    /// Fail on the first value that has one
    Error,
}
