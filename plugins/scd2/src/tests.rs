//! What the plans are, and what is refused.
#![allow(clippy::unwrap_used)]

use icehost_sdk::Expression;
use icehost_sdk::prelude::*;

use crate::{Context, Scd2};

/// 2026-01-31T12:00:00.1234567
const NOW: i64 = 17_698_608_001_234_567;

fn moment(name: &str) -> Column {
    Column::new(name, LogicalType::Timestamp, "datetime2(3)")
}

fn context(options: &str, contents: Contents) -> Context {
    let integer = |name: &str| Column::new(name, LogicalType::Integer, "int");
    let mut surrogate = integer("HistoryId").key(0);
    surrogate.identity = true;
    let target = vec![
        surrogate,
        integer("Id"),
        integer("Price").nullable(),
        Column::new("Modified", LogicalType::Timestamp, "datetime2(3)"),
        moment("Valid_From"),
        moment("ValidTo").nullable(),
        Column::new("Is Current", LogicalType::Boolean, "bit"),
    ];
    let mut columns = vec![
        integer("Id").key(0),
        integer("Price").nullable(),
        Column::new("Modified", LogicalType::Timestamp, "timestamp"),
    ];
    let changes = contents == Contents::Changes;
    if changes {
        columns.push(integer("op"));
    }
    let mut delta = Delta::new(columns, contents);
    delta.operation = changes.then_some(3);
    delta.run_time = NOW;
    Context {
        target: Table::new("dbo.Prices", target),
        delta,
        options: icehost_sdk::options::parse(options).unwrap(),
    }
}

fn now() -> Scalar {
    lit(Value::Timestamp(NOW - 4_567))
}

fn set(target: ColumnId, value: Scalar) -> Assignment {
    Assignment::new(target, value)
}

fn opened(begins: Scalar) -> Vec<Assignment> {
    vec![
        set(1, col(0)),
        set(2, col(1)),
        set(3, col(2)),
        set(4, begins),
        set(5, lit(Value::Null)),
        set(6, lit(true)),
    ]
}

fn closed(at: Scalar) -> Vec<Assignment> {
    vec![set(5, at), set(6, lit(false))]
}

fn told() -> [Assignment; 2] {
    [set(5, lit(Value::Null)), set(6, lit(true))]
}

fn is_told() -> Predicate {
    target_col(6).eq(lit(true)).and(target_col(5).is_null())
}

/// Somebody has changed the end, or the flag.
fn is_flagged() -> Predicate {
    target_col(6).eq(lit(true))
}

/// From when on an end is none.
fn far() -> Scalar {
    lit(Value::Timestamp(2_533_707_648_000_000_000))
}

fn with_told(mut written: Vec<Assignment>) -> Action {
    written.extend(told());
    Action::Write(written)
}

fn price_is_same() -> Predicate {
    col(1).same_as(target_col(2))
}

#[test]
fn a_change_begins_a_version_and_a_delete_only_ends_one() {
    let plan = Scd2::plan(&context("{}", Contents::Changes)).unwrap();
    assert_eq!(
        plan.keys,
        [KeyPair {
            source: 0,
            target: 1
        }]
    );
    let current = target_col(5)
        .is_null()
        .or(target_col(5).ge(far()))
        .or(is_flagged());
    assert_eq!(plan.among, Some(Expression::from(current)));
    let deleted = || col(3).eq(lit(0));
    let same = || price_is_same().and(col(2).eq(target_col(3)));
    let wanted = [
        Clause::matched(Action::Write(closed(now()))).when(deleted().and(target_col(4).lt(now()))),
        Clause::matched(Action::Write(closed(target_col(4)))).when(deleted()),
        Clause::not_matched(Action::Skip).when(deleted()),
        Clause::matched(Action::Skip).when(same().and(is_told())),
        // A current version that is not told as such.
        Clause::matched(with_told(vec![])).when(same()),
        Clause::matched(Action::supersede(closed(now()), opened(now())))
            .when(now().gt(target_col(4))),
        Clause::matched(with_told(vec![set(2, col(1)), set(3, col(2))])),
        Clause::not_matched(Action::Write(opened(now()))),
    ];
    assert_eq!(plan.clauses, wanted);
    assert_eq!(plan.deduplicate, []);
}

#[test]
fn a_version_can_begin_when_the_source_says_so() {
    let plan = Scd2::plan(&context(r#"{"from":"modified"}"#, Contents::Snapshot)).unwrap();
    let wanted = [
        Clause::matched(Action::Skip)
            .when(price_is_same().and(col(2).eq(target_col(3))).and(is_told())),
        // The time alone begins no version, and is kept up to date.
        Clause::matched(with_told(vec![set(3, col(2))])).when(price_is_same()),
        Clause::matched(Action::supersede(closed(col(2)), opened(col(2))))
            .when(col(2).gt(target_col(4))),
        Clause::matched(with_told(vec![set(2, col(1)), set(3, col(2))])),
        Clause::not_matched(Action::Write(opened(col(2)))),
    ];
    assert_eq!(plan.clauses, wanted);
    let newest = SortKey {
        column: 2,
        direction: Direction::Descending,
    };
    assert_eq!(plan.deduplicate, [newest]);
    // Rows of a source without a key are no versions of one.
    let mut keyless = context(r#"{"from":"modified","keys":["Id"]}"#, Contents::Snapshot);
    keyless.delta.columns[0].key_position = None;
    assert_eq!(Scd2::plan(&keyless).unwrap().deduplicate, []);

    let mut nullable = context(r#"{"from":"Modified"}"#, Contents::Snapshot);
    nullable.delta.columns[2].nullable = true;
    let plan = Scd2::plan(&nullable).unwrap();
    assert_eq!(
        plan.clauses[4],
        Clause::not_matched(Action::Write(opened(coalesce([col(2), now()]))))
    );
}

#[test]
fn only_a_complete_read_closes_what_is_missing() {
    let closes = |contents| {
        let plan = Scd2::plan(&context(r#"{"close-missing":true}"#, contents)).unwrap();
        let missing = |clause: &&Clause| clause.occasion == Occasion::NotMatchedBySource;
        plan.clauses.iter().filter(missing).cloned().collect()
    };
    let both: Vec<Clause> = closes(Contents::Snapshot);
    assert_eq!(
        both,
        [
            Clause::not_matched_by_source(Action::Write(closed(now())))
                .when(target_col(4).lt(now())),
            Clause::not_matched_by_source(Action::Write(closed(target_col(4)))),
        ]
    );
    assert_eq!(closes(Contents::Changes), []);
}

#[test]
fn the_current_version_can_have_an_end_far_away() {
    let options = r#"{"end-of-time":"9999-12-31","current":"is current"}"#;
    let plan = Scd2::plan(&context(options, Contents::Upserts)).unwrap();
    let end = || lit(Value::Timestamp(2_534_022_144_000_000_000));
    let current = || {
        target_col(5)
            .is_null()
            .or(target_col(5).ge(far()))
            .or(is_flagged())
    };
    assert_eq!(plan.among, Some(Expression::from(current())));
    let mut wanted = opened(now());
    wanted[4] = set(5, end());
    assert_eq!(
        plan.clauses.last(),
        Some(&Clause::not_matched(Action::Write(wanted)))
    );

    // One that is nearer is known as long as the run says so; a column that is never NULL is not asked for it.
    let mut nearer = context(r#"{"end-of-time":"2999-12-31"}"#, Contents::Upserts);
    nearer.target.columns[5].nullable = false;
    let plan = Scd2::plan(&nearer).unwrap();
    let end = lit(Value::Timestamp(325_035_936_000_000_000));
    let current = target_col(5)
        .eq(end)
        .or(target_col(5).ge(far()))
        .or(is_flagged());
    assert_eq!(plan.among, Some(Expression::from(current)));
}

#[test]
fn a_table_of_keys_has_no_versions_after_the_first() {
    let mut context = context("{}", Contents::Upserts);
    context.delta.columns.truncate(1);
    let plan = Scd2::plan(&context).unwrap();
    assert_eq!(
        plan.clauses[0],
        Clause::matched(Action::Skip).when(is_told())
    );
    assert_eq!(plan.clauses[1], Clause::matched(with_told(vec![])));
    assert_eq!(plan.clauses.len(), 3);

    context.target.columns.pop();
    let plan = Scd2::plan(&context).unwrap();
    assert_eq!(
        plan.clauses[0],
        Clause::matched(Action::Skip).when(target_col(5).is_null())
    );
    assert_eq!(plan.clauses.len(), 3);
}

#[test]
fn what_cannot_be_kept_is_refused_by_its_code() {
    let code = |options: &str, change: fn(&mut Context)| {
        let mut context = context(options, Contents::Upserts);
        change(&mut context);
        match Scd2::plan(&context) {
            Ok(_) => "none".to_owned(),
            Err(error) => error.code,
        }
    };
    type Change = fn(&mut Context);
    let nothing: Change = |_| {};
    let cases: [(&str, Change, &str); 14] = [
        ("{}", nothing, "none"),
        (
            "{}",
            |c| c.target.columns[4].name = "x".to_owned(),
            "no-history-columns",
        ),
        (
            r#"{"valid-from":"x"}"#,
            |c| c.target.columns[4].name = "x".to_owned(),
            "none",
        ),
        (
            "{}",
            |c| c.target.columns.push(moment("EffectiveFrom")),
            "ambiguous-column",
        ),
        (r#"{"valid-from":"Price"}"#, nothing, "wrong-type"),
        (
            r#"{"valid-from":"Modified"}"#,
            nothing,
            "not-a-history-column",
        ),
        (r#"{"valid-from":"ValidTo"}"#, nothing, "wrong-type"),
        (
            "{}",
            |c| c.target.columns[5].native_type = "datetime2(7)".to_owned(),
            "wrong-type",
        ),
        (
            "{}",
            |c| c.target.columns[5].nullable = false,
            "not-nullable",
        ),
        (
            "{}",
            |c| c.target.columns[1].key_position = c.target.columns[0].key_position.take(),
            "one-version-only",
        ),
        ("{}", |c| c.delta.columns[0].key_position = None, "no-key"),
        (r#"{"from":"Price"}"#, nothing, "wrong-type"),
        (r#"{"compare":["Id"]}"#, nothing, "wrong-column"),
        (r#"{"end-of-time":"never"}"#, nothing, "malformed-options"),
    ];
    for (number, (options, change, wanted)) in cases.into_iter().enumerate() {
        assert_eq!(code(options, change), wanted, "{number}: {options}");
    }
}

#[test]
fn more_columns_than_the_host_compares_are_refused() {
    let with = |columns: u32| {
        let mut context = context("{}", Contents::Upserts);
        for number in 0..columns {
            let column = Column::new(&format!("C{number}"), LogicalType::Integer, "int").nullable();
            context.target.columns.push(column.clone());
            context.delta.columns.push(column);
        }
        Scd2::plan(&context).map_err(|error| error.code).map(drop)
    };
    assert_eq!(with(144), Ok(()));
    assert_eq!(with(150), Err("too-many-columns".to_owned()));
}

#[test]
fn what_the_server_takes_for_the_same_is_written_as_it_is_spelled_now() {
    let mut context = context(r#"{"from":"modified"}"#, Contents::Upserts);
    for id in [0, 1] {
        context.delta.columns[id].kind = LogicalType::Text;
        context.target.columns[id + 1].kind = LogicalType::Text;
    }
    let plan = Scd2::plan(&context).unwrap();
    let wanted = [
        Clause::matched(with_told(vec![
            set(3, col(2)),
            set(1, col(0)),
            set(2, col(1)),
        ]))
        .when(price_is_same()),
        Clause::matched(Action::supersede(closed(col(2)), opened(col(2))))
            .when(col(2).gt(target_col(4))),
        Clause::matched(with_told(vec![
            set(2, col(1)),
            set(3, col(2)),
            set(1, col(0)),
        ])),
        Clause::not_matched(Action::Write(opened(col(2)))),
    ];
    assert_eq!(plan.clauses, wanted);
}
