//! Source and lake.

use icehost_lake::{Absent, LakeTable};
use icehost_plan::{
    Column, Contents, Coverage, LakeType, SqlType, Table, ValidMergePlan, Watermark,
};
use icehost_sqlserver::{ExtractOptions, RowForm, SqlTable, TimePrecision};

use super::apart::{Asked, Server, compared_there};
use super::compare::Comparing;
use super::fits::Fits;
use super::fold::Fold;
use super::judge::{Again, Class, Side};
use super::lake_repair::{LakeRepair, SourceReading};
use super::order::Order;
use super::repair::check_repairable;
use super::report::{Comparison, LeftOut};
use super::rows::{LakeRows, NextRun, Planned, Rows, SourceRows};
use super::shape::{Padding, Shape, ShapeColumn};
use super::source_rules::{RulesOf, again, cursor, rules, sees_updates};
use super::stops::{Stop, Stops};
use super::sums::ServerSums;
use super::{VerifyOptions, memory, next_run, reading};
use crate::detection::change::landing;
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
use crate::target::newest::chooses;
use crate::{SyncError, SyncJob};

/// What was found, and what the other half has to know.
pub(super) struct SourceHalf {
    pub(super) table: String,
    pub(super) snapshot_id: Option<i64>,
    pub(super) watermark: Option<Watermark>,
    pub(super) comparison: Comparison,
    /// Rows of the lake that a repair has changed.
    pub(super) repaired: u64,
    /// Why it could not; the target may be repaired all the same.
    pub(super) not_repaired: Option<SyncError>,
    /// Every version of a row stays in the lake.
    pub(super) lake_keeps_all: bool,
    /// Whether the same row may come again as it was.
    pub(super) again: Again,
    /// The next run brings the lake rows.
    pub(super) to_come: bool,
    /// The source's columns whose values go to the lake as they are.
    pub(super) columns: Vec<Column>,
    /// Why the next run will stop.
    pub(super) stops: Vec<Stop>,
}

pub(super) async fn compare(
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
    let landed = landing(
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
        largest_row: job.settings.memory.row_bytes(),
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
        let fits = Fits::of_lake(job, &lake, &options.exclude).await;
        let advanced = next_run::read(&run, &mut source, &lake, detected, fits).await;
        stops.note(advanced)?;
    }
    if takes_out {
        let absent = Absent {
            rows: comparison.wrong.extra,
            of: comparison.rows_found,
        };
        let lake = format!("lake table {}", lake.name());
        stops.note(job.settings.deletions.check(&lake, absent))?;
    }
    let as_delta = landing(
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

/// What is compared: all columns that go to the lake, by the key that the merger matches rows by, else the source's.
fn shape(plan: &ValidMergePlan, columns: &[Column], source: &Table) -> Shape {
    let by_plan = plan.keys.iter().map(|key| key.source as usize);
    let by_source = source.key().into_iter().filter_map(|ordinal| {
        let name = &source.columns.get(ordinal as usize)?.name;
        columns.iter().position(|column| column.name == *name)
    });
    let key: Vec<usize> = match plan.keys.is_empty() {
        true => by_source.collect(),
        false => by_plan.collect(),
    };
    let whole_key = !plan.keys.is_empty() || key.len() == source.key().len();
    Shape {
        columns: columns
            .iter()
            .map(|column| ShapeColumn {
                name: column.name.clone(),
                padding: Padding::None,
                fold: Fold::of(column.collation.as_ref()),
                certain: Fold::certain(column.collation.as_ref()),
            })
            .collect(),
        key: if whole_key { key } else { Vec::new() },
    }
}

/// The columns at these ordinals.
fn columns_of(table: &Table, ordinals: &[u32]) -> Vec<Column> {
    let column = |&ordinal: &u32| table.columns.get(ordinal as usize).cloned();
    ordinals.iter().filter_map(column).collect()
}

/// How the source's server is to add up those columns of its rows, where they go to the lake as they are.
fn by_server(
    job: &SyncJob,
    table: &SqlTable,
    columns: &[u32],
    shape: &Shape,
) -> Option<ServerSums> {
    let columns = columns.iter();
    let columns = columns.filter_map(|&at| table.columns.get(at as usize));
    // What is made of a masked value is masked, too (T-SQL, "Dynamic data masking"): no sum of the masks.
    let as_they_are = job.source.rules.rules.is_empty()
        && job.source.transforms.is_empty()
        && !columns.clone().any(|column| column.masked);
    let types = columns.map(|column| column.sql_type);
    server_sums(Side::Expected, types.collect(), shape).filter(|_| as_they_are)
}

/// How a server adds up rows with columns of these types.
pub(super) fn server_sums(side: Side, types: Vec<SqlType>, shape: &Shape) -> Option<ServerSums> {
    let same_bytes = |&at: &usize| {
        let sql_type = types.get(at);
        sql_type
            .is_some_and(|sql_type| !matches!(sql_type.lake(), LakeType::String | LakeType::Binary))
    };
    if types.is_empty() || types.len() != shape.columns.len() {
        return None;
    }
    let key: Vec<usize> = match shape.key.is_empty() {
        true => (0..types.len()).collect(),
        false => shape.key.clone(),
    };
    Some(ServerSums {
        side,
        together: !shape.key.is_empty() && key.iter().all(same_bytes),
        form: RowForm::new(types, key),
    })
}

pub(super) fn key_names(shape: &Shape) -> Vec<String> {
    let name = |&at: &usize| Some(shape.columns.get(at)?.name.clone());
    shape.key.iter().filter_map(name).collect()
}

/// Lake columns that the source does not bring.
fn left_out(lake: &Table, columns: &[Column]) -> Vec<LeftOut> {
    let brought = |name: &str| columns.iter().any(|column| column.name == name);
    lake.columns
        .iter()
        .filter(|column| !brought(&column.name))
        .map(|column| LeftOut {
            column: column.name.clone(),
            why: "the source does not bring it".to_owned(),
        })
        .collect()
}

/// What values are compared as, where that is not what the source shows.
fn carried_notes(job: &SyncJob, table: &SqlTable, columns: &[Column]) -> Vec<String> {
    let quoted = |wanted: fn(SqlType) -> bool| {
        let named = table.columns.iter().filter(|c| wanted(c.sql_type));
        let names: Vec<String> = named.map(|c| format!("'{}'", c.name)).collect();
        names.join(", ")
    };
    let mut notes = Vec::new();
    let fine = quoted(SqlType::finer_than_microseconds);
    if !fine.is_empty() {
        notes.push(format!(
            "{fine}: compared to the microsecond, which is what the lake holds"
        ));
    }
    let zoned = quoted(|sql_type| matches!(sql_type, SqlType::DateTimeOffset(_)));
    if !zoned.is_empty() {
        notes.push(format!(
            "{zoned}: compared as moments, without the offset, which the lake does not hold"
        ));
    }
    let ruled = job.source.rules.rules.iter();
    let ruled: Vec<String> = ruled.map(|(column, _)| format!("'{column}'")).collect();
    if !ruled.is_empty() {
        notes.push(format!(
            "{}: compared as column rules leave it",
            ruled.join(", ")
        ));
    }
    if !job.source.transforms.is_empty() {
        let names = job.source.transforms.0.iter();
        let names: Vec<String> = names
            .map(|of| of.strategy.strategy().description().name.clone())
            .collect();
        notes.push(format!(
            "rows and their {} columns are compared as the transformers leave them: {}",
            columns.len(),
            names.join(", ")
        ));
    }
    notes
}
