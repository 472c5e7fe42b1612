//! What the pipelines of a configuration file did.

use std::time::Duration;

use icehost_sync::{Preview, Report};
use serde_json::json;

use crate::args::Output;
use crate::failure::Failure;
use crate::render::line;
use crate::render::preview::print_preview_text;
use crate::render::report::print_report_text;

/// How a pipeline ended.
pub(crate) enum Outcome {
    Synced(Box<Report>),
    Previewed(Box<Preview>),
    Failed(Failure),
}

/// Tells how one pipeline ended, as soon as it has. JSON waits for the end: it is one object.
pub(crate) fn print_outcome(name: &str, outcome: &Outcome, output: Output) {
    match outcome {
        Outcome::Failed(failure) => failure.print(Output::Text),
        _ if output == Output::Json => {}
        Outcome::Synced(report) => {
            line(format!("{name}:"));
            print_report_text(report);
        }
        Outcome::Previewed(preview) => {
            line(format!("{name}:"));
            print_preview_text(preview);
        }
    }
}

/// The end of it all: prints the summary, or gives the failure that bears it.
pub(crate) fn summary(
    outcomes: &[(String, Outcome)],
    took: Duration,
    output: Output,
) -> Result<(), Failure> {
    let failed: Vec<&str> = outcomes
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_)))
        .map(|(name, _)| name.as_str())
        .collect();
    let done = outcomes.len() - failed.len();
    let object = json!({
        "pipelines": outcomes.iter().map(object).collect::<Vec<_>>(),
        "succeeded": done,
        "failed": failed.len(),
        "duration_ms": (took.as_secs_f64() * 1e6).round() / 1e3,
    });
    let all = outcomes.len();
    if failed.is_empty() {
        match output {
            Output::Json => line(object),
            Output::Text => line(format!(
                "{all} of {all} pipelines done ({:.2} s)",
                took.as_secs_f64()
            )),
        }
        return Ok(());
    }
    Err(Failure::new(
        format!(
            "{} of {all} pipelines failed, {done} done: {}",
            failed.len(),
            failed.join(", ")
        ),
        "what is done stays done; run the same command again, or name the pipelines that failed",
    )
    .with_object(object))
}

fn object((name, outcome): &(String, Outcome)) -> serde_json::Value {
    match outcome {
        Outcome::Synced(report) => json!({ "pipeline": name, "ok": true, "report": report }),
        Outcome::Previewed(preview) => json!({ "pipeline": name, "ok": true, "report": preview }),
        Outcome::Failed(failure) => json!({
            "pipeline": name,
            "ok": false,
            "error": failure.message(),
            "hint": failure.hint(),
        }),
    }
}
