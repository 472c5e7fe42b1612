//! Source and lake.

use icehost_lake::{Absent, LakeTable};
use icehost_plan::{Column, Contents, Coverage, Watermark};
use icehost_sqlserver::{ExtractOptions, TimePrecision};

use crate::delivery::newest::chooses;
use crate::detection::change::plan_for_lake;
use crate::detection::detect::detect;
use crate::detection::detected::Detected;
use crate::detection::keys::check_unique;
use crate::detection::{repetition, row_shape, visibility};
use crate::error::Doing;
use crate::reading::preparation::Preparation;
use crate::rows::withdrawals::Withdrawals;
use crate::run::Run;
use crate::source::open::OpenSource;
use crate::source::{same_table, server_clock};
use crate::verify::ahead::Ahead;
use crate::verify::compare::apart::{Asked, Server, compared_there};
use crate::verify::compare::class::Class;
use crate::verify::compare::judge::Again;
use crate::verify::compare::order::Order;
use crate::verify::compare::overwrites::overwrites;
use crate::verify::compare::rows::{LakeRows, NextRun, Planned, Rows, SourceRows};
use crate::verify::compare::shape::key_names;
use crate::verify::compare::two_sides::Comparing;
use crate::verify::compare::wrong_keys::check_repairable;
use crate::verify::options::{VerifyOptions, memory};
use crate::verify::plans::reading;
use crate::verify::report::Comparison;
use crate::verify::source_half::columns::{by_server, carried_notes, columns_of, left_out, shape};
use crate::verify::source_half::next_run;
use crate::verify::source_half::repair::{LakeRepair, SourceReading};
use crate::verify::source_half::rules::{RulesOf, again, cursor, rules, sees_updates};
use crate::verify::stops::{Stop, Stops};
use crate::{SyncError, SyncJob};

/// What was found, and what the other half has to know.
pub(crate) struct SourceHalf {
    pub(crate) table: String,
    pub(crate) snapshot_id: Option<i64>,
    pub(crate) watermark: Option<Watermark>,
    pub(crate) comparison: Comparison,
    /// Rows of the lake that a repair has changed.
    pub(crate) repaired: u64,
    /// Why it could not; the target may be repaired all the same.
    pub(crate) not_repaired: Option<SyncError>,
    /// Every version of a row stays in the lake.
    pub(crate) lake_keeps_all: bool,
    /// Whether the same row may come again as it was.
    pub(crate) again: Again,
    /// The next run brings the lake rows.
    pub(crate) to_come: bool,
    /// The source's columns whose values go to the lake as they are.
    pub(crate) columns: Vec<Column>,
    /// Why the next run will stop.
    pub(crate) stops: Vec<Stop>,
}

pub(crate) async fn compare(
    run: Run<'_>,
    options: &VerifyOptions,
) -> Result<SourceHalf, SyncError> {
    let job = run.job;
    let mut stops = Stops::default();
    if let Some((target, _)) = &job.target {
        stops.note(same_table::refuse(&job.source, target).await)?;
    }
    let mut source = OpenSource::open(&job.source).await?;
    if let Some((target, _)) = &job.target {
        stops.note(same_table::refuse_under_view(&mut source, target).await)?;
    }
    let lake = open_lake(job, &mut stops).await?;
    stops.note(server_clock::compare(&mut source).await)?;
    let stored = job.settings.watermarks.load(&lake, run.observer).await;
    let stored = stops.note(stored)?.flatten();
    // After the lake: what changes in between is then the next run's.
    let detected = detected(&run, &mut source, &lake, &mut stops).await?;
    let mut notes = Vec::new();
    let next = NextRun {
        detection: &job.detection,
        rules: &job.source.rules,
        stored: stored.clone(),
    };
    let planned = match &detected {
        Some(detected) => Some(Planned::of(detected)),
        None => match next.plan(&mut source).await {
            Ok(plan) => Some(plan),
            Err(error) => {
                notes.push(format!(
                    "what the next run would read cannot be told, so nothing counts as pending: {error}"
                ));
                None
            }
        },
    };
    let coverage = planned
        .as_ref()
        .map_or(Coverage::Full, |planned| planned.plan.coverage);
    let every: Vec<u32> = match &planned {
        Some(planned) => planned.plan.columns.clone(),
        None => (0..).take(source.table.columns.len()).collect(),
    };
    let contents = match coverage {
        Coverage::Full => Contents::Snapshot,
        Coverage::Incremental => Contents::Upserts,
    };
    let landed = plan_for_lake(
        &job.lake_merge,
        &source.table.table,
        source
            .transforms
            .columns(&columns_of(&source.table.table, &every)),
        contents,
        &lake,
    )
    .await?;
    let columns = landed.delta.columns.clone();
    let described = &landed.description;
    let never_synced = lake.current_snapshot().is_none();
    let judges_next = planned.is_some() && stored.is_some() && coverage == Coverage::Incremental;
    if !never_synced && stored.is_none() {
        notes.push(
            "the lake has rows but no watermark: every difference counts as if it were below one"
                .to_owned(),
        );
    } else if planned.is_some() && stored.is_some() && coverage == Coverage::Full {
        notes.push(
            "the strategy reads everything each time and keeps no mark: what changed since the last run counts too"
                .to_owned(),
        );
    }
    if !source.table.snapshot_isolation {
        notes.push(format!(
            "{} is read under READ COMMITTED: rows that move while it is read can look wrong",
            source.table.name
        ));
    }
    notes.extend(visibility::warnings(&source.table));
    notes.extend(carried_notes(job, &source.table, &columns));

    let shape = shape(&landed.plan, &columns, &source.table.table);
    let as_it_is = |column: &&Column| !job.source.rules.concern(&column.name);
    let key_columns = shape.key.iter().filter_map(|&at| columns.get(at));
    let compared = |column| Some(column).filter(as_it_is).and_then(compared_there);
    let asked = Asked {
        server: Server::Source(&job.source),
        columns: key_columns.map(compared).collect(),
    };
    let cursor = match (&planned, judges_next) {
        (Some(planned), true) => cursor(job, &planned.plan, &source),
        _ => Vec::new(),
    };
    let again = planned
        .as_ref()
        .map_or(Again::Always, |planned| again(job, &planned.plan, &source));
    let of = RulesOf {
        plan: &landed.plan,
        coverage,
        never_synced,
        again,
        sees_updates: planned
            .as_ref()
            .is_none_or(|planned| sees_updates(job, &planned.plan, &source.table)),
        identified: !shape.key.is_empty(),
        chosen: job
            .target
            .as_ref()
            .is_some_and(|(_, merging)| chooses(merging)),
    };
    let rules = rules(&of);
    let takes_out = rules.extra == Some(Class::Wrong);
    let lake_columns: Vec<u32> = columns
        .iter()
        .filter_map(|column| described.ordinal(&column.name))
        .collect();
    let lake_columns_of = lake_columns.clone();
    let mut comparison = Comparison {
        expected: format!("source table {}", source.table.name),
        found: format!("lake table {}", lake.name()),
        key: key_names(&shape),
        columns: columns.iter().map(|column| column.name.clone()).collect(),
        left_out: left_out(described, &columns),
        notes,
        ..Comparison::default()
    };
    let share = memory(&job.settings, source.table.columns.len())?;
    let table = source.table.name.to_string();
    let prepared = |withdrawals| {
        let table = &source.table.table;
        Preparation::of_columns(&job.source, table, &every, columns.clone(), withdrawals)
    };
    let preparation = prepared(None)?;
    let keys: Vec<u32> = landed.plan.keys.iter().map(|key| key.source).collect();
    let drops = !job.source.transforms.is_empty() && !keys.is_empty();
    let withdrawing = prepared(drops.then(|| Withdrawals::new(&columns, &keys)))?;
    let server = by_server(job, &source.table, &every, &shape);
    let all = reading(&source.table.table, every, None)?;
    let extract = ExtractOptions {
        batch_bytes: share.batch_bytes,
        largest_row: share.row_bytes,
        time_precision: TimePrecision::Truncate,
        private: job.source.rules.columns(),
        ..ExtractOptions::default()
    };
    let comparing = Comparing {
        expected: Rows::Source(Box::new(SourceRows {
            preparation: preparation.clone(),
            withdrawing,
            all: all.clone(),
            next: judges_next.then_some(next),
            options: extract.clone(),
            columns: comparison.columns.clone(),
            cursor,
            source: &mut source,
        })),
        found: Rows::Lake(LakeRows {
            table: &lake,
            snapshot: lake.current_snapshot().map(|snapshot| snapshot.id),
            columns: lake_columns,
            states: None,
            turns: of.keeps_versions(),
        }),
        shape: shape.clone(),
        rules,
        order: Order::of(&landed.plan.deduplicate, |column| Some(column as usize))
            .unwrap_or_default(),
        memory: share.row_group_bytes,
        limit: options.limit,
        remember: options.remembered(share),
        server,
        asked: Some(asked),
    };
    let wrong = comparing.run(&mut comparison, run.cancel).await?;
    if let (Some(detected), true) = (&detected, comparison.differs()) {
        stops.note(check_unique(&mut source, &detected.change, &job.source).await)?;
    }
    if let (Some(detected), true) = (&detected, judges_next && comparison.differs()) {
        // Of rows that the lake's merge passes over where it has their keys, nobody knows which will come.
        let ahead = match overwrites(&landed.plan) {
            true => Ahead::of_lake(job, &lake, &options.exclude).await,
            false => None,
        };
        let read = next_run::read(&run, &mut source, &lake, detected, ahead).await;
        comparison
            .notes
            .extend(stops.note(read)?.unwrap_or_default());
    }
    if takes_out {
        let absent = Absent {
            rows: comparison.wrong.extra,
            of: comparison.rows_found,
        };
        let lake = format!("lake table {}", lake.name());
        stops.note(job.settings.deletions.check(&lake, absent))?;
    }
    let as_delta = plan_for_lake(
        &job.lake_merge,
        &source.table.table,
        columns.clone(),
        Contents::Upserts,
        &lake,
    )
    .await;
    comparison.repairable =
        as_delta.is_ok_and(|landed| check_repairable(&landed.plan, &comparison.found).is_ok());
    let (mut repaired, mut not_repaired) = (0, None);
    if !wrong.is_empty() {
        let repair = LakeRepair {
            run: &run,
            lake: &lake,
            columns: &columns,
            lake_columns: lake_columns_of,
            shape: &shape,
            wrong: &wrong,
            stored: stored.as_ref(),
            share,
        };
        let reading = SourceReading {
            preparation: &preparation,
            all: &all,
            options: extract,
        };
        match repair.run(&mut source, reading).await {
            Ok(rows) => repaired = rows,
            Err(error) if error.is_transient() => return Err(error),
            Err(error @ (SyncError::Cancelled | SyncError::Unsettled)) => return Err(error),
            Err(error) => not_repaired = Some(error),
        }
    }
    source
        .connection
        .end_read()
        .await
        .doing(|| format!("ending the read of source table {table}"))?;
    let to_come = comparison.pending.rows > 0;
    if !stops.0.is_empty() {
        comparison.hold(options.limit);
    }
    Ok(SourceHalf {
        table,
        snapshot_id: lake.current_snapshot().map(|snapshot| snapshot.id),
        watermark: stored.map(|stored| stored.record.watermark),
        comparison,
        repaired,
        not_repaired,
        lake_keeps_all: landed.plan.keys.is_empty(),
        again,
        to_come,
        columns: columns.iter().filter(as_it_is).cloned().collect(),
        stops: stops.0,
    })
}

/// The table, whether or not a run may write to it. One that is not there holds nothing that could agree: more likely
/// its name is mistyped, or it is lost, than that it was never synced.
async fn open_lake(job: &SyncJob, stops: &mut Stops) -> Result<LakeTable, SyncError> {
    let name = &job.lake.table;
    let doing = || format!("opening lake table {name}");
    let table = job.lake.warehouse.load(name).await.doing(doing)?;
    stops.note(table.check_writable().doing(doing))?;
    Ok(table)
}

/// What the next run finds before it reads, as of now; `None` where it stops there. A read of the source has begun.
async fn detected(
    run: &Run<'_>,
    source: &mut OpenSource,
    lake: &LakeTable,
    stops: &mut Stops,
) -> Result<Option<Detected>, SyncError> {
    let asked = Box::pin(detect(run, source, lake, None)).await;
    let detected = stops.note(asked)?;
    match &detected {
        Some(detected) => {
            stops.note(repetition::refuse(lake, detected).await)?;
            stops.note(row_shape::check(
                run.job,
                detected.stored.as_ref(),
                detected,
            ))?;
        }
        None => {
            let name = source.table.name.to_string();
            let ended = source.connection.end_read().await;
            ended.doing(|| format!("ending the read of source table {name}"))?;
            source.begin_read().await?;
        }
    }
    Ok(detected)
}
