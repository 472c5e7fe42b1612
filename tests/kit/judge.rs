//! The judge of runs: `icehost verify`, asked after each run that says that it succeeded.

use serde_json::Value;

use crate::Command;

/// Asks the judge after every run, as `tests/run.sh` does; without it a case runs in half the time.
const JUDGE: &str = "ICEHOST_TEST_JUDGE";

/// Whether runs are judged.
pub(crate) fn is_asked() -> bool {
    std::env::var_os(JUDGE).is_some()
}

/// Switches of `sync` and `load` that say how rows move, not what is where.
const SWITCHES: &[&str] = &[
    "--create-target",
    "--restart",
    "--full",
    "--allow-deletes",
    "--trust-position",
];
/// The same with a value.
const SETTINGS: &[&str] = &[
    "--parallel",
    "--range-rows",
    "--commit",
    "--batch-size",
    "--time-precision",
    "--jobs",
    "--output",
    "--delete-limit",
];

/// The arguments with which `verify` looks at what `sync` or `load` has done; `None` for anything else, and for runs
/// that only say what they would do.
pub(crate) fn comparison(arguments: &[String]) -> Option<Vec<String>> {
    let (subcommand, rest) = arguments.split_first()?;
    let moves = ["sync", "load"].contains(&subcommand.as_str());
    if !moves || rest.iter().any(|argument| argument == "--dry-run") {
        return None;
    }
    let mut compared = vec!["verify".to_owned()];
    let mut rest = rest.iter();
    while let Some(argument) = rest.next() {
        if SETTINGS.contains(&argument.as_str()) {
            rest.next();
        } else if !SWITCHES.contains(&argument.as_str()) {
            compared.push(argument.clone());
        }
    }
    Some(compared)
}

/// Compares, and panics where something is wrong, or where something is pending that the run should have brought.
#[track_caller]
pub(crate) fn assert_agrees(verify: Command, leaves_more: bool) {
    let run = verify.args(["--output", "json"]).run();
    assert_eq!(
        run.code,
        Some(0),
        "the run succeeded, and icehost {} says\n{}{}",
        run.command,
        run.stdout,
        run.stderr
    );
    let report = run.json();
    let reports: Vec<&Value> = match report["pipelines"].as_array() {
        Some(pipelines) => pipelines.iter().map(|one| &one["report"]).collect(),
        None => vec![&report],
    };
    for report in reports {
        assert!(
            report["wrong"] == 0 && (leaves_more || report["pending"] == 0),
            "icehost {}\n{report:#}",
            run.command
        );
    }
}
