//! `timestamp`: rows whose modification time is later than at the last run.

mod choice;

use icehost_sdk::cursor::{Cursor, LOOKBACK_SECONDS, Nulls, Past};
use icehost_sdk::prelude::*;

/// 100 ns ticks in a second.
const TICKS_PER_SECOND: i64 = 10_000_000;
const SECONDS_PER_DAY: u32 = 86_400;
/// The start of year 1, with which `date`, `datetime2` and `datetimeoffset` begin (T-SQL reference): in ticks
/// and in days from 1970.
const FIRST_TICK: i64 = -621_355_968_000_000_000;
const FIRST_DAY: i32 = -719_162;

/// The strategy.
pub struct Timestamp;

icehost_sdk::options! {
    /// What users may set.
    pub struct TimestampOptions {
        /// The column that holds when a row was last modified: date, datetime, smalldatetime, datetime2 or
        /// datetimeoffset. By default the only one of these whose name says so, else the only one.
        pub column: Option<String>,
        /// Reads again what may have been committed this many seconds late: what the lake has of it is left
        /// out. Set it to the longest transaction that is to be expected.
        pub lookback_seconds: u32 = LOOKBACK_SECONDS,
        /// What happens to rows without a value in the column: refuse ends the run, every-run reads them in
        /// each run, skip leaves them out.
        pub nulls: Nulls = Nulls::Refuse,
    }
}

impl ChangeDetector for Timestamp {
    const NAME: &'static str = "timestamp";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str =
        "reads rows whose modification time is later than at the last run; does not see deletes";
    type Options = TimestampOptions;

    fn probes(context: &Context<TimestampOptions>) -> Result<Vec<Probe>, Error> {
        let column = choice::column(&context.table, context.options.column.as_deref())?;
        if context.options.column.is_none() {
            choice::announce(&context.table, column);
        }
        Ok(cursor(context, column)?.probes())
    }

    fn plan(
        context: &Context<TimestampOptions>,
        readings: &[Value],
    ) -> Result<ExtractionPlan, Error> {
        let column = choice::column(&context.table, context.options.column.as_deref())?;
        let lookback = context.options.lookback_seconds;
        cursor(context, column)?.plan(readings, |read, past| match (read, past) {
            // Days are too coarse to go back by seconds where an earlier mark tells better.
            (Value::Date(_), Past::Known) => read.clone(),
            _ => earlier(read, lookback),
        })
    }

    fn advance(context: &Context<TimestampOptions>, outcome: &Outcome) -> Result<Watermark, Error> {
        let column = choice::column(&context.table, context.options.column.as_deref())?;
        cursor(context, column)?.advance(outcome)
    }
}

fn cursor(context: &Context<TimestampOptions>, column: ColumnId) -> Result<Cursor<'_>, Error> {
    let watermark = context.watermark.as_ref();
    let cursor = Cursor::new(&context.table, column, context.options.nulls, watermark)?;
    Ok(cursor.lookback(context.options.lookback_seconds))
}

/// A moment this many seconds earlier, but within SQL Server's years.
fn earlier(moment: &Value, seconds: u32) -> Value {
    let ticks_back = |ticks: i64| {
        ticks
            .saturating_sub(i64::from(seconds) * TICKS_PER_SECOND)
            .max(FIRST_TICK)
    };
    match moment {
        Value::Date(day) => {
            let days = seconds.div_ceil(SECONDS_PER_DAY) as i32;
            Value::Date(day.saturating_sub(days).max(FIRST_DAY))
        }
        Value::Timestamp(ticks) => Value::Timestamp(ticks_back(*ticks)),
        Value::TimestampTz(zoned) => Value::TimestampTz(Zoned {
            ticks: ticks_back(zoned.ticks),
            offset_minutes: zoned.offset_minutes,
        }),
        other => other.clone(),
    }
}

icehost_sdk::export_change_detector!(Timestamp);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn context(
        columns: Vec<Column>,
        options: &str,
        watermark: Option<Watermark>,
    ) -> Context<TimestampOptions> {
        Context {
            table: Table::new("dbo.Orders", columns),
            options: icehost_sdk::options::parse(options).unwrap(),
            watermark,
        }
    }

    fn columns(kind: LogicalType, native_type: &str) -> Vec<Column> {
        vec![
            Column::new("Id", LogicalType::Integer, "int").key(0),
            Column::new("ModifiedDate", kind, native_type),
        ]
    }

    const NOW: Value = Value::Timestamp(17_000_000_000_000_000);

    /// The largest value, and the server's time.
    fn readings(largest: Value) -> Vec<Value> {
        vec![largest, NOW]
    }

    /// The plan's lower and upper bound.
    fn bounds(plan: &ExtractionPlan) -> Vec<Value> {
        let nodes = plan.filter.iter().flat_map(|filter| &filter.nodes);
        let literals = nodes.filter_map(|node| match node {
            icehost_sdk::Node::Literal(value) => Some(value.clone()),
            _ => None,
        });
        literals.take(2).collect()
    }

    #[test]
    fn the_mark_keeps_all_digits_of_100_ns() {
        let late = Value::Timestamp(17_000_000_000_000_001);
        let seen = Watermark::new(2).with("ModifiedDate", Value::Timestamp(16_999_999_999_999_999));
        let context = context(
            columns(LogicalType::Timestamp, "datetime2(7)"),
            "{}",
            Some(seen),
        );
        let plan = Timestamp::plan(&context, &readings(late.clone())).unwrap();
        // Whole microseconds: the lake has no more.
        let from = Value::Timestamp(16_999_999_999_999_990);
        assert_eq!(bounds(&plan), [from, late.clone()]);
        let outcome = Outcome {
            rows: 1,
            readings: readings(late.clone()),
            observed: vec![],
        };
        let watermark = Timestamp::advance(&context, &outcome).unwrap();
        assert_eq!(watermark.mark("ModifiedDate"), Some(&late));
    }

    #[test]
    fn lookback_lowers_the_lower_bound() {
        let zoned = |ticks| {
            Value::TimestampTz(Zoned {
                ticks,
                offset_minutes: 120,
            })
        };
        for (read, seconds, wanted) in [
            (
                Value::Timestamp(50_000_000),
                3,
                Value::Timestamp(20_000_000),
            ),
            (
                Value::Timestamp(FIRST_TICK + 5),
                3,
                Value::Timestamp(FIRST_TICK),
            ),
            (zoned(50_000_000), 3, zoned(20_000_000)),
            (Value::Date(100), 0, Value::Date(100)),
            (Value::Date(100), 1, Value::Date(99)),
            (Value::Date(100), 86_401, Value::Date(98)),
        ] {
            assert_eq!(earlier(&read, seconds), wanted, "{read:?} - {seconds} s");
        }
        let plan = |options| {
            let seen = Watermark::new(1).with("ModifiedDate", Value::Timestamp(5_000_000_000));
            let columns = columns(LogicalType::Timestamp, "datetime");
            let context = context(columns, options, Some(seen));
            Timestamp::plan(&context, &readings(Value::Timestamp(6_000_000_000))).unwrap()
        };
        let upper = Value::Timestamp(6_000_000_000);
        let from = |ticks| [Value::Timestamp(ticks), upper.clone()];
        let three = plan(r#"{"lookback-seconds": 3}"#);
        assert_eq!(bounds(&three), from(4_970_000_000));
        assert_eq!(bounds(&plan("{}")), from(4_400_000_000), "a minute");
    }

    #[test]
    fn a_day_is_read_again_from_the_mark_that_is_old_enough() {
        let seen = |before: i32| {
            Watermark::new(2)
                .with("ModifiedDate", Value::Date(100))
                .with("ModifiedDate read at", NOW)
                .with("ModifiedDate before 1", Value::Date(before))
                .with("ModifiedDate before 1 read at", Value::Timestamp(0))
        };
        for before in [100, 98] {
            let columns = columns(LogicalType::Date, "date");
            let context = context(columns, "{}", Some(seen(before)));
            let plan = Timestamp::plan(&context, &readings(Value::Date(101))).unwrap();
            assert_eq!(bounds(&plan), [Value::Date(before), Value::Date(101)]);
        }
    }

    #[test]
    fn all_kinds_of_moments_work() {
        for (kind, native_type, reading) in [
            (LogicalType::Date, "date", Value::Date(20_000)),
            (
                LogicalType::Timestamp,
                "smalldatetime",
                Value::Timestamp(600_000_000),
            ),
            (
                LogicalType::TimestampTz,
                "datetimeoffset(7)",
                Value::TimestampTz(Zoned {
                    ticks: 7,
                    offset_minutes: -60,
                }),
            ),
        ] {
            let context = context(columns(kind, native_type), "{}", None);
            assert_eq!(
                Timestamp::probes(&context).unwrap(),
                [Probe::max(1), Probe::SourceTime]
            );
            let plan = Timestamp::plan(&context, &readings(reading.clone())).unwrap();
            assert_eq!(
                plan.filter,
                Some(col(1).le(lit(reading)).into()),
                "{native_type}"
            );
        }
    }

    #[test]
    fn the_null_rule_is_the_user_s() {
        let columns = || {
            let mut columns = columns(LogicalType::Timestamp, "datetime");
            columns[1].nullable = true;
            columns
        };
        let readings = [Value::Timestamp(5), NOW, Value::Integer(2)];
        let refused = context(columns(), "{}", None);
        assert_eq!(
            Timestamp::plan(&refused, &readings).unwrap_err().code,
            "null-cursor"
        );
        let skipping = context(columns(), r#"{"nulls": "skip"}"#, None);
        let plan = Timestamp::plan(&skipping, &readings).unwrap();
        assert_eq!(
            plan.filter,
            Some(col(1).le(lit(Value::Timestamp(5))).into())
        );
    }
}
