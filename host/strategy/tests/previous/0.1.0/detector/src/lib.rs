//! A change detector for version 0.1.0 of the contract, without an SDK.

wit_bindgen::generate!({
    path: "../../../../../../wit/0.1.0",
    world: "change-detector",
});

use exports::icehost::strategy::change_detection::{
    ChangeSource, Context, Coverage, ExtractionPlan, Guest as Detection, Outcome, Probe, Watermark,
};
use exports::icehost::strategy::metadata::{Description, Guest as Metadata};
use icehost::strategy::logging::{Level, log};
use icehost::strategy::types::{Aggregate, AggregateFunction, Error, Value};

struct Detector;

impl Metadata for Detector {
    fn describe() -> Description {
        Description {
            name: "previous-detector".to_owned(),
            version: "0.1.0".to_owned(),
            summary: "reads everything, and counts".to_owned(),
            options_schema: r#"{"type":"object"}"#.to_owned(),
        }
    }
}

impl Detection for Detector {
    fn probes(_: Context) -> Result<Vec<Probe>, Error> {
        Ok(vec![Probe::Aggregate(Aggregate {
            function: AggregateFunction::Max,
            column: 0,
        })])
    }

    fn plan(context: Context, _: Vec<Value>) -> Result<ExtractionPlan, Error> {
        log(Level::Warn, "still here", &[]);
        Ok(ExtractionPlan {
            source: ChangeSource::Rows,
            coverage: Coverage::Full,
            columns: (0..context.table.columns.len() as u32).collect(),
            filter: None,
            order_by: Vec::new(),
            split_on: None,
            observe: Vec::new(),
        })
    }

    fn advance(_: Context, outcome: Outcome) -> Result<Watermark, Error> {
        Ok(Watermark {
            format: 1,
            marks: vec![("rows".to_owned(), Value::Integer(outcome.rows as i64))],
        })
    }
}

export!(Detector);
