//! Change detectors under test.

use icehost_plan::{AggregateFunction, Outcome, Probe, Value, Watermark};
use icehost_strategy::{ChangeDetector, Context, FailureKind, Options, StrategyError};

use crate::case::Case;
use crate::check::{Check, SAME_ANSWER, expect_error, same, same_answer};
use crate::describe;

/// What one run of a strategy answers.
#[derive(Debug, Clone, PartialEq)]
struct Answers {
    probes: Vec<Probe>,
    plan: String,
    watermark: Watermark,
}

/// What the host reads for these probes.
type Readings<'a> = &'a (dyn Fn(&[Probe]) -> Vec<Value> + Sync);

/// Who is asked, and what it is shown.
#[derive(Clone, Copy)]
struct Question<'a> {
    detector: &'a ChangeDetector,
    case: &'a Case,
    options: &'a Options,
}

impl Question<'_> {
    /// Asks everything that a sync asks, in its order.
    async fn ask(
        self,
        watermark: Option<&Watermark>,
        readings: Readings<'_>,
    ) -> Result<Answers, StrategyError> {
        let (detector, case) = (self.detector, self.case);
        let context = Context {
            table: &case.table,
            options: self.options,
            watermark,
        };
        let probes = detector.probes(&context).await?;
        let readings = readings(&probes);
        let plan = detector.plan(&context, &readings).await?;
        let outcome = Outcome {
            rows: case.rows,
            observed: match case.observed.is_empty() {
                true => vec![Value::Null; plan.observe.len()],
                false => case.observed.clone(),
            },
            readings,
        };
        Ok(Answers {
            plan: describe::extraction(&plan, &case.table),
            watermark: detector.advance(&context, &outcome).await?,
            probes,
        })
    }
}

/// The case's questions, whatever is expected of the answers.
pub(crate) async fn run(
    detector: &ChangeDetector,
    case: &Case,
    options: &Options,
) -> Result<(), StrategyError> {
    let question = Question {
        detector,
        case,
        options,
    };
    let readings = |_: &[Probe]| case.readings.clone();
    let answers = question.ask(case.watermark.as_ref(), &readings).await;
    answers.map(drop)
}

/// The case as its author wrote it.
pub(crate) async fn case(
    detector: &ChangeDetector,
    case: &Case,
    options: &Options,
) -> Result<(), String> {
    let expected = &case.expected;
    let readings = |_: &[Probe]| case.readings.clone();
    let question = Question {
        detector,
        case,
        options,
    };
    let answers = match question.ask(case.watermark.as_ref(), &readings).await {
        Ok(answers) => answers,
        Err(error) => return expect_error(&expected.error, &error),
    };
    if let Some(wanted) = &expected.error {
        return Err(format!(
            "wanted the error {wanted}\ngot a plan:\n{}",
            answers.plan
        ));
    }
    let wanted = Probe::width_of(&answers.probes);
    if wanted != case.readings.len() {
        return Err(format!(
            "the strategy asks for {wanted} readings, and the case gives {}",
            case.readings.len()
        ));
    }
    let probes: Vec<String> = answers
        .probes
        .iter()
        .map(|probe| describe::probe(probe, &case.table))
        .collect();
    let watermark = describe::watermark(&answers.watermark);
    if expected.probes.is_none() && expected.plan.is_none() && expected.watermark.is_none() {
        return Err(format!(
            "the case expects nothing; the strategy answers\nprobes = {probes:?}\nplan = '''\n{}\n'''\nwatermark = {watermark:?}",
            answers.plan
        ));
    }
    if let Some(wanted) = &expected.probes {
        same("probes", &wanted.join("\n"), &probes.join("\n"))?;
    }
    if let Some(wanted) = &expected.plan {
        same("plan", wanted, &answers.plan)?;
    }
    if let Some(wanted) = &expected.watermark {
        same("watermark", &wanted.join("\n"), &watermark.join("\n"))?;
    }
    if let Some(wanted) = expected.format {
        let got = answers.watermark.format;
        same("format", &wanted.to_string(), &got.to_string())?;
    }
    Ok(())
}

/// What must hold for any detector, on this case's table and readings.
pub(crate) async fn conformance(
    detector: &ChangeDetector,
    case: &Case,
    options: &Options,
    name: &str,
) -> Vec<Check> {
    let given = |_: &[Probe]| case.readings.clone();
    let question = Question {
        detector,
        case,
        options,
    };
    let mut checks = Vec::new();
    let mut check = |what: &str, result| checks.push(Check::new(format!("{name}: {what}"), result));

    let own = case.watermark.as_ref();
    let (once, twice) = (
        question.ask(own, &given).await,
        question.ask(own, &given).await,
    );
    check(SAME_ANSWER, same_answer(&once, &twice));
    let Ok(once) = once else {
        return checks;
    };
    let after = Some(&once.watermark);
    let resumed = question.ask(after, &given).await;
    check(
        "the next run goes on from the watermark",
        match &resumed {
            Ok(next) if next.watermark == once.watermark => Ok(()),
            Ok(next) => Err(format!(
                "nothing changed, and the watermark moved\nfrom {:?}\nto {:?}",
                describe::watermark(&once.watermark),
                describe::watermark(&next.watermark)
            )),
            Err(error) => Err(error.to_string()),
        },
    );
    let empty = |probes: &[Probe]| empty_readings(probes, &case.readings);
    check(
        "an empty table is read, or refused with a code",
        refused_or(question.ask(None, &empty).await).map(drop),
    );
    check(
        "the watermark does not move back when the table is emptied",
        refused_or(question.ask(after, &empty).await).and_then(|emptied| match emptied {
            Some(emptied) => not_back(&once.watermark, &emptied.watermark),
            None => Ok(()),
        }),
    );
    checks
}

/// What the probes read from a table without rows; what is not the table's stays.
fn empty_readings(probes: &[Probe], given: &[Value]) -> Vec<Value> {
    let mut given = given.iter();
    let mut readings = Vec::new();
    for probe in probes {
        let given = given.by_ref().take(probe.width()).cloned();
        let given: Vec<Value> = given.collect();
        match probe {
            Probe::Aggregate { of, .. } => readings.push(match of.function {
                AggregateFunction::Min | AggregateFunction::Max => Value::Null,
                AggregateFunction::Count
                | AggregateFunction::CountNull
                | AggregateFunction::CountDistinct => Value::Integer(0),
            }),
            Probe::Greatest(row) | Probe::Least(row) => {
                readings.extend(row.columns.iter().map(|_| Value::Null));
            }
            _ => readings.push(given.into_iter().next().unwrap_or(Value::Null)),
        }
    }
    readings
}

/// An error counts as an answer where the strategy means it.
fn refused_or(answers: Result<Answers, StrategyError>) -> Result<Option<Answers>, String> {
    match answers {
        Ok(answers) => Ok(Some(answers)),
        Err(StrategyError::Failure { kind, code, .. })
            if kind != FailureKind::Internal && !code.is_empty() =>
        {
            Ok(None)
        }
        Err(error) => Err(error.to_string()),
    }
}

/// No mark is lower than before, and none is gone.
fn not_back(before: &Watermark, after: &Watermark) -> Result<(), String> {
    for (name, mark) in &before.marks {
        match after.mark(name) {
            None => return Err(format!("the mark '{name}' is gone")),
            Some(now) if lower(now, mark) => {
                return Err(format!("the mark '{name}' went from {mark} to {now}"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Whether a mark is lower than another; marks of different kinds are not compared.
fn lower(now: &Value, before: &Value) -> bool {
    match (now, before) {
        (Value::Null, before) => *before != Value::Null,
        (Value::Integer(now), Value::Integer(before)) => now < before,
        (Value::Double(now), Value::Double(before)) => now < before,
        (
            Value::Decimal {
                unscaled: now,
                scale,
            },
            Value::Decimal {
                unscaled: before,
                scale: other,
            },
        ) => scale == other && now < before,
        (Value::Text(now), Value::Text(before)) => now < before,
        (Value::Binary(now), Value::Binary(before)) => now < before,
        (Value::Date(now), Value::Date(before)) => now < before,
        (Value::Timestamp(now), Value::Timestamp(before)) => now < before,
        (Value::TimestampTz { ticks: now, .. }, Value::TimestampTz { ticks: before, .. }) => {
            now < before
        }
        _ => false,
    }
}
