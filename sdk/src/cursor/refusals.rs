//! When a cursor ends a run instead of going on: rows would be missed, or have been.

use std::cmp::Ordering;

use super::marks::Marks;
use super::place::Place;
use super::readings::Readings;
use super::{Cursor, Nulls};
use crate::{Error, LogicalType};

/// Most columns of a cursor: a watermark holds no more marks than it has for so many.
const MOST_COLUMNS: usize = 4;

impl Cursor<'_> {
    /// Columns by which rows cannot be ordered together.
    pub(super) fn refuse_columns(&self) -> Result<(), Error> {
        let several = self.columns.get(1..).unwrap_or_default();
        if self.columns.is_empty() || self.columns.len() > MOST_COLUMNS {
            let message = format!(
                "a cursor has 1 to {MOST_COLUMNS} columns, not {}",
                self.columns.len()
            );
            return Err(Error::invalid_options("cursor-columns", message));
        }
        for (at, &column) in (1..).zip(several) {
            let Some(described) = self.table.get(column) else {
                continue;
            };
            let name = &described.name;
            let refused = |code: &str, why: &str| {
                let message = format!("'{name}' cannot be column {} of a cursor: {why}", at + 1);
                Err(Error::invalid_options(code, message).about(column))
            };
            if self.columns.iter().take(at).any(|other| *other == column) {
                return refused("repeated-column", "it stands before that already");
            }
            match described.kind {
                // Rows that are dated ahead of the clock are told by the first column.
                LogicalType::Date | LogicalType::Timestamp | LogicalType::TimestampTz => {
                    return refused(
                        "late-moment",
                        "a column of moments comes first, or not at all",
                    );
                }
                LogicalType::Text | LogicalType::Uuid | LogicalType::Boolean => {
                    return refused("no-order", "not all servers order its values alike");
                }
                _ => {}
            }
            // The host looks for such rows in the lake by one column.
            if described.nullable && self.nulls == Nulls::EveryRun {
                return refused("nullable-column", "it may be NULL, and nulls is every-run");
            }
        }
        Ok(())
    }

    pub(super) fn refuse_nulls(&self, readings: &Readings) -> Result<(), Error> {
        let Some(count) = readings.nulls.filter(|count| *count > 0) else {
            return Ok(());
        };
        if self.nulls != Nulls::Refuse {
            return Ok(());
        }
        let one = if self.columns.len() == 1 {
            ""
        } else {
            "one of "
        };
        let (rows, have) = match count {
            1 => ("row", "has"),
            _ => ("rows", "have"),
        };
        Err(self.about(Error::bad_data(
            "null-cursor",
            format!(
                "{count} {rows} of {} {have} NULL in {one}{} and would never be read; set nulls to every-run to read \
                 them in each run, or to skip to leave them out",
                self.table.name,
                self.names()
            ),
        )))
    }

    /// A mark that the clock has not reached: rows that came since lie below it.
    pub(super) fn refuse_ahead(&self, mark: &Place, now: i64) -> Result<(), Error> {
        match self.is_ahead(mark, now) {
            false => Ok(()),
            true => Err(self.about(Error::stale_watermark(
                "ahead-of-clock",
                format!(
                    "{} of {} has been read up to {mark}, which lies ahead of the server's clock: rows that came \
                     since may have been missed",
                    self.names(),
                    self.table.name
                ),
            ))),
        }
    }

    /// Rows with smaller numbers than there were, below those that are read: one that was merely committed late, in a
    /// table that has hardly another, lies among them.
    pub(super) fn refuse_counting_down(
        &self,
        read: &Marks,
        readings: &Readings,
        lower: &Place,
    ) -> Result<(), Error> {
        let (Some(before), Some(now)) = (&read.least, &readings.least) else {
            return Ok(());
        };
        let passed = now.compare(lower) == Some(Ordering::Less);
        match now.compare(before) {
            Some(Ordering::Less) if passed => Err(self.about(Error::stale_watermark(
                "counts-down",
                format!(
                    "the smallest value of {} in {} was {before} at the last run and is {now}: rows with smaller \
                     numbers have come, which are not looked for",
                    self.names(),
                    self.table.name
                ),
            ))),
            _ => Ok(()),
        }
    }

    pub(super) fn refuse_started_over(&self, readings: &Readings, rows: u64) -> Result<(), Error> {
        let (Some(read), Some(largest)) = (&self.read, &readings.largest) else {
            return Ok(());
        };
        let shrunk = largest.compare(&read.mark) == Some(Ordering::Less);
        // Rows without a value are read in every run, and tell nothing.
        let nulls = self.nulls == Nulls::EveryRun && readings.nulls.is_some_and(|nulls| nulls > 0);
        match shrunk && rows > 0 && !nulls {
            false => Ok(()),
            true => Err(self.about(Error::stale_watermark(
                "started-over",
                format!(
                    "the largest value of {} in {} is {largest}, though it has been read up to {}, and rows below \
                     that are new: the table was emptied, filled again or restored, or its newest rows are gone \
                     and others came late, and some may have been missed",
                    self.names(),
                    self.table.name,
                    read.mark
                ),
            ))),
        }
    }

    pub(super) fn malformed(&self, reason: &str) -> Error {
        Error::internal(
            "malformed-reading",
            format!("the reading of {} is unusable: {reason}", self.names()),
        )
    }

    fn about(&self, error: Error) -> Error {
        match self.columns.first() {
            Some(column) => error.about(*column),
            None => error,
        }
    }

    fn names(&self) -> String {
        self.table.names(&self.columns)
    }
}
