//! What the pipelines of a configuration file did.

use std::time::Duration;

use icehost_sync::{Preview, Report};
use indicatif::HumanCount;
use serde_json::json;

use crate::args::Output;
use crate::failure::Failure;
use crate::render::preview::print_preview_text;
use crate::render::report::print_report_text;
use crate::render::{counted, line};
use crate::voice::Voice;

/// So many are told one by one; of more, what they have in common.
const FEW: usize = 10;
/// Names of pipelines in one line.
const NAMED: usize = 8;

/// What the error of a login that a server does not take says.
const REFUSED_LOGIN: &str = " refused the login";

/// How a pipeline ended.
pub(crate) enum Outcome {
    Synced(Box<Report>),
    Previewed(Box<Preview>),
    Failed(Failure),
}

/// What is told of pipelines while they end.
pub(crate) struct Told {
    output: Output,
    /// There are more than can be told one by one.
    many: bool,
    /// Failures that have been told.
    failures: Vec<String>,
}

impl Told {
    /// Of so many pipelines.
    pub(crate) fn of(pipelines: usize, output: Output) -> Told {
        Told {
            output,
            many: pipelines > FEW,
            failures: Vec::new(),
        }
    }

    /// Tells how one pipeline ended, as soon as it has. JSON waits for the end: it is one object. Of many, only
    /// failures are told, equal ones once.
    pub(crate) fn ended(&mut self, name: &str, outcome: &Outcome) {
        let shows = self.output == Output::Text && !self.many && !Voice::of_process().quiet;
        match outcome {
            Outcome::Failed(failure) => {
                let message = failure.message();
                if self.many && (self.failures.contains(&message) || self.failures.len() >= FEW) {
                    return;
                }
                self.failures.push(message);
                failure.clone().of_pipeline(name).print(Output::Text);
            }
            Outcome::Synced(report) if shows => {
                line(format!("{name}:"));
                print_report_text(report);
            }
            Outcome::Previewed(preview) if self.output == Output::Text => {
                line(format!("{name}:"));
                print_preview_text(preview);
            }
            Outcome::Synced(_) | Outcome::Previewed(_) => {}
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
    let all = outcomes.len();
    let shows = output == Output::Text && !Voice::of_process().quiet;
    if shows && all > FEW {
        for text in common(outcomes) {
            line(text);
        }
    }
    let object = json!({
        "pipelines": outcomes.iter().map(object).collect::<Vec<_>>(),
        "succeeded": done,
        "failed": failed.len(),
        "duration_ms": (took.as_secs_f64() * 1e6).round() / 1e3,
    });
    if failed.is_empty() {
        if output == Output::Json {
            line(object);
        } else if shows {
            line(format!(
                "{all} of {} done ({:.2} s)",
                counted(all as u64, "pipeline"),
                took.as_secs_f64()
            ));
        }
        return Ok(());
    }
    Err(Failure::config(
        format!(
            "{} of {} failed, {done} done: {}",
            failed.len(),
            counted(all as u64, "pipeline"),
            some(&failed)
        ),
        way_on(outcomes),
    )
    .with_object(object))
}

/// What to do after failures.
fn way_on(outcomes: &[(String, Outcome)]) -> String {
    let is_refused = |(_, outcome): &(String, Outcome)| matches!(outcome, Outcome::Failed(failure) if failure.message().contains(REFUSED_LOGIN));
    let is_synced = |(_, outcome): &(String, Outcome)| matches!(outcome, Outcome::Synced(_));
    let again = match outcomes.iter().any(is_refused) {
        true => {
            "mend the login that was refused before you run the command again: each run tries it once, and each try counts \
             against the account"
        }
        false => "run the same command again, or name the pipelines that failed",
    };
    match outcomes.iter().any(is_synced) {
        true => format!("what is done stays done; {again}"),
        false => again.to_owned(),
    }
}

/// What many pipelines have in common, failures first: a screen at most.
fn common(outcomes: &[(String, Outcome)]) -> Vec<String> {
    let mut kinds: Vec<(String, Vec<&str>)> = Vec::new();
    let mut changed: Vec<(u64, &str)> = Vec::new();
    let (mut unchanged, mut read, mut landed, mut removed) = (0usize, 0u64, 0u64, 0u64);
    for (name, outcome) in outcomes {
        match outcome {
            Outcome::Failed(failure) => {
                let message = failure.message();
                match kinds.iter_mut().find(|(known, _)| *known == message) {
                    Some((_, names)) => names.push(name),
                    None => kinds.push((message, vec![name])),
                }
            }
            Outcome::Synced(report) => {
                let moved = moved(report);
                read += report.rows_extracted.unwrap_or(0);
                landed += report.rows_appended.unwrap_or(0);
                removed += report.rows_removed.unwrap_or(0);
                match moved {
                    0 => unchanged += 1,
                    rows => changed.push((rows, name)),
                }
            }
            Outcome::Previewed(_) => {}
        }
    }
    // The kind that most have comes first.
    kinds.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    let mut said: Vec<String> = kinds
        .iter()
        .take(FEW)
        .map(|(message, names)| format!("failed: {}: {message}", some(names)))
        .collect();
    let rest: usize = kinds.iter().skip(FEW).map(|(_, names)| names.len()).sum();
    if rest > 0 {
        said.push(format!("failed: {rest} more, each told by --output json"));
    }
    if !changed.is_empty() {
        changed.sort_by_key(|(rows, _)| std::cmp::Reverse(*rows));
        let names: Vec<&str> = changed.iter().map(|(_, name)| *name).collect();
        said.push(format!(
            "changed: {}: {} read, {} appended, {} removed",
            some(&names),
            counted(read, "row"),
            HumanCount(landed),
            HumanCount(removed)
        ));
    }
    if unchanged > 0 {
        said.push(format!("nothing new: {unchanged}"));
    }
    said
}

/// Rows that a run has changed anywhere.
fn moved(report: &Report) -> u64 {
    let counts = [
        report.rows_appended,
        report.rows_removed,
        report.rows_inserted,
        report.rows_updated,
        report.rows_deleted,
    ];
    counts.iter().flatten().sum()
}

/// Some names, and how many others there are.
fn some(names: &[&str]) -> String {
    let listed: Vec<&str> = names.iter().copied().take(NAMED).collect();
    match names.len().saturating_sub(NAMED) {
        0 => listed.join(", "),
        more => format!("{} and {more} more", listed.join(", ")),
    }
}

fn object((name, outcome): &(String, Outcome)) -> serde_json::Value {
    match outcome {
        Outcome::Synced(report) => json!({ "pipeline": name, "ok": true, "report": report }),
        Outcome::Previewed(preview) => json!({ "pipeline": name, "ok": true, "report": preview }),
        Outcome::Failed(failure) => {
            let failure = failure.clone().of_pipeline(name);
            failure.told_in(json!({ "pipeline": name, "ok": false }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_pipelines_fit_a_screen_and_failures_come_first() {
        let failed = |of: usize| {
            let message = match of % 2 {
                0 => "cannot connect to db.example.com".to_owned(),
                _ => format!("there is no table {of}"),
            };
            Outcome::Failed(Failure::config(message, "look"))
        };
        let outcomes: Vec<(String, Outcome)> = (0..120)
            .map(|of| (format!("pipeline-{of:03}"), failed(of)))
            .collect();
        let said = common(&outcomes);
        assert_eq!(said.len(), FEW + 1, "{said:#?}");
        assert!(
            said[0].ends_with("pipeline-014 and 52 more: cannot connect to db.example.com"),
            "{}",
            said[0]
        );
        assert_eq!(said[FEW], "failed: 51 more, each told by --output json");
        let failure = summary(&outcomes, Duration::from_secs(1), Output::Json)
            .err()
            .map(|failure| failure.message());
        let failure = failure.unwrap_or_default();
        assert!(failure.starts_with("120 of 120 pipelines failed, 0 done: pipeline-000"));
        assert!(failure.ends_with("and 112 more"), "{failure}");
    }
}
