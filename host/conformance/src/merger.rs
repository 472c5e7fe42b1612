//! Mergers under test.

use icehost_plan::Delta;
use icehost_strategy::{Merger, Options, StrategyError};

use crate::case::Case;
use crate::check::{Check, expect_error, same};
use crate::describe;

async fn ask(
    merger: &Merger,
    case: &Case,
    delta: &Delta,
    options: &Options,
) -> Result<String, StrategyError> {
    let plan = merger.plan(&case.table, delta, options).await?;
    Ok(describe::merge(&plan, &case.table, delta))
}

fn delta(case: &Case) -> Result<&Delta, String> {
    case.delta
        .as_ref()
        .ok_or_else(|| "a merger's case needs a [delta], its own or the file's".to_owned())
}

/// The case as its author wrote it.
pub(crate) async fn case(merger: &Merger, case: &Case, options: &Options) -> Result<(), String> {
    let expected = &case.expected;
    let delta = delta(case)?;
    let plan = match ask(merger, case, delta, options).await {
        Ok(plan) => plan,
        Err(error) => return expect_error(&expected.error, &error),
    };
    match (&expected.error, &expected.plan) {
        (Some(wanted), _) => Err(format!("wanted the error {wanted}\ngot a plan:\n{plan}")),
        (None, Some(wanted)) => same("plan", wanted, &plan),
        (None, None) => Err(format!(
            "the case expects nothing of a delta of {}; the strategy answers\nplan = '''\n{plan}\n'''",
            describe::contents(delta.contents)
        )),
    }
}

/// What must hold for any merger, on this case's table and delta.
pub(crate) async fn conformance(
    merger: &Merger,
    case: &Case,
    options: &Options,
    name: &str,
) -> Check {
    let result = match delta(case) {
        Err(why) => Err(why),
        Ok(delta) => {
            let once = ask(merger, case, delta, options).await;
            let twice = ask(merger, case, delta, options).await;
            match (once, twice) {
                (Ok(once), Ok(twice)) if once == twice => Ok(()),
                _ => Err("the same question got two answers".to_owned()),
            }
        }
    };
    Check::new(
        format!("{name}: the same question gets the same answer"),
        result,
    )
}
