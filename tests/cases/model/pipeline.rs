//! Every strategy with every merge that goes with it, and the jobs that run them.

use std::path::Path;
use std::time::Duration;

use icehost_lake::{LakeTableName, Warehouse};
use icehost_sqlserver::{ColumnSelection, ConnectOptions, Endpoint, TableName, TimePrecision};
use icehost_strategy::{Options, Runtime, RuntimeOptions, Strategy};
use icehost_sync::{
    ColumnRules, CommitMode, Detection, FirstLoadSettings, Lake, LoadJob, MemoryBudget, Merging,
    RetryPolicy, Settings, Source, SyncJob, Target, Transforms,
};

/// Which rows changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detector {
    Timestamp,
    Id,
    Rowversion,
    FullRefresh,
}

/// How a delta lands in the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntoLake {
    Upsert,
    /// `upsert` with `delete-missing`: only what reads everything can tell.
    Mirror,
    AppendOnly,
}

/// How it lands in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntoTarget {
    Upsert,
    AppendOnly,
    SoftDelete,
    Scd2,
}

/// How a table is read for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstLoad {
    OnePiece,
    Ranges,
    CommitPerRange,
}

/// A pipeline of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pipeline {
    pub detector: Detector,
    pub lake: IntoLake,
    pub target: IntoTarget,
    pub first_load: FirstLoad,
}

impl Pipeline {
    /// Every combination that is allowed.
    pub fn all() -> Vec<Pipeline> {
        use Detector::{FullRefresh, Id, Rowversion, Timestamp};
        let mut all = Vec::new();
        for detector in [Timestamp, Id, Rowversion, FullRefresh] {
            for lake in [IntoLake::Upsert, IntoLake::Mirror, IntoLake::AppendOnly] {
                for target in [
                    IntoTarget::Upsert,
                    IntoTarget::AppendOnly,
                    IntoTarget::SoftDelete,
                    IntoTarget::Scd2,
                ] {
                    for first_load in [
                        FirstLoad::OnePiece,
                        FirstLoad::Ranges,
                        FirstLoad::CommitPerRange,
                    ] {
                        let pipeline = Pipeline {
                            detector,
                            lake,
                            target,
                            first_load,
                        };
                        if pipeline.is_allowed() {
                            all.push(pipeline);
                        }
                    }
                }
            }
        }
        all
    }

    fn is_allowed(self) -> bool {
        let everything = self.detector == Detector::FullRefresh;
        // Only what reads everything can tell what is missing, and reads a table in one piece; added again
        // and again it would be copies.
        let lake = match self.lake {
            IntoLake::Upsert => true,
            IntoLake::Mirror => everything,
            IntoLake::AppendOnly => !everything,
        };
        let ranges = self.first_load == FirstLoad::OnePiece || !everything;
        lake && ranges
    }
}

/// The strategies, compiled once for a process.
pub struct Strategies {
    // Strategies hold on to it; here it is kept for its name.
    _runtime: Runtime,
    loaded: Vec<(&'static str, Strategy)>,
}

impl Strategies {
    pub async fn load() -> Strategies {
        let options = RuntimeOptions {
            cache_dir: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("components")),
            ..RuntimeOptions::default()
        };
        let runtime = Runtime::new(options).expect("a runtime for strategies");
        let mut loaded = Vec::new();
        for shipped in icehost_plugins::shipped() {
            let strategy = runtime.load(shipped.name, shipped.component).await;
            loaded.push((shipped.name, strategy.expect("a shipped strategy")));
        }
        Strategies {
            _runtime: runtime,
            loaded,
        }
    }

    fn get(&self, name: &str, pairs: &[(&str, &str)]) -> (Strategy, Options) {
        let (_, strategy) = self
            .loaded
            .iter()
            .find(|(known, _)| *known == name)
            .expect("a shipped strategy");
        let options = Options::from_pairs(strategy, pairs).expect("options that the strategy has");
        (strategy.clone(), options)
    }

    fn detection(&self, detector: Detector) -> Detection {
        let (name, pairs): (_, &[_]) = match detector {
            Detector::Timestamp => ("timestamp", &[("column", "Changed")]),
            Detector::Id => ("id", &[("column", "Seq")]),
            Detector::Rowversion => ("rowversion", &[]),
            Detector::FullRefresh => ("full-refresh", &[]),
        };
        let (strategy, options) = self.get(name, pairs);
        Detection {
            strategy: strategy.as_change_detector().expect("a change detector"),
            options,
        }
    }

    fn merging(&self, name: &str, pairs: &[(&str, &str)]) -> Merging {
        let (strategy, options) = self.get(name, pairs);
        Merging {
            strategy: strategy.as_merger().expect("a merger"),
            options,
        }
    }

    fn lake_merge(&self, lake: IntoLake) -> Merging {
        match lake {
            IntoLake::Upsert => self.merging("upsert", &[]),
            IntoLake::Mirror => self.merging("upsert", &[("delete-missing", "true")]),
            IntoLake::AppendOnly => self.merging("append-only", &[]),
        }
    }

    fn target_merge(&self, target: IntoTarget) -> Merging {
        match target {
            IntoTarget::Upsert => self.merging("upsert", &[]),
            IntoTarget::AppendOnly => self.merging("append-only", &[]),
            IntoTarget::SoftDelete => self.merging("soft-delete", &[]),
            IntoTarget::Scd2 => self.merging("scd2", &[]),
        }
    }
}

/// Where a case of the model runs.
#[derive(Debug, Clone)]
pub struct Places {
    pub source: Endpoint,
    pub target: Endpoint,
    pub warehouse: std::path::PathBuf,
}

fn settings(first_load: FirstLoad) -> Settings {
    let ranges = first_load != FirstLoad::OnePiece;
    Settings {
        retry: RetryPolicy {
            attempts: 8,
            first_delay: Duration::from_millis(1),
            longest_delay: Duration::from_millis(20),
        },
        memory: MemoryBudget {
            connections: if ranges { 2 } else { 1 },
            ..MemoryBudget::default()
        },
        first_load: FirstLoadSettings {
            range_rows: ranges.then_some(3),
            commit: match first_load {
                FirstLoad::CommitPerRange => CommitMode::PerRange,
                FirstLoad::OnePiece | FirstLoad::Ranges => CommitMode::Once,
            },
            ..FirstLoadSettings::default()
        },
        ..Settings::default()
    }
}

fn table() -> TableName {
    TableName::new("dbo", "T")
}

fn lake(warehouse: &Path) -> Lake {
    Lake {
        warehouse: Warehouse::open(warehouse).expect("a warehouse"),
        table: lake_table(),
    }
}

/// The lake table's name.
pub fn lake_table() -> LakeTableName {
    "demo.t".parse().expect("a table's name")
}

fn target(places: &Places) -> Target {
    Target {
        endpoint: places.target.clone(),
        connect: ConnectOptions::default(),
        table: table(),
        create: false,
        keys_never_move: false,
    }
}

impl Pipeline {
    /// The flags of `icehost sync` that say the same as [`Self::sync_job`], but for where things are.
    pub fn arguments(self) -> Vec<&'static str> {
        let mut arguments = match self.detector {
            Detector::Timestamp => vec![
                "--strategy",
                "timestamp",
                "--strategy-option",
                "column=Changed",
            ],
            Detector::Id => vec!["--strategy", "id", "--strategy-option", "column=Seq"],
            Detector::Rowversion => vec!["--strategy", "rowversion"],
            Detector::FullRefresh => vec!["--strategy", "full-refresh"],
        };
        arguments.push("--lake-merge");
        arguments.extend(match self.lake {
            IntoLake::Upsert => ["upsert"].as_slice(),
            IntoLake::Mirror => &["upsert", "--lake-merge-option", "delete-missing=true"],
            IntoLake::AppendOnly => &["append-only"],
        });
        arguments.push("--merge");
        arguments.push(match self.target {
            IntoTarget::Upsert => "upsert",
            IntoTarget::AppendOnly => "append-only",
            IntoTarget::SoftDelete => "soft-delete",
            IntoTarget::Scd2 => "scd2",
        });
        arguments.extend(match self.first_load {
            FirstLoad::OnePiece => [].as_slice(),
            FirstLoad::Ranges => &["--parallel", "2", "--range-rows", "3"],
            FirstLoad::CommitPerRange => &[
                "--parallel",
                "2",
                "--range-rows",
                "3",
                "--commit",
                "per-range",
            ],
        });
        arguments
    }

    /// `icehost sync`.
    pub fn sync_job(self, strategies: &Strategies, places: &Places) -> SyncJob {
        SyncJob {
            source: Source {
                endpoint: places.source.clone(),
                connect: ConnectOptions::default(),
                table: table(),
                columns: ColumnSelection::default(),
                name: None,
                time_precision: TimePrecision::default(),
                rules: ColumnRules::default(),
                transforms: Transforms::default(),
                sees_every_row: false,
            },
            detection: strategies.detection(self.detector),
            lake: lake(&places.warehouse),
            lake_merge: strategies.lake_merge(self.lake),
            target: Some((target(places), strategies.target_merge(self.target))),
            settings: settings(self.first_load),
        }
    }

    /// `icehost load`.
    pub fn load_job(self, strategies: &Strategies, places: &Places, full: bool) -> LoadJob {
        LoadJob {
            lake: lake(&places.warehouse),
            target: target(places),
            merge: strategies.target_merge(self.target),
            full,
            trust_position: false,
            exclude: Vec::new(),
            settings: settings(self.first_load),
        }
    }
}
