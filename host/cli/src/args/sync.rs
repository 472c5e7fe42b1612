//! The flags of `icehost sync` and `icehost check`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use icehost_config::{FirstLoad, Limits};

use super::headings::{CACHE, FIRST_LOAD, LAKE, LIMITS, TARGET};
use super::value::{count, rows};
use super::{CacheArguments, RunArguments, TableArguments, WaitArguments};

/// One table by flags, or the pipelines of a configuration file.
#[derive(Debug, Args)]
#[command(mut_arg("source", |flag| flag.required_unless_present("config")))]
#[command(mut_arg("table", |flag| flag.required_unless_present("config")))]
#[command(mut_arg("warehouse", |flag| flag.required_unless_present("config")))]
#[command(mut_arg("strategy", |flag| flag.required_unless_present("config")))]
#[command(mut_arg("merge", |flag| flag.required_unless_present("config")))]
#[command(mut_arg("target_table", |flag| flag.requires("target")))]
pub(crate) struct SyncArguments {
    /// Pipelines of the configuration file, as NAME or NAME@TENANT [default: all]
    #[arg(value_name = "PIPELINE", requires = "config")]
    pub(crate) pipelines: Vec<String>,

    /// Take connections, tables and strategies from this file, instead of from flags [default: icehost.toml in the
    /// working directory, where no flag says what is to be synced]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Pipelines that run at a time
    #[arg(long, value_name = "N", default_value_t = 1, requires = "config", value_parser = count(1, 256, "of pipelines", "4"))]
    pub(crate) jobs: u32,

    #[command(flatten)]
    pub(crate) table: TableArguments,

    /// Create the target table where it is missing, with the source's types and key; a column whose rule is hash holds
    /// nvarchar(64), or varbinary(32)
    #[arg(long, requires = "target", help_heading = TARGET)]
    pub(crate) create_target: bool,

    /// What to do with the 100 ns digit of time(7), datetime2(7) and datetimeoffset(7), which Iceberg
    /// cannot hold
    #[arg(long, value_enum, default_value_t = TimePrecision::Truncate, help_heading = LAKE)]
    pub(crate) time_precision: TimePrecision,

    #[command(flatten, next_help_heading = FIRST_LOAD)]
    pub(crate) first_load: FirstLoadArguments,

    #[command(flatten, next_help_heading = LIMITS)]
    pub(crate) memory: MemoryArguments,

    #[command(flatten)]
    pub(crate) run: RunArguments,
}

/// How a table is read for the first time.
#[derive(Debug, Args)]
pub(crate) struct FirstLoadArguments {
    /// Connections that read a table for the first time, each a range of its key at a time; an interrupted
    /// load goes on with the ranges that are missing
    #[arg(long, value_name = "N", env = "ICEHOST_PARALLEL", default_value_t = 1, value_parser = count(1, 256, "of connections", "4"))]
    pub(crate) parallel: u32,

    /// Rows in a range, about [default: a quarter of a connection's share, 10,000 to 500,000]
    #[arg(long, value_name = "ROWS", value_parser = rows)]
    pub(crate) range_rows: Option<u64>,

    /// How many snapshots a first load in ranges makes
    #[arg(long, value_enum, default_value_t = CommitMode::Once)]
    pub(crate) commit: CommitMode,

    /// Discard what an interrupted first load has left, and start over
    #[arg(long)]
    pub(crate) restart: bool,
}

impl FirstLoadArguments {
    /// What they say of it for every run.
    pub(crate) fn first_load(&self) -> FirstLoad {
        FirstLoad {
            parallel: self.parallel,
            range_rows: self.range_rows,
            commit_per_range: self.commit == CommitMode::PerRange,
        }
    }
}

/// What a run may take.
#[derive(Debug, Clone, Args)]
pub(crate) struct MemoryArguments {
    /// Memory that the run may take, for example 256MiB; fewer connections are used where it is small
    /// [default: 104MiB for one connection, 40MiB and 96MiB for each of several]
    #[arg(long, value_name = "SIZE", env = "ICEHOST_MEMORY_LIMIT", value_parser = icehost_config::parse_size)]
    pub(crate) memory_limit: Option<u64>,

    /// Memory that a batch of rows may take, in MiB [default: 4, or as much as the memory allows]
    #[arg(long, value_name = "MIB", value_parser = count(1, 1024, "in MiB", "4"))]
    pub(crate) batch_size: Option<u32>,
}

impl MemoryArguments {
    /// With these attempts and waits, what a run may take.
    pub(crate) fn limits(&self, retries: u32, waits: WaitArguments) -> Limits {
        Limits {
            memory: self.memory_limit,
            batch_size: self.batch_size,
            retries,
            waits: waits.waits(),
            deletions: None,
        }
    }
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

    #[command(flatten, next_help_heading = CACHE)]
    pub(crate) cache: CacheArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TimePrecision {
    /// Cut it off, with a warning that names the columns
    Truncate,
    /// Fail on the first value that has one
    Error,
}

impl From<TimePrecision> for icehost_sqlserver::TimePrecision {
    fn from(precision: TimePrecision) -> Self {
        match precision {
            TimePrecision::Truncate => icehost_sqlserver::TimePrecision::Truncate,
            TimePrecision::Error => icehost_sqlserver::TimePrecision::Error,
        }
    }
}
