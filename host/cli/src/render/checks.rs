//! Checks of a strategy.

use icehost_conformance::Check;

use crate::render::line;
use crate::voice::Voice;

/// One line for a check that holds; what is wrong follows one that does not, indented.
pub(crate) fn print_checks(checks: &[Check]) {
    let quiet = Voice::of_process().quiet;
    for check in checks {
        match &check.failure {
            None if quiet => {}
            None => line(format!("ok    {}", check.name)),
            Some(failure) => {
                line(format!("FAIL  {}", check.name));
                for text in failure.lines() {
                    line(format!("      {text}"));
                }
            }
        }
    }
}
