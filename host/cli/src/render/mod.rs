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
mod tables;
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
pub(crate) use tables::{Listed, print_description, print_tables};
pub(crate) use verification::{Verified, print_verification, print_verified};
pub(crate) use watermark::print_watermark;

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use icehost_run::ErrorKind;
use icehost_untrusted as untrusted;
use indicatif::HumanCount;

use crate::failure::Failure;
use crate::voice::{self, Level};

/// Why a line did not reach stdout, the first time.
static UNWRITTEN: Mutex<Option<io::Error>> = Mutex::new(None);

/// Writes one line to stdout. Whatever others have put into the text, it is one line and controls no terminal, and a
/// document of JSON stays the document that it is. A reader that went away (`icehost … | head`) is no error.
pub(crate) fn line(text: impl Display) {
    let text = text.to_string();
    voice::around_moving_line(|| {
        let mut stdout = io::stdout().lock();
        let written = writeln!(stdout, "{}", untrusted::line(&text)).and_then(|()| stdout.flush());
        if let Err(error) = written
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            let mut unwritten = UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
            unwritten.get_or_insert(error);
        }
    });
}

/// Whether all that was to be said on stdout is there: a program that reads it must not take less for the whole.
///
/// # Errors
/// That it could not be written. What the command did stands.
pub(crate) fn all_written() -> Result<(), Failure> {
    let unwritten = UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    match unwritten.as_ref() {
        None => Ok(()),
        Some(error) => Err(Failure::new(
            ErrorKind::Io,
            format!("what the command has to say cannot be written to stdout: {error}"),
            "see where stdout goes, a full disk for example; what was done stands",
        )),
    }
}

/// A number and what is counted, as it is said: `1 row`, `1,000 rows`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {what}{ending}", HumanCount(number))
}

/// Says on stderr what is under way, or done.
pub(crate) fn note(text: impl Display) {
    voice::say(Level::Note, &text.to_string(), None);
}
