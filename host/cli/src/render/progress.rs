//! Progress on a terminal, steps in the log elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use icehost_sync::{Event, Observer};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

use crate::advice::Advice;
use crate::args::Output;
use crate::failure::shown;
use crate::render::note;

/// Shows one line that moves where stderr is a terminal; always logs each step.
pub(crate) struct Progress {
    /// In front of what is told: the pipeline, where there are several.
    prefix: String,
    /// For commands that warnings name.
    advice: Advice,
    line: Option<ProgressBar>,
    started: Mutex<Instant>,
    /// Of a first load: ranges done and in all.
    ranges: Mutex<Option<(u64, u64)>>,
}

impl Progress {
    pub(crate) fn new(output: Output) -> Self {
        let moving = output == Output::Text && std::io::stderr().is_terminal();
        let line = moving.then(|| {
            let line = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                line.set_style(style);
            }
            line.enable_steady_tick(Duration::from_millis(100));
            line
        });
        Progress {
            prefix: String::new(),
            advice: Advice::default(),
            line,
            started: Mutex::new(Instant::now()),
            ranges: Mutex::new(None),
        }
    }

    /// For one pipeline among others, which cannot all move a line: warnings bear its name.
    pub(crate) fn of_pipeline(name: &str, advice: Advice) -> Self {
        Progress {
            prefix: format!("{name}: "),
            advice,
            line: None,
            started: Mutex::new(Instant::now()),
            ranges: Mutex::new(None),
        }
    }

    /// Warnings name commands as this says.
    pub(crate) fn with_advice(mut self, advice: &Advice) -> Self {
        self.advice = advice.clone();
        self
    }

    /// Takes the line away.
    pub(crate) fn finish(&self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }

    fn show(&self, text: String) {
        if let Some(line) = &self.line {
            line.set_message(text);
        }
    }

    /// A new count starts.
    fn restart(&self) {
        if let Ok(mut started) = self.started.lock() {
            *started = Instant::now();
        }
    }

    fn rate(&self, what: &str, rows: u64, bytes: u64) -> String {
        let seconds = self
            .started
            .lock()
            .map_or(0.0, |started| started.elapsed().as_secs_f64());
        let per_second = if seconds > 0.0 {
            (rows as f64 / seconds) as u64
        } else {
            0
        };
        format!(
            "{what}: {} rows, {} rows/s, {}",
            HumanCount(rows),
            HumanCount(per_second),
            HumanBytes(bytes)
        )
    }

    fn line_above(&self, text: &str) {
        match &self.line {
            Some(line) => line.suspend(|| note(shown(text))),
            None => note(shown(text)),
        }
    }
}

impl Observer for Progress {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Detecting => {
                tracing::info!("asking the source what changed");
                self.show("asking the source what changed".to_owned());
            }
            Event::Extracting { row_estimate } => {
                tracing::info!(row_estimate, "reading rows from the source");
                self.restart();
            }
            Event::Extracted { rows, bytes } => {
                tracing::debug!(rows, bytes, "rows staged for the lake");
                let ranges = self.ranges.lock().ok().and_then(|ranges| *ranges);
                let what = match ranges {
                    Some((done, total)) => format!("to the lake, {done} of {total} ranges"),
                    None => "to the lake".to_owned(),
                };
                self.show(self.rate(&what, rows, bytes));
            }
            Event::Ranges { done, total } => {
                tracing::info!(done, total, "ranges of the first load read");
                if let Ok(mut ranges) = self.ranges.lock() {
                    *ranges = Some((done, total));
                }
            }
            Event::Committed { snapshot_id, rows } => {
                tracing::info!(snapshot_id, rows, "committed a snapshot");
            }
            Event::Loading { rows } => {
                tracing::info!(rows, "reading changes from the lake");
                self.restart();
            }
            Event::Loaded { rows, bytes } => {
                tracing::debug!(rows, bytes, "rows staged at the target");
                self.show(self.rate("to the target", rows, bytes));
            }
            Event::Merging { rows } => {
                tracing::info!(rows, "merging");
                self.show(format!("merging {} rows", HumanCount(rows)));
            }
            Event::Merged => tracing::info!("merged"),
            Event::Warning(text) => {
                let text = self.advice.complete(text);
                self.line_above(&format!("warning: {}{text}", self.prefix));
            }
            Event::Retrying {
                attempt,
                of,
                delay,
                error,
            } => self.line_above(&format!(
                "warning: {}attempt {attempt} of {of} failed, trying again in {:.1} s: {}",
                self.prefix,
                delay.as_secs_f64(),
                self.advice.complete(&error.to_string())
            )),
            _ => {}
        }
    }
}
