//! The shipped change detectors, through the runtime.

use icehost_plan::{
    Aggregate, AggregateFunction, Comparison, Coverage, Direction, Expression, Node, Outcome,
    Probe, Side, SortKey, Table, Value, Watermark,
};
use icehost_strategy::{Context, FailureKind, Options, Strategy, StrategyError};

use crate::fixtures::{options, orders, runtime, shipped};

/// One run: probes, plan, advance.
async fn run(
    strategy: &Strategy,
    table: &Table,
    pairs: &[(&str, &str)],
    watermark: Option<&Watermark>,
    readings: Vec<Value>,
) -> Result<(icehost_plan::ValidExtractionPlan, Watermark), StrategyError> {
    let detector = strategy.as_change_detector()?;
    let options = Options::from_pairs(strategy, pairs)?;
    let context = Context {
        table,
        options: &options,
        watermark,
    };
    let probes = detector.probes(&context).await?;
    assert_eq!(probes.len(), readings.len(), "one reading per probe");
    let plan = detector.plan(&context, &readings).await?;
    let outcome = Outcome {
        rows: 3,
        readings,
        observed: vec![],
    };
    Ok((plan, detector.advance(&context, &outcome).await?))
}

fn column(column: u32) -> Node {
    Node::Column {
        side: Side::Source,
        column,
    }
}

fn compare(op: Comparison, left: u32, right: u32) -> Node {
    Node::Compare { op, left, right }
}

/// The server's time, in whole minutes: 2026-01-31T12:01.
const NOW: i64 = 17_698_608_600_000_000;

/// `lower <= c AND c <= upper`
fn range(c: u32, lower: Value, upper: Value) -> Expression {
    Expression {
        nodes: vec![
            column(c),
            Node::Literal(lower),
            compare(Comparison::Ge, 0, 1),
            Node::Literal(upper),
            compare(Comparison::Le, 0, 3),
            Node::AllOf(vec![2, 4]),
        ],
        root: 5,
    }
}

#[tokio::test]
async fn timestamp_reads_everything_and_then_from_a_minute_before() {
    let runtime = runtime();
    let strategy = shipped(&runtime, "timestamp").await;
    let table = orders();
    // 2026-01-31T12:00:00.1234567 and 100 ns later.
    let early = Value::Timestamp(17_698_608_001_234_567);
    let late = Value::Timestamp(17_698_608_001_234_568);
    let (plan, first) = run(
        &strategy,
        &table,
        &[],
        None,
        vec![early.clone(), Value::Timestamp(NOW)],
    )
    .await
    .unwrap();
    assert_eq!(plan.coverage, Coverage::Full);
    assert_eq!(plan.columns, [0, 1, 2, 3]);
    assert_eq!(
        plan.order_by,
        [SortKey {
            column: 3,
            direction: Direction::Ascending
        }]
    );
    assert_eq!(
        plan.filter,
        Some(Expression {
            nodes: vec![
                column(3),
                Node::Literal(early.clone()),
                compare(Comparison::Le, 0, 1)
            ],
            root: 2,
        })
    );
    assert_eq!(
        first.marks,
        [
            ("ModifiedDate".to_owned(), early.clone()),
            ("ModifiedDate read at".to_owned(), Value::Timestamp(NOW)),
        ]
    );
    let readings = vec![late.clone(), Value::Timestamp(NOW)];
    let (plan, second) = run(&strategy, &table, &[], Some(&first), readings)
        .await
        .unwrap();
    assert_eq!(plan.coverage, Coverage::Incremental);
    // A minute, in whole microseconds; and whatever lies more than a day ahead of the clock.
    let lower = Value::Timestamp(17_698_608_001_234_560 - 600_000_000);
    let mut wanted = range(3, lower, late.clone());
    wanted.nodes.extend([
        Node::Literal(Value::Timestamp(NOW + 864_000_000_000)),
        compare(Comparison::Gt, 0, 6),
        Node::AnyOf(vec![5, 7]),
    ]);
    wanted.root = 8;
    assert_eq!(plan.filter, Some(wanted));
    assert_eq!(second.mark("ModifiedDate"), Some(&late));
}

#[tokio::test]
async fn id_reads_what_has_a_higher_number() {
    let runtime = runtime();
    let strategy = shipped(&runtime, "id").await;
    let seen = Watermark {
        format: 1,
        marks: vec![("Id".to_owned(), Value::Integer(100))],
    };
    let pairs = [("lookback", "10"), ("lookback-seconds", "0")];
    let readings = vec![
        Value::Integer(250),
        Value::Timestamp(NOW),
        Value::Integer(1),
    ];
    let (plan, watermark) = run(&strategy, &orders(), &pairs, Some(&seen), readings)
        .await
        .unwrap();
    assert_eq!(
        plan.filter,
        Some(range(0, Value::Integer(90), Value::Integer(250)))
    );
    assert_eq!(watermark.mark("Id"), Some(&Value::Integer(250)));
    assert_eq!(watermark.mark("Id least"), Some(&Value::Integer(1)));
}

#[tokio::test]
async fn a_nullable_cursor_is_probed_for_nulls() {
    let runtime = runtime();
    let strategy = shipped(&runtime, "timestamp").await;
    let detector = strategy.as_change_detector().unwrap();
    let mut table = orders();
    table.columns[3].nullable = true;
    let options = options(&strategy, &[]);
    let context = Context {
        table: &table,
        options: &options,
        watermark: None,
    };
    let aggregate = |function| {
        Probe::from(Aggregate {
            function,
            column: 3,
        })
    };
    assert_eq!(
        detector.probes(&context).await.unwrap(),
        [
            aggregate(AggregateFunction::Max),
            Probe::SourceTime,
            aggregate(AggregateFunction::CountNull)
        ]
    );
    let readings = [
        Value::Timestamp(5),
        Value::Timestamp(NOW),
        Value::Integer(3),
    ];
    let error = detector.plan(&context, &readings).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "strategy 'timestamp' says: 3 rows of dbo.Orders have NULL in 'ModifiedDate' and would never be \
         read; set nulls to every-run to read them in each run, or to skip to leave them out (column \
         'ModifiedDate') [null-cursor]"
    );
}

#[tokio::test]
async fn a_watermark_of_another_column_is_stale() {
    let runtime = runtime();
    let strategy = shipped(&runtime, "id").await;
    let seen = Watermark {
        format: 1,
        marks: vec![("Other".to_owned(), Value::Integer(100))],
    };
    let readings = vec![Value::Integer(250)];
    let error = run(&strategy, &orders(), &[], Some(&seen), readings)
        .await
        .unwrap_err();
    let StrategyError::Failure { kind, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(*kind, FailureKind::StaleWatermark);
    assert_eq!(
        error.hint().unwrap(),
        "`icehost watermark set` with an earlier mark reads again from there and leaves out what the lake has; `icehost watermark clear` reads the whole table again"
    );
}

#[tokio::test]
async fn candidates_are_listed_with_the_options() {
    let runtime = runtime();
    let strategy = shipped(&runtime, "timestamp").await;
    let mut table = orders();
    table.columns[3].name = "UpdatedAt".to_owned();
    table.columns.push(table.columns[3].clone());
    table.columns[4].name = "LastModified".to_owned();
    let error = run(&strategy, &table, &[], None, vec![]).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("set column to one of 'UpdatedAt', 'LastModified'"),
        "{error}"
    );
    let hint = error.hint().unwrap();
    for option in [
        "column (text)",
        "lookback-seconds (integer from 0",
        "nulls (refuse | every-run | skip",
    ] {
        assert!(hint.contains(option), "{hint}");
    }
}

#[tokio::test]
async fn options_are_checked_before_any_call() {
    let runtime = runtime();
    let strategy = shipped(&runtime, "timestamp").await;
    for (pairs, problem) in [
        (&[("colum", "x")][..], "there is no option 'colum'"),
        (
            &[("lookback-seconds", "soon")],
            "option 'lookback-seconds' takes integer from 0 to 4294967295, not \"soon\"",
        ),
        (
            &[("lookback-seconds", "-1")],
            "option 'lookback-seconds' takes integer from 0 to 4294967295, not -1",
        ),
        (
            &[("nulls", "drop")],
            "option 'nulls' takes refuse | every-run | skip, not \"drop\"",
        ),
        (
            &[("column", "a"), ("column", "b")],
            "option 'column' is given twice",
        ),
    ] {
        let error = Options::from_pairs(&strategy, pairs).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("strategy 'timestamp' does not take these options: {problem}")
        );
        assert!(
            error.hint().unwrap().contains("\n  nulls ("),
            "{:?}",
            error.hint()
        );
    }
}

#[tokio::test]
async fn options_of_one_strategy_are_not_taken_for_another_s() {
    let runtime = runtime();
    let (timestamp, id) = (
        shipped(&runtime, "timestamp").await,
        shipped(&runtime, "id").await,
    );
    let options = Options::from_pairs(&timestamp, &[("lookback-seconds", "5")]).unwrap();
    let table = orders();
    let context = Context {
        table: &table,
        options: &options,
        watermark: None,
    };
    let error = id
        .as_change_detector()
        .unwrap()
        .probes(&context)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("they were checked for another strategy"),
        "{error}"
    );
}

#[tokio::test]
async fn the_same_question_has_the_same_answer() {
    let table = orders();
    let mut answers = Vec::new();
    for _ in 0..3 {
        let runtime = runtime();
        let strategy = shipped(&runtime, "timestamp").await;
        for _ in 0..3 {
            let readings = vec![Value::Timestamp(5), Value::Timestamp(NOW)];
            answers.push(run(&strategy, &table, &[], None, readings).await.unwrap());
        }
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn time_in_components_is_counted() {
    let runtime = runtime();
    let strategy = shipped(&runtime, "id").await;
    let before = runtime.time_in_components();
    assert!(!before.is_zero(), "describing itself takes time");
    let readings = vec![Value::Integer(1), Value::Timestamp(NOW), Value::Integer(1)];
    run(&strategy, &orders(), &[], None, readings)
        .await
        .unwrap();
    assert!(runtime.time_in_components() > before);
}
