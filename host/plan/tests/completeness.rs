//! Whether a plan that says that it reads everything does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use icehost_plan::*;
use support::Filter;

const MODIFIED: u32 = 1;
const TENANT: u32 = 2;
const VERSION: u32 = 3;

fn table(nullable: bool) -> Table {
    let column = |name: &str, sql, nullable| Column::new(name, ColumnType::Sql(sql), nullable);
    Table {
        name: "dbo.T".to_owned(),
        columns: vec![
            column("Id", SqlType::Int, false),
            column("Modified", SqlType::DateTime2(3), nullable),
            column("Tenant", SqlType::Int, false),
            column("Version", SqlType::RowVersion, false),
        ],
        features: Features::default(),
        row_estimate: None,
    }
}

fn complete(
    table: &Table,
    coverage: Coverage,
    filter: impl FnOnce(&mut Filter) -> u32,
    probe: Probe,
    reading: Value,
) -> bool {
    let mut nodes = Filter::default();
    let root = filter(&mut nodes);
    let plan = ExtractionPlan {
        source: ChangeSource::Rows,
        coverage,
        columns: vec![0, 1, 2, 3],
        filter: Some(Expression {
            nodes: nodes.0,
            root,
        }),
        order_by: vec![],
        split_on: None,
        observe: vec![],
    };
    let plan = plan.validate(table).unwrap();
    plan.is_complete(table, &[Probe::SourceTime, probe], &[Value::Null, reading])
}

fn largest(column: u32) -> Probe {
    Probe::from(Aggregate {
        function: AggregateFunction::Max,
        column,
    })
}

fn upper() -> Value {
    Value::Timestamp(42)
}

#[test]
fn a_bound_that_was_probed_leaves_out_later_rows_only() {
    let bounded = |filter: &mut Filter| filter.compare(MODIFIED, Comparison::Le, upper());
    let cursor = |nullable, coverage| {
        complete(
            &table(nullable),
            coverage,
            bounded,
            largest(MODIFIED),
            upper(),
        )
    };
    assert!(cursor(false, Coverage::Full));
    assert!(!cursor(false, Coverage::Incremental));
    // Rows without a value are left out, too.
    assert!(!cursor(true, Coverage::Full));
    let with_nulls = |filter: &mut Filter| {
        let bounded = bounded(filter);
        let null = filter.is_null(MODIFIED);
        filter.add(Node::AnyOf(vec![bounded, null]))
    };
    assert!(complete(
        &table(true),
        Coverage::Full,
        with_nulls,
        largest(MODIFIED),
        upper()
    ));
    // No row had a value.
    let only_nulls = |filter: &mut Filter| filter.is_null(MODIFIED);
    assert!(complete(
        &table(true),
        Coverage::Full,
        only_nulls,
        largest(MODIFIED),
        Value::Null
    ));
    assert!(!complete(
        &table(true),
        Coverage::Full,
        only_nulls,
        largest(MODIFIED),
        upper()
    ));
}

#[test]
fn a_rowversion_is_bounded_by_the_lowest_that_is_active() {
    let settled = || Value::Binary(vec![0, 0, 0, 0, 0, 0, 1, 0]);
    let below =
        |column| move |filter: &mut Filter| filter.compare(column, Comparison::Lt, settled());
    let ask = |column| {
        complete(
            &table(false),
            Coverage::Full,
            below(column),
            Probe::MinActiveRowversion,
            settled(),
        )
    };
    assert!(ask(VERSION));
    // Below the largest value that was read, the row with that value is missing.
    let strictly = |filter: &mut Filter| filter.compare(MODIFIED, Comparison::Lt, upper());
    assert!(!complete(
        &table(false),
        Coverage::Full,
        strictly,
        largest(MODIFIED),
        upper()
    ));
}

#[test]
fn any_other_filter_may_leave_rows_out() {
    let tenant = |filter: &mut Filter| {
        let bounded = filter.compare(MODIFIED, Comparison::Le, upper());
        let tenant = filter.compare(TENANT, Comparison::Eq, Value::Integer(7));
        filter.add(Node::AllOf(vec![bounded, tenant]))
    };
    assert!(!complete(
        &table(false),
        Coverage::Full,
        tenant,
        largest(MODIFIED),
        upper()
    ));
    let window = |filter: &mut Filter| {
        let lower = filter.compare(MODIFIED, Comparison::Gt, Value::Timestamp(1));
        let bounded = filter.compare(MODIFIED, Comparison::Le, upper());
        filter.add(Node::AllOf(vec![lower, bounded]))
    };
    assert!(!complete(
        &table(false),
        Coverage::Full,
        window,
        largest(MODIFIED),
        upper()
    ));
    let other =
        |filter: &mut Filter| filter.compare(MODIFIED, Comparison::Le, Value::Timestamp(41));
    assert!(!complete(
        &table(false),
        Coverage::Full,
        other,
        largest(MODIFIED),
        upper()
    ));
    let negated = |filter: &mut Filter| {
        let bounded = filter.compare(MODIFIED, Comparison::Le, upper());
        filter.add(Node::Negate(bounded))
    };
    assert!(!complete(
        &table(false),
        Coverage::Full,
        negated,
        largest(MODIFIED),
        upper()
    ));
}
