#![allow(clippy::unwrap_used)]
use super::*;
use crate::{Column, Coverage, Expression, Failure, LogicalType, Probe};

/// The server's time at the last run, and now.
const THEN: i64 = 17_000_002_800_000_000;
const NOW: i64 = THEN + 600 * TICKS_PER_SECOND;
const WINDOW: i64 = LOOKBACK_SECONDS as i64 * TICKS_PER_SECOND;

fn table(nullable: bool) -> Table {
    let mut number = Column::new("Number", LogicalType::Integer, "bigint");
    number.nullable = nullable;
    Table::new(
        "dbo.Orders",
        vec![
            Column::new("Id", LogicalType::Integer, "int"),
            number,
            Column::new("Changed", LogicalType::Timestamp, "datetime2(7)"),
        ],
    )
}

/// Read up to a value at the last run.
fn seen(value: impl Into<Value>) -> Watermark {
    Watermark::new(2)
        .with("Number", value)
        .with("Number read at", Value::Timestamp(THEN))
}

fn cursor<'a>(table: &'a Table, nulls: Nulls, watermark: Option<&Watermark>) -> Cursor<'a> {
    Cursor::new(table, 1, nulls, watermark).unwrap()
}

fn readings(largest: impl Into<Value>) -> Vec<Value> {
    vec![largest.into(), Value::Timestamp(NOW)]
}

fn outcome(rows: u64, readings: Vec<Value>) -> Outcome {
    Outcome {
        rows,
        readings,
        observed: vec![],
    }
}

fn back(by: i64) -> impl Fn(&Value, Past) -> Value {
    move |mark, _| Value::Integer(mark.as_integer().unwrap() - by)
}

fn filter(predicate: Predicate) -> Option<Expression> {
    Some(predicate.into())
}

fn between(low: impl Into<Value>, high: impl Into<Value>) -> Predicate {
    col(1).ge(lit(low)).and(col(1).le(lit(high)))
}

#[test]
fn the_first_run_reads_everything_up_to_the_bound() {
    let table = table(false);
    let cursor = cursor(&table, Nulls::Refuse, None);
    assert_eq!(cursor.probes(), [Probe::max(1), Probe::SourceTime]);
    let plan = cursor.plan(&readings(7), back(0)).unwrap();
    assert_eq!(plan.filter, filter(col(1).le(lit(7))));
    assert_eq!(plan.coverage, Coverage::Full);
    assert_eq!(plan.columns, [0, 1, 2]);
    let watermark = cursor.advance(&outcome(7, readings(7))).unwrap();
    let wanted = Watermark::new(2)
        .with("Number", 7)
        .with("Number read at", Value::Timestamp(NOW));
    assert_eq!(watermark, wanted);
}

#[test]
fn a_later_run_reads_again_from_what_the_caller_gives() {
    let table = table(false);
    let cursor = cursor(&table, Nulls::Refuse, Some(&seen(7)));
    let plan = cursor.plan(&readings(9), back(2)).unwrap();
    assert_eq!(plan.filter, filter(between(5, 9)));
    assert_eq!(plan.coverage, Coverage::Incremental);
    // Never from above what has been read: a row can come with that very value.
    let plan = cursor.plan(&readings(9), back(-1)).unwrap();
    assert_eq!(plan.filter, filter(between(7, 9)));
}

#[test]
fn a_mark_that_is_old_enough_bounds_what_is_read_again() {
    let table = table(false);
    let first = cursor(&table, Nulls::Refuse, Some(&seen(7)));
    let after = first.advance(&outcome(2, readings(9))).unwrap();
    assert_eq!(after.mark("Number before 1"), Some(&Value::Integer(7)));
    let second = cursor(&table, Nulls::Refuse, Some(&after));
    let later = [11.into(), Value::Timestamp(NOW + 1)];
    let unknown = |_: &Value, past| match past {
        Past::Known => Value::Integer(100),
        Past::Unknown => Value::Integer(-100),
    };
    let plan = second.plan(&later, unknown).unwrap();
    assert_eq!(plan.filter, filter(between(7, 11)));
    // What lay within the lookback is read from further back.
    let third = Cursor::new(&table, 1, Nulls::Refuse, Some(&after)).unwrap();
    let plan = third.lookback(601).plan(&later, unknown).unwrap();
    assert_eq!(plan.filter, filter(between(-100, 11)));
}

#[test]
fn a_watermark_of_an_earlier_version_is_taken_over() {
    let table = table(false);
    let old = Watermark::new(1).with("Number", 7);
    let cursor = cursor(&table, Nulls::Refuse, Some(&old));
    let plan = cursor.plan(&readings(9), back(2)).unwrap();
    assert_eq!(plan.filter, filter(between(5, 9)));
    let next = cursor.advance(&outcome(2, readings(9))).unwrap();
    assert_eq!(
        (next.format, next.mark("Number")),
        (2, Some(&Value::Integer(9)))
    );
}

#[test]
fn a_mark_that_was_set_by_hand_is_where_reading_begins() {
    let table = table(false);
    let set = Watermark::new(2).with("Number", 7);
    let cursor = cursor(&table, Nulls::Refuse, Some(&set));
    let plan = cursor.plan(&readings(9), back(2)).unwrap();
    assert_eq!(plan.filter, filter(between(7, 9)));
}

#[test]
fn the_watermark_never_moves_back() {
    let table = table(false);
    let cursor = cursor(&table, Nulls::Refuse, Some(&seen(7)));
    for (reading, low) in [(3.into(), 2), (Value::Null, 6)] {
        let plan = cursor.plan(&readings(reading.clone()), back(1)).unwrap();
        assert_eq!(plan.filter, filter(between(low, 7)));
        assert_eq!(plan.coverage, Coverage::Incremental);
        let next = cursor.advance(&outcome(0, readings(reading))).unwrap();
        assert_eq!(next.mark("Number"), Some(&Value::Integer(7)));
    }
}

#[test]
fn new_rows_below_a_largest_value_that_shrank_are_told() {
    let table = table(false);
    let cursor = cursor(&table, Nulls::Refuse, Some(&seen(7)));
    let error = cursor.advance(&outcome(1, readings(3))).unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_str()),
        (Failure::StaleWatermark, "started-over")
    );
    // Emptied: nothing is new.
    assert!(cursor.advance(&outcome(0, readings(Value::Null))).is_ok());
}

#[test]
fn a_column_that_counts_down_is_told_where_it_is_asked_for() {
    let table = table(false);
    let guarded = |watermark: Option<&Watermark>| {
        let cursor = Cursor::new(&table, 1, Nulls::Refuse, watermark).unwrap();
        cursor.guard_least()
    };
    let with_least = |least: i64| {
        let mut readings = readings(-1);
        readings.push(least.into());
        readings
    };
    let first = guarded(None);
    assert_eq!(first.probes().len(), 3);
    let watermark = first.advance(&outcome(2, with_least(-2))).unwrap();
    assert_eq!(watermark.mark("Number least"), Some(&Value::Integer(-2)));
    let second = guarded(Some(&watermark));
    assert!(second.plan(&with_least(-2), back(0)).is_ok());
    let error = second.plan(&with_least(-3), back(0)).unwrap_err();
    assert_eq!(error.code, "counts-down");
    // What is read again is not missed: a row that was committed late.
    assert!(second.plan(&with_least(-3), back(2)).is_ok());
}

#[test]
fn reading_begins_at_the_smallest_value_while_no_mark_is_old_enough() {
    let table = table(false);
    let plan = |watermark: &Watermark, largest: i64| {
        let cursor = Cursor::new(&table, 1, Nulls::Refuse, Some(watermark)).unwrap();
        let cursor = cursor.begin_at_least();
        let readings = [largest.into(), Value::Timestamp(NOW), (-5).into()];
        let plan = cursor.plan(&readings, |mark, _| mark.clone()).unwrap();
        plan.filter
    };
    let old = Watermark::new(1).with("Number", 7);
    let known = seen(7)
        .with("Number before 1", 3)
        .with("Number before 1 read at", Value::Timestamp(THEN - WINDOW));
    let set = Watermark::new(2).with("Number", 7);
    assert_eq!(plan(&seen(7), 9), filter(between(-5, 9)));
    assert_eq!(plan(&old, 9), filter(between(-5, 9)));
    assert_eq!(plan(&known, 9), filter(between(3, 9)));
    assert_eq!(plan(&set, 9), filter(between(7, 9)));
    // Whether what is left is new is told by its newest rows.
    assert_eq!(plan(&known, 1), filter(between(1, 7)));
}

#[test]
fn an_empty_table_is_read_whole_and_leaves_nothing_read() {
    let table = table(false);
    let first = cursor(&table, Nulls::Refuse, None);
    let plan = first.plan(&readings(Value::Null), back(0)).unwrap();
    assert_eq!(
        plan.filter,
        filter(col(1).is_null().and(col(1).is_not_null()))
    );
    assert_eq!(plan.coverage, Coverage::Full);
    let watermark = first.advance(&outcome(0, readings(Value::Null))).unwrap();
    assert_eq!(watermark, Watermark::new(2).with("Number", Value::Null));
    let second = cursor(&table, Nulls::Refuse, Some(&watermark));
    let plan = second.plan(&readings(1), back(0)).unwrap();
    assert_eq!(plan.filter, filter(col(1).le(lit(1))));
}

#[test]
fn nulls_are_refused_only_where_there_are_any() {
    let table = table(true);
    let cursor = cursor(&table, Nulls::Refuse, None);
    assert_eq!(
        cursor.probes(),
        [Probe::max(1), Probe::SourceTime, Probe::count_null(1)]
    );
    let with = |nulls: i64| [readings(7), vec![nulls.into()]].concat();
    assert!(cursor.plan(&with(0), back(0)).is_ok());
    let error = cursor.plan(&with(12), back(0)).unwrap_err();
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
    let with = |largest: Value| [readings(largest), vec![12.into()]].concat();
    let nulls = || col(1).is_null();
    let plan = cursor(&table, Nulls::EveryRun, Some(&seen(7)))
        .plan(&with(9.into()), back(0))
        .unwrap();
    assert_eq!(plan.filter, filter(between(7, 9).or(nulls())));
    let plan = cursor(&table, Nulls::EveryRun, None)
        .plan(&with(Value::Null), back(0))
        .unwrap();
    assert_eq!(plan.filter, filter(nulls()));
    assert_eq!(plan.coverage, Coverage::Full);
}

#[test]
fn a_run_that_skips_nulls_does_not_claim_to_read_everything() {
    let plan = cursor(&table(true), Nulls::Skip, None)
        .plan(&[readings(9), vec![12.into()]].concat(), back(0))
        .unwrap();
    assert_eq!(plan.filter, filter(col(1).le(lit(9))));
    assert_eq!(plan.coverage, Coverage::Incremental);
}

#[test]
fn moments_are_read_at_whole_microseconds_and_whatever_is_ahead_of_the_clock_in_each_run() {
    let table = table(false);
    let moment = Value::Timestamp;
    let seen = Watermark::new(2).with("Changed", moment(NOW - 5));
    let cursor = Cursor::new(&table, 2, Nulls::Refuse, Some(&seen)).unwrap();
    let readings = [moment(NOW - 3), moment(NOW)];
    let plan = cursor.plan(&readings, |mark, _| mark.clone()).unwrap();
    let range = col(2)
        .ge(lit(moment(NOW - 10)))
        .and(col(2).le(lit(moment(NOW - 3))));
    let ahead = col(2).gt(lit(moment(NOW + AHEAD)));
    assert_eq!(plan.filter, filter(range.or(ahead)));
}

#[test]
fn a_mark_never_lies_ahead_of_the_clock() {
    let table = table(false);
    let moment = Value::Timestamp;
    let far = [moment(NOW + AHEAD + 10), moment(NOW)];
    let first = Cursor::new(&table, 2, Nulls::Refuse, None).unwrap();
    let watermark = first.advance(&outcome(1, far.to_vec())).unwrap();
    assert_eq!(watermark, Watermark::new(2).with("Changed", Value::Null));
    let old = Watermark::new(1).with("Changed", far[0].clone());
    let second = Cursor::new(&table, 2, Nulls::Refuse, Some(&old)).unwrap();
    let error = second.plan(&far, |mark, _| mark.clone()).unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_str()),
        (Failure::StaleWatermark, "ahead-of-clock")
    );
}

#[test]
fn rows_that_are_all_ahead_of_the_clock_are_read_and_come_again() {
    let table = table(false);
    let moment = Value::Timestamp;
    let none = [Value::Null, moment(NOW)];
    let ahead = || col(2).gt(lit(moment(NOW + AHEAD)));
    let first = Cursor::new(&table, 2, Nulls::Refuse, None).unwrap();
    let plan = first.plan(&none, |mark, _| mark.clone()).unwrap();
    assert_eq!(plan.filter, filter(ahead()));
    assert_eq!(plan.coverage, Coverage::Full);
    let watermark = first.advance(&outcome(1, none.to_vec())).unwrap();
    let second = Cursor::new(&table, 2, Nulls::Refuse, Some(&watermark)).unwrap();
    let one = [moment(NOW), moment(NOW)];
    let plan = second.plan(&one, |mark, _| mark.clone()).unwrap();
    let range = col(2)
        .ge(lit(moment(-621_355_968_000_000_000)))
        .and(col(2).le(lit(moment(NOW))));
    assert_eq!(plan.filter, filter(range.or(ahead())));
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
            Watermark::new(3).with("Number", 3),
            "the watermark is not one of a cursor column: it has format 3 and 1 marks",
        ),
        (
            Watermark::new(1).with("Number", 3).with("Id", 3),
            "the watermark is not one of a cursor column: it has format 1 and 2 marks",
        ),
        (
            Watermark::new(2),
            "the watermark is not one of a cursor column: it has format 2 and 0 marks",
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
    let now = Value::Timestamp(NOW);
    for readings in [
        vec![],
        vec![Value::Integer(8)],
        vec![Value::Integer(8), now.clone()],
        vec![Value::Date(8), now, Value::Integer(0)],
    ] {
        let error = cursor.plan(&readings, back(0)).unwrap_err();
        assert_eq!(error.kind, Failure::Internal, "{readings:?}");
    }
}
