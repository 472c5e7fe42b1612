//! The judge of runs: `icehost verify`, asked after each run that says that it succeeded.

use serde_json::Value;

use crate::Command;

/// `0` lets runs go unjudged, for one who tries something out: a case takes half the time then.
const JUDGE: &str = "ICEHOST_TEST_JUDGE";

/// Whether runs are judged.
fn is_asked() -> bool {
    std::env::var_os(JUDGE).is_none_or(|value| value != "0")
}

/// Why the sides differ after a run, where a case means them to. The judge holds the case to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Excuse {
    /// Something is wrong, or cannot be compared.
    Differs(String),
    /// Something is left to a later run, and nothing is wrong.
    LeavesMore(String),
}

/// What is to be asked after a run.
#[derive(Debug, Clone)]
pub(crate) struct Judgement {
    verify: Command,
    excuse: Option<Excuse>,
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

impl Judgement {
    /// `None` where there is nothing to ask.
    pub(crate) fn of(verify: Option<Command>, excuse: Option<Excuse>) -> Option<Judgement> {
        let verify = verify.filter(|_| is_asked())?;
        Some(Judgement { verify, excuse })
    }

    /// Compares, and panics where something is wrong, or where something is pending that the run should have brought;
    /// or where a case says that it is so and it is not.
    #[track_caller]
    pub(crate) fn pass(self) {
        let run = self.verify.args(["--output", "json"]).run();
        let told = format!("icehost {}\n{}{}", run.command, run.stdout, run.stderr);
        if let Some(Excuse::Differs(why)) = self.excuse {
            assert_eq!(
                run.code,
                Some(1),
                "the sides agree, and the case says that they differ: {why}\n{told}"
            );
            return;
        }
        assert_eq!(run.code, Some(0), "the run succeeded, and {told}");
        let report = run.json();
        let reports: Vec<&Value> = match report["pipelines"].as_array() {
            Some(pipelines) => pipelines.iter().map(|one| &one["report"]).collect(),
            None => vec![&report],
        };
        let wrong = reports.iter().any(|report| report["wrong"] != 0);
        let pending = reports.iter().any(|report| report["pending"] != 0);
        assert!(!wrong, "{told}");
        match self.excuse {
            Some(Excuse::LeavesMore(why)) => assert!(
                pending,
                "nothing is pending, and the case says that something is: {why}\n{told}"
            ),
            _ => assert!(!pending, "{told}"),
        }
    }
}
