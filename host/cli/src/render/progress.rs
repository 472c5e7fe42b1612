//! Progress on a terminal, steps in the log elsewhere.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use icehost_sync::{Event, Observer};
use indicatif::{ProgressBar, ProgressStyle};

use crate::advice::Advice;
use crate::args::Output;
use crate::failure::shown;
use crate::render::counted;
use crate::render::pace::Pace;
use crate::voice::{self, Level};

/// Shows one line that moves where stderr is a terminal; always logs each step.
pub(crate) struct Progress {
    /// In front of what is told: the pipeline, where there are several.
    prefix: String,
    /// For commands and settings that warnings name.
    advice: Advice,
    line: Option<ProgressBar>,
    counted: Mutex<Counted>,
}

/// What is being counted.
struct Counted {
    started: Instant,
    /// Rows that there are to move, about.
    total: Option<u64>,
    /// Of a first load: ranges done when it began, done by now, and in all.
    ranges: Option<(u64, u64, u64)>,
}

impl Counted {
    fn of(total: Option<u64>) -> Counted {
        Counted {
            started: Instant::now(),
            total,
            ranges: None,
        }
    }

    /// Rows that are left to this run of those that there are: ranges are of one size.
    fn left_to_run(&self) -> Option<u64> {
        match (self.total, self.ranges) {
            (Some(total), Some((before, _, ranges))) if ranges > 0 => {
                let left = u128::from(total) * u128::from(ranges.saturating_sub(before));
                u64::try_from(left / u128::from(ranges)).ok()
            }
            (total, _) => total,
        }
    }
}

impl Progress {
    pub(crate) fn new(output: Output) -> Self {
        let moving = output == Output::Text && voice::may_move();
        let line = moving.then(|| {
            let line = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                line.set_style(style);
            }
            line.enable_steady_tick(Duration::from_millis(100));
            voice::set_moving_line(Some(line.clone()));
            line
        });
        Progress {
            prefix: String::new(),
            advice: Advice::default(),
            line,
            counted: Mutex::new(Counted::of(None)),
        }
    }

    /// For one pipeline among others, which cannot all move a line: warnings bear its name.
    pub(crate) fn of_pipeline(name: &str, advice: Advice) -> Self {
        Progress {
            prefix: format!("{name}: "),
            advice,
            line: None,
            counted: Mutex::new(Counted::of(None)),
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
            voice::set_moving_line(None);
            line.finish_and_clear();
        }
    }

    fn show(&self, text: String) {
        if let Some(line) = &self.line {
            line.set_message(text);
        }
    }

    /// A new count starts.
    fn restart(&self, total: Option<u64>) {
        *self.counted() = Counted::of(total);
    }

    fn counted(&self) -> std::sync::MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved(&self, what: &str, rows: u64, bytes: u64, about: bool) {
        if self.line.is_none() {
            return;
        }
        let counted = self.counted();
        let what = match counted.ranges {
            Some((_, done, total)) => format!("{what}, {done} of {total} ranges"),
            None => what.to_owned(),
        };
        let pace = Pace {
            rows,
            bytes,
            of: counted.left_to_run(),
            about,
            took: counted.started.elapsed(),
        };
        drop(counted);
        self.show(format!("{what}: {pace}"));
    }

    fn warn(&self, text: &str) {
        let text = self.advice.complete(text);
        let text = shown(&format!("{}{text}", self.prefix));
        voice::say(Level::Warning, &text, None);
    }
}

impl Drop for Progress {
    /// A command that is given up leaves no line behind.
    fn drop(&mut self) {
        self.finish();
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
                self.restart(row_estimate);
            }
            Event::Extracted { rows, bytes } => {
                tracing::debug!(rows, bytes, "rows staged for the lake");
                self.moved("to the lake", rows, bytes, true);
            }
            Event::Ranges { done, total } => {
                tracing::info!(done, total, "ranges of the first load read");
                let mut counted = self.counted();
                let before = counted.ranges.map_or(done, |(before, _, _)| before);
                counted.ranges = Some((before, done, total));
            }
            Event::Committed { snapshot_id, rows } => {
                tracing::info!(snapshot_id, rows, "committed a snapshot");
            }
            Event::Loading { rows } => {
                tracing::info!(rows, "reading changes from the lake");
                self.restart(Some(rows));
            }
            Event::Loaded { rows, bytes } => {
                tracing::debug!(rows, bytes, "rows staged at the target");
                self.moved("to the target", rows, bytes, false);
            }
            Event::Merging { rows } => {
                tracing::info!(rows, "merging");
                self.show(format!("merging {}", counted(rows, "row")));
            }
            Event::Merged => tracing::info!("merged"),
            Event::Warning(text) => self.warn(text),
            Event::Retrying {
                attempt,
                of,
                delay,
                error,
            } => self.warn(&format!(
                "attempt {attempt} of {of} failed, trying again in {:.1} s: {error}",
                delay.as_secs_f64(),
            )),
            _ => {}
        }
    }
}
