//! What stands in the way of a pipeline's runs, found out without reading a row and without touching anything.

use std::sync::Arc;

use icehost_lake::LakeTable;
use icehost_plan::Contents;
use icehost_sqlserver::Way;

use crate::delivery::hashed;
use crate::delivery::permissions::{may, position_permissions, table_permissions};
use crate::delivery::table as target_table;
use crate::delivery::table::OpenTarget;
use crate::delivery::task::Delivery;
use crate::detection::change::plan_for_lake;
use crate::detection::context::context;
use crate::error::Doing;
use crate::landing::table::open_lake;
use crate::source::open::{OpenSource, find, identity};
use crate::source::same_table;
use crate::watermark::stale_mark;
use crate::{
    DeletionGuard, Detection, Lake, MemoryBudget, Merging, Observer, Source, SyncError, Target,
    WatermarkStore,
};

/// What of a pipeline does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The source table: reaching it, describing it, reading from it.
    Source,
    /// The change detector.
    Detection,
    /// The transformers.
    Transforms,
    /// The lake table, or the merger that changes it.
    Lake,
    /// The target table.
    Target,
    /// The merger that changes the target.
    Merge,
}

/// One thing that would end a run.
#[derive(Debug)]
pub struct Obstacle {
    /// Where it lies.
    pub part: Part,
    /// What it is.
    pub error: SyncError,
}

/// As much of a pipeline as could be made ready for a run; what is missing has been told, and is left out.
pub struct Examination {
    /// Where rows come from.
    pub source: Source,
    /// Where they go.
    pub lake: Lake,
    /// Which rows changed.
    pub detection: Option<Detection>,
    /// How they land in the lake.
    pub lake_merge: Option<Merging>,
    /// Where they go from there, and how they land.
    pub target: Option<(Target, Option<Merging>)>,
    /// Where the watermark is kept.
    pub watermarks: Arc<dyn WatermarkStore>,
}

impl Examination {
    /// Looks at both ends. Strategies are asked for what they decide before they see a value: a detector for its
    /// probes, which are not carried out, transformers for their columns, mergers for their plans.
    pub async fn run(&self, observer: &dyn Observer) -> Vec<Obstacle> {
        let mut found = Found(Vec::new());
        if let Some((target, _)) = &self.target {
            let other = same_table::refuse(&self.source, target).await;
            found.or(Part::Target, other);
        }
        let lake = source_half(self, observer, &mut found).await;
        match (&self.target, lake) {
            (None, _) => {}
            (Some((target, Some(merging))), Some(lake)) => {
                let from = (&self.source, &self.lake);
                target_half(from, target, merging, &lake, &mut found).await;
            }
            // What would land there is not known: that the table is there can be seen all the same.
            (Some((target, _)), _) => {
                if let Err(error) = target_table::find(target).await {
                    found.add(Part::Target, error);
                }
            }
        }
        found.0
    }
}

struct Found(Vec<Obstacle>);

impl Found {
    fn add(&mut self, part: Part, error: SyncError) {
        self.0.push(Obstacle { part, error });
    }

    /// The value, where there is one.
    fn or<T>(&mut self, part: Part, result: Result<T, SyncError>) -> Option<T> {
        result.map_err(|error| self.add(part, error)).ok()
    }
}

/// As far as the lake table, as it is or as it would be made.
async fn source_half(
    job: &Examination,
    observer: &dyn Observer,
    found: &mut Found,
) -> Option<LakeTable> {
    let (mut connection, table) = found.or(Part::Source, find(&job.source).await)?;
    let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
    let permitted = may(&mut connection, &table.name, &names, Way::ROWS.permissions).await;
    found.or(Part::Source, permitted);
    found.or(Part::Source, job.source.rules.check(&table.table));
    let transforms = job.source.transforms.declare(&table.table).await;
    let transforms = found.or(Part::Transforms, transforms.map_err(SyncError::from))?;
    let mut source = OpenSource {
        identity: identity(&job.source, &table),
        on_server: None,
        connection,
        table,
        transforms,
    };
    if let Some((target, _)) = &job.target {
        let under = same_table::refuse_under_view(&mut source, target).await;
        found.or(Part::Target, under);
    }
    let lake = found.or(
        Part::Lake,
        open_lake(&job.lake, &job.source.rules, &source).await,
    )?;
    let doing = || format!("looking whether lake table {} can be written", lake.name());
    found.or(Part::Lake, lake.try_writing().await.doing(doing));
    let stored = job.watermarks.load(&lake, observer).await;
    if let Ok(stored) = &stored {
        found.or(Part::Detection, stale_mark::check(&lake, stored.as_ref()));
    }
    if let (Some(stored), Some(detection)) = (found.or(Part::Detection, stored), &job.detection) {
        let context = context(
            detection,
            &source.table.table,
            &source.identity,
            stored.as_ref(),
        );
        // That it takes table, options and watermark.
        let probed = match context {
            Ok(context) => {
                crate::detection::hidden_columns::probes(&job.source.rules, detection, &context)
                    .await
                    .map(drop)
            }
            Err(error) => Err(error),
        };
        found.or(Part::Detection, probed);
    }
    if let Some(merging) = &job.lake_merge {
        let landing = lake_plan(merging, &source, &lake).await;
        found.or(Part::Lake, landing)?;
    }
    Some(lake)
}

/// That the merger has a plan that the lake can do. Whether rows will come as a whole or as what is new is the detector's
/// to say once it has read its probes: a merger that takes either may well be right.
async fn lake_plan(
    merging: &Merging,
    source: &OpenSource,
    lake: &LakeTable,
) -> Result<(), SyncError> {
    let plan = async |contents| {
        let columns = source.landing().columns;
        let landing = plan_for_lake(merging, &source.table.table, columns, contents, lake).await?;
        landing.change(lake).map(drop)
    };
    match plan(Contents::Snapshot).await {
        Ok(()) => Ok(()),
        Err(_) => plan(Contents::Upserts).await,
    }
}

async fn target_half(
    (source, place): (&Source, &Lake),
    target: &Target,
    merging: &Merging,
    lake: &LakeTable,
    found: &mut Found,
) {
    let delivery = Delivery {
        lake: place,
        target,
        merging,
        full: false,
        trust_position: false,
        exclude: &[],
        deletions: DeletionGuard::default(),
        most_bytes: MemoryBudget::default().held_bytes(),
    };
    let Some(mut open) = found.or(Part::Target, OpenTarget::open(target, lake).await) else {
        return;
    };
    let planned = delivery.expect(&mut open, lake).await;
    // A strategy's own errors are the merger's; what else fails is the table's.
    let part = match &planned {
        Err(SyncError::Strategy(_)) => Part::Merge,
        _ => Part::Target,
    };
    if let Some(expected) = found.or(part, planned) {
        let hashes = delivery
            .describe(lake)
            .and_then(|lake| hashed::check(source, &lake, &open.table, &[]));
        found.or(Part::Target, hashes);
        let permitted = table_permissions(&mut open, &expected.landing.plan).await;
        found.or(Part::Target, permitted);
        let permitted = position_permissions(&mut open.connection).await;
        found.or(Part::Target, permitted);
    }
}
