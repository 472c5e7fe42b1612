//! Mergers under test.

use icehost_lake::RowChange;
use icehost_plan::Delta;
use icehost_strategy::{Merger, Options, StrategyError};

use crate::case::Case;
use crate::check::{Check, SAME_ANSWER, expect_error, same, same_answer};
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

/// Whether a lake table takes the plan; what keeps it from that is said as a run says it.
async fn lands_in_the_lake(merger: &Merger, case: &Case, options: &Options) -> Result<(), String> {
    let delta = delta(case)?;
    let plan = merger.plan(&case.table, delta, options).await;
    let plan = plan.map_err(|error| error.to_string())?;
    match RowChange::from_plan(&plan, &case.table, delta) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!(
            "{error}\nhint: {}; or say that the merger is for SQL Server targets alone: lake = false",
            error
                .hint()
                .unwrap_or("let the plan read the delta's rows only")
        )),
    }
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
) -> Vec<Check> {
    let result = match delta(case) {
        Err(why) => Err(why),
        Ok(delta) => {
            let once = ask(merger, case, delta, options).await;
            let twice = ask(merger, case, delta, options).await;
            same_answer(&once, &twice)
        }
    };
    let mut checks = vec![Check::new(format!("{name}: {SAME_ANSWER}"), result)];
    if case.lake {
        checks.push(Check::new(
            format!("{name}: a lake table takes the plan"),
            lands_in_the_lake(merger, case, options).await,
        ));
    }
    checks
}
