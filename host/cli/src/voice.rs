//! What is said on stderr, to people or to programs, around the line that moves.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

use chrono::{SecondsFormat, Utc};
use icehost_untrusted::{self as untrusted, Hint};
use indicatif::ProgressBar;
use serde_json::{Map, Value, json};

use crate::args::LogFormat;

/// How it is said, once the arguments are known.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Voice {
    /// Only errors are.
    pub(crate) quiet: bool,
    /// As lines of text, or of JSON.
    pub(crate) format: LogFormat,
}

static VOICE: OnceLock<Voice> = OnceLock::new();
/// The line that moves, while one does.
static MOVING: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Error,
    Warning,
    /// Something that is under way, or done.
    Note,
}

impl Level {
    fn label(self) -> &'static str {
        match self {
            Level::Error => "error: ",
            Level::Warning => "warning: ",
            Level::Note => "",
        }
    }

    /// As the log calls it.
    fn name(self) -> &'static str {
        match self {
            Level::Error => "ERROR",
            Level::Warning => "WARN",
            Level::Note => "INFO",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Level::Error => "\x1b[1;31m",
            Level::Warning => "\x1b[33m",
            Level::Note => "",
        }
    }
}

impl Voice {
    /// The one of this process.
    pub(crate) fn of_process() -> Voice {
        VOICE.get().copied().unwrap_or_default()
    }

    /// Speaks like this from now on.
    pub(crate) fn begin(self) {
        // It is begun once.
        let _ = VOICE.set(self);
    }
}

/// Whether stderr shows colours.
pub(crate) fn is_coloured() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Says something, and what to do about it. Whatever others have put into the text, it is one line and controls no
/// terminal.
pub(crate) fn say(level: Level, text: &str, hint: Option<&Hint>) {
    let voice = Voice::of_process();
    if voice.quiet && level != Level::Error {
        return;
    }
    match voice.format {
        LogFormat::Json => {
            let mut object = Map::new();
            let now = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
            object.insert("timestamp".to_owned(), json!(now));
            object.insert("level".to_owned(), json!(level.name()));
            object.insert("message".to_owned(), json!(text));
            if let Some(hint) = hint {
                object.insert("hint".to_owned(), json!(&**hint));
            }
            write(&untrusted::line(&Value::Object(object).to_string()));
        }
        LogFormat::Text => write(&as_text(level, text, hint, is_coloured())),
    }
}

/// `error: …` and `hint: …`, whose lines but the first are indented.
fn as_text(level: Level, text: &str, hint: Option<&Hint>, coloured: bool) -> String {
    let paint = |label: &str, colour: &str| match label.strip_suffix(": ") {
        Some(word) if coloured => format!("{colour}{word}\x1b[0m: "),
        _ => label.to_owned(),
    };
    let mut said = paint(level.label(), level.colour());
    said.push_str(&untrusted::line(text));
    let lines = hint.into_iter().flat_map(Hint::lines);
    for (at, hint) in lines.enumerate() {
        said.push('\n');
        match at {
            0 => said.push_str(&paint("hint: ", "\x1b[36m")),
            _ => said.push_str("  "),
        }
        said.push_str(untrusted::line(hint).trim_start());
    }
    said
}

/// Writes lines to stderr that are fit to be shown, above the line that moves.
pub(crate) fn write(lines: &str) {
    // Nothing can be said where stderr is closed.
    around_moving_line(|| {
        let _ = writeln!(io::stderr().lock(), "{lines}");
    });
}

/// Does something to the terminal while no line moves.
pub(crate) fn around_moving_line(what: impl FnOnce()) {
    let moving = MOVING.lock().unwrap_or_else(PoisonError::into_inner);
    match moving.clone() {
        Some(line) => line.suspend(what),
        None => what(),
    }
}

/// Puts a line that moves at the end of stderr, or takes it away.
pub(crate) fn set_moving_line(line: Option<ProgressBar>) {
    *MOVING.lock().unwrap_or_else(PoisonError::into_inner) = line;
}

/// Whether a line may move: people look, and want to be told.
pub(crate) fn may_move() -> bool {
    let voice = Voice::of_process();
    !voice.quiet && voice.format == LogFormat::Text && io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_a_line_of_its_own_and_nothing_else_is() {
        let hint = Hint::new("do c\nerror: e").and("  or d\u{7}");
        assert_eq!(
            as_text(Level::Error, "a\nb\u{9b}", Some(&hint), false),
            "error: a\\nb\\u009b\nhint: do c\\nerror: e\n  or d\\u0007"
        );
        assert_eq!(
            as_text(Level::Warning, "a: b", None, true),
            "\x1b[33mwarning\x1b[0m: a: b"
        );
        assert_eq!(as_text(Level::Note, "done: a", None, true), "done: a");
    }
}
