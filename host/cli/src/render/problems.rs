//! What is wrong with a configuration file.

use std::collections::HashMap;
use std::path::Path;

use icehost_run::{ErrorKind, RunError};
use icehost_untrusted::Hint;

use crate::failure::{Failure, shown};
use crate::voice::{self, Level};

/// Most problems of one kind that people are told of, and most of all kinds together; JSON has them all.
const MOST_ALIKE: usize = 20;
const MOST_TOLD: usize = 200;
/// Most characters that messages are compared by.
const MOST_SHAPE: usize = 200;

/// Tells problems on stderr, the first of each kind, and gives the failure that counts them. One of the file as a whole, which cannot be read
/// for example, is the failure itself.
pub(crate) fn problems(file: &Path, problems: &[RunError]) -> Failure {
    if let [only] = problems
        && only.place.is_none()
    {
        let failure = Failure::from(only.clone());
        let told = failure.told_in(serde_json::json!({ "problems": [object(only)] }));
        return failure.with_object(told);
    }
    tell(problems);
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

fn tell(problems: &[RunError]) {
    let mut alike: HashMap<String, usize> = HashMap::new();
    let (mut told, mut left_out) = (0, 0);
    for problem in problems {
        let count = alike.entry(shape(problem)).or_default();
        *count += 1;
        if *count > MOST_ALIKE || told == MOST_TOLD {
            left_out += 1;
            continue;
        }
        told += 1;
        let message = shown(&problem.to_string());
        voice::say(Level::Error, &message, problem.hint().as_ref());
    }
    if left_out > 0 {
        let message =
            format!("{left_out} problems more are not shown, most of them like those above");
        let hint = Hint::new("mend these first; --output json has them all");
        voice::say(Level::Error, &message, Some(&hint));
    }
}

/// What messages have in common that tell one mistake at several places: all but names and numbers.
fn shape(problem: &RunError) -> String {
    let outside = problem.message.split('\'').step_by(2);
    outside
        .flat_map(str::chars)
        .filter(|c| !c.is_ascii_digit())
        .take(MOST_SHAPE)
        .collect()
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
