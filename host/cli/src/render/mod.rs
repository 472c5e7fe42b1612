//! What people and programs see.

mod checks;
mod explanation;
mod inspection;
mod pace;
mod pipelines;
mod preview;
mod problems;
mod progress;
mod report;
mod snapshots;
mod verification;
mod watermark;

pub(crate) use checks::print_checks;
pub(crate) use explanation::print_explanation;
pub(crate) use inspection::print_inspection;
pub(crate) use pipelines::{Outcome, Told, summary};
pub(crate) use preview::print_preview;
pub(crate) use problems::problems;
pub(crate) use progress::Progress;
pub(crate) use report::print_report;
pub(crate) use snapshots::print_snapshots;
pub(crate) use verification::{Verified, print_verification, print_verified};
pub(crate) use watermark::print_watermark;

use std::fmt::Display;
use std::io::Write;

use icehost_untrusted as untrusted;

use crate::voice::{self, Level};

/// Writes one line to stdout. Whatever others have put into the text, it is one line and controls no terminal, and a
/// document of JSON stays the document that it is. A reader that went away (`icehost … | head`) is no error.
pub(crate) fn line(text: impl Display) {
    let text = text.to_string();
    voice::around_moving_line(|| {
        let _ = writeln!(std::io::stdout().lock(), "{}", untrusted::line(&text));
    });
}

/// Says on stderr what is under way, or done.
pub(crate) fn note(text: impl Display) {
    voice::say(Level::Note, &text.to_string(), None);
}
