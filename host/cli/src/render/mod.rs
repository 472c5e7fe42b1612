//! What people and programs see.

mod checks;
mod explanation;
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
pub(crate) use explanation::print_explanation;
pub(crate) use inspection::print_inspection;
pub(crate) use pipelines::{Outcome, print_outcome, summary};
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

/// Writes one line to stdout. Whatever others have put into the text, it is one line and controls no terminal, and a
/// document of JSON stays the document that it is. A reader that went away (`icehost … | head`) is no error.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(
        std::io::stdout().lock(),
        "{}",
        untrusted::line(&text.to_string())
    );
}

/// Writes one line to stderr, as [`line`] does to stdout.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(
        std::io::stderr().lock(),
        "{}",
        untrusted::line(&text.to_string())
    );
}

/// Writes `hint: …` to stderr. Its line ends are our own: what follows them is indented, so that it is no line of
/// its own even where a place has let somebody else's slip in.
pub(crate) fn hint(label: &str, text: &str) {
    let mut stderr = std::io::stderr().lock();
    for (at, text) in text.split('\n').enumerate() {
        let text = untrusted::line(text);
        // Nothing can be said where stderr is closed.
        let _ = match at {
            0 => writeln!(stderr, "{label}: {text}"),
            _ => writeln!(stderr, "  {}", text.trim_start()),
        };
    }
}
