//! What people and programs see.

mod checks;
mod inspection;
mod pipelines;
mod preview;
mod problems;
mod progress;
mod report;
mod snapshots;
mod verification;
mod watermark;

pub(crate) use checks::print_checks;
pub(crate) use inspection::print_inspection;
pub(crate) use pipelines::{Outcome, print_outcome, summary};
pub(crate) use preview::print_preview;
pub(crate) use problems::problems;
pub(crate) use progress::Progress;
pub(crate) use report::print_report;
pub(crate) use snapshots::print_snapshots;
pub(crate) use verification::{Verified, print_verification, print_verified};
pub(crate) use watermark::print_watermark;

use std::io::Write;

/// Writes text and a line end to stdout. A reader that went away (`icehost … | head`) is no error.
pub(crate) fn line(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
