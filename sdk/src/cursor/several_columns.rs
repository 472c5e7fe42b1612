#![allow(clippy::unwrap_used)]
//! Cursors of several columns.

use super::*;
use crate::{Column, Coverage, Expression, Failure, LogicalType, Probe, rows_from, rows_through};

/// The server's time at the last run, and now.
const THEN: i64 = 17_000_002_800_000_000;
const NOW: i64 = THEN + 600 * TICKS_PER_SECOND;
const WINDOW: i64 = LOOKBACK_SECONDS as i64 * TICKS_PER_SECOND;

/// `Id int, Changed datetime2(7) null or not, Part int null or not`
fn table(nullable: bool) -> Table {
    let columns = vec![
        Column::new("Id", LogicalType::Integer, "int"),
        Column::new("Changed", LogicalType::Timestamp, "datetime2(7)"),
        Column::new("Part", LogicalType::Integer, "int"),
        Column::new("Name", LogicalType::Text, "nvarchar(10)"),
    ];
    let columns = columns.into_iter().map(|mut column| {
        column.nullable = nullable && column.name != "Id";
        column
    });
    Table::new("dbo.Orders", columns.collect())
}

const CHANGED: ColumnId = 1;
const PART: ColumnId = 2;
const BOTH: [ColumnId; 2] = [CHANGED, 0];

fn cursor<'a>(table: &'a Table, watermark: Option<&Watermark>) -> Cursor<'a> {
    Cursor::of_columns(table, &BOTH, Nulls::Refuse, watermark).unwrap()
}

fn at(ticks: i64, id: i64) -> Vec<Value> {
    vec![Value::Timestamp(ticks), Value::Integer(id)]
}

fn readings(ticks: i64, id: i64) -> Vec<Value> {
    [at(ticks, id), vec![Value::Timestamp(NOW)]].concat()
}

fn place(ticks: i64, id: i64) -> [(ColumnId, Value); 2] {
    [(CHANGED, Value::Timestamp(ticks)), (0, Value::Integer(id))]
}

fn marks(ticks: i64, id: i64) -> Watermark {
    Watermark::new(2)
        .with("Changed", Value::Timestamp(ticks))
        .with("Id", id)
}

fn same(plan: &ExtractionPlan, wanted: Predicate) {
    assert_eq!(plan.filter, Some(Expression::from(wanted)));
}

fn ahead() -> Predicate {
    let minutes = NOW + AHEAD - (NOW + AHEAD).rem_euclid(60 * TICKS_PER_SECOND);
    col(CHANGED).gt(lit(Value::Timestamp(minutes)))
}

fn itself(mark: &Value, _: Past) -> Value {
    mark.clone()
}

#[test]
fn the_first_run_reads_up_to_the_last_row() {
    let table = table(false);
    let cursor = cursor(&table, None);
    assert_eq!(cursor.probes(), [Probe::greatest(BOTH), Probe::SourceTime]);
    let plan = cursor.plan(&readings(500, 7), itself).unwrap();
    same(&plan, rows_through(&place(500, 7)));
    assert_eq!(plan.coverage, Coverage::Full);
    let order: Vec<ColumnId> = plan.order_by.iter().map(|key| key.column).collect();
    assert_eq!(order, BOTH);
    let outcome = Outcome {
        rows: 3,
        readings: readings(500, 7),
        observed: vec![],
    };
    let watermark = cursor.advance(&outcome).unwrap();
    let wanted = marks(500, 7).with("Changed read at", Value::Timestamp(NOW));
    assert_eq!(watermark, wanted);
}

#[test]
fn rows_of_one_moment_are_told_apart() {
    let table = table(false);
    let watermark = marks(500, 7)
        .with("Changed read at", Value::Timestamp(THEN))
        .with("Changed before 1", Value::Timestamp(500))
        .with("Id before 1", 3)
        .with("Changed before 1 read at", Value::Timestamp(THEN - WINDOW));
    let cursor = cursor(&table, Some(&watermark));
    let plan = cursor.plan(&readings(500, 9), itself).unwrap();
    let range = rows_from(&place(500, 3)).and(rows_through(&place(500, 9)));
    same(&plan, range.or(ahead()));
    assert_eq!(plan.coverage, Coverage::Incremental);
    // Going back in the first column takes all rows from there on.
    let earlier = |mark: &Value, _| match mark {
        Value::Timestamp(ticks) => Value::Timestamp(ticks - 100),
        other => other.clone(),
    };
    let plan = cursor.plan(&readings(500, 9), earlier).unwrap();
    let from = [(CHANGED, Value::Timestamp(400))];
    let range = rows_from(&from).and(rows_through(&place(500, 9)));
    same(&plan, range.or(ahead()));
    let outcome = Outcome {
        rows: 2,
        readings: readings(500, 9),
        observed: vec![],
    };
    let next = cursor.advance(&outcome).unwrap();
    assert_eq!(next.mark("Id"), Some(&Value::Integer(9)));
    assert_eq!(next.mark("Id before 1"), Some(&Value::Integer(7)));
    assert_eq!(
        next.mark("Changed before 1 read at"),
        Some(&Value::Timestamp(THEN))
    );
}

#[test]
fn a_watermark_of_the_first_column_alone_is_taken_over() {
    let table = table(false);
    let set = Watermark::new(2).with("changed", Value::Timestamp(500));
    let plan = cursor(&table, Some(&set))
        .plan(&readings(800, 9), itself)
        .unwrap();
    let from = [(CHANGED, Value::Timestamp(500))];
    let range = rows_from(&from).and(rows_through(&place(800, 9)));
    same(&plan, range.or(ahead()));
    // And one that was set in both begins there.
    let plan = cursor(&table, Some(&marks(500, 7)))
        .plan(&readings(800, 9), itself)
        .unwrap();
    let range = rows_from(&place(500, 7)).and(rows_through(&place(800, 9)));
    same(&plan, range.or(ahead()));
}

#[test]
fn a_place_that_shrank_leaves_the_mark_and_new_rows_below_it_are_told() {
    let table = table(false);
    let watermark = marks(500, 7).with("Changed read at", Value::Timestamp(THEN));
    let cursor = cursor(&table, Some(&watermark));
    let outcome = |rows| Outcome {
        rows,
        readings: readings(500, 6),
        observed: vec![],
    };
    let next = cursor.advance(&outcome(0)).unwrap();
    assert_eq!(next.mark("Id"), Some(&Value::Integer(7)));
    let error = cursor.advance(&outcome(1)).unwrap_err();
    assert_eq!(error.code, "started-over");
    assert!(
        error.message.contains("(1970-01-01 00:00:00.00005, 6)"),
        "{error:?}"
    );
}

#[test]
fn rows_without_a_value_in_one_of_the_columns_are_counted_once() {
    let table = table(true);
    let columns = [CHANGED, PART, 0];
    let of = |nulls| Cursor::of_columns(&table, &columns, nulls, None);
    let cursor = of(Nulls::Refuse).unwrap();
    assert_eq!(
        cursor.probes(),
        [
            Probe::greatest(columns),
            Probe::SourceTime,
            Probe::count_null(CHANGED),
            Probe::count_null(PART).filter(col(CHANGED).is_not_null()),
        ]
    );
    let read = |nulls: [i64; 2]| {
        let place = [Value::Timestamp(500), 3.into(), 7.into()];
        let counted = nulls.map(Value::Integer);
        [&place[..], &[Value::Timestamp(NOW)], &counted].concat()
    };
    assert!(cursor.plan(&read([0, 0]), itself).is_ok());
    let error = cursor.plan(&read([2, 3]), itself).unwrap_err();
    assert!(
        error
            .message
            .starts_with("5 rows of dbo.Orders have NULL in one of 'Changed', 'Part', 'Id'"),
        "{error:?}"
    );
    // What lies in the range by its first column is not read either.
    let plan = of(Nulls::Skip).unwrap();
    let plan = plan.plan(&read([2, 3]), itself).unwrap();
    let place = [
        (CHANGED, Value::Timestamp(500)),
        (PART, 3.into()),
        (0, 7.into()),
    ];
    same(&plan, rows_through(&place).and(col(PART).is_not_null()));
    assert_eq!(plan.coverage, Coverage::Incremental);
    let error = of(Nulls::EveryRun).unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.column),
        ("nullable-column", Some(PART))
    );
}

#[test]
fn columns_that_have_no_order_together_are_refused() {
    let table = table(false);
    for (columns, code) in [
        (&[][..], "cursor-columns"),
        (&[0, PART, 0, PART, 0], "cursor-columns"),
        (&[0, CHANGED], "late-moment"),
        (&[CHANGED, 3], "no-order"),
        (&[0, PART, 0], "repeated-column"),
    ] {
        let error = Cursor::of_columns(&table, columns, Nulls::Refuse, None).unwrap_err();
        assert_eq!(error.kind, Failure::InvalidOptions, "{columns:?}");
        assert_eq!(error.code, code, "{columns:?}");
    }
}

#[test]
fn the_first_place_is_guarded() {
    let table = table(false);
    let columns = [PART, 0];
    let of = |watermark| {
        let cursor = Cursor::of_columns(&table, &columns, Nulls::Refuse, watermark);
        cursor.unwrap().begin_at_least()
    };
    let read = |largest: [i64; 2], least: [i64; 2]| {
        let (largest, least) = (largest.map(Value::Integer), least.map(Value::Integer));
        [&largest[..], &[Value::Timestamp(NOW)], &least].concat()
    };
    let first = of(None);
    assert_eq!(
        first.probes(),
        [
            Probe::greatest(columns),
            Probe::SourceTime,
            Probe::least(columns)
        ]
    );
    let outcome = Outcome {
        rows: 3,
        readings: read([5, 1], [2, 8]),
        observed: vec![],
    };
    let watermark = first.advance(&outcome).unwrap();
    assert_eq!(watermark.mark("Id least"), Some(&Value::Integer(8)));
    let second = of(Some(&watermark));
    let plan = second.plan(&read([5, 4], [2, 8]), itself).unwrap();
    let from = [(PART, 2.into()), (0, 8.into())];
    let through = [(PART, 5.into()), (0, 4.into())];
    same(&plan, rows_from(&from).and(rows_through(&through)));
}

#[test]
fn a_cursor_among_some_rows_probes_and_reads_no_others() {
    let table = table(true);
    let among = || col(PART).eq(lit(7));
    let cursor = cursor(&table, None).among(among());
    assert_eq!(
        cursor.probes(),
        [
            Probe::greatest(BOTH).filter(among()),
            Probe::SourceTime,
            Probe::count_null(CHANGED).filter(among()),
        ]
    );
    let read = [readings(500, 7), vec![0.into()]].concat();
    let plan = cursor.plan(&read, itself).unwrap();
    same(&plan, rows_through(&place(500, 7)).and(among()));
    // Other rows are not gone.
    assert_eq!(plan.coverage, Coverage::Incremental);
}
