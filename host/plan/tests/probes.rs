//! What a detector asks for before it plans: checked, renumbered for what it may not see, and what it is believed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use icehost_plan::*;
use support::Filter;

const SECRET: u32 = 1;
const CHANGED: u32 = 2;
const ID: u32 = 3;

/// `Tenant int, Secret int null, Changed datetime2(3) null or not, Id int`
fn table(nullable: bool) -> Table {
    let column = |name: &str, sql, nullable| Column::new(name, ColumnType::Sql(sql), nullable);
    Table {
        name: "dbo.T".to_owned(),
        columns: vec![
            column("Tenant", SqlType::Int, false),
            column("Secret", SqlType::Int, true),
            column("Changed", SqlType::DateTime2(3), nullable),
            column("Id", SqlType::Int, false),
            column("Flag", SqlType::Bit, false),
        ],
        features: Features::default(),
        row_estimate: None,
    }
}

/// `(Changed, Id) op (a, b)`, beyond the first column in this way.
fn both(filter: &mut Filter, beyond: Comparison, op: Comparison, a: &Value, b: &Value) -> u32 {
    let first = filter.compare(CHANGED, beyond, a);
    let level = filter.compare(CHANGED, Comparison::Eq, a);
    let second = filter.compare(ID, op, b);
    let level = filter.add(Node::AllOf(vec![level, second]));
    filter.add(Node::AnyOf(vec![first, level]))
}

fn expression(build: impl FnOnce(&mut Filter) -> u32) -> Expression {
    let mut filter = Filter::default();
    let root = build(&mut filter);
    Expression {
        nodes: filter.0,
        root,
    }
}

fn of_tenant() -> Expression {
    expression(|filter| filter.compare(0, Comparison::Eq, Value::Integer(7)))
}

fn largest(filter: Option<Expression>) -> Probe {
    let of = Aggregate {
        function: AggregateFunction::Max,
        column: CHANGED,
    };
    Probe::Aggregate { of, filter }
}

fn last_row(filter: Option<Expression>) -> Probe {
    Probe::Greatest(Extreme {
        columns: vec![CHANGED, ID],
        filter,
    })
}

fn upper() -> [Value; 2] {
    [Value::Timestamp(420_000), Value::Integer(9)]
}

fn plan(coverage: Coverage, filter: Expression) -> ExtractionPlan {
    ExtractionPlan {
        source: ChangeSource::Rows,
        coverage,
        columns: vec![0, 1, 2, 3, 4],
        filter: Some(filter),
        order_by: vec![],
        split_on: None,
        observe: vec![],
    }
}

fn up_to(filter: &mut Filter) -> u32 {
    let [changed, id] = upper();
    both(filter, Comparison::Lt, Comparison::Le, &changed, &id)
}

#[test]
fn probes_are_checked_as_plans_are() {
    let table = table(false);
    let refused = |probe: Probe| {
        let error = validate_probes(&[Probe::SourceTime, probe], &table).unwrap_err();
        error.to_string()
    };
    let null = |column| Some(expression(|filter| filter.is_null(column)));
    let row = |columns: &[u32]| {
        Probe::Greatest(Extreme {
            columns: columns.to_vec(),
            filter: None,
        })
    };
    for (probe, says) in [
        (
            largest(null(9)),
            "probes[1]: filter: nodes[0]: column 9 is out of range: there are 5 columns",
        ),
        (
            last_row(Some(expression(|filter| filter.column(0)))),
            "probes[1]: filter: a predicate is wanted, not a value",
        ),
        (
            row(&[]),
            "probes[1]: a row is found by 1 to 16 columns, not by 0",
        ),
        (
            row(&[0, 1, 0]),
            "probes[1]: columns[2]: column 0 stands twice",
        ),
        (
            row(&[0, 4]),
            "probes[1]: columns[1]: column 'Flag' is a bit, which has no order",
        ),
        (
            row(&[7]),
            "probes[1]: columns[0]: column 7 is out of range: there are 5 columns",
        ),
    ] {
        assert_eq!(refused(probe), says);
    }
    let all = [largest(null(SECRET)), last_row(Some(of_tenant()))];
    assert!(validate_probes(&all, &table).is_ok());
}

#[test]
fn readings_belong_to_probes_by_their_number() {
    let probes = [largest(None), last_row(None), Probe::SourceTime];
    assert_eq!(Probe::width_of(&probes), 4);
    let values: Vec<Value> = (0..4).map(Value::Integer).collect();
    let found: Vec<&[Value]> = Probe::with_readings(&probes, &values)
        .map(|(_, readings)| readings)
        .collect();
    assert_eq!(found, [&values[..1], &values[1..3], &values[3..]]);
    assert_eq!(Probe::with_readings(&probes, &values[..2]).count(), 1);
}

#[test]
fn what_is_hidden_is_not_in_reach_of_a_filter() {
    let table = table(false);
    let grant = ColumnGrant::All.without(["Secret"]);
    let view = View::new(&grant, &table.columns, None);
    let shown = view.table(&table);
    // Of four columns that it is shown, the third is `Id`.
    let of_id = expression(|filter| filter.is_null(2));
    let probes = vec![
        largest(Some(of_id.clone())),
        Probe::Least(Extreme {
            columns: vec![1, 2],
            filter: Some(of_id),
        }),
    ];
    assert!(validate_probes(&probes, &shown).is_ok());
    let probes = view.probes(probes);
    assert_eq!(probes[0].columns(), [ID, ID]);
    assert_eq!(probes[1].columns(), [CHANGED, ID, ID]);
    // There is no ordinal for the hidden one.
    let beyond = largest(Some(expression(|filter| filter.is_null(4))));
    assert!(validate_probes(&[beyond], &shown).is_err());
}

#[test]
fn a_bound_of_some_rows_is_none_of_all() {
    let table = table(false);
    let [changed, _] = upper();
    let bounded = expression(|filter| filter.compare(CHANGED, Comparison::Le, &changed));
    let plan = plan(Coverage::Full, bounded);
    let complete = |filter, reading: Value| {
        let probes = [Probe::SourceTime, largest(filter)];
        plan.is_complete(&table, &probes, &[Value::Null, reading])
    };
    assert!(complete(None, changed.clone()));
    assert!(!complete(Some(of_tenant()), changed));
    // That no row of a tenant has a value says nothing of the others either.
    let nothing = expression(|filter| filter.is_null(CHANGED));
    let plan = ExtractionPlan {
        filter: Some(nothing),
        ..plan.clone()
    };
    let probes = |filter| [largest(filter)];
    let null = [Value::Null];
    assert!(plan.is_complete(&table, &probes(None), &null));
    assert!(!plan.is_complete(&table, &probes(Some(of_tenant())), &null));
}

#[test]
fn a_bound_in_several_columns_leaves_out_later_rows_only() {
    let complete = |nullable, probe: &Probe, build: &dyn Fn(&mut Filter) -> u32| {
        let plan = plan(Coverage::Full, expression(build));
        plan.is_complete(&table(nullable), std::slice::from_ref(probe), &upper())
    };
    let all = last_row(None);
    assert!(complete(false, &all, &up_to));
    assert!(!complete(false, &last_row(Some(of_tenant())), &up_to));
    // Rows without a value are left out.
    assert!(!complete(true, &all, &up_to));
    let or_null = |filter: &mut Filter| {
        let bounded = up_to(filter);
        let null = filter.is_null(CHANGED);
        filter.add(Node::AnyOf(vec![bounded, null]))
    };
    assert!(complete(true, &all, &or_null));
    // In the form that lets a server seek, and written from the other side.
    let [changed, id] = upper();
    let with_leading = |filter: &mut Filter| {
        let leading = filter.compare(CHANGED, Comparison::Le, &changed);
        let bounded = up_to(filter);
        filter.add(Node::AllOf(vec![leading, bounded]))
    };
    assert!(complete(false, &all, &with_leading));
    let first_only = |filter: &mut Filter| filter.compare(CHANGED, Comparison::Le, &changed);
    assert!(complete(false, &all, &first_only));
    // Rows at the bound, or below it in the second column, are missing.
    for (beyond, op) in [
        (Comparison::Lt, Comparison::Lt),
        (Comparison::Lt, Comparison::Eq),
        (Comparison::Gt, Comparison::Le),
    ] {
        let other = |filter: &mut Filter| both(filter, beyond, op, &changed, &id);
        assert!(!complete(false, &all, &other), "{beyond:?} {op:?}");
    }
    let second_only = |filter: &mut Filter| filter.compare(ID, Comparison::Le, &id);
    assert!(!complete(false, &all, &second_only));
    let strictly = |filter: &mut Filter| filter.compare(CHANGED, Comparison::Lt, &changed);
    assert!(!complete(false, &all, &strictly));
}

#[test]
fn of_a_table_without_values_all_rows_without_one_are_everything() {
    let only_nulls = expression(|filter| filter.is_null(CHANGED));
    let plan = plan(Coverage::Full, only_nulls);
    let nothing = [Value::Null, Value::Null];
    assert!(plan.is_complete(&table(true), &[last_row(None)], &nothing));
    assert!(!plan.is_complete(&table(true), &[last_row(None)], &upper()));
}

#[test]
fn a_window_of_several_columns_has_bounds_in_the_first() {
    let (least, second) = (Value::Timestamp(10), Value::Integer(3));
    let [changed, _] = upper();
    let window = expression(|filter| {
        let leading = filter.compare(CHANGED, Comparison::Ge, &least);
        let above = both(filter, Comparison::Gt, Comparison::Ge, &least, &second);
        let last = filter.compare(CHANGED, Comparison::Le, &changed);
        let below = up_to(filter);
        filter.add(Node::AllOf(vec![leading, above, last, below]))
    });
    let plan = plan(Coverage::Incremental, window);
    for filter in [None, Some(of_tenant())] {
        let probes = [Probe::SourceTime, last_row(filter)];
        let readings = [vec![Value::Timestamp(1)], upper().to_vec()].concat();
        let found = plan.probed_upper_bound(&probes, &readings);
        assert_eq!(found, Some(CHANGED));
        // What lies above what was probed belongs to a later run.
        let reach = plan.reach(&probes, &readings).unwrap();
        let read = ExtractionPlan {
            filter: Some(reach.clone()),
            ..plan.clone()
        };
        assert!(read.validate(&table(false)).is_ok());
        let text = reach.text_alone(&table(false).columns, &[]);
        assert!(
            text.contains("Changed >= ") && text.contains("Id >= ") && !text.contains('<'),
            "{text}"
        );
    }
    let bound = plan.lower_bound().unwrap();
    assert_eq!((bound.column, bound.least), (CHANGED, least));
    assert!(bound.inclusive && !bound.or_null);
}

#[test]
fn a_row_needs_a_value_in_columns_that_are_compared() {
    let [changed, id] = upper();
    let window = |filter: &mut Filter| {
        let leading = filter.compare(CHANGED, Comparison::Le, &changed);
        let below = both(filter, Comparison::Lt, Comparison::Le, &changed, &id);
        filter.add(Node::AllOf(vec![leading, below]))
    };
    let needs = |build: &dyn Fn(&mut Filter) -> u32| {
        let expression = expression(build);
        [CHANGED, ID].map(|column| expression.needs_value(column))
    };
    // Whether a row is below is told by its first column already.
    assert_eq!(needs(&window), [true, false]);
    let or_null = |filter: &mut Filter| {
        let (window, null) = (window(filter), filter.is_null(CHANGED));
        filter.add(Node::AnyOf(vec![window, null]))
    };
    assert_eq!(needs(&or_null), [false, false]);
    let with_value = |filter: &mut Filter| {
        let (window, null) = (window(filter), filter.is_null(ID));
        let value = filter.add(Node::Negate(null));
        filter.add(Node::AllOf(vec![window, value]))
    };
    assert_eq!(needs(&with_value), [true, true]);
    // What is not known to be below is not known not to be.
    let negated = |filter: &mut Filter| {
        let either = or_null(filter);
        filter.add(Node::Negate(either))
    };
    assert_eq!(needs(&negated), [true, false]);
}
