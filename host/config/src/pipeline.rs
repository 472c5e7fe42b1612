//! What one sync is to do: the flags of `icehost sync`, or a pipeline of the file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use icehost_lake::{LakeError, LakeTableName};
use icehost_sqlserver::{TableName, TimePrecision};
use serde_json::{Map, Value as Json};

use crate::{Component, Connection, Place};

/// How often a run starts again.
pub const DEFAULT_RETRIES: u32 = 4;
/// CPU time that one call into a strategy may take.
pub const DEFAULT_STRATEGY_TIMEOUT: Duration = Duration::from_secs(5);
/// Memory that a strategy may take, in MiB.
pub const DEFAULT_STRATEGY_MEMORY: u32 = 64;

/// Everything that a sync is told.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// What it is called: `NAME`, or `NAME@TENANT`.
    pub name: String,
    /// Where it stands in the file.
    pub place: Option<Place>,
    /// Where its settings stand.
    pub places: Places,
    /// Where rows come from.
    pub source: Connection,
    /// The source table.
    pub table: TableName,
    /// Only these columns; empty for all.
    pub columns: Vec<String>,
    /// All columns but these.
    pub exclude_columns: Vec<String>,
    /// Columns that are carried although the login is shown masks instead of their values.
    pub allow_masked: Vec<String>,
    /// No security policy hides rows of the source from the login.
    pub allow_row_filter: bool,
    /// What the watermark calls the source.
    pub source_name: Option<String>,
    /// The warehouse.
    pub warehouse: PathBuf,
    /// The lake table.
    pub lake_table: LakeTableName,
    /// Which rows changed.
    pub strategy: Use,
    /// How a delta lands.
    pub merge: Use,
    /// How a delta lands in the lake, where not by `merge`.
    pub lake_merge: Option<Use>,
    /// Where rows go from the lake.
    pub target: Option<Target>,
    /// What becomes of the values of columns, not yet read.
    pub column_rules: Vec<(String, String)>,
    /// What strategies make of rows on their way to the lake, in this order.
    pub transforms: Vec<Use>,
    /// Where the key for hashes is kept.
    pub hash_key: Option<KeyPlace>,
    /// What to do with digits that Iceberg cannot hold.
    pub time_precision: TimePrecision,
    /// Where copies of watermarks are kept.
    pub watermark_dir: Option<PathBuf>,
    /// Connections of a first load.
    pub parallel: u32,
    /// Rows in a range of a first load.
    pub range_rows: Option<u64>,
    /// A first load in ranges makes a snapshot per range, not one in all.
    pub commit_per_range: bool,
    /// Memory that the run may take, in bytes.
    pub memory_limit: Option<u64>,
    /// Memory that a batch of rows may take, in MiB.
    pub batch_size: Option<u32>,
    /// How often a run starts again after failures that pass.
    pub retries: u32,
    /// How long its servers are waited for.
    pub waits: Waits,
    /// The largest share of a table that may go because a complete read did not find it, in percent; `None`
    /// for the default.
    pub delete_limit: Option<u8>,
}

/// How long servers are waited for; `None` for the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waits {
    /// For more of an answer that has begun.
    pub idle: Option<Duration>,
    /// For the beginning of an answer.
    pub query: Option<Duration>,
    /// For a lock.
    pub lock: Option<Duration>,
    /// For a server that is away.
    pub reconnect: Option<Duration>,
}

/// Where settings of a pipeline stand, for what is found out about them only when they are used. Where flags say them, they
/// stand nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    pub(crate) settings: BTreeMap<&'static str, Place>,
    /// The rules of columns.
    pub(crate) rules: BTreeMap<String, Place>,
}

impl Pipeline {
    /// Where a setting stands; the pipeline, where it does not stand anywhere.
    pub fn place_of(&self, key: &str) -> Option<&Place> {
        self.places.settings.get(key).or(self.place.as_ref())
    }

    /// Where the rule of a column stands.
    pub fn place_of_rule(&self, column: &str) -> Option<&Place> {
        self.places.rules.get(column).or(self.place.as_ref())
    }

    /// How a delta lands in the lake: as in the target, where nothing else is said.
    pub fn lands_by(&self) -> &Use {
        self.lake_merge.as_ref().unwrap_or(&self.merge)
    }
}

/// Where a key is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// In an environment variable.
    Environment(String),
    /// In a file, whose last line end does not count.
    File(PathBuf),
}

/// A target table.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its server and database.
    pub connection: Connection,
    /// The table.
    pub table: TableName,
    /// Create it where it is missing.
    pub create: bool,
    /// No key is ever in several of the lake tables that are delivered into it.
    pub keys_never_move: bool,
}

/// A component and the options that it is given.
#[derive(Debug, Clone)]
pub struct Use {
    /// The component.
    pub component: Component,
    /// Its options, not yet checked.
    pub options: GivenOptions,
    /// Where the pipeline names it.
    pub place: Option<Place>,
}

/// Options as they were given.
#[derive(Debug, Clone)]
pub enum GivenOptions {
    /// Text from a command line; the strategy's schema says how it is read.
    Pairs(Vec<(String, String)>),
    /// Values with types.
    Typed(Map<String, Json>),
}

/// The lake table of a source table, where no other is named: schema and table in lower case, as lakes like
/// their names.
///
/// # Errors
/// A name that cannot be a directory's.
pub fn default_lake_table(table: &TableName) -> Result<LakeTableName, LakeError> {
    let schema = table.schema().unwrap_or("dbo");
    LakeTableName::new([schema.to_lowercase(), table.table().to_lowercase()])
}
