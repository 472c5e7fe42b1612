//! Detection by a column that grows: what `timestamp` and `id` have in common.
//!
//! The upper bound is read from the server before the rows are: `lower < c AND c <= upper`. What arrives in
//! the meantime lies above it and belongs to the next run.

use std::cmp::Ordering;

use crate::{ColumnId, Error, ExtractionPlan, Predicate, Probe, Table, Value, Watermark, col, lit};

/// The layout of the watermark: one mark, named after the column.
const FORMAT: u32 = 1;

crate::choices! {
    /// What happens to rows that have no value in the cursor column.
    pub enum Nulls {
        /// The run ends with an error if there are any.
        Refuse = "refuse",
        /// They are read in every run.
        EveryRun = "every-run",
        /// They are never read.
        Skip = "skip",
    }
}

/// A column that grows, and how far it has been read.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    table: &'a Table,
    column: ColumnId,
    nulls: Nulls,
    read: Option<Value>,
}

impl<'a> Cursor<'a> {
    /// A cursor on `column` that stands where `watermark` says.
    ///
    /// A watermark of another column or kind gives an error of kind stale-watermark.
    pub fn new(
        table: &'a Table,
        column: ColumnId,
        nulls: Nulls,
        watermark: Option<&Watermark>,
    ) -> Result<Self, Error> {
        let mut cursor = Cursor {
            table,
            column,
            nulls,
            read: None,
        };
        if let Some(watermark) = watermark {
            cursor.read = cursor.mark_of(watermark)?;
        }
        Ok(cursor)
    }

    /// The largest value and, where there may be NULLs, their number.
    pub fn probes(&self) -> Vec<Probe> {
        let mut probes = vec![Probe::max(self.column)];
        if self.nullable() {
            probes.push(Probe::count_null(self.column));
        }
        probes
    }

    /// The rows above the watermark and up to the largest value that the server had when it was probed, in
    /// the column's order. `back` gives the lower bound, from the watermark: where a strategy reads again
    /// what it may have missed, something smaller.
    pub fn plan(
        &self,
        readings: &[Value],
        back: impl FnOnce(&Value) -> Value,
    ) -> Result<ExtractionPlan, Error> {
        self.refuse_nulls(readings)?;
        let cursor = || col(self.column);
        let upper = self.upper(readings)?;
        let range = match (&self.read, upper) {
            (_, None) => None,
            (None, Some(upper)) => Some(cursor().le(lit(upper))),
            (Some(read), Some(upper)) => {
                Some(cursor().gt(lit(back(read))).and(cursor().le(lit(upper))))
            }
        };
        let with_nulls = self.nullable() && self.nulls == Nulls::EveryRun;
        let wanted: Predicate = match (range, with_nulls) {
            (Some(range), false) => range,
            (Some(range), true) => range.or(cursor().is_null()),
            (None, true) => cursor().is_null(),
            // Nothing has a value: no row is wanted.
            (None, false) => cursor().is_null().and(cursor().is_not_null()),
        };
        let plan = ExtractionPlan::rows(self.table)
            .filter(wanted)
            .order_by(self.column);
        // Rows that are left out must not look deleted.
        let leaves_out = self.nullable() && self.nulls == Nulls::Skip;
        Ok(if self.read.is_none() && !leaves_out {
            plan.full()
        } else {
            plan
        })
    }

    /// The watermark for the next run. It never moves back: where the largest value has shrunk, the old one
    /// stays.
    pub fn advance(&self, readings: &[Value]) -> Result<Watermark, Error> {
        let upper = self.upper(readings)?.unwrap_or(Value::Null);
        Ok(Watermark::new(FORMAT).with(self.name(), upper))
    }

    fn mark_of(&self, watermark: &Watermark) -> Result<Option<Value>, Error> {
        let stale = |reason: String| Error::stale_watermark("other-watermark", reason);
        let (name, value) = match watermark.marks.as_slice() {
            [mark] if watermark.format == FORMAT => mark,
            _ => {
                return Err(stale(format!(
                    "the watermark is not one of a cursor column: it has format {} and {} marks",
                    watermark.format,
                    watermark.marks.len()
                )));
            }
        };
        if self.table.find(name) != Some(self.column) {
            return Err(stale(format!(
                "the watermark is that of column '{name}', and the cursor column is now '{}'",
                self.name()
            )));
        }
        let kind = self.table.get(self.column).map(|column| column.kind);
        match value.kind() {
            None => Ok(None),
            same if same == kind => Ok(Some(value.clone())),
            _ => Err(stale(format!(
                "the watermark of column '{name}' is of another type than the column now is"
            ))),
        }
    }

    /// The larger of what was read before and what the server has now; `None` if there is neither.
    fn upper(&self, readings: &[Value]) -> Result<Option<Value>, Error> {
        let Some(now) = readings.first() else {
            return Err(self.malformed("there is none"));
        };
        match (&self.read, now) {
            (read, Value::Null) => Ok(read.clone()),
            (None, now) => Ok(Some(now.clone())),
            (Some(read), now) => match read.compare(now) {
                Some(Ordering::Less) => Ok(Some(now.clone())),
                Some(_) => Ok(Some(read.clone())),
                None => Err(self.malformed("it is of another kind")),
            },
        }
    }

    fn refuse_nulls(&self, readings: &[Value]) -> Result<(), Error> {
        if !self.nullable() || self.nulls != Nulls::Refuse {
            return Ok(());
        }
        match readings.get(1).and_then(Value::as_integer) {
            Some(0) => Ok(()),
            Some(count) => Err(Error::bad_data(
                "null-cursor",
                format!(
                    "{count} rows of {} have NULL in '{}' and would never be read; set nulls to \
                     every-run to read them in each run, or to skip to leave them out",
                    self.table.name,
                    self.name()
                ),
            )
            .about(self.column)),
            None => Err(self.malformed("the number of NULLs is missing")),
        }
    }

    fn malformed(&self, reason: &str) -> Error {
        Error::internal(
            "malformed-reading",
            format!("the reading of '{}' is unusable: {reason}", self.name()),
        )
    }

    fn nullable(&self) -> bool {
        self.table
            .get(self.column)
            .is_some_and(|column| column.nullable)
    }

    fn name(&self) -> &str {
        self.table
            .get(self.column)
            .map_or("", |column| &column.name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Column, Coverage, Expression, Failure, LogicalType};

    fn table(nullable: bool) -> Table {
        let mut number = Column::new("Number", LogicalType::Integer, "bigint");
        number.nullable = nullable;
        Table::new(
            "dbo.Orders",
            vec![Column::new("Id", LogicalType::Integer, "int"), number],
        )
    }

    fn seen(value: impl Into<Value>) -> Watermark {
        Watermark::new(1).with("Number", value)
    }

    fn cursor<'a>(table: &'a Table, nulls: Nulls, watermark: Option<&Watermark>) -> Cursor<'a> {
        Cursor::new(table, 1, nulls, watermark).unwrap()
    }

    fn filter(predicate: Predicate) -> Option<Expression> {
        Some(predicate.into())
    }

    #[test]
    fn the_first_run_reads_everything_up_to_the_bound() {
        let table = table(false);
        let cursor = cursor(&table, Nulls::Refuse, None);
        assert_eq!(cursor.probes(), [Probe::max(1)]);
        let plan = cursor.plan(&[Value::Integer(7)], Value::clone).unwrap();
        assert_eq!(plan.filter, filter(col(1).le(lit(7))));
        assert_eq!(plan.coverage, Coverage::Full);
        assert_eq!(plan.columns, [0, 1]);
        assert_eq!(cursor.advance(&[Value::Integer(7)]).unwrap(), seen(7));
    }

    #[test]
    fn a_later_run_reads_above_the_watermark() {
        let table = table(false);
        let cursor = cursor(&table, Nulls::Refuse, Some(&seen(7)));
        let plan = cursor
            .plan(&[Value::Integer(9)], |v| {
                Value::Integer(v.as_integer().unwrap() - 2)
            })
            .unwrap();
        assert_eq!(
            plan.filter,
            filter(col(1).gt(lit(5)).and(col(1).le(lit(9))))
        );
        assert_eq!(plan.coverage, Coverage::Incremental);
        assert_eq!(cursor.advance(&[Value::Integer(9)]).unwrap(), seen(9));
    }

    #[test]
    fn the_watermark_never_moves_back() {
        let table = table(false);
        let cursor = cursor(&table, Nulls::Refuse, Some(&seen(7)));
        for reading in [Value::Integer(3), Value::Null] {
            let readings = [reading];
            let plan = cursor.plan(&readings, Value::clone).unwrap();
            assert_eq!(
                plan.filter,
                filter(col(1).gt(lit(7)).and(col(1).le(lit(7))))
            );
            assert_eq!(plan.coverage, Coverage::Incremental);
            assert_eq!(cursor.advance(&readings).unwrap(), seen(7));
        }
    }

    #[test]
    fn an_empty_table_is_read_whole_and_leaves_nothing_read() {
        let table = table(false);
        let first = cursor(&table, Nulls::Refuse, None);
        let plan = first.plan(&[Value::Null], Value::clone).unwrap();
        assert_eq!(
            plan.filter,
            filter(col(1).is_null().and(col(1).is_not_null()))
        );
        assert_eq!(plan.coverage, Coverage::Full);
        let watermark = first.advance(&[Value::Null]).unwrap();
        assert_eq!(watermark, seen(Value::Null));
        let second = cursor(&table, Nulls::Refuse, Some(&watermark));
        let plan = second.plan(&[Value::Integer(1)], Value::clone).unwrap();
        assert_eq!(plan.filter, filter(col(1).le(lit(1))));
    }

    #[test]
    fn nulls_are_refused_only_where_there_are_any() {
        let table = table(true);
        let cursor = cursor(&table, Nulls::Refuse, None);
        assert_eq!(cursor.probes(), [Probe::max(1), Probe::count_null(1)]);
        let readings = |nulls| [Value::Integer(7), Value::Integer(nulls)];
        assert!(cursor.plan(&readings(0), Value::clone).is_ok());
        let error = cursor.plan(&readings(12), Value::clone).unwrap_err();
        assert_eq!(
            (error.kind, error.code.as_str(), error.column),
            (Failure::BadData, "null-cursor", Some(1))
        );
        assert!(
            error
                .message
                .starts_with("12 rows of dbo.Orders have NULL in 'Number'")
        );
    }

    #[test]
    fn nulls_are_read_in_every_run_if_asked_for() {
        let table = table(true);
        let readings = [Value::Integer(9), Value::Integer(12)];
        let nulls = || col(1).is_null();
        let plan = cursor(&table, Nulls::EveryRun, Some(&seen(7)))
            .plan(&readings, Value::clone)
            .unwrap();
        let range = col(1).gt(lit(7)).and(col(1).le(lit(9)));
        assert_eq!(plan.filter, filter(range.or(nulls())));
        let plan = cursor(&table, Nulls::EveryRun, None)
            .plan(&[Value::Null, Value::Integer(12)], Value::clone)
            .unwrap();
        assert_eq!(plan.filter, filter(nulls()));
        assert_eq!(plan.coverage, Coverage::Full);
    }

    #[test]
    fn a_run_that_skips_nulls_does_not_claim_to_read_everything() {
        let readings = [Value::Integer(9), Value::Integer(12)];
        let plan = cursor(&table(true), Nulls::Skip, None)
            .plan(&readings, Value::clone)
            .unwrap();
        assert_eq!(plan.filter, filter(col(1).le(lit(9))));
        assert_eq!(plan.coverage, Coverage::Incremental);
    }

    #[test]
    fn a_watermark_of_something_else_is_stale() {
        let table = table(false);
        for (watermark, reason) in [
            (
                Watermark::new(1).with("Id", 3),
                "the watermark is that of column 'Id', and the cursor column is now 'Number'",
            ),
            (
                seen("text"),
                "the watermark of column 'Number' is of another type than the column now is",
            ),
            (
                Watermark::new(2).with("Number", 3),
                "the watermark is not one of a cursor column: it has format 2 and 1 marks",
            ),
            (
                Watermark::new(1),
                "the watermark is not one of a cursor column: it has format 1 and 0 marks",
            ),
        ] {
            let error = Cursor::new(&table, 1, Nulls::Refuse, Some(&watermark)).unwrap_err();
            assert_eq!(error.kind, Failure::StaleWatermark);
            assert_eq!(error.message, reason);
        }
    }

    #[test]
    fn unusable_readings_are_the_host_s_fault() {
        let table = table(true);
        let cursor = cursor(&table, Nulls::Refuse, Some(&seen(7)));
        for readings in [
            vec![],
            vec![Value::Integer(8)],
            vec![Value::Date(8), Value::Integer(0)],
        ] {
            let error = cursor.plan(&readings, Value::clone).unwrap_err();
            assert_eq!(error.kind, Failure::Internal, "{readings:?}");
        }
    }
}
