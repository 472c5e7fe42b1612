//! What a comparison found.

use icehost_run::ErrorKind;
use icehost_sync::{Comparison, Differences, Verification};
use indicatif::HumanCount;
use serde_json::json;
use std::time::Duration;

use crate::args::Output;
use crate::failure::Failure;
use crate::render::report::marks;
use crate::render::{counted, line};
use crate::voice::Voice;

/// How the comparison of one pipeline ended.
pub(crate) enum Verified {
    Compared(Box<Verification>),
    Failed(Failure),
}

/// Prints a comparison as one JSON object, or as a few lines.
///
/// # Errors
/// What it found wrong.
pub(crate) fn print_verification(
    verification: &Verification,
    output: Output,
) -> Result<(), Failure> {
    if output == Output::Text && !Voice::of_process().quiet {
        print_text(verification);
    }
    match (failure(verification), output) {
        (Some(failure), _) => {
            let object = object(verification, Some(&failure));
            Err(failure.with_object(object))
        }
        (None, Output::Json) => {
            line(object(verification, None));
            Ok(())
        }
        (None, Output::Text) => Ok(()),
    }
}

/// Prints what came of each pipeline.
///
/// # Errors
/// Names the pipelines that are wrong, or could not be compared.
pub(crate) fn print_verified(
    outcomes: &[(String, Verified)],
    took: Duration,
    output: Output,
) -> Result<(), Failure> {
    let shows = output == Output::Text && !Voice::of_process().quiet;
    let mut failed = Vec::new();
    let mut objects = Vec::new();
    for (name, outcome) in outcomes {
        let failure = match outcome {
            Verified::Failed(_) => None,
            Verified::Compared(verification) => failure(verification),
        };
        objects.push(match outcome {
            Verified::Failed(failure) => failure.told_in(json!({ "pipeline": name, "ok": false })),
            Verified::Compared(verification) => {
                let object = json!({
                    "pipeline": name,
                    "ok": failure.is_none(),
                    "report": verification,
                });
                match &failure {
                    Some(failure) => failure.clone().of_pipeline(name).told_in(object),
                    None => object,
                }
            }
        });
        match outcome {
            Verified::Failed(failure) => failure.print(Output::Text),
            Verified::Compared(verification) if shows => {
                line(format!("{name}:"));
                print_text(verification);
            }
            Verified::Compared(_) => {}
        }
        if failure.is_some() || matches!(outcome, Verified::Failed(_)) {
            failed.push(name.as_str());
        }
    }
    let object = json!({
        "pipelines": objects,
        "succeeded": outcomes.len() - failed.len(),
        "failed": failed.len(),
        "duration_ms": (took.as_secs_f64() * 1e6).round() / 1e3,
    });
    if failed.is_empty() {
        if output == Output::Json {
            line(object);
        }
        return Ok(());
    }
    Err(Failure::new(
        ErrorKind::Differences,
        format!(
            "{} of {} pipelines do not agree, or could not be compared: {}",
            failed.len(),
            outcomes.len(),
            failed.join(", ")
        ),
        HINT,
    )
    .with_object(object))
}

const HINT: &str = "the report names rows and columns; the guide's section \"Do they agree?\" says what each kind of difference \
                    means, and the way on";

/// What is wrong, if anything is.
fn failure(verification: &Verification) -> Option<Failure> {
    let of = |comparison: &Option<Comparison>| {
        let comparison = comparison.as_ref()?;
        let mut told = Vec::new();
        if comparison.wrong.rows > 0 {
            told.push(kinds(&comparison.wrong));
        }
        if comparison.held && comparison.undelivered > 0 {
            told.push(format!(
                "{} undelivered",
                HumanCount(comparison.undelivered)
            ));
        }
        (!told.is_empty()).then(|| {
            format!(
                "{} of {} against {}",
                told.join(", "),
                comparison.found,
                comparison.expected
            )
        })
    };
    let wrong: Vec<String> = [&verification.lake, &verification.target]
        .into_iter()
        .filter_map(of)
        .collect();
    let repairable = [&verification.lake, &verification.target]
        .into_iter()
        .flatten()
        .any(|comparison| comparison.wrong.rows > 0 && comparison.repairable);
    let hint = match (verification.next_run_stops.as_slice(), repairable) {
        ([_, ..], _) => {
            "the next run will stop: do first what its hint says; the guide's section \"Do they agree?\" says what each \
             kind of difference means"
        }
        ([], true) if verification.repaired.is_some() => {
            "a repair has not put it right: delete the rows that the report names from where they are wrong, and run \
             `icehost verify --repair` again, which brings those that are missing; the guide's section \"Do they agree?\" says \
             what each kind of difference means"
        }
        ([], true) => {
            "`icehost verify --repair` delivers again just the rows that the report names, and those like them; the \
             guide's section \"Do they agree?\" says what each kind of difference means, and the way on"
        }
        ([], false) => HINT,
    };
    (!wrong.is_empty()).then(|| {
        Failure::new(
            ErrorKind::Differences,
            format!("they do not agree: {}", wrong.join("; ")),
            hint,
        )
    })
}

fn object(verification: &Verification, failure: Option<&Failure>) -> serde_json::Value {
    match failure {
        Some(failure) => failure.told_in(json!(verification)),
        None => json!(verification),
    }
}

fn print_text(verification: &Verification) {
    for comparison in [&verification.lake, &verification.target]
        .into_iter()
        .flatten()
    {
        print_comparison(comparison);
    }
    if let Some(repaired) = &verification.repaired {
        line(format!(
            "repaired: {} of the lake, {} of the target",
            counted(repaired.lake_rows, "row"),
            HumanCount(repaired.target_rows),
        ));
    }
    if let Some(watermark) = &verification.watermark {
        line(format!("watermark: {}", marks(watermark)));
    }
    for stop in &verification.next_run_stops {
        line(format!("warning: the next run will stop: {}", stop.error));
        let hint = stop.hint.iter().flat_map(|hint| hint.lines());
        for (at, text) in hint.enumerate() {
            line(format!("  {}{text}", if at == 0 { "hint: " } else { "  " }));
        }
    }
    line(format!(
        "{} wrong, {} pending, {} not seen",
        HumanCount(verification.wrong),
        HumanCount(verification.pending),
        HumanCount(verification.not_seen),
    ));
}

fn print_comparison(comparison: &Comparison) {
    line(format!(
        "compared {} with {}: {} and {}, {}",
        comparison.expected,
        comparison.found,
        HumanCount(comparison.rows_expected),
        counted(comparison.rows_found, "row"),
        counted(comparison.columns.len() as u64, "column"),
    ));
    print_differences("wrong", &comparison.wrong);
    print_differences("pending", &comparison.pending);
    if comparison.undelivered > 0 {
        let class = match comparison.held {
            true => "wrong",
            false => "pending",
        };
        line(format!(
            "  {class}: {} of the lake yet to be delivered",
            counted(comparison.undelivered, "change")
        ));
    }
    print_differences("not seen", &comparison.not_seen);
    for left_out in &comparison.left_out {
        line(format!(
            "  left out: column '{}': {}",
            left_out.column, left_out.why
        ));
    }
    for note in &comparison.notes {
        line(format!("  note: {note}"));
    }
}

fn print_differences(class: &str, differences: &Differences) {
    if differences.rows == 0 {
        return;
    }
    line(format!("  {class}: {}", kinds(differences)));
    for difference in &differences.keys {
        let columns = match difference.columns.is_empty() {
            true => String::new(),
            false => format!(" ({})", difference.columns.join(", ")),
        };
        line(format!(
            "    {} {}{columns}",
            difference.what, difference.key
        ));
    }
}

/// `3 missing, 1 changed`
fn kinds(differences: &Differences) -> String {
    let kinds = [
        (differences.missing, "missing"),
        (differences.extra, "extra"),
        (differences.changed, "changed"),
        (differences.repeated, "repeated"),
        (differences.overlapping, "overlapping"),
    ];
    let told: Vec<String> = kinds
        .into_iter()
        .filter(|(rows, _)| *rows > 0)
        .map(|(rows, kind)| format!("{} {kind}", HumanCount(rows)))
        .collect();
    told.join(", ")
}
