//! What one sync is to do: the flags of `icehost sync`, or a pipeline of the file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use icehost_lake::{LakeError, LakeTableName};
use icehost_sqlserver::{TableName, TimePrecision};
use serde_json::{Map, Value as Json};

use crate::{Component, Connection, FirstLoad, Limits, Place};

/// CPU time that one call into a strategy may take.
pub const DEFAULT_STRATEGY_TIMEOUT: Duration = Duration::from_secs(5);
/// Memory that a strategy may take, in MiB.
pub const DEFAULT_STRATEGY_MEMORY: u32 = 64;

/// Everything that a sync is told, in parts.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// What it is called: `NAME`, or `NAME@TENANT`.
    pub name: String,
    /// Where it stands in the file.
    pub place: Option<Place>,
    /// Where its settings stand.
    pub places: Places,
    /// Where rows come from.
    pub source: Source,
    /// Which rows changed.
    pub detection: Use,
    /// What becomes of rows on their way to the lake.
    pub shaping: Shaping,
    /// Where rows go.
    pub lake: Lake,
    /// How a delta lands.
    pub merge: Use,
    /// Where rows go from the lake.
    pub target: Option<Target>,
    /// How a table is read for the first time.
    pub first_load: FirstLoad,
    /// What a run may take.
    pub limits: Limits,
}

/// A source table, and what of it is carried.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its server and database.
    pub connection: Connection,
    /// The table.
    pub table: TableName,
    /// What the watermark calls it.
    pub name: Option<String>,
    /// Only these columns; empty for all.
    pub columns: Vec<String>,
    /// All columns but these.
    pub exclude_columns: Vec<String>,
    /// Columns that are carried although the login is shown masks instead of their values.
    pub allow_masked: Vec<String>,
    /// No security policy hides rows of it from the login.
    pub allow_row_filter: bool,
    /// What to do with digits that Iceberg cannot hold.
    pub time_precision: TimePrecision,
}

/// What becomes of rows on their way to the lake.
#[derive(Debug, Clone, Default)]
pub struct Shaping {
    /// What becomes of the values of columns, not yet read.
    pub column_rules: Vec<(String, String)>,
    /// Where the key for hashes is kept.
    pub hash_key: Option<KeyPlace>,
    /// What strategies make of rows after that, in this order.
    pub transforms: Vec<Use>,
}

/// A lake table.
#[derive(Debug, Clone)]
pub struct Lake {
    /// The warehouse.
    pub warehouse: PathBuf,
    /// The table.
    pub table: LakeTableName,
    /// How a delta lands in it, where not as in the target.
    pub merge: Option<Use>,
    /// Where copies of watermarks are kept.
    pub watermark_dir: Option<PathBuf>,
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
        self.lake.merge.as_ref().unwrap_or(&self.merge)
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
