//! Logs on stderr.

use std::fmt;
use std::io::{self, Write};

use icehost_run::PIPELINE;
use icehost_untrusted::{self as untrusted, Hint};
use serde_json::Value;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::args::LogFormat;
use crate::voice::{self, Voice};

/// What is shown where `RUST_LOG` does not say: warnings and errors, but the driver's, which come as errors
/// of ours with more to say; and that a large component is compiled, which takes a while.
const DEFAULT: &str = "warn,tiberius=off,icehost::compile=info";
/// The same where only errors are to be shown.
const QUIET: &str = "error,tiberius=off";

/// Most bytes of one event.
const MOST: usize = 64 << 10;

/// Sends `tracing` events to stderr. `RUST_LOG` chooses what is shown, and whoever sets it gets times and modules too;
/// people who do not get warnings in the words of all others.
pub(crate) fn start() {
    let voice = Voice::of_process();
    let chosen = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let asked = !voice.quiet && !chosen.is_empty();
    let filter = match (voice.quiet, asked) {
        (true, _) => EnvFilter::new(QUIET),
        (false, true) => EnvFilter::try_new(&chosen).unwrap_or_else(|error| {
            let told = format!("{} is not understood: {error}", EnvFilter::DEFAULT_ENV);
            let hint = "write it as level, or as module=level, separated by commas: info,icehost_sync=debug";
            voice::say(voice::Level::Warning, &told, Some(&Hint::new(hint)));
            EnvFilter::new(DEFAULT)
        }),
        (false, false) => EnvFilter::new(DEFAULT),
    };
    let events = tracing_subscriber::fmt().with_env_filter(filter);
    match voice.format {
        LogFormat::Json => events
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .with_writer(|| Object)
            .init(),
        LogFormat::Text if asked => {
            let colour = voice::is_coloured();
            events
                .with_writer(move || OneLine { colour })
                .with_ansi(colour)
                .init();
        }
        LogFormat::Text => events
            .with_writer(|| OneLine { colour: false })
            .with_ansi(false)
            .event_format(Plain)
            .init(),
    }
}

/// Events as people are told them: `warning: PIPELINE: message`, without the module that says so.
struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match *event.metadata().level() {
            Level::ERROR => writer.write_str("error: ")?,
            Level::WARN => writer.write_str("warning: ")?,
            _ => {}
        }
        for span in context.event_scope().into_iter().flatten() {
            if span.name() == PIPELINE
                && let Some(fields) = span.extensions().get::<FormattedFields<N>>()
                && let Some(name) = fields.strip_prefix("name=")
            {
                write!(writer, "{name}: ")?;
            }
        }
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// Stderr, for events: each comes in one piece, and stays one line whatever others have put into it.
struct OneLine {
    colour: bool,
}

impl Write for OneLine {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        voice::write(&one_line(text, self.colour));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The same for events that are objects of JSON.
struct Object;

impl Write for Object {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let object = serde_json::from_slice(event).map(shown);
        voice::write(&match object {
            Ok(object) => untrusted::line(&object.to_string()).into_owned(),
            Err(_) => one_line(&String::from_utf8_lossy(event), false),
        });
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// A value whose texts have a bound, and no secret in them.
fn shown(value: Value) -> Value {
    match value {
        Value::String(text) => {
            let mut text = untrusted::without_secrets(&text).into_owned();
            if text.len() > MOST {
                text.truncate(text.floor_char_boundary(MOST));
                text.push('…');
            }
            Value::String(text)
        }
        Value::Array(items) => items.into_iter().map(shown).collect(),
        Value::Object(entries) => {
            let entries = entries.into_iter();
            entries.map(|(key, value)| (key, shown(value))).collect()
        }
        other => other,
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
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{one_line, shown};

    #[test]
    fn an_event_is_one_line_with_no_colours_but_our_own() {
        assert_eq!(
            one_line("WARN a\nERROR forged\u{9b}", false),
            "WARN a\\nERROR forged\\u009b"
        );
        let coloured = "\u{1b}[33m WARN\u{1b}[0m a\u{1b}]0;title\u{7}";
        assert_eq!(
            one_line(coloured, true),
            "\u{1b}[33m WARN\u{1b}[0m a\\u001b]0;title\\u0007"
        );
        assert_eq!(
            one_line(coloured, false),
            "\\u001b[33m WARN\\u001b[0m a\\u001b]0;title\\u0007"
        );
        assert!(one_line(&"x".repeat(1 << 20), false).len() < 1 << 17);
    }

    #[test]
    fn a_secret_that_slipped_in_is_hidden() {
        assert_eq!(
            one_line("INFO to mssql://sa:hunter2@db", false),
            "INFO to mssql://***@db"
        );
        let object = json!({ "level": "INFO", "span": { "to": "mssql://sa:hunter2@db" } });
        let hidden = json!({ "level": "INFO", "span": { "to": "mssql://***@db" } });
        assert_eq!(shown(object), hidden);
        let long = shown(json!("é".repeat(1 << 20)));
        assert!(long.as_str().is_some_and(|text| text.len() < 1 << 17));
    }
}
