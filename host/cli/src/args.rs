//! The command line, as clap sees it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Keep Microsoft SQL Server tables and Apache Iceberg tables in step, both ways, incrementally.
#[derive(Debug, Parser)]
#[command(name = "icehost", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// What stdout holds: text for people, or one JSON object
    #[arg(long, value_enum, default_value_t = Output::Text, global = true)]
    pub(crate) output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Move what changed in a SQL Server table to an Iceberg table, and on to a second SQL Server
    Sync(Box<SyncArguments>),
    /// Check a configuration file, and that what it names can be reached
    Check(CheckArguments),
    /// Move what changed in an Iceberg table to a SQL Server table
    Load(Box<LoadArguments>),
    /// List the snapshots of an Iceberg table
    Snapshots(LakeArguments),
    /// Show, set or clear how far a source has been read
    #[command(subcommand)]
    Watermark(WatermarkCommand),
    /// Build and inspect strategies
    #[command(subcommand)]
    Plugin(PluginCommand),
}

/// Which Iceberg table.
#[derive(Debug, Clone, Args)]
pub(crate) struct LakeArguments {
    /// Directory that holds the Iceberg tables, as NAMESPACE/TABLE/{data,metadata}
    #[arg(long, value_name = "DIR", env = "ICEHOST_WAREHOUSE")]
    pub(crate) warehouse: PathBuf,

    /// The Iceberg table, as NAMESPACE.TABLE
    #[arg(long, value_name = "TABLE")]
    pub(crate) lake_table: String,
}

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

    /// What the watermark calls the source [default: DATABASE.SCHEMA.TABLE]
    #[arg(long, value_name = "NAME")]
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

#[derive(Debug, Args)]
pub(crate) struct LoadArguments {
    #[command(flatten)]
    pub(crate) lake: LakeArguments,

    /// The target: mssql://USER:PASSWORD@HOST:PORT/DATABASE?encrypt=…, or an ADO.NET string
    #[arg(
        long,
        value_name = "URL",
        env = "ICEHOST_TARGET",
        hide_env_values = true
    )]
    pub(crate) target: String,

    /// The target table, as SCHEMA.TABLE [default: dbo and the lake table's name]
    #[arg(long, value_name = "TABLE")]
    pub(crate) target_table: Option<String>,

    /// Create the target table where it is missing
    #[arg(long)]
    pub(crate) create_target: bool,

    /// All columns but these, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) exclude_columns: Vec<String>,

    /// Deliver every row again, not just what changed since the last load
    #[arg(long)]
    pub(crate) full: bool,

    #[command(flatten)]
    pub(crate) merge: MergeArguments,

    #[command(flatten)]
    pub(crate) run: RunArguments,
}

#[derive(Debug, Args)]
pub(crate) struct TargetArguments {
    /// A second SQL Server to keep in step with the lake; without it the run stops at the lake
    #[arg(
        long,
        value_name = "URL",
        env = "ICEHOST_TARGET",
        hide_env_values = true
    )]
    pub(crate) target: Option<String>,

    /// The target table, as SCHEMA.TABLE [default: the source's]
    #[arg(long, value_name = "TABLE", requires = "target")]
    pub(crate) target_table: Option<String>,

    /// Create the target table where it is missing, with the source's types and key
    #[arg(long, requires = "target")]
    pub(crate) create_target: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MergeArguments {
    /// How a delta lands: a shipped strategy (upsert, append-only) or a component's file
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) merge: String,

    /// An option of the merge strategy; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) merge_option: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Show plan, SQL, bounds and row estimate, and touch nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// How often a run starts again after a lost connection, a deadlock or a commit conflict
    #[arg(long, value_name = "N", default_value_t = icehost_config::DEFAULT_RETRIES)]
    pub(crate) retries: u32,

    /// CPU time that one call into a strategy may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = icehost_config::parse_seconds)]
    pub(crate) strategy_timeout: Duration,

    /// Memory that a strategy may take, in MiB
    #[arg(long, value_name = "MIB", default_value_t = icehost_config::DEFAULT_STRATEGY_MEMORY, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) strategy_memory: u32,

    #[command(flatten)]
    pub(crate) cache: CacheArguments,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct CacheArguments {
    /// Where compiled strategies are kept [default: icehost in the user's cache directory]
    #[arg(long, value_name = "DIR", env = "ICEHOST_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,

    /// Compile strategies anew and keep nothing
    #[arg(long, conflicts_with = "cache_dir")]
    pub(crate) no_cache: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct WatermarkStoreArguments {
    /// Keep a copy of each watermark as a JSON file here, beside the one in the snapshot
    #[arg(long, value_name = "DIR", env = "ICEHOST_WATERMARK_DIR")]
    pub(crate) watermark_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TimePrecision {
    /// Cut it off, with a warning that names the columns
    Truncate,
    /// Fail on the first value that has one
    Error,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WatermarkCommand {
    /// Show the stored watermark
    Show {
        #[command(flatten)]
        lake: LakeArguments,
        #[command(flatten)]
        store: WatermarkStoreArguments,
    },
    /// Set the watermark, as a commit of its own: the next sync reads what comes after it
    Set {
        #[command(flatten)]
        lake: LakeArguments,
        #[command(flatten)]
        store: WatermarkStoreArguments,
        /// The strategy's own name [default: that of the stored watermark]
        #[arg(long, value_name = "NAME")]
        strategy: Option<String>,
        /// The source [default: that of the stored watermark]
        #[arg(long, value_name = "NAME")]
        source_name: Option<String>,
        /// Layout version of the marks [default: that of the stored watermark, or 1]
        #[arg(long, value_name = "N")]
        format: Option<u32>,
        /// A mark, for example ModifiedDate=timestamp:2026-01-31T12:00:00 or Id=integer:42; may be repeated
        #[arg(long, value_name = "NAME=KIND:VALUE", value_parser = mark, required = true)]
        mark: Vec<(String, icehost_plan::Value)>,
    },
    /// Forget the watermark, as a commit of its own: the next sync reads everything
    Clear {
        #[command(flatten)]
        lake: LakeArguments,
        #[command(flatten)]
        store: WatermarkStoreArguments,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List the strategies that icehost ships
    List {
        #[command(flatten)]
        cache: CacheArguments,
    },
    /// Make the crate of a strategy that builds, tests and runs as it is
    New {
        /// Where: a directory that does not exist yet; its name is the strategy's
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// What the strategy decides
        #[arg(long, value_enum)]
        kind: PluginKind,
        /// The language
        #[arg(long, value_enum, default_value_t = PluginLanguage::Rust)]
        lang: PluginLanguage,
    },
    /// Show a strategy what its case files say, and check its answers and what every strategy must do
    Test {
        /// The crate's directory, a component's file, or the name of a shipped strategy
        #[arg(value_name = "DIR|FILE|NAME", default_value = ".")]
        path: String,
        /// A case file or a directory of them [default: cases in the crate or beside the component]
        #[arg(long, value_name = "PATH")]
        cases: Option<PathBuf>,
        #[command(flatten)]
        cache: CacheArguments,
    },
    /// Time how a strategy is loaded and how it answers its cases
    Bench {
        /// The crate's directory, a component's file, or the name of a shipped strategy
        #[arg(value_name = "DIR|FILE|NAME", default_value = ".")]
        path: String,
        /// A case file or a directory of them [default: cases in the crate or beside the component]
        #[arg(long, value_name = "PATH")]
        cases: Option<PathBuf>,
        /// How often each case is run
        #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        runs: u32,
        #[command(flatten)]
        cache: CacheArguments,
    },
    /// Build a strategy's crate into a component, and check that icehost loads it
    Build {
        /// The crate's directory
        path: PathBuf,
        /// Where the component goes [default: NAME.wasm in the current directory]
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        cache: CacheArguments,
    },
    /// Show a component's world, version, imports, options, size and digest
    Inspect {
        /// A component's file, or the name of a shipped strategy
        #[arg(value_name = "FILE|NAME")]
        file: String,
        #[command(flatten)]
        cache: CacheArguments,
    },
}

/// What a strategy decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PluginKind {
    /// Which rows of a source changed
    ChangeDetector,
    /// How a delta lands in a target
    Merger,
}

/// What a strategy is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PluginLanguage {
    Rust,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("'{text}' is not of the form KEY=VALUE")),
    }
}

fn mark(text: &str) -> Result<(String, icehost_plan::Value), String> {
    let (name, value) = pair(text)?;
    Ok((
        name,
        value
            .parse()
            .map_err(|e: icehost_plan::PlanError| e.to_string())?,
    ))
}
