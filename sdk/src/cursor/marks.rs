//! What a cursor keeps from run to run: marks, and the server's time at which each was read.

use std::cmp::Ordering;

use super::place::Place;
use crate::{ColumnId, Error, Table, Value, Watermark};

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

/// How far columns have been read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Marks {
    /// Up to and including this place.
    pub(super) mark: Place,
    /// The server's time then; `None` where it is not known: somebody has set the mark, or an earlier version
    /// has.
    at: Option<i64>,
    /// Somebody has set the mark by hand.
    set: bool,
    /// The first place that there was a row at then.
    pub(super) least: Option<Place>,
    /// Marks before it, the latest first, each with its time.
    earlier: Vec<(i64, Place)>,
}

/// Names of marks, all of them begun with the columns' own. Times begin with the first one's.
struct Names<'a>(Vec<&'a str>);

impl Names<'_> {
    /// One for each column.
    fn of(&self, what: &str) -> Vec<String> {
        let names = self.0.iter();
        names.map(|column| format!("{column}{what}")).collect()
    }

    fn first(&self, what: &str) -> String {
        format!("{}{what}", self.0.first().copied().unwrap_or_default())
    }

    fn at(&self) -> String {
        self.first(" read at")
    }

    fn least(&self) -> Vec<String> {
        self.of(" least")
    }

    fn earlier(&self, number: usize) -> Vec<String> {
        self.of(&format!(" before {number}"))
    }

    fn earlier_at(&self, number: usize) -> String {
        self.first(&format!(" before {number} read at"))
    }
}

impl Marks {
    /// Reads a watermark; `None` where nothing has been read yet. One that has marks of the first columns only, as of a
    /// cursor with fewer or set by hand, stands before all rows that begin so.
    pub(super) fn of(
        watermark: &Watermark,
        table: &Table,
        columns: &[ColumnId],
    ) -> Result<Option<Marks>, Error> {
        let stale = |reason: String| Error::stale_watermark("other-watermark", reason);
        let known = match watermark.format {
            FORMAT_OF_ONE_MARK => watermark.marks.len() == 1,
            FORMAT => !watermark.marks.is_empty(),
            _ => false,
        };
        let first = watermark.marks.first().filter(|_| known);
        let Some((name, _)) = first else {
            return Err(stale(format!(
                "the watermark is not one of a cursor column: it has format {} and {} marks",
                watermark.format,
                watermark.marks.len()
            )));
        };
        if table.find(name) != columns.first().copied() {
            let own = columns.first().and_then(|column| table.get(*column));
            return Err(stale(format!(
                "the watermark is that of column '{name}', and the cursor column is now '{}'",
                own.map_or("", |column| &column.name)
            )));
        }
        // As the marks have them: a column's name may have changed in case since.
        let named = columns.iter().map(|column| {
            let mut marks = watermark.marks.iter().map(|(name, _)| name.as_str());
            let own = table.get(*column).map_or("", |column| &column.name);
            marks
                .find(|name| table.find(name) == Some(*column))
                .unwrap_or(own)
        });
        let names = Names(named.collect());
        let place = |names: &[String]| place(watermark, table, columns, names).map_err(stale);
        let time = |name: &str| match watermark.mark(name) {
            Some(Value::Timestamp(ticks)) => Some(*ticks),
            _ => None,
        };
        let Some(mark) = place(&names.of(""))? else {
            return Ok(None);
        };
        let mut earlier = Vec::new();
        for number in 1..=MOST_EARLIER {
            let at = time(&names.earlier_at(number));
            let (Some(place), Some(at)) = (place(&names.earlier(number))?, at) else {
                break;
            };
            earlier.push((at, place));
        }
        let at = time(&names.at());
        Ok(Some(Marks {
            mark,
            at,
            set: at.is_none() && watermark.format == FORMAT,
            least: place(&names.least())?,
            earlier,
        }))
    }

    /// The watermark of marks, or of columns of which nothing has been read.
    pub(super) fn watermark(
        marks: Option<&Marks>,
        table: &Table,
        columns: &[ColumnId],
    ) -> Watermark {
        let named = columns.iter().map(|column| {
            let column = table.get(*column);
            column.map_or("", |column| column.name.as_str())
        });
        let names = Names(named.collect());
        let with = |watermark: Watermark, names: Vec<String>, place: &Place| {
            let values = place.values().iter().cloned();
            names
                .into_iter()
                .zip(values)
                .fold(watermark, |watermark, (name, value)| {
                    watermark.with(name, value)
                })
        };
        let watermark = Watermark::new(FORMAT);
        let Some(marks) = marks else {
            let names = names.of("").into_iter();
            return names.fold(watermark, |watermark, name| {
                watermark.with(name, Value::Null)
            });
        };
        let mut watermark = with(watermark, names.of(""), &marks.mark);
        if let Some(at) = marks.at {
            watermark = watermark.with(names.at(), Value::Timestamp(at));
        }
        if let Some(least) = &marks.least {
            watermark = with(watermark, names.least(), least);
        }
        for (number, (at, place)) in (1..).zip(&marks.earlier) {
            watermark = with(watermark, names.earlier(number), place)
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
        mark: Place,
        now: i64,
        window: i64,
        least: Option<Place>,
    ) -> Marks {
        let mut known: Vec<(i64, Place)> = Vec::new();
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

/// The place of the marks with these names, one for each column or for the first ones; `None` without the first.
fn place(
    watermark: &Watermark,
    table: &Table,
    columns: &[ColumnId],
    names: &[String],
) -> Result<Option<Place>, String> {
    let mut values = Vec::new();
    for (column, name) in columns.iter().zip(names) {
        let Some(value) = watermark.mark(name).filter(|value| !value.is_null()) else {
            break;
        };
        let own = table.get(*column);
        if value.kind() != own.map(|column| column.kind) {
            return Err(format!(
                "the watermark of column '{}' is of another type than the column now is",
                own.map_or("", |column| &column.name)
            ));
        }
        values.push(value.clone());
    }
    Ok(Place::of(values))
}

/// What is known of the time before the latest mark.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum History<'a> {
    /// A mark that is old enough.
    Known(&'a Place),
    /// None is old enough.
    Unknown,
    /// Somebody has said where to begin.
    Set,
}

/// Those of the marks, the latest first, that later runs can need: none that is older than one which is old
/// enough already, and none that is hardly newer than another. For it is the older ones that will be wanted.
fn thinned(marks: Vec<(i64, Place)>, now: i64, window: i64) -> Vec<(i64, Place)> {
    let until = now.saturating_sub(window);
    let apart = (window / PARTS_OF_WINDOW).max(1);
    let needed = match marks.iter().position(|(at, _)| *at <= until) {
        Some(old_enough) => old_enough + 1,
        None => marks.len(),
    };
    let mut kept: Vec<(i64, Place)> = Vec::new();
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(value: i64) -> Place {
        Place::begins(Value::Integer(value))
    }

    const SECOND: i64 = TICKS_PER_SECOND;
    const WINDOW: i64 = 60 * SECOND;

    /// Runs every so many seconds, each of which reads up to its own number.
    fn runs(seconds: i64, number: i64) -> Option<Marks> {
        (0..number).fold(None, |before, run| {
            let mark = at(run);
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
                    (History::Known(place), Some(best)) => {
                        let mark = &place.first().as_integer().unwrap();
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
        assert_eq!(found, Some(History::Known(&at(2))));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_mark_old() {
        let first = Marks::advanced(None, at(1), 1000 * SECOND, WINDOW, None);
        let second = Marks::advanced(Some(&first), at(2), 10 * SECOND, WINDOW, None);
        assert_eq!(second.before(WINDOW), History::Unknown);
        let third = Marks::advanced(Some(&second), at(3), 70 * SECOND, WINDOW, None);
        assert_eq!(third.before(WINDOW), History::Known(&at(2)));
    }

    #[test]
    fn a_mark_that_does_not_move_is_known_for_as_long_as_it_stands() {
        let mut marks = runs(1, 1);
        for second in 1..=61 {
            marks = Some(Marks::advanced(
                marks.as_ref(),
                at(0),
                second * SECOND,
                WINDOW,
                None,
            ));
        }
        let found = marks.as_ref().map(|marks| marks.before(WINDOW));
        assert_eq!(found, Some(History::Known(&at(0))));
    }
}
