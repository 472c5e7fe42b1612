//! What a run is to do.

use std::sync::Arc;

use icehost_lake::{LakeTableName, Warehouse};
use icehost_sqlserver::{ColumnSelection, ConnectOptions, Endpoint, TableName, TimePrecision};
use icehost_strategy::{ChangeDetector, Merger, Options};

use crate::{
    ColumnRules, DeletionGuard, MemoryBudget, RetryPolicy, SnapshotWatermarks, Transforms,
    WatermarkStore,
};

/// Source → lake, and on to a target where there is one.
pub struct SyncJob {
    /// Where rows come from.
    pub source: Source,
    /// Which rows changed.
    pub detection: Detection,
    /// Where they go.
    pub lake: Lake,
    /// How they land in the lake.
    pub lake_merge: Merging,
    /// Where they go from there, and how they land.
    pub target: Option<(Target, Merging)>,
    /// How to go about it.
    pub settings: Settings,
}

/// Lake → target.
pub struct LoadJob {
    /// Where rows come from.
    pub lake: Lake,
    /// Where they go.
    pub target: Target,
    /// How they land.
    pub merge: Merging,
    /// Deliver every row, not just what changed since the last load.
    pub full: bool,
    /// Go on from the target's position though the target does not look as the last run left it.
    pub trust_position: bool,
    /// Lake columns that the target does not take.
    pub exclude: Vec<String>,
    /// How to go about it.
    pub settings: Settings,
}

/// A source table.
#[derive(Debug, Clone)]
pub struct Source {
    /// The server and database.
    pub endpoint: Endpoint,
    /// How long its server is waited for, and what the run knows of it.
    pub connect: ConnectOptions,
    /// The table.
    pub table: TableName,
    /// Which of its columns.
    pub columns: ColumnSelection,
    /// What the watermark calls it, where not `database.schema.table`.
    pub name: Option<String>,
    /// What to do with digits that Iceberg cannot hold.
    pub time_precision: TimePrecision,
    /// The user says that no security policy hides rows from the login.
    pub sees_every_row: bool,
    /// What becomes of values before they are written.
    pub rules: ColumnRules,
    /// What strategies make of rows, after the rules and before they are written.
    pub transforms: Transforms,
}

/// A table in a warehouse.
#[derive(Debug, Clone)]
pub struct Lake {
    /// The warehouse.
    pub warehouse: Warehouse,
    /// The table.
    pub table: LakeTableName,
}

/// A target table.
#[derive(Debug, Clone)]
pub struct Target {
    /// The server and database.
    pub endpoint: Endpoint,
    /// How long its server is waited for, and what the run knows of it.
    pub connect: ConnectOptions,
    /// The table.
    pub table: TableName,
    /// Create it where it is missing.
    pub create: bool,
    /// No key is ever in several of the lake tables that are delivered into it.
    pub keys_never_move: bool,
}

/// A change detector and its options.
pub struct Detection {
    /// The component.
    pub strategy: ChangeDetector,
    /// Its options, checked against its schema.
    pub options: Options,
}

/// A merger and its options.
#[derive(Clone)]
pub struct Merging {
    /// The component.
    pub strategy: Merger,
    /// Its options, checked against its schema.
    pub options: Options,
}

/// How to go about a run.
#[derive(Clone)]
pub struct Settings {
    /// Where the watermark is kept.
    pub watermarks: Arc<dyn WatermarkStore>,
    /// What to do after failures that pass.
    pub retry: RetryPolicy,
    /// What reading the source may take.
    pub memory: MemoryBudget,
    /// How a table is read for the first time.
    pub first_load: FirstLoadSettings,
    /// How many rows may go because they are absent.
    pub deletions: DeletionGuard,
}

/// How a table is read for the first time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FirstLoadSettings {
    /// Rows in a range, about; `None` lets the table's size decide.
    pub range_rows: Option<u64>,
    /// How many snapshots it makes.
    pub commit: CommitMode,
    /// Discard what an interrupted first load has left.
    pub restart: bool,
}

/// How many snapshots a first load makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommitMode {
    /// One, when everything has been read.
    #[default]
    Once,
    /// One per range, as soon as it has been read; the last one carries the watermark.
    PerRange,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            watermarks: Arc::new(SnapshotWatermarks),
            retry: RetryPolicy::default(),
            memory: MemoryBudget::default(),
            first_load: FirstLoadSettings::default(),
            deletions: DeletionGuard::default(),
        }
    }
}
