//! Whether a run reads its table in ranges, and which.

use std::collections::BTreeMap;

use icehost_lake::{LakeTable, Lineage};
use icehost_plan::KeyRange;
use icehost_sqlserver::{Connection, SqlTable};
use uuid::Uuid;

use super::observed::can_combine;
use super::{FirstLoad, SUMMARY_FIRST_LOAD, ranges_of};
use crate::blocking::blocking;
use crate::detection::{Detected, OpenSource, detect};
use crate::error::Doing;
use crate::failpoint::{self, failpoint, stands};
use crate::journal::{Inputs, Journal, LoadRecord, RangeEntry, strategy_text};
use crate::range_scheduler::open_reader;
use crate::repetition;
use crate::source_to_lake::{create_empty, open_lake};
use crate::{CommitMode, Event, Observer, SyncError, SyncJob};

/// Ranges are no smaller than this, unless the user asks for smaller ones.
const SMALLEST_RANGE: u64 = 10_000;
/// Rows in a range of a large table.
const LARGEST_RANGE: u64 = 500_000;
/// A connection gets at least so many ranges, so that all end at about the same time and an interrupted load
/// has ranges to keep.
const RANGES_PER_CONNECTION: u64 = 4;
/// Most ranges: their descriptions are held in memory and in the journal.
const MOST_RANGES: u64 = 10_000;

/// Asks what changed, and decides how it is read: in ranges (`Some`), for a first load that is large enough
/// and for one that an earlier run has begun; or in one piece.
pub(crate) async fn route(
    job: &SyncJob,
    source: &mut OpenSource,
    lake: &mut LakeTable,
    observer: &dyn Observer,
) -> Result<(Detected, Option<FirstLoad>), SyncError> {
    let mut damaged = None;
    if lake.exists() && Journal::is_present(lake).await? {
        let journal = Journal::claim(lake).await?;
        // Whoever had claimed it may have committed meanwhile.
        refresh(lake).await?;
        match journal.read().await {
            Ok(Some(record)) => return go_on(job, source, lake, observer, journal, record).await,
            Ok(None) => {}
            Err(error) if job.settings.first_load.restart => {
                observer.event(Event::Warning(&format!(
                    "{error}: the first load of {} is started over, and the files of its ranges stay behind, referenced by nothing",
                    lake.name()
                )));
                damaged = Some(journal);
            }
            Err(error) => return Err(error),
        }
    }
    let detected = detect(job, source, lake, observer, None).await?;
    repetition::refuse(lake, &detected).await?;
    if let Some(journal) = damaged {
        journal.remove().await?;
    }
    let load = begin(job, source, lake, &detected, observer).await?;
    Ok((detected, load))
}

/// A load that was begun: resumes it, or clears it away.
async fn go_on(
    job: &SyncJob,
    source: &mut OpenSource,
    lake: &mut LakeTable,
    observer: &dyn Observer,
    journal: Journal,
    mut record: LoadRecord,
) -> Result<(Detected, Option<FirstLoad>), SyncError> {
    match note_commits(lake, &mut record).await {
        Err(_) if job.settings.first_load.restart => {}
        noted => noted?,
    }
    let mut changed = match job.settings.first_load.restart {
        true => Some("--restart was given".to_owned()),
        false => record
            .inputs
            .difference(&inputs(job, source))
            .map(|what| format!("{what} changed")),
    };
    if let Some(reason) = &changed
        && record.created_table
        && lake.snapshots().is_empty()
    {
        // Nothing of it can be seen yet, and it may be that it was to have other columns.
        warn_of_restart(lake, &record, reason, observer);
        start_over(job, source, lake, journal, &record).await?;
        let detected = detect(job, source, lake, observer, None).await?;
        let load = begin(job, source, lake, &detected, observer).await?;
        return Ok((detected, load));
    }
    let readings = changed.is_none().then(|| record.readings.clone());
    let mut detected = detect(job, source, lake, observer, readings).await?;
    if changed.is_none() && plans(&detected) != record.plans {
        changed = Some("the plan changed".to_owned());
        detected = detect(job, source, lake, observer, None).await?;
    }
    if detected.stored.is_some() {
        // Committed: the run ended before it could remove the journal.
        clear(lake, &journal, &record).await?;
        return Ok((detected, None));
    }
    let key = key_of(&source.table, &record.key);
    match (changed, key) {
        (None, Some(key)) => {
            let missing = forget_missing(lake, &mut record, observer).await?;
            if missing {
                journal.write(&record).await?;
            }
            tracing::info!(
                done = record.done(),
                of = record.ranges.len(),
                "an interrupted first load is resumed"
            );
            let connections = connections(job, source).await?;
            let resumed = record.done();
            Ok((
                detected,
                Some(FirstLoad {
                    journal,
                    record,
                    key,
                    resumed,
                    continued: true,
                    connections,
                }),
            ))
        }
        (reason, _) => {
            let reason = reason.unwrap_or_else(|| "the key columns changed".to_owned());
            if record.partly_committed() && !detected.change.rows.replaces_by_key() {
                return Err(SyncError::settings(
                    format!(
                        "lake table {} holds {} of {} ranges of a first load that was interrupted, and {reason}: starting over would add their rows a second time",
                        lake.name(),
                        committed(&record),
                        record.ranges.len()
                    ),
                    "finish the load with the settings that it was begun with, or sync into a new lake table",
                ));
            }
            repetition::refuse(lake, &detected).await?;
            warn_of_restart(lake, &record, &reason, observer);
            clear(lake, &journal, &record).await?;
            drop(journal);
            let load = begin(job, source, lake, &detected, observer).await?;
            Ok((detected, load))
        }
    }
}

fn warn_of_restart(lake: &LakeTable, record: &LoadRecord, reason: &str, observer: &dyn Observer) {
    observer.event(Event::Warning(&format!(
        "{reason} since the first load of {} was interrupted: it is started over, without the {} ranges that had been read",
        lake.name(),
        record.done()
    )));
}

/// Takes back a table that the load has created, with all that it has left.
async fn start_over(
    job: &SyncJob,
    source: &OpenSource,
    lake: &mut LakeTable,
    journal: Journal,
    record: &LoadRecord,
) -> Result<(), SyncError> {
    let files = kept_files(record);
    discard(lake, files).await?;
    lake.clone()
        .withdraw()
        .await
        .doing(|| format!("starting the first load of {} over", lake.name()))?;
    journal.remove().await?;
    *lake = open_lake(&job.lake, &job.source.rules, source).await?;
    Ok(())
}

fn kept_files(record: &LoadRecord) -> Vec<icehost_lake::KeptFiles> {
    let done = record.ranges.iter().filter_map(|r| r.done.as_ref());
    done.map(|done| done.files.clone()).collect()
}

/// A new load in ranges, where there is reason for one.
async fn begin(
    job: &SyncJob,
    source: &mut OpenSource,
    lake: &mut LakeTable,
    detected: &Detected,
    observer: &dyn Observer,
) -> Result<Option<FirstLoad>, SyncError> {
    let settings = &job.settings.first_load;
    let wanted = job.settings.memory.connections > 1
        || settings.commit == CommitMode::PerRange
        || settings.range_rows.is_some();
    if !wanted || detected.stored.is_some() || lake.current_snapshot().is_some() {
        return Ok(None);
    }
    let key = match key(job, source, detected) {
        Ok(key) => key,
        Err(reason) => {
            observer.event(Event::Warning(&format!(
                "{} is read in one piece by one connection: {reason}",
                source.table.name
            )));
            return Ok(None);
        }
    };
    let rows = match source.table.table.row_estimate {
        Some(rows) if rows > 0 => rows,
        // A view, or a server that does not keep count.
        _ => source
            .connection
            .count_rows(&source.table)
            .await
            .doing(|| format!("cutting source table {} into ranges", source.table.name))?,
    };
    let step = step(
        rows,
        source.memory(job)?.connections as u64,
        settings.range_rows,
    );
    if rows <= step {
        tracing::info!(rows, "the table is too small to be read in ranges");
        return Ok(None);
    }
    // As soon as possible behind the probes: what changes in between is left to the next run.
    let connections = connections(job, source).await?;
    let boundaries = source
        .connection
        .range_boundaries(&source.table, &key, step)
        .await
        .doing(|| format!("cutting source table {} into ranges", source.table.name))?;
    if boundaries.is_empty() {
        return Ok(None);
    }
    let create = !lake.exists();
    if create {
        *lake = create_empty(job, source).await?;
    }
    let journal = Journal::claim(lake).await?;
    refresh(lake).await?;
    if create && Journal::is_present(lake).await? {
        // Left by a run that ended while it took the table back; there are no files any more.
        journal.remove().await?;
    }
    if lake.current_snapshot().is_some() || Journal::is_present(lake).await? {
        return Err(SyncError::moved());
    }
    let mut record = LoadRecord::new(
        inputs(job, source),
        plans(detected),
        detected.readings.clone(),
    );
    record.created_table = create;
    record.key = names(&source.table, &key);
    record.ranges = KeyRange::between(boundaries)
        .into_iter()
        .map(|range| RangeEntry {
            range,
            done: None,
            snapshot_id: None,
        })
        .collect();
    journal.write(&record).await?;
    failpoint(failpoint::LOAD_BEGUN)?;
    tracing::info!(
        ranges = record.ranges.len(),
        connections = connections.len() + 1,
        key = record.key.join(", "),
        "the table is read in ranges"
    );
    Ok(Some(FirstLoad {
        journal,
        record,
        key,
        resumed: 0,
        continued: false,
        connections,
    }))
}

/// The columns to cut by, or why the table cannot be cut.
fn key(job: &SyncJob, source: &OpenSource, detected: &Detected) -> Result<Vec<u32>, String> {
    // Boundaries are values, and the journal that holds them lies in the lake.
    let rules = &job.source.rules;
    let Some(key) = source.table.range_key(|column| !rules.concern(column)) else {
        return Err(
            "it has no clustered index and no unique key whose columns are carried as they are and have an order, \
             so that no range of its rows can be told from the others"
                .to_owned(),
        );
    };
    if detected
        .plan
        .probed_upper_bound(&detected.probes, &detected.readings)
        .is_none()
    {
        return Err(
            "the strategy's plan has no upper bound that was read beforehand, and several connections \
             cannot share one view of the table"
                .to_owned(),
        );
    }
    if !detected.change.rows.only_adds(detected.change.unique_keys) {
        return Err(
            "the lake's merge strategy matches rows of the table with each other".to_owned(),
        );
    }
    let table = &source.table.table;
    if !detected.plan.observe.iter().all(|a| can_combine(a, table)) {
        return Err(
            "the strategy observes an aggregate that cannot be put together from parts".to_owned(),
        );
    }
    // A filter near its largest size leaves no room for a range's condition.
    let widest = KeyRange {
        after: Some(vec![icehost_plan::Value::Null; key.len()]),
        through: None,
    };
    let filter = widest.within(detected.plan.filter.as_ref(), &key, &table.columns);
    let fits = filter.is_ok_and(|filter| {
        let room = 16 * key.len();
        filter.is_none_or(|f| f.nodes.len() + room <= icehost_plan::expression::MAX_NODES)
    });
    match fits {
        true => Ok(key),
        false => Err("the strategy's filter leaves no room for a range's condition".to_owned()),
    }
}

/// Rows in a range.
fn step(rows: u64, connections: u64, asked: Option<u64>) -> u64 {
    let largest = asked.unwrap_or(LARGEST_RANGE).max(1);
    let smallest = SMALLEST_RANGE.min(largest);
    let share = rows.div_ceil((RANGES_PER_CONNECTION * connections).max(1));
    share
        .clamp(smallest, largest)
        .max(rows.div_ceil(MOST_RANGES))
}

/// The connections beside the source's own, their reads begun.
async fn connections(job: &SyncJob, source: &OpenSource) -> Result<Vec<Connection>, SyncError> {
    let more = source.memory(job)?.connections.saturating_sub(1);
    tracing::debug!(more, table = %source.table.name, "opening connections for ranges");
    futures::future::try_join_all((0..more).map(|_| open_reader(&job.source))).await
}

async fn refresh(lake: &mut LakeTable) -> Result<(), SyncError> {
    let name = lake.name().to_owned();
    lake.refresh()
        .await
        .doing(|| format!("opening lake table {name}"))
}

/// Marks the ranges that snapshots hold, and no others: a run may have ended between a commit and its note in the
/// journal, and the table may have been rolled back since.
async fn note_commits(lake: &LakeTable, record: &mut LoadRecord) -> Result<(), SyncError> {
    let line = match lake.current_snapshot() {
        Some(current) => {
            let lake = lake.clone();
            blocking(move || Ok(lake.lineage(current.id, &|_| false))).await?
        }
        None => Lineage {
            snapshots: Vec::new(),
            complete: true,
        },
    };
    let mut there = BTreeMap::new();
    for snapshot in &line.snapshots {
        if load_id(&snapshot.summary) == Some(record.id) {
            let ranges = ranges_of(&snapshot.summary, record.ranges.len());
            there.extend(ranges.into_iter().map(|range| (range, snapshot.id)));
        }
    }
    for (index, entry) in record.ranges.iter_mut().enumerate() {
        match (there.get(&index).copied(), entry.snapshot_id) {
            (None, Some(noted)) if !line.complete => {
                return Err(SyncError::settings(
                    format!(
                        "whether lake table {} still has range {index} of its first load cannot be told: snapshot {noted}, which brought it, has expired or was rolled back",
                        lake.name()
                    ),
                    "have everything read again with `icehost watermark clear` and then --restart; a merge without a key needs a new lake table",
                ));
            }
            (None, Some(_)) if !stands(failpoint::GUARD_ROLLED_BACK_RANGES) => {}
            (known, _) => entry.snapshot_id = known,
        }
    }
    // What is committed must have been read; without its counts the watermark could not be made.
    let lost = record
        .ranges
        .iter()
        .any(|entry| entry.snapshot_id.is_some() && entry.done.is_none());
    match lost {
        false => Ok(()),
        true => Err(SyncError::settings(
            format!(
                "the journal of the first load of lake table {} does not know of ranges that are committed",
                lake.name()
            ),
            "it was changed by hand or restored from a backup: sync into a new lake table",
        )),
    }
}

/// Forgets that ranges were read whose files are gone or of another size. Gives whether there were any.
async fn forget_missing(
    lake: &LakeTable,
    record: &mut LoadRecord,
    observer: &dyn Observer,
) -> Result<bool, SyncError> {
    let mut missing = false;
    for (index, entry) in record.ranges.iter_mut().enumerate() {
        if entry.snapshot_id.is_some() {
            continue;
        }
        let Some(done) = &entry.done else { continue };
        if lake.has_kept(done.files.clone()).await {
            continue;
        }
        observer.event(Event::Warning(&format!(
            "files of range {index} of the first load of {} are missing or of another size: the range is read again",
            lake.name()
        )));
        if let Some(done) = entry.done.take() {
            discard(lake, vec![done.files]).await?;
            missing = true;
        }
    }
    Ok(missing)
}

/// Removes a load's journal, and those of its files that no snapshot holds.
async fn clear(lake: &LakeTable, journal: &Journal, record: &LoadRecord) -> Result<(), SyncError> {
    discard(lake, kept_files(record)).await?;
    journal.remove().await
}

async fn discard(lake: &LakeTable, files: Vec<icehost_lake::KeptFiles>) -> Result<(), SyncError> {
    let removed = lake
        .discard_kept(files)
        .await
        .doing(|| format!("removing files of lake table {}", lake.name()))?;
    tracing::debug!(removed, table = lake.name(), "removed kept files");
    Ok(())
}

fn committed(record: &LoadRecord) -> usize {
    let committed = |entry: &&RangeEntry| entry.snapshot_id.is_some();
    record.ranges.iter().filter(committed).count()
}

fn names(table: &SqlTable, key: &[u32]) -> Vec<String> {
    key.iter()
        .filter_map(|&ordinal| Some(table.columns.get(ordinal as usize)?.name.clone()))
        .collect()
}

fn key_of(table: &SqlTable, names: &[String]) -> Option<Vec<u32>> {
    names
        .iter()
        .map(|name| {
            let position = table.columns.iter().position(|c| c.name == *name)?;
            u32::try_from(position).ok()
        })
        .collect()
}

/// What the change detector wants read and how it lands, as text to compare.
fn plans(detected: &Detected) -> String {
    format!("{:?}; {:?}", *detected.plan, detected.change.rows)
}

fn inputs(job: &SyncJob, source: &OpenSource) -> Inputs {
    let endpoint = &job.source.endpoint;
    let (detection, merging) = (&job.detection, &job.lake_merge);
    Inputs {
        source: source.identity.clone(),
        server: format!("{}:{}", endpoint.host, endpoint.port),
        object_id: source.table.object_id,
        columns: source
            .table
            .columns
            .iter()
            .map(|column| {
                format!(
                    "{} {} {} {}",
                    column.name,
                    column.sql_type,
                    if column.nullable { "null" } else { "not null" },
                    column.collation.as_deref().unwrap_or("-")
                )
            })
            .collect(),
        strategy: strategy_text(detection.strategy.strategy(), &detection.options),
        lake_merge: strategy_text(merging.strategy.strategy(), &merging.options),
        time_precision: format!("{:?}", job.source.time_precision),
        column_rules: job.source.rules.fingerprint(),
        transforms: job.source.transforms.fingerprint(),
    }
}

/// Identifies the load that a snapshot belongs to.
pub(super) fn load_id(summary: &std::collections::BTreeMap<String, String>) -> Option<Uuid> {
    summary.get(SUMMARY_FIRST_LOAD)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_a_size_that_suits_the_table() {
        for (rows, connections, asked, expected) in [
            // Too small to be cut
            (9_000, 4, None, 10_000),
            // Four ranges a connection
            (1_600_000, 4, None, 100_000),
            // At most half a million rows
            (100_000_000, 4, None, 500_000),
            // At most 10,000 ranges
            (50_000_000_000, 4, None, 5_000_000),
            // As the user asks
            (1_000, 4, Some(100), 100),
            (1_000, 1, Some(100), 100),
            (100, 4, Some(50), 50),
            (4_000_000, 4, Some(1_000_000), 250_000),
        ] {
            let found = step(rows, connections, asked);
            assert_eq!(found, expected, "{rows} {connections} {asked:?}");
        }
    }
}
