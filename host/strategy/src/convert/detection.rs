//! Probes, extraction plans, outcomes and watermarks.

use icehost_plan::extraction::MAX_LIST;
use icehost_plan::{
    Aggregate, AggregateFunction, ChangeSource, Coverage, Expression, ExtractionPlan, Extreme,
    MAX_MARKS, Outcome, PlanError, Probe, Watermark, Window,
};

use super::expression::{expression, sort_key};
use super::value::{bounded, value, value_to_guest};
use crate::bindings::{detection as wit, types};

pub(crate) fn probes(probes: Vec<wit::Probe>) -> Result<Vec<Probe>, PlanError> {
    bounded("probes", probes, MAX_LIST)?
        .into_iter()
        .zip(0..)
        .map(|(asked, at)| probe(asked).map_err(|e| e.at(format!("probes[{at}]"))))
        .collect()
}

fn probe(probe: wit::Probe) -> Result<Probe, PlanError> {
    Ok(match probe {
        wit::Probe::Aggregate(over) => Probe::Aggregate {
            of: aggregate(types::Aggregate {
                function: over.function,
                column: over.column,
            }),
            filter: filter(over.filter)?,
        },
        wit::Probe::Greatest(row) => Probe::Greatest(extreme(row)?),
        wit::Probe::Least(row) => Probe::Least(extreme(row)?),
        wit::Probe::MinActiveRowversion => Probe::MinActiveRowversion,
        wit::Probe::ChangeTrackingCurrent => Probe::ChangeTrackingCurrent,
        wit::Probe::ChangeTrackingMinValid => Probe::ChangeTrackingMinValid,
        wit::Probe::CaptureMinLsn => Probe::CaptureMinLsn,
        wit::Probe::CaptureMaxLsn => Probe::CaptureMaxLsn,
        wit::Probe::SourceTime => Probe::SourceTime,
        wit::Probe::CurrentSnapshot => Probe::CurrentSnapshot,
    })
}

fn extreme(row: wit::Extreme) -> Result<Extreme, PlanError> {
    Ok(Extreme {
        columns: bounded("columns", row.columns, MAX_LIST)?,
        filter: filter(row.filter)?,
    })
}

fn filter(filter: Option<types::Expression>) -> Result<Option<Expression>, PlanError> {
    let filter = filter.map(expression).transpose();
    filter.map_err(|e| e.at("filter"))
}

pub(crate) fn extraction_plan(plan: wit::ExtractionPlan) -> Result<ExtractionPlan, PlanError> {
    Ok(ExtractionPlan {
        source: change_source(plan.source),
        coverage: match plan.coverage {
            wit::Coverage::Incremental => Coverage::Incremental,
            wit::Coverage::Full => Coverage::Full,
        },
        columns: plan.columns,
        filter: filter(plan.filter)?,
        order_by: bounded("order-by", plan.order_by, MAX_LIST)?
            .into_iter()
            .map(sort_key)
            .collect(),
        split_on: match plan.split_on {
            Some((column, values)) => {
                let values = bounded("split-on", values, MAX_LIST)?;
                Some((column, values.into_iter().map(value).collect()))
            }
            None => None,
        },
        observe: bounded("observe", plan.observe, MAX_LIST)?
            .into_iter()
            .map(aggregate)
            .collect(),
    })
}

fn aggregate(over: types::Aggregate) -> Aggregate {
    use types::AggregateFunction as F;
    Aggregate {
        function: match over.function {
            F::Min => AggregateFunction::Min,
            F::Max => AggregateFunction::Max,
            F::Count => AggregateFunction::Count,
            F::CountNull => AggregateFunction::CountNull,
            F::CountDistinct => AggregateFunction::CountDistinct,
        },
        column: over.column,
    }
}

fn change_source(source: wit::ChangeSource) -> ChangeSource {
    match source {
        wit::ChangeSource::Rows => ChangeSource::Rows,
        wit::ChangeSource::ChangeTracking(w) => ChangeSource::ChangeTracking(window(w)),
        wit::ChangeSource::CaptureAll(w) => ChangeSource::CaptureAll(window(w)),
        wit::ChangeSource::CaptureNet(w) => ChangeSource::CaptureNet(window(w)),
        wit::ChangeSource::SystemVersioned(w) => ChangeSource::SystemVersioned(window(w)),
        wit::ChangeSource::Snapshots(w) => ChangeSource::Snapshots(window(w)),
    }
}

fn window(window: wit::Window) -> Window {
    Window {
        after: window.after.map(value),
        through: window.through.map(value),
    }
}

pub(crate) fn outcome_to_guest(outcome: &Outcome) -> wit::Outcome {
    wit::Outcome {
        rows: outcome.rows,
        readings: outcome.readings.iter().map(value_to_guest).collect(),
        observed: outcome.observed.iter().map(value_to_guest).collect(),
    }
}

pub(crate) fn watermark_to_guest(watermark: &Watermark) -> wit::Watermark {
    wit::Watermark {
        format: watermark.format,
        marks: watermark
            .marks
            .iter()
            .map(|(name, mark)| (name.clone(), value_to_guest(mark)))
            .collect(),
    }
}

pub(crate) fn watermark(watermark: wit::Watermark) -> Result<Watermark, PlanError> {
    Ok(Watermark {
        format: watermark.format,
        marks: bounded("watermark", watermark.marks, MAX_MARKS)?
            .into_iter()
            .map(|(name, mark)| (name, value(mark)))
            .collect(),
    })
}
