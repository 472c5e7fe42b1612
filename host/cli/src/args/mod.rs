//! The command line, as clap sees it.

mod examples;
mod headings;
mod plugin;
mod sync;
mod table;
mod value;
mod verify;
mod voice;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use icehost_config::Waits;
use icehost_plugins::Kind;
use icehost_run::Caches;
use icehost_strategy::Limits;

use crate::advice::Advice;

use headings::{CACHE, LAKE, LIMITS, OUTPUT, STRATEGIES, TARGET, WAITS, shipped};
pub(crate) use plugin::{
    ExplainArguments, PluginCommand, PluginKind, PluginLanguage, PullArguments, PushArguments,
};
pub(crate) use sync::{CheckArguments, MemoryArguments, SyncArguments};
pub(crate) use table::TableArguments;
pub(crate) use verify::VerifyArguments;
pub(crate) use voice::{LogFormat, Output, VoiceArguments};

/// How options of strategies are given.
const KEY_VALUE: &str = "KEY=VALUE";

/// How often a run starts again.
fn retries() -> impl Fn(&str) -> Result<u32, String> + Clone + Send + Sync + 'static {
    value::count(0, 1000, "of attempts after the first", "4")
}

/// Keep Microsoft SQL Server tables and Apache Iceberg tables in step, both ways, incrementally.
#[derive(Debug, Parser)]
#[command(name = "icehost", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// What stdout holds: text for people, or one JSON object
    #[arg(long, value_enum, default_value_t = Output::Text, global = true, help_heading = OUTPUT)]
    pub(crate) output: Output,

    #[command(flatten, next_help_heading = OUTPUT)]
    pub(crate) voice: VoiceArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Move what changed in a SQL Server table to an Iceberg table, and on to a second SQL Server
    #[command(after_help = examples::SYNC)]
    Sync(Box<SyncArguments>),
    /// Check a configuration file, and that what it names can be reached
    #[command(after_help = examples::CHECK)]
    Check(CheckArguments),
    /// Move what changed in an Iceberg table to a SQL Server table
    #[command(after_help = examples::LOAD)]
    Load(Box<LoadArguments>),
    /// Compare source, Iceberg table and target, row by row, and write nothing
    #[command(after_help = examples::VERIFY)]
    Verify(Box<VerifyArguments>),
    /// List the snapshots of an Iceberg table
    #[command(after_help = examples::SNAPSHOTS)]
    Snapshots(LakeArguments),
    /// List Iceberg tables, or show what one is made of
    #[command(subcommand, after_help = examples::TABLE)]
    Table(TableCommand),
    /// Show, set or clear how far a source has been read
    #[command(subcommand, after_help = examples::WATERMARK)]
    Watermark(WatermarkCommand),
    /// Build, inspect and distribute strategies
    #[command(subcommand, after_help = examples::PLUGIN)]
    Plugin(PluginCommand),
    /// Print what completes commands in a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page, or write one for each command
    #[command(after_help = examples::MAN)]
    Man {
        /// Write them all into this directory, which is made if need be
        #[arg(value_name = "DIR")]
        directory: Option<PathBuf>,
    },
}

/// Which Iceberg table: where it is, or the pipeline of a configuration file that writes it. What the file says no
/// flag says otherwise; see [`crate::usage`].
#[derive(Debug, Clone, Args)]
#[command(mut_arg("warehouse", |flag| flag.required_unless_present("config")))]
#[command(mut_arg("lake_table", |flag| flag.required_unless_present("config").help("The Iceberg table, as NAMESPACE.TABLE")))]
pub(crate) struct LakeArguments {
    /// The pipeline of the configuration file that writes the table, as NAME or NAME@TENANT
    #[arg(value_name = "PIPELINE", requires = "config")]
    pub(crate) pipeline: Option<String>,

    /// Take what is asked for from this file, instead of from flags [default: icehost.toml in the working directory,
    /// where a pipeline is named]
    #[arg(long, value_name = "FILE", requires = "pipeline")]
    pub(crate) config: Option<PathBuf>,

    #[command(flatten, next_help_heading = LAKE)]
    pub(crate) place: PlaceArguments,
}

/// Where an Iceberg table is.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlaceArguments {
    /// Directory or file: URL that holds the Iceberg tables, as NAMESPACE/TABLE/{data,metadata}
    #[arg(long, value_name = "DIR", env = "ICEHOST_WAREHOUSE")]
    pub(crate) warehouse: Option<PathBuf>,

    /// The Iceberg table, as NAMESPACE.TABLE [default: the source's schema and table, in lower case]
    #[arg(long, value_name = "TABLE")]
    pub(crate) lake_table: Option<String>,
}

impl LakeArguments {
    /// How commands are typed that go on with the same pipeline.
    pub(crate) fn advice(&self) -> Advice {
        Advice::of_arguments(self.pipeline.as_ref(), self.config.as_deref())
    }
}

#[derive(Debug, Args)]
#[command(mut_arg("target", |flag| flag.required_unless_present("config")))]
#[command(mut_arg("merge", |flag| flag.required_unless_present("config")))]
pub(crate) struct LoadArguments {
    #[command(flatten)]
    pub(crate) lake: LakeArguments,

    #[command(flatten, next_help_heading = TARGET)]
    pub(crate) target: TargetArguments,

    /// Create the target table where it is missing
    #[arg(long)]
    pub(crate) create_target: bool,

    /// All columns but these, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) exclude_columns: Vec<String>,

    /// Deliver every row again, not just what changed since the last load; rows of the target that the lake
    /// does not have go
    #[arg(long)]
    pub(crate) full: bool,

    /// Go on from the target's position though the target does not look as the last load left it
    #[arg(long, conflicts_with = "full")]
    pub(crate) trust_position: bool,

    #[command(flatten, next_help_heading = STRATEGIES)]
    pub(crate) merge: MergeArguments,

    /// Memory that the run may take, for example 256MiB [default: what it takes, and at most 256MiB for what it remembers
    /// of rows and keys]
    #[arg(long, value_name = "SIZE", env = "ICEHOST_MEMORY_LIMIT", value_parser = icehost_config::parse_size, help_heading = LIMITS)]
    pub(crate) memory_limit: Option<u64>,

    #[command(flatten)]
    pub(crate) run: RunArguments,
}

/// Where rows go from the lake.
#[derive(Debug, Clone, Args)]
pub(crate) struct TargetArguments {
    /// The target, a second SQL Server: mssql://USER:PASSWORD@HOST:PORT/DATABASE?encrypt=…, or an ADO.NET string
    #[arg(
        long,
        value_name = "URL",
        env = "ICEHOST_TARGET",
        hide_env_values = true
    )]
    pub(crate) target: Option<String>,

    /// The target table, as SCHEMA.TABLE [default: the source's, or dbo and the lake table's name]
    #[arg(long, value_name = "TABLE")]
    pub(crate) target_table: Option<String>,

    /// Where several lake tables are delivered into the target: no key is ever in more than one of them, and what goes from
    /// this one is not looked for in the others
    #[arg(long, requires = "target")]
    pub(crate) keys_never_move: bool,
}

/// How a delta lands.
#[derive(Debug, Clone, Args)]
pub(crate) struct MergeArguments {
    /// How a delta lands
    #[arg(help = shipped("How a delta lands", Kind::Merger), long, value_name = "NAME|FILE")]
    pub(crate) merge: Option<String>,

    /// An option of the merge strategy; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair(KEY_VALUE))]
    pub(crate) merge_option: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Show plan, SQL, bounds and row estimate, and touch nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// How often a run starts again after a lost connection, a deadlock or a commit conflict
    #[arg(long, value_name = "N", default_value_t = icehost_config::DEFAULT_RETRIES, value_parser = retries())]
    pub(crate) retries: u32,

    #[command(flatten, next_help_heading = WAITS)]
    pub(crate) waits: WaitArguments,

    #[command(flatten, next_help_heading = LIMITS)]
    pub(crate) deletions: DeletionArguments,

    #[command(flatten, next_help_heading = LIMITS)]
    pub(crate) limits: LimitArguments,

    #[command(flatten, next_help_heading = CACHE)]
    pub(crate) cache: CacheArguments,
}

/// How long servers are waited for.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct WaitArguments {
    /// How long an answer that has begun may stop in its middle, and a server take nothing of what is sent, in seconds
    /// [default: 300]
    #[arg(long, value_name = "SECONDS", value_parser = icehost_config::parse_wait)]
    pub(crate) idle_timeout: Option<Duration>,

    /// How long a statement may take before its answer begins, in seconds [default: as long as it takes]
    #[arg(long, value_name = "SECONDS", value_parser = icehost_config::parse_wait)]
    pub(crate) query_timeout: Option<Duration>,

    /// How long a statement may wait for a lock, in seconds [default: as long as it takes]
    #[arg(long, value_name = "SECONDS", value_parser = icehost_config::parse_wait)]
    pub(crate) lock_timeout: Option<Duration>,

    /// How long a server that the run has reached before may be away, in seconds [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = icehost_config::parse_wait)]
    pub(crate) reconnect_timeout: Option<Duration>,
}

impl WaitArguments {
    pub(crate) fn waits(self) -> Waits {
        Waits {
            idle: self.idle_timeout,
            query: self.query_timeout,
            lock: self.lock_timeout,
            reconnect: self.reconnect_timeout,
        }
    }
}

/// How many rows may go only because a complete read did not find them.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct DeletionArguments {
    /// The largest share of a table of more than 1,000 rows that may be deleted because a complete read did
    /// not find those rows; 100% for any [default: 50%]
    #[arg(long, value_name = "SHARE", value_parser = icehost_config::parse_percent)]
    pub(crate) delete_limit: Option<u8>,

    /// Let this run delete as many rows as a complete read did not find
    #[arg(long)]
    pub(crate) allow_deletes: bool,
}

/// What a strategy may take.
#[derive(Debug, Clone, Args)]
pub(crate) struct LimitArguments {
    /// CPU time that one call into a strategy may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = icehost_config::parse_seconds)]
    pub(crate) strategy_timeout: Duration,

    /// Memory that a strategy may take, in MiB
    #[arg(long, value_name = "MIB", default_value_t = icehost_config::DEFAULT_STRATEGY_MEMORY, value_parser = value::count(1, 4096, "in MiB", "64"))]
    pub(crate) strategy_memory: u32,
}

impl LimitArguments {
    /// These limits, and the default ones of everything else.
    pub(crate) fn limits(&self) -> Limits {
        icehost_run::limits(self.strategy_timeout, self.strategy_memory)
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct CacheArguments {
    /// Where compiled strategies, and those from registries, are kept [default: icehost in the user's cache directory]
    #[arg(long, value_name = "DIR", env = "ICEHOST_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,

    /// Compile strategies anew and keep nothing
    #[arg(long, conflicts_with = "cache_dir")]
    pub(crate) no_cache: bool,
}

impl CacheArguments {
    /// What they choose; this program compiles.
    ///
    /// # Errors
    /// The system does not say which program that is.
    pub(crate) fn caches(&self) -> std::io::Result<Caches> {
        let compiler = icehost_run::this_program()?;
        Ok(match &self.cache_dir {
            _ if self.no_cache => Caches::none(compiler),
            Some(directory) => Caches::in_directory(directory, compiler),
            None => Caches::of_user(compiler),
        })
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct WatermarkStoreArguments {
    /// Keep a copy of each watermark as a JSON file here, beside the one in the snapshot
    #[arg(long, value_name = "DIR", env = "ICEHOST_WATERMARK_DIR", value_parser = value::directory)]
    pub(crate) watermark_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TableCommand {
    /// List the tables of a warehouse, with rows, files and bytes of their current snapshots
    List(WarehouseArguments),
    /// Show schema, partitioning, files, deletes, snapshots and metadata of a table, and what slows its readers
    Describe(LakeArguments),
}

/// Which warehouses.
#[derive(Debug, Clone, Args)]
pub(crate) struct WarehouseArguments {
    /// Those that the pipelines of this file write to [default: icehost.toml in the working directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Directory or file: URL that holds the Iceberg tables, as NAMESPACE/TABLE/{data,metadata}
    #[arg(long, value_name = "DIR", env = "ICEHOST_WAREHOUSE", required_unless_present = "config", help_heading = LAKE)]
    pub(crate) warehouse: Option<PathBuf>,
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
        #[arg(long, value_name = "N", value_parser = value::count(0, value::ANY, "of the strategy's own", "2"))]
        format: Option<u32>,
        /// A mark, for example ModifiedDate=timestamp:2026-01-31T12:00:00 or Id=integer:42; may be repeated
        #[arg(long, value_name = "NAME=KIND:VALUE", value_parser = value::mark, required = true)]
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
