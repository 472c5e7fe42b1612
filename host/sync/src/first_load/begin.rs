//! A first load that begins: whether it is worth ranges, by which columns, and which ranges they are.

use icehost_lake::LakeTable;
use icehost_plan::KeyRange;
use icehost_sqlserver::{Connection, SqlTable};

use crate::detection::detected::Detected;
use crate::error::Doing;
use crate::failpoint::{self, failpoint};
use crate::first_load::journal::{Inputs, Journal, LoadRecord, RangeEntry};
use crate::first_load::load::FirstLoad;
use crate::first_load::observed::can_combine;
use crate::first_load::scheduler::open_reader;
use crate::landing::table::create_empty;
use crate::rows::fingerprint::strategy_text;
use crate::run::Run;
use crate::source::open::OpenSource;
use crate::{CommitMode, SyncError, SyncJob};

/// Ranges are no smaller than this, unless the user asks for smaller ones.
const SMALLEST_RANGE: u64 = 10_000;
/// Rows in a range of a large table.
const LARGEST_RANGE: u64 = 500_000;
/// A connection gets at least so many ranges, so that all end at about the same time and an interrupted load
/// has ranges to keep.
const RANGES_PER_CONNECTION: u64 = 4;
/// Most ranges: their descriptions are held in memory and in the journal.
const MOST_RANGES: u64 = 10_000;

/// A new load in ranges, where there is reason for one.
pub(crate) async fn begin(
    run: &Run<'_>,
    source: &mut OpenSource,
    lake: &mut LakeTable,
    detected: &Detected,
) -> Result<Option<FirstLoad>, SyncError> {
    let job = run.job;
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
            run.warn(&format!(
                "{} is read in one piece by one connection: {reason}",
                source.table.name
            ));
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
pub(crate) async fn connections(
    job: &SyncJob,
    source: &OpenSource,
) -> Result<Vec<Connection>, SyncError> {
    let more = source.memory(job)?.connections.saturating_sub(1);
    tracing::debug!(more, table = %source.table.name, "opening connections for ranges");
    futures::future::try_join_all((0..more).map(|_| open_reader(&job.source))).await
}

fn names(table: &SqlTable, key: &[u32]) -> Vec<String> {
    key.iter()
        .filter_map(|&ordinal| Some(table.columns.get(ordinal as usize)?.name.clone()))
        .collect()
}

/// What the change detector wants read and how it lands, as text to compare.
pub(crate) fn plans(detected: &Detected) -> String {
    format!("{:?}; {:?}", *detected.plan, detected.change.rows)
}

pub(crate) fn inputs(job: &SyncJob, source: &OpenSource) -> Inputs {
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

pub(crate) async fn refresh(lake: &mut LakeTable) -> Result<(), SyncError> {
    let name = lake.name().to_owned();
    lake.refresh()
        .await
        .doing(|| format!("opening lake table {name}"))
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
