//! The checks of a strategy, and what came of them.

use icehost_strategy::{Options, Strategy, StrategyError};
use serde_json::{Map, Value as Json};

use crate::case::CaseFile;
use crate::{detector, merger, transformer};

/// One thing that a strategy must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The case's name, or what must hold for any strategy.
    pub name: String,
    /// Why it does not hold, in lines for people; `None` where it does.
    pub failure: Option<String>,
}

impl Check {
    pub(crate) fn new(name: impl Into<String>, result: Result<(), String>) -> Check {
        Check {
            name: name.into(),
            failure: result.err(),
        }
    }
}

/// Runs every case, and with each of them what must hold for any strategy.
///
/// A failing check does not end the others.
pub async fn run(strategy: &Strategy, files: &[CaseFile]) -> Vec<Check> {
    let mut checks = vec![Check::new(
        "an option that does not exist is refused",
        refuses_unknown_options(strategy),
    )];
    for file in files {
        for case in &file.cases {
            let name = format!("{}: {}", file.name, case.name);
            let options = match Options::from_json(strategy, case.options.clone()) {
                Ok(options) => options,
                Err(error) => {
                    let result = expect_error(&case.expected.error, &error);
                    checks.push(Check::new(name, result));
                    continue;
                }
            };
            if let Ok(detector) = strategy.as_change_detector() {
                checks.push(Check::new(
                    &name,
                    detector::case(&detector, case, &options).await,
                ));
                if case.expected.error.is_none() {
                    checks.extend(detector::conformance(&detector, case, &options, &name).await);
                }
            } else if let Ok(merger) = strategy.as_merger() {
                checks.push(Check::new(
                    &name,
                    merger::case(&merger, case, &options).await,
                ));
                if case.expected.error.is_none() {
                    checks.extend(merger::conformance(&merger, case, &options, &name).await);
                }
            } else if let Ok(transformer) = strategy.as_batch_transformer() {
                checks.push(Check::new(
                    &name,
                    transformer::case(&transformer, case, &options).await,
                ));
                if case.expected.error.is_none() {
                    checks.extend(
                        transformer::conformance(&transformer, case, &options, &name).await,
                    );
                }
            }
        }
    }
    checks
}

fn refuses_unknown_options(strategy: &Strategy) -> Result<(), String> {
    let name = "no-option-of-this-name";
    let options = Map::from_iter([(name.to_owned(), Json::from(1))]);
    match Options::from_json(strategy, options) {
        Err(error) if error.to_string().contains(name) => Ok(()),
        // Another one is missing, and is named first.
        Err(_) => Ok(()),
        Ok(_) => Err(format!(
            "its schema takes '{name}': set additionalProperties to false"
        )),
    }
}

/// What is checked of every strategy.
pub(crate) const SAME_ANSWER: &str = "the same question gets the same answer";

/// Whether two answers to one question are the same. An error is one, too: that it is one, the case itself tells.
pub(crate) fn same_answer<T: PartialEq>(
    once: &Result<T, StrategyError>,
    twice: &Result<T, StrategyError>,
) -> Result<(), String> {
    match (once, twice) {
        (Ok(once), Ok(twice)) if once == twice => Ok(()),
        (Ok(_), Ok(_)) => Err("the same question got two answers".to_owned()),
        (Err(once), Err(twice)) if once.to_string() == twice.to_string() => Ok(()),
        (Err(once), Err(twice)) => Err(format!(
            "the same question got two errors\nfirst: {once}\nthen: {twice}"
        )),
        (Ok(_), Err(error)) => Err(format!(
            "the same question got an answer, and then an error: {error}"
        )),
        (Err(error), Ok(_)) => Err(format!(
            "the same question got an error, and then an answer: {error}"
        )),
    }
}

/// Whether an error is the one that was expected.
pub(crate) fn expect_error(expected: &Option<String>, error: &StrategyError) -> Result<(), String> {
    match (expected, code(error)) {
        (Some(wanted), Some(code)) if *wanted == code => Ok(()),
        (Some(wanted), Some(code)) => Err(format!(
            "wanted the error {wanted}\ngot the error {code}: {error}"
        )),
        (Some(wanted), None) => Err(format!("wanted the error {wanted}\ngot {error}")),
        (None, _) => Err(format!("got an error: {error}")),
    }
}

/// The code of an error that the strategy itself returned; `options` for options that its schema refuses.
fn code(error: &StrategyError) -> Option<String> {
    match error {
        StrategyError::Failure { code, .. } => Some(code.clone()),
        StrategyError::Options { .. } => Some("options".to_owned()),
        _ => None,
    }
}

/// Compares text, by lines where there are several.
pub(crate) fn same(what: &str, wanted: &str, got: &str) -> Result<(), String> {
    let trimmed = |text: &str| -> Vec<String> {
        text.trim()
            .lines()
            .map(|l| l.trim_end().to_owned())
            .collect()
    };
    match (trimmed(wanted), trimmed(got)) {
        (wanted, got) if wanted == got => Ok(()),
        (wanted, got) => Err(format!(
            "{what} wanted:\n  {}\n{what} got:\n  {}",
            wanted.join("\n  "),
            got.join("\n  ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_comes_again_is_the_same_answer() {
        let error = |why: &str| {
            Err(StrategyError::Options {
                strategy: "s".to_owned(),
                problems: vec![why.to_owned()],
                available: Vec::new(),
            })
        };
        assert_eq!(same_answer(&Ok(1), &Ok(1)), Ok(()));
        assert_eq!(same_answer(&error("a"), &error("a")), Ok(()));
        for (once, twice) in [
            (Ok(1), Ok(2)),
            (Ok(1), error("a")),
            (error("a"), Ok(1)),
            (error("a"), error("b")),
        ] {
            assert!(same_answer(&once, &twice).is_err());
        }
    }
}
