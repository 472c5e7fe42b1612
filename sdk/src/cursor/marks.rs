//! What a cursor keeps from run to run: marks, and the server's time at which each was read.

use std::cmp::Ordering;

use crate::{Column, ColumnId, Error, Table, Value, Watermark};

/// The layout of the watermark.
const FORMAT: u32 = 2;
/// The layout of earlier versions: the mark alone.
const FORMAT_OF_ONE_MARK: u32 = 1;
/// Most marks beside the latest one. Fewer are always enough, since an older one serves as well.
const MOST_EARLIER: usize = 8;
/// Marks that are nearer in time than this part of the window tell little of each other.
const PARTS_OF_WINDOW: i64 = 6;
/// 100 ns ticks in a second.
pub(super) const TICKS_PER_SECOND: i64 = 10_000_000;

/// How far a column has been read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Marks {
    /// Up to and including this value.
    pub(super) mark: Value,
    /// The server's time then; `None` where it is not known: somebody has set the mark, or an earlier version
    /// has.
    at: Option<i64>,
    /// Somebody has set the mark by hand.
    set: bool,
    /// The smallest value that there was then.
    pub(super) least: Option<Value>,
    /// Marks before it, the latest first, each with its time.
    earlier: Vec<(i64, Value)>,
}

/// Names of marks, all of them begun with the column's own.
struct Names<'a>(&'a str);

impl Names<'_> {
    fn at(&self) -> String {
        format!("{} read at", self.0)
    }

    fn least(&self) -> String {
        format!("{} least", self.0)
    }

    fn earlier(&self, number: usize) -> String {
        format!("{} before {number}", self.0)
    }

    fn earlier_at(&self, number: usize) -> String {
        format!("{} before {number} read at", self.0)
    }
}

impl Marks {
    /// Reads a watermark; `None` where nothing has been read yet.
    pub(super) fn of(
        watermark: &Watermark,
        table: &Table,
        column: ColumnId,
    ) -> Result<Option<Marks>, Error> {
        let stale = |reason: String| Error::stale_watermark("other-watermark", reason);
        let own = table.get(column);
        let own_name = own.map_or("", |column| &column.name);
        let known = match watermark.format {
            FORMAT_OF_ONE_MARK => watermark.marks.len() == 1,
            FORMAT => !watermark.marks.is_empty(),
            _ => false,
        };
        let first = watermark.marks.first().filter(|_| known);
        let Some((name, mark)) = first else {
            return Err(stale(format!(
                "the watermark is not one of a cursor column: it has format {} and {} marks",
                watermark.format,
                watermark.marks.len()
            )));
        };
        if table.find(name) != Some(column) {
            return Err(stale(format!(
                "the watermark is that of column '{name}', and the cursor column is now '{own_name}'"
            )));
        }
        let names = Names(name);
        let of_kind = |value: &Value| match (value.kind(), own) {
            (None, _) => Ok(None),
            (kind, Some(column)) if kind == Some(column.kind) => Ok(Some(value.clone())),
            _ => Err(stale(format!(
                "the watermark of column '{name}' is of another type than the column now is"
            ))),
        };
        let time = |name: String| match watermark.mark(&name) {
            Some(Value::Timestamp(ticks)) => Some(*ticks),
            _ => None,
        };
        let Some(mark) = of_kind(mark)? else {
            return Ok(None);
        };
        let mut earlier = Vec::new();
        for number in 1..=MOST_EARLIER {
            let value = watermark.mark(&names.earlier(number));
            let (Some(value), Some(at)) = (value, time(names.earlier_at(number))) else {
                break;
            };
            if let Some(value) = of_kind(value)? {
                earlier.push((at, value));
            }
        }
        let least = watermark.mark(&names.least());
        let at = time(names.at());
        Ok(Some(Marks {
            mark,
            at,
            set: at.is_none() && watermark.format == FORMAT,
            least: least.map(of_kind).transpose()?.flatten(),
            earlier,
        }))
    }

    /// The watermark of marks, or of a column of which nothing has been read.
    pub(super) fn watermark(marks: Option<&Marks>, column: Option<&Column>) -> Watermark {
        let names = Names(column.map_or("", |column| &column.name));
        let Some(marks) = marks else {
            return Watermark::new(FORMAT).with(names.0, Value::Null);
        };
        let mut watermark = Watermark::new(FORMAT).with(names.0, marks.mark.clone());
        if let Some(at) = marks.at {
            watermark = watermark.with(names.at(), Value::Timestamp(at));
        }
        if let Some(least) = &marks.least {
            watermark = watermark.with(names.least(), least.clone());
        }
        for (number, (at, value)) in (1..).zip(&marks.earlier) {
            watermark = watermark
                .with(names.earlier(number), value.clone())
                .with(names.earlier_at(number), Value::Timestamp(*at));
        }
        watermark
    }

    /// The newest mark that was read at least `window` ticks before the latest one. Whatever was not yet
    /// committed when that was read, by a transaction no longer than the window, was written after this one
    /// was read.
    pub(super) fn before(&self, window: i64) -> History<'_> {
        let Some(at) = self.at else {
            return match self.set {
                true => History::Set,
                false => History::Unknown,
            };
        };
        let until = at.saturating_sub(window);
        let latest = (window == 0).then_some(&self.mark);
        let earlier = self.earlier.iter().find(|(time, _)| *time <= until);
        match latest.or(earlier.map(|(_, mark)| mark)) {
            Some(mark) => History::Known(mark),
            None => History::Unknown,
        }
    }

    /// The marks of the next run, which has read up to `mark` at `now`.
    pub(super) fn advanced(
        before: Option<&Marks>,
        mark: Value,
        now: i64,
        window: i64,
        least: Option<Value>,
    ) -> Marks {
        let mut known: Vec<(i64, Value)> = Vec::new();
        if let Some(before) = before {
            let latest = before.at.map(|at| (at, before.mark.clone()));
            // A clock that was set back has not read them later than now.
            let all = latest.into_iter().chain(before.earlier.iter().cloned());
            known = all.map(|(at, value)| (at.min(now), value)).collect();
        }
        known.retain(|(at, value)| !(*at == now && *value == mark));
        Marks {
            mark,
            at: Some(now),
            set: false,
            least,
            earlier: thinned(known, now, window),
        }
    }
}

/// What is known of the time before the latest mark.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum History<'a> {
    /// A mark that is old enough.
    Known(&'a Value),
    /// None is old enough.
    Unknown,
    /// Somebody has said where to begin.
    Set,
}

/// Those of the marks, the latest first, that later runs can need: none that is older than one which is old
/// enough already, and none that is hardly newer than another. For it is the older ones that will be wanted.
fn thinned(marks: Vec<(i64, Value)>, now: i64, window: i64) -> Vec<(i64, Value)> {
    let until = now.saturating_sub(window);
    let apart = (window / PARTS_OF_WINDOW).max(1);
    let needed = match marks.iter().position(|(at, _)| *at <= until) {
        Some(old_enough) => old_enough + 1,
        None => marks.len(),
    };
    let mut kept: Vec<(i64, Value)> = Vec::new();
    for (at, value) in marks.into_iter().take(needed).rev() {
        let new = kept.last().is_none_or(|(time, last)| {
            at - time >= apart && last.compare(&value) != Some(Ordering::Equal)
        });
        if new {
            kept.push((at, value));
        }
    }
    kept.truncate(MOST_EARLIER);
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = TICKS_PER_SECOND;
    const WINDOW: i64 = 60 * SECOND;

    /// Runs every so many seconds, each of which reads up to its own number.
    fn runs(seconds: i64, number: i64) -> Option<Marks> {
        (0..number).fold(None, |before, run| {
            let mark = Value::Integer(run);
            Some(Marks::advanced(
                before.as_ref(),
                mark,
                run * seconds * SECOND,
                WINDOW,
                None,
            ))
        })
    }

    #[test]
    fn an_old_enough_mark_is_always_kept() {
        for seconds in [1, 7, 10, 59, 60, 61, 3600] {
            for number in 1..200 {
                let marks = runs(seconds, number);
                let Some(marks) = marks else { continue };
                assert!(marks.earlier.len() <= MOST_EARLIER);
                let newest_old_enough = (0..number)
                    .rev()
                    .find(|run| run * seconds <= (number - 1) * seconds - 60);
                match (marks.before(WINDOW), newest_old_enough) {
                    (History::Known(Value::Integer(mark)), Some(best)) => {
                        assert!(*mark <= best, "every {seconds} s, run {number}");
                        // Not much older than needed.
                        let behind = (best - mark) * seconds;
                        assert!(behind <= 60 / PARTS_OF_WINDOW + seconds, "{behind}");
                    }
                    (History::Unknown, None) => {}
                    other => assert_eq!(format!("{other:?}"), "", "every {seconds} s"),
                }
            }
        }
    }

    #[test]
    fn without_a_window_the_latest_mark_is_old_enough() {
        let marks = runs(100, 3);
        let found = marks.as_ref().map(|marks| marks.before(0));
        assert_eq!(found, Some(History::Known(&Value::Integer(2))));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_mark_old() {
        let first = Marks::advanced(None, Value::Integer(1), 1000 * SECOND, WINDOW, None);
        let second = Marks::advanced(Some(&first), Value::Integer(2), 10 * SECOND, WINDOW, None);
        assert_eq!(second.before(WINDOW), History::Unknown);
        let third = Marks::advanced(Some(&second), Value::Integer(3), 70 * SECOND, WINDOW, None);
        assert_eq!(third.before(WINDOW), History::Known(&Value::Integer(2)));
    }

    #[test]
    fn a_mark_that_does_not_move_is_known_for_as_long_as_it_stands() {
        let mut marks = runs(1, 1);
        for second in 1..=61 {
            marks = Some(Marks::advanced(
                marks.as_ref(),
                Value::Integer(0),
                second * SECOND,
                WINDOW,
                None,
            ));
        }
        let found = marks.as_ref().map(|marks| marks.before(WINDOW));
        assert_eq!(found, Some(History::Known(&Value::Integer(0))));
    }
}
