//! What changed in the source: watermark, probes, plan.

use icehost_lake::LakeTable;
use icehost_plan::{Probe, Value};

use crate::detection::change::{contents, lake_change};
use crate::detection::context::context;
use crate::detection::detected::Detected;
use crate::detection::{hidden_columns, keys, visibility};
use crate::rows::source_columns::SourceColumns;
use crate::run::Run;
use crate::source::created_again;
use crate::source::open::OpenSource;
use crate::watermark::stale_mark;
use crate::{Event, SyncError};

/// Asks the change detector what to read, starts the read, and asks the merger how it lands in the lake. `known`
/// are readings of the probes that an earlier run has left; they count where there is no watermark yet.
pub(crate) async fn detect(
    run: &Run<'_>,
    source: &mut OpenSource,
    lake: &LakeTable,
    known: Option<Vec<Value>>,
) -> Result<Detected, SyncError> {
    let (job, observer) = (run.job, run.observer);
    observer.event(Event::Detecting);
    let stored = job.settings.watermarks.load(lake, observer).await?;
    stale_mark::check(lake, stored.as_ref())?;
    let (table, identity) = (source.table.table.clone(), source.identity.clone());
    let context = context(&job.detection, &table, &identity, stored.as_ref())?;
    let probes = hidden_columns::probes(&job.source.rules, &job.detection, &context).await?;
    let detector = job.source.rules.guard(&job.detection.strategy);
    let known = known.filter(|known| stored.is_none() && known.len() == Probe::width_of(&probes));
    let (readings, warnings) = match known {
        Some(known) => (known, Vec::new()),
        None => source.probe(&probes).await?,
    };
    source.begin_read().await?;
    let plan = detector.plan(&context, &readings).await;
    let plan = plan.map_err(|error| stale_mark::told(error.into(), stored.as_ref()))?;
    let columns = source.columns(&job.source.rules)?;
    if let Some(stored) = &stored {
        created_again::check(source, &stored.record, &plan).await?;
        if !stored.record.was_set() {
            let name = source.table.name.to_string();
            let before = SourceColumns::remembered(lake);
            let way_on = stored
                .record
                .ways_on("their values are those that the lake has");
            columns.check(&before, plan.coverage, &name, &way_on)?;
        }
    }
    visibility::check_plan(&source.table, &probes, &plan)?;
    // Rows that were held back are not among those that it reads.
    let complete = warnings.is_empty() && plan.is_complete(&source.table.table, &probes, &readings);
    let contents = contents(job, source, &plan, complete, lake).await?;
    let change = lake_change(&job.lake_merge, source, &plan, contents, lake).await?;
    visibility::check_keys(&source.table, &change)?;
    keys::check_rules(&change, &source.table.table, &job.source.rules)?;
    let sees_all = job.source.sees_every_row;
    visibility::check_absence(&source.table, plan.coverage, &change, sees_all)?;
    // The server need not sort, a whole table at the first load, where no row can take another's place. Rows
    // then come as they lie, by the clustered index, which also keeps near keys near each other in the lake.
    let plan = match change.unique_keys || !change.rows.has_key() {
        true => plan.unordered(),
        false => plan,
    };
    Ok(Detected {
        stored,
        probes,
        readings,
        plan,
        change,
        columns: columns.update(lake)?,
        warnings,
    })
}
