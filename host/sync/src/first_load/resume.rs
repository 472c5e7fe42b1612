//! A first load that an earlier run has begun: gone on with, or cleared away.

use icehost_lake::{KeptFiles, LakeTable};
use icehost_sqlserver::SqlTable;

use crate::detection::detect::detect;
use crate::detection::detected::Detected;
use crate::detection::repetition;
use crate::error::Doing;
use crate::first_load::begin::{begin, connections, inputs, plans};
use crate::first_load::journal::{Journal, LoadRecord, RangeEntry};
use crate::first_load::load::FirstLoad;
use crate::first_load::snapshots::note_commits;
use crate::landing::table::open_lake;
use crate::run::Run;
use crate::source::open::OpenSource;
use crate::{SyncError, SyncJob};

/// A load that was begun: resumes it, or clears it away.
pub(crate) async fn go_on(
    run: &Run<'_>,
    source: &mut OpenSource,
    lake: &mut LakeTable,
    journal: Journal,
    mut record: LoadRecord,
) -> Result<(Detected, Option<FirstLoad>), SyncError> {
    let job = run.job;
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
        warn_of_restart(run, lake, &record, reason);
        start_over(job, source, lake, journal, &record).await?;
        let detected = detect(run, source, lake, None).await?;
        let load = begin(run, source, lake, &detected).await?;
        return Ok((detected, load));
    }
    let readings = changed.is_none().then(|| record.readings.clone());
    let mut detected = detect(run, source, lake, readings).await?;
    if changed.is_none() && plans(&detected) != record.plans {
        changed = Some("the plan changed".to_owned());
        detected = detect(run, source, lake, None).await?;
    }
    if detected.stored.is_some() {
        // Committed: the run ended before it could remove the journal.
        clear(lake, &journal, &record).await?;
        return Ok((detected, None));
    }
    let key = key_of(&source.table, &record.key);
    match (changed, key) {
        (None, Some(key)) => {
            let missing = forget_missing(run, lake, &mut record).await?;
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
            warn_of_restart(run, lake, &record, &reason);
            clear(lake, &journal, &record).await?;
            drop(journal);
            let load = begin(run, source, lake, &detected).await?;
            Ok((detected, load))
        }
    }
}

fn warn_of_restart(run: &Run<'_>, lake: &LakeTable, record: &LoadRecord, reason: &str) {
    run.warn(&format!(
        "{reason} since the first load of {} was interrupted: it is started over, without the {} ranges that had been read",
        lake.name(),
        record.done()
    ));
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

fn kept_files(record: &LoadRecord) -> Vec<KeptFiles> {
    let done = record.ranges.iter().filter_map(|r| r.done.as_ref());
    done.map(|done| done.files.clone()).collect()
}

/// Forgets that ranges were read whose files are gone or of another size. Gives whether there were any.
async fn forget_missing(
    run: &Run<'_>,
    lake: &LakeTable,
    record: &mut LoadRecord,
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
        run.warn(&format!(
            "files of range {index} of the first load of {} are missing or of another size: the range is read again",
            lake.name()
        ));
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

async fn discard(lake: &LakeTable, files: Vec<KeptFiles>) -> Result<(), SyncError> {
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

fn key_of(table: &SqlTable, names: &[String]) -> Option<Vec<u32>> {
    names
        .iter()
        .map(|name| {
            let position = table.columns.iter().position(|c| c.name == *name)?;
            u32::try_from(position).ok()
        })
        .collect()
}
