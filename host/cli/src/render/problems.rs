//! What is wrong with a configuration file.

use std::path::Path;

use icehost_run::{ErrorKind, RunError};

use crate::failure::{Failure, shown};
use crate::voice::{self, Level};

/// Tells each problem on stderr, and gives the failure that counts them. One of the file as a whole, which cannot be read
/// for example, is the failure itself.
pub(crate) fn problems(file: &Path, problems: &[RunError]) -> Failure {
    if let [only] = problems
        && only.place.is_none()
    {
        let failure = Failure::from(only.clone());
        let told = failure.told_in(serde_json::json!({ "problems": [object(only)] }));
        return failure.with_object(told);
    }
    for problem in problems {
        let message = shown(&problem.to_string());
        voice::say(Level::Error, &message, problem.hint().as_ref());
    }
    let listed: Vec<serde_json::Value> = problems.iter().map(object).collect();
    let count = match problems.len() {
        1 => "1 problem".to_owned(),
        many => format!("{many} problems"),
    };
    let message = format!("{count} in {}", file.display());
    let next = "mend the file; nothing has been run";
    // Of one kind, where they all are; several kinds are mended in the file one by one.
    let mut kinds = problems.iter().map(RunError::kind);
    let kind = kinds
        .next()
        .filter(|first| kinds.all(|kind| kind == *first))
        .unwrap_or(ErrorKind::Config);
    let failure =
        Failure::new(kind, message, next).passing(problems.iter().all(RunError::is_transient));
    let object = failure.told_in(serde_json::json!({ "problems": listed }));
    failure.with_object(object)
}

fn object(problem: &RunError) -> serde_json::Value {
    let place = problem.place.as_ref();
    serde_json::json!({
        "file": place.map(|place| place.file.as_ref()),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "message": shown(&problem.message),
        "hint": problem.hint().as_deref(),
        "kind": problem.kind().name(),
        "transient": problem.is_transient(),
    })
}
