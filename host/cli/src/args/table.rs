//! What is where, and how it moves: what `sync` does and `verify` compares.

use std::path::PathBuf;

use clap::Args;
use icehost_plugins::Kind;

use super::headings::{LAKE, SOURCE, STRATEGIES, TARGET, shipped};
use super::value::pair;
use super::{KEY_VALUE, MergeArguments, PlaceArguments, TargetArguments, WatermarkStoreArguments};

/// One table. A configuration file says the same of a pipeline; see [`crate::usage`]. Each command says which of the
/// flags it needs.
#[derive(Debug, Clone, Args)]
pub(crate) struct TableArguments {
    /// The source: mssql://USER:PASSWORD@HOST:PORT/DATABASE?encrypt=…, or an ADO.NET string
    #[arg(help_heading = SOURCE,
        long,
        value_name = "URL",
        env = "ICEHOST_SOURCE",
        hide_env_values = true
    )]
    pub(crate) source: Option<String>,

    /// The source table, as SCHEMA.TABLE; quote names with [brackets] or "quotes"
    #[arg(help_heading = SOURCE, long, value_name = "TABLE")]
    pub(crate) table: Option<String>,

    /// Only these columns, separated by commas
    #[arg(help_heading = SOURCE,
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        conflicts_with = "exclude_columns"
    )]
    pub(crate) columns: Vec<String>,

    /// All columns but these, separated by commas
    #[arg(help_heading = SOURCE, long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) exclude_columns: Vec<String>,

    /// Columns that are carried as the login is shown them, which is masked (dynamic data masking)
    #[arg(help_heading = SOURCE, long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) allow_masked: Vec<String>,

    /// The security policies of the source table show the login every row
    #[arg(help_heading = SOURCE, long)]
    pub(crate) allow_row_filter: bool,

    /// What the watermark calls the source [default: DATABASE.SCHEMA.TABLE]
    #[arg(help_heading = SOURCE, long, value_name = "NAME")]
    pub(crate) source_name: Option<String>,

    #[command(flatten, next_help_heading = LAKE)]
    pub(crate) place: PlaceArguments,

    /// Which rows changed?
    #[arg(help_heading = STRATEGIES, help = shipped("Which rows changed?", Kind::ChangeDetector), long, value_name = "NAME|FILE")]
    pub(crate) strategy: Option<String>,

    /// An option of the strategy; may be repeated
    #[arg(help_heading = STRATEGIES, long, value_name = "KEY=VALUE", value_parser = pair(KEY_VALUE))]
    pub(crate) strategy_option: Vec<(String, String)>,

    #[command(flatten, next_help_heading = STRATEGIES)]
    pub(crate) merge: MergeArguments,

    /// How a delta lands in the lake [default: the same as --merge]
    #[arg(help_heading = STRATEGIES, long, value_name = "NAME|FILE")]
    pub(crate) lake_merge: Option<String>,

    /// An option of the lake's merge strategy; may be repeated
    #[arg(help_heading = STRATEGIES, long, value_name = "KEY=VALUE", value_parser = pair(KEY_VALUE), requires = "lake_merge")]
    pub(crate) lake_merge_option: Vec<(String, String)>,

    #[command(flatten, next_help_heading = TARGET)]
    pub(crate) target: TargetArguments,

    /// What becomes of a column's values before they are written: null, hash, constant:VALUE or
    /// truncate:CHARACTERS; may be repeated
    #[arg(help_heading = STRATEGIES, long, value_name = "COLUMN=RULE", value_parser = pair("COLUMN=RULE"))]
    pub(crate) column_rule: Vec<(String, String)>,

    /// What becomes of rows on their way to the lake
    #[arg(help_heading = STRATEGIES, help = shipped("What becomes of rows on their way to the lake; may be repeated, and counts in order", Kind::BatchTransformer), long, value_name = "NAME|FILE")]
    pub(crate) transform: Vec<String>,

    /// An option of a transformer, as NAME:KEY=VALUE where there are several; may be repeated
    #[arg(help_heading = STRATEGIES, long, value_name = "[NAME:]KEY=VALUE", value_parser = pair("[NAME:]KEY=VALUE"), requires = "transform")]
    pub(crate) transform_option: Vec<(String, String)>,

    /// The environment variable that holds the key for hashes, 16 bytes or more
    #[arg(help_heading = STRATEGIES, long, value_name = "NAME")]
    pub(crate) hash_key_env: Option<String>,

    /// The file that holds the key for hashes
    #[arg(help_heading = STRATEGIES, long, value_name = "FILE", conflicts_with = "hash_key_env")]
    pub(crate) hash_key_file: Option<PathBuf>,

    #[command(flatten, next_help_heading = LAKE)]
    pub(crate) store: WatermarkStoreArguments,
}
