//! What a run would do, found out without touching anything.

use icehost_lake::LakeTable;
use icehost_plan::{AggregateFunction, Probe, Table, Value, Watermark};
use icehost_sqlserver::lower;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::delivery::table::OpenTarget;
use crate::delivery::task::Delivery;
use crate::detection::detect::detect;
use crate::detection::repetition;
use crate::detection::row_shape;
use crate::error::Doing;
use crate::landing::table::open_lake;
use crate::run::Run;
use crate::source::open::OpenSource;
use crate::source::same_table;
use crate::{Event, LoadJob, Observer, SyncError, SyncJob};

/// A dry run's result.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// Always true: tells the object from a report.
    pub dry_run: bool,
    /// The source table, or the target's where only that half would run.
    pub table: String,
    /// The lake table.
    pub lake_table: String,
    /// The watermark that the run would start from.
    pub watermark: Option<Watermark>,
    /// What would be read from the source.
    pub extraction: Option<ExtractionPreview>,
    /// How the delta would land in the lake.
    pub lake_plan: String,
    /// What would happen at the target.
    pub merge: Option<MergePreview>,
}

/// What would be read from the source.
#[derive(Debug, Clone, Serialize)]
pub struct ExtractionPreview {
    /// The change detector's name.
    pub strategy: String,
    /// Rows in the table, as the server estimates.
    pub row_estimate: Option<u64>,
    /// What the probes read: the bounds.
    pub readings: Vec<(String, Value)>,
    /// The statement, with `@p1`, `@p2`, … for parameters.
    pub sql: String,
    /// Name, type and value of each parameter.
    pub parameters: Vec<(String, String, Value)>,
    /// The statement with its parameters, as people can read and run it.
    #[serde(skip)]
    pub text: String,
}

/// What would happen at the target.
#[derive(Debug, Clone, Serialize)]
pub struct MergePreview {
    /// The target table.
    pub table: String,
    /// What the target would receive.
    pub from: String,
    /// The statements, in order; the staging table's name is the server's own.
    pub statements: Vec<String>,
}

/// What [`sync`](crate::sync()) would do.
///
/// # Errors
/// Those that the run itself would meet before it reads rows.
pub async fn sync(job: &SyncJob, observer: &dyn Observer) -> Result<Preview, SyncError> {
    if let Some((target, _)) = &job.target {
        same_table::refuse(&job.source, target).await?;
    }
    let mut source = OpenSource::open(&job.source).await?;
    if let Some((target, _)) = &job.target {
        same_table::refuse_under_view(&mut source, target).await?;
    }
    let lake = open_lake(&job.lake, &job.source.rules, &source).await?;
    let cancel = CancellationToken::new();
    let run = Run::new(job, observer, &cancel);
    let detected = detect(&run, &mut source, &lake, None).await?;
    repetition::refuse(&lake, &detected).await?;
    let reshaped = row_shape::check(job, detected.stored.as_ref(), &detected)?;
    for warning in detected.warnings.iter().chain(&reshaped) {
        observer.event(Event::Warning(warning));
    }
    let statement = lower::extraction(&source.table, &detected.plan)
        .doing(|| format!("planning to read source table {}", source.table.name))?;
    let probes = detected.probes.iter();
    let readings = probes.flat_map(|probe| describe(probe, &source.table.table));
    let readings = readings.zip(detected.readings).collect();
    let merge = match job.delivery() {
        Some(delivery) => Some(merge_preview(&delivery, &lake).await?),
        None => None,
    };
    Ok(Preview {
        dry_run: true,
        table: source.table.name.to_string(),
        lake_table: lake.name().to_owned(),
        watermark: detected.stored.map(|stored| stored.record.watermark),
        extraction: Some(ExtractionPreview {
            strategy: job.detection.strategy.strategy().description().name.clone(),
            row_estimate: source.table.table.row_estimate,
            readings,
            text: statement.to_string(),
            parameters: statement
                .parameters
                .into_iter()
                .map(|p| (p.name, p.sql_type.to_string(), p.value))
                .collect(),
            sql: statement.sql,
        }),
        lake_plan: detected.change.rows.to_string(),
        merge,
    })
}

/// What [`load`](crate::load) would do.
///
/// # Errors
/// Those that the run itself would meet before it reads rows.
pub async fn load(job: &LoadJob) -> Result<Preview, SyncError> {
    let delivery = job.delivery();
    let lake = delivery.open_lake().await?;
    let merge = merge_preview(&delivery, &lake).await?;
    Ok(Preview {
        dry_run: true,
        table: merge.table.clone(),
        lake_table: lake.name().to_owned(),
        watermark: None,
        extraction: None,
        lake_plan: "is only read".to_owned(),
        merge: Some(merge),
    })
}

async fn merge_preview(
    delivery: &Delivery<'_>,
    lake: &LakeTable,
) -> Result<MergePreview, SyncError> {
    let mut target = OpenTarget::open(delivery.target, lake).await?;
    let expected = delivery.expect(&mut target, lake).await?;
    let landing = &expected.landing;
    let merge = expected.merge;
    let mut statements = Vec::new();
    if let Some(creation) = &target.creation {
        statements.push(creation.statement()?);
    }
    statements.extend(merge.deduplicate.map(|statement| statement.to_string()));
    if landing.delete_absent {
        statements.extend(merge.absent.map(|absent| absent.stage.to_string()));
    }
    let successions = &merge.successions;
    statements.extend(successions.iter().map(|of| of.note.to_string()));
    statements.push(merge.apply.to_string());
    statements.extend(successions.iter().map(|of| of.add.to_string()));
    Ok(MergePreview {
        table: target.table.name.to_string(),
        from: match expected.from {
            Some(snapshot) => format!("the changes since snapshot {snapshot}"),
            None if landing.delete_absent => {
                "every row of the lake table, and the deletion of those that it does not have"
                    .to_owned()
            }
            None => "every row of the lake table".to_owned(),
        },
        statements,
    })
}

/// What a probe reads, for people: a text for each of its values.
fn describe(probe: &Probe, table: &Table) -> Vec<String> {
    let name = |column: u32| {
        let column = table.columns.get(column as usize);
        column.map_or("?", |column| column.name.as_str())
    };
    let mut texts = match probe {
        Probe::Aggregate { of, .. } => {
            let function = match of.function {
                AggregateFunction::Min => "min",
                AggregateFunction::Max => "max",
                AggregateFunction::Count => "count",
                AggregateFunction::CountNull => "count of null in",
                AggregateFunction::CountDistinct => "count of distinct",
            };
            vec![format!("{function} {}", name(of.column))]
        }
        Probe::Greatest(row) | Probe::Least(row) => {
            let which = match probe {
                Probe::Greatest(_) => "greatest",
                _ => "least",
            };
            let columns: Vec<&str> = row.columns.iter().map(|column| name(*column)).collect();
            let all = columns.join(", ");
            let texts = columns.iter();
            texts
                .map(|column| format!("{column} of the {which} ({all})"))
                .collect()
        }
        Probe::MinActiveRowversion => vec!["min active rowversion".to_owned()],
        Probe::ChangeTrackingCurrent => vec!["change tracking current version".to_owned()],
        Probe::ChangeTrackingMinValid => vec!["change tracking min valid version".to_owned()],
        Probe::CaptureMinLsn => vec!["capture min lsn".to_owned()],
        Probe::CaptureMaxLsn => vec!["capture max lsn".to_owned()],
        Probe::SourceTime => vec!["source time".to_owned()],
        Probe::CurrentSnapshot => vec!["current snapshot".to_owned()],
    };
    if let Some(filter) = probe.filter() {
        let condition = filter.text_alone(&table.columns, &[]);
        for text in &mut texts {
            text.push_str(&format!(" where {condition}"));
        }
    }
    texts
}
