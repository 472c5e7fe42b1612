//! Checks of a strategy.

use icehost_conformance::Check;

use crate::render::line;

/// One line for a check that holds; what is wrong follows one that does not, indented.
pub(crate) fn print_checks(checks: &[Check]) {
    for check in checks {
        match &check.failure {
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
