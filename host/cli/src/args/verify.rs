//! The flags of `icehost verify`: those of `icehost sync` that say what is where, or those of `icehost load`.

use std::path::PathBuf;

use clap::Args;

use super::headings::{CACHE, LIMITS, WAITS};
use super::sync::{FirstLoadArguments, TimePrecision};
use super::value::count;
use super::{
    CacheArguments, DeletionArguments, LimitArguments, MemoryArguments, TableArguments,
    WaitArguments, retries,
};

/// Source, lake and target of a sync; lake and target alone, where no source table is named; or the pipelines of a
/// configuration file.
#[derive(Debug, Args)]
#[command(mut_arg("table", |flag| flag
    .requires_all(["source", "strategy"])
    .help("The source table, as SCHEMA.TABLE; without it lake and target are compared")))]
#[command(mut_arg("warehouse", |flag| flag.required_unless_present("config")))]
#[command(mut_arg("lake_table", |flag| flag.required_unless_present_any(["config", "table"])))]
#[command(mut_arg("merge", |flag| flag.required_unless_present("config")))]
#[command(mut_arg("target", |flag| flag.required_unless_present_any(["config", "table"])))]
#[command(mut_arg("target_table", |flag| flag.requires("target")))]
#[command(mut_arg("columns", |flag| flag.requires("table")))]
#[command(mut_arg("allow_masked", |flag| flag.requires("table")))]
#[command(mut_arg("allow_row_filter", |flag| flag.requires("table")))]
#[command(mut_arg("source_name", |flag| flag.requires("table")))]
#[command(mut_arg("strategy", |flag| flag.requires("table")))]
#[command(mut_arg("strategy_option", |flag| flag.requires("strategy")))]
#[command(mut_arg("lake_merge", |flag| flag.requires("table")))]
#[command(mut_arg("column_rule", |flag| flag.requires("table")))]
#[command(mut_arg("transform", |flag| flag.requires("table")))]
#[command(mut_arg("parallel", |flag| flag.hide(true)))]
#[command(mut_arg("range_rows", |flag| flag.hide(true)))]
#[command(mut_arg("commit", |flag| flag.hide(true)))]
#[command(mut_arg("restart", |flag| flag.hide(true)))]
#[command(mut_arg("delete_limit", |flag| flag
    .help("What the next run is told, to say whether it will stop: the largest share of a table of more than 1,000 \
           rows that may be deleted because a complete read did not find those rows [default: 50%]")))]
#[command(mut_arg("allow_deletes", |flag| flag
    .help("The next run may delete as many rows as a complete read did not find")))]
pub(crate) struct VerifyArguments {
    /// Pipelines of the configuration file, as NAME or NAME@TENANT [default: all]
    #[arg(value_name = "PIPELINE", requires = "config")]
    pub(crate) pipelines: Vec<String>,

    /// Take connections, tables and strategies from this file, instead of from flags [default: icehost.toml in the
    /// working directory, where no flag says what is to be compared]; --exclude-columns beside it names columns of the
    /// lake that the target does not take
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) table: TableArguments,

    #[command(flatten, next_help_heading = LIMITS)]
    pub(crate) memory: MemoryArguments,

    /// Differing keys that are named, of each class; all are counted
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = count(0, 10_000, "of keys", "20"))]
    pub(crate) limit: u32,

    /// Deliver again what is wrong, just those keys, and compare again; watermark and position stay where they are.
    /// Refused for append-only and scd2
    #[arg(long)]
    pub(crate) repair: bool,

    /// How often a run starts again after a lost connection or a deadlock
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

    /// Taken as `sync` takes it; nothing is created here
    #[arg(long, requires = "target", hide = true)]
    pub(crate) create_target: bool,

    /// Taken as `sync` takes it; times are compared to the microsecond all the same
    #[arg(long, value_enum, default_value_t = TimePrecision::Truncate, hide = true)]
    pub(crate) time_precision: TimePrecision,

    /// Taken as `sync` takes it; nothing of a first load is repeated here
    #[command(flatten)]
    pub(crate) first_load: FirstLoadArguments,
}
