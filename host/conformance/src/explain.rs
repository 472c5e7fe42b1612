//! What a strategy makes of a table: its answers to the questions of a run, in order, with readings that stand for the
//! real ones.

use icehost_lake::RowChange;
use icehost_plan::{
    AggregateFunction, Column, Contents, Delta, LogicalType, Outcome, Probe, Table,
    ValidExtractionPlan, ValidMergePlan, Value,
};
use icehost_strategy::{
    BatchTransformer, ChangeDetector, Context, Merger, Options, Strategy, StrategyError,
};

use crate::case::{Case, Expected, RUN_TIME};
use crate::check::Check;
use crate::error::CaseError;
use crate::table::TableText;
use crate::{describe, detector, merger};

/// A table as case files write it: its name, and columns as `NAME TYPE` with `null`, `key`, `identity` and `read-only`
/// behind it.
///
/// # Errors
/// What is no column.
pub fn table(name: &str, columns: &[String]) -> Result<Table, CaseError> {
    let text = TableText {
        name: name.to_owned(),
        columns: columns.to_vec(),
        rows: None,
    };
    text.table().map_err(|why| CaseError::new(name, why))
}

/// A strategy's answers.
#[derive(Debug)]
pub struct Explanation {
    /// Of a change detector: a first run, and one that goes on from it.
    pub runs: Vec<DetectorRun>,
    /// Of a merger: for each kind of delta.
    pub landings: Vec<Landing>,
    /// Of a batch transformer: the columns that it reads and writes.
    pub transformation: Option<(Vec<String>, Vec<String>)>,
    /// What must hold for any strategy, of this table.
    pub checks: Vec<Check>,
}

/// What a change detector answers in one run.
#[derive(Debug)]
pub struct DetectorRun {
    /// Which run.
    pub name: &'static str,
    /// What it asks for.
    pub probes: Vec<Probe>,
    /// The same as text, and what is taken for read.
    pub readings: Vec<(String, Vec<Value>)>,
    /// What is to be read.
    pub plan: ValidExtractionPlan,
    /// The same as text.
    pub text: String,
    /// The marks that would be committed, as text.
    pub watermark: Vec<String>,
}

/// What a merger answers for one kind of delta.
#[derive(Debug)]
pub struct Landing {
    /// Which kind.
    pub contents: &'static str,
    /// The delta that it was shown.
    pub delta: Delta,
    /// How it lands.
    pub plan: ValidMergePlan,
    /// The same as text.
    pub text: String,
    /// What a lake table makes of the plan, or why it cannot.
    pub lake: Result<String, String>,
}

/// Asks a strategy what it makes of a table; a merger, of one that has these columns beside those of the delta.
///
/// # Errors
/// What it answers instead.
pub async fn explain(
    strategy: &Strategy,
    table: &Table,
    target_only: &[String],
    options: &Options,
) -> Result<Explanation, StrategyError> {
    let mut explanation = Explanation {
        runs: Vec::new(),
        landings: Vec::new(),
        transformation: None,
        checks: Vec::new(),
    };
    if let Ok(detector) = strategy.as_change_detector() {
        explanation.runs = runs(&detector, table, options).await?;
        let readings = explanation.runs.first().map(|run| &run.readings);
        let readings = readings.into_iter().flatten();
        let mut case = case_of(table);
        case.readings = readings.flat_map(|(_, read)| read.clone()).collect();
        explanation.checks = detector::conformance(&detector, &case, options, &table.name).await;
    } else if let Ok(merger) = strategy.as_merger() {
        for contents in [Contents::Upserts, Contents::Changes, Contents::Snapshot] {
            let landing = landing(&merger, (table, target_only), contents, options).await?;
            let mut case = case_of(table);
            case.delta = Some(landing.delta.clone());
            let name = format!("{}, {}", table.name, landing.contents);
            let checks = merger::conformance(&merger, &case, options, &name).await;
            explanation.checks.extend(checks);
            explanation.landings.push(landing);
        }
    } else if let Ok(transformer) = strategy.as_batch_transformer() {
        explanation.transformation = Some(transformation(&transformer, table, options).await?);
    }
    Ok(explanation)
}

fn case_of(table: &Table) -> Case {
    Case {
        name: table.name.clone(),
        table: table.clone(),
        options: Default::default(),
        watermark: None,
        readings: Vec::new(),
        rows: 1000,
        observed: Vec::new(),
        delta: None,
        // What a lake makes of it is told beside the plan.
        lake: false,
        batch: Vec::new(),
        expected: Expected::default(),
    }
}

async fn runs(
    detector: &ChangeDetector,
    table: &Table,
    options: &Options,
) -> Result<Vec<DetectorRun>, StrategyError> {
    let mut runs = Vec::new();
    let mut watermark = None;
    for (later, name) in [(0, "first run"), (1, "next run")] {
        let context = Context {
            table,
            options,
            watermark: watermark.as_ref(),
        };
        let probes = detector.probes(&context).await?;
        let readings: Vec<Value> = probes
            .iter()
            .flat_map(|probe| read(probe, table, later))
            .collect();
        let plan = detector.plan(&context, &readings).await?;
        let observed = plan.observe.iter();
        let observed =
            observed.map(|of| sample(of.function, table.columns.get(of.column as usize), later));
        let outcome = Outcome {
            rows: 1000,
            observed: observed.collect(),
            readings: readings.clone(),
        };
        let next = detector.advance(&context, &outcome).await?;
        let answers = Probe::with_readings(&probes, &readings);
        let answers = answers.map(|(probe, read)| (describe::probe(probe, table), read.to_vec()));
        runs.push(DetectorRun {
            name,
            readings: answers.collect(),
            text: describe::extraction(&plan, table),
            watermark: describe::watermark(&next),
            probes,
            plan,
        });
        watermark = Some(next);
    }
    Ok(runs)
}

/// One day, in 100 ns.
const DAY: i64 = 864_000_000_000;

/// What stands for the values that a probe reads, in the first run or a `later` one.
fn read(probe: &Probe, table: &Table, later: i64) -> Vec<Value> {
    let sampled = |function, column: u32| {
        let column = table.columns.get(column as usize);
        sample(function, column, later)
    };
    let row = |function, columns: &[u32]| -> Vec<Value> {
        let values = columns.iter().map(|&column| sampled(function, column));
        values.collect()
    };
    vec![match probe {
        Probe::Aggregate { of, .. } => sampled(of.function, of.column),
        Probe::Greatest(of) => return row(AggregateFunction::Max, &of.columns),
        Probe::Least(of) => return row(AggregateFunction::Min, &of.columns),
        Probe::SourceTime => Value::Timestamp(RUN_TIME + later * DAY),
        Probe::MinActiveRowversion | Probe::CaptureMinLsn | Probe::CaptureMaxLsn => {
            Value::Binary((0x1000 * (later + 1)).to_be_bytes().to_vec())
        }
        Probe::ChangeTrackingCurrent | Probe::ChangeTrackingMinValid | Probe::CurrentSnapshot => {
            Value::Integer(1000 * (later + 1))
        }
    }]
}

/// A value that a column of some rows could have: its least is always the same, its most grows.
fn sample(function: AggregateFunction, column: Option<&Column>, later: i64) -> Value {
    let step = match function {
        AggregateFunction::Min => 0,
        AggregateFunction::Max => later + 1,
        AggregateFunction::CountNull => return Value::Integer(0),
        AggregateFunction::Count | AggregateFunction::CountDistinct => {
            return Value::Integer(1000 * (later + 1));
        }
    };
    let Some(column) = column else {
        return Value::Null;
    };
    match column.column_type.logical() {
        LogicalType::Boolean => Value::Boolean(step > 0),
        LogicalType::Integer => Value::Integer(1 + step * 100),
        LogicalType::Double => Value::Double((1 + step * 100) as f64),
        LogicalType::Decimal => Value::Decimal {
            unscaled: i128::from(1 + step * 100),
            scale: 0,
        },
        LogicalType::Text => Value::Text(format!("{step}")),
        LogicalType::Binary => Value::Binary((0x0f00 + 0x100 * step).to_be_bytes().to_vec()),
        LogicalType::Date => Value::Date(20_480 + step as i32),
        LogicalType::Time => Value::Time(36_000_000_000 * (step as u64 + 1)),
        LogicalType::Timestamp => Value::Timestamp(RUN_TIME - 2 * DAY + step * DAY),
        LogicalType::TimestampTz => Value::TimestampTz {
            ticks: RUN_TIME - 2 * DAY + step * DAY,
            offset_minutes: 0,
        },
        LogicalType::Uuid => Value::Uuid(i128::from(step).to_be_bytes()),
    }
}

async fn landing(
    merger: &Merger,
    (table, target_only): (&Table, &[String]),
    contents: Contents,
    options: &Options,
) -> Result<Landing, StrategyError> {
    let comes = |column: &&Column| {
        let named = |name: &String| name.eq_ignore_ascii_case(&column.name);
        !target_only.iter().any(named)
    };
    let mut columns: Vec<Column> = table.columns.iter().filter(comes).cloned().collect();
    let mut operation = None;
    if contents == Contents::Changes {
        operation = Some(columns.len() as u32);
        columns.push(Delta::operation_column());
    }
    let delta = Delta {
        columns,
        contents,
        operation,
        rows: 1000,
        run_time: RUN_TIME,
    };
    let plan = merger.plan(table, &delta, options).await?;
    let lake = RowChange::from_plan(&plan, table, &delta);
    Ok(Landing {
        contents: describe::contents(contents),
        text: describe::merge(&plan, table, &delta),
        lake: lake
            .map(|change| change.to_string())
            .map_err(|error| error.to_string()),
        plan,
        delta,
    })
}

async fn transformation(
    transformer: &BatchTransformer,
    table: &Table,
    options: &Options,
) -> Result<(Vec<String>, Vec<String>), StrategyError> {
    let open = transformer.open(table, options).await?;
    let declared = open.declared();
    let text = |column: &Column| {
        let null = if column.nullable { " null" } else { "" };
        format!("{} {}{null}", column.name, column.column_type)
    };
    Ok((
        declared.inputs().iter().map(text).collect(),
        declared.outputs().iter().map(text).collect(),
    ))
}
