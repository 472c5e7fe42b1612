//! Logs on stderr.

use std::io::{self, IsTerminal, Write};

use icehost_untrusted as untrusted;
use tracing_subscriber::EnvFilter;

/// What is shown where `RUST_LOG` does not say: warnings and errors, but the driver's, which come as errors
/// of ours with more to say; and that a large component is compiled, which takes a while.
const DEFAULT: &str = "warn,tiberius=off,icehost::compile=info";

/// Most bytes of one event.
const MOST: usize = 64 << 10;

/// Sends `tracing` events to stderr. `RUST_LOG` chooses what is shown.
pub(crate) fn start() {
    let chosen = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let filter = EnvFilter::builder().parse_lossy(match chosen.is_empty() {
        true => DEFAULT,
        false => &chosen,
    });
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || OneLine { colour })
        .with_ansi(colour)
        .init();
}

/// Stderr, for events: each comes in one piece, and stays one line whatever others have put into it.
struct OneLine {
    colour: bool,
}

impl Write for OneLine {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        io::stderr().write_all(one_line(text, self.colour).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// An event as it leaves the program. The formatter has escaped every escape character but those of its own colours.
fn one_line(text: &str, colour: bool) -> String {
    let clean = untrusted::without_secrets(text);
    let mut line = String::new();
    let mut pieces = clean.split('\u{1b}');
    line.push_str(&untrusted::line(pieces.next().unwrap_or_default()));
    for piece in pieces {
        let is_colour = |(parameters, _): &(&str, &str)| {
            parameters
                .strip_prefix('[')
                .is_some_and(|codes| codes.bytes().all(|b| b.is_ascii_digit() || b == b';'))
        };
        match piece.split_once('m').filter(is_colour) {
            Some((codes, text)) if colour => {
                line.push_str(&format!("\u{1b}{codes}m{}", untrusted::line(text)));
            }
            _ => line.push_str(&format!("\\u001b{}", untrusted::line(piece))),
        }
    }
    if !colour {
        line = untrusted::shown_up_to(&line, MOST);
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn an_event_is_one_line_with_no_colours_but_our_own() {
        assert_eq!(
            one_line("WARN a\nERROR forged\u{9b}", false),
            "WARN a\\nERROR forged\\u009b\n"
        );
        let coloured = "\u{1b}[33m WARN\u{1b}[0m a\u{1b}]0;title\u{7}";
        assert_eq!(
            one_line(coloured, true),
            "\u{1b}[33m WARN\u{1b}[0m a\\u001b]0;title\\u0007\n"
        );
        assert_eq!(
            one_line(coloured, false),
            "\\u001b[33m WARN\\u001b[0m a\\u001b]0;title\\u0007\n"
        );
        assert!(one_line(&"x".repeat(1 << 20), false).len() < 1 << 17);
    }

    #[test]
    fn a_secret_that_slipped_in_is_hidden() {
        assert_eq!(
            one_line("INFO to mssql://sa:hunter2@db", false),
            "INFO to mssql://***@db\n"
        );
    }
}
