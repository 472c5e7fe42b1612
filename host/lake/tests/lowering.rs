//! What merge plans become, and which are refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use icehost_lake::{LakeErrorKind, RowChange};
use icehost_plan::expression::Node;
use icehost_plan::{
    Action, Assignment, Comparison, Delta, Direction, Expression, LakeType, MergePlan, Occasion,
    Side, Table, Value, WriteMode,
};
use support::*;

fn target() -> Table {
    let mut table = Table {
        name: "demo.people".to_owned(),
        columns: vec![
            lake_column("id", LakeType::Long, false),
            lake_column("name", LakeType::String, true),
            lake_column(
                "price",
                LakeType::Decimal {
                    precision: 10,
                    scale: 2,
                },
                true,
            ),
        ],
        features: Default::default(),
        row_estimate: None,
    };
    table.columns[0].key_position = Some(0);
    table
}

fn lowered(plan: MergePlan, target: &Table, delta: &Delta) -> String {
    let valid = plan.validate(target, delta).unwrap();
    RowChange::from_plan(&valid, target, delta)
        .unwrap()
        .to_string()
}

fn refused(plan: MergePlan, target: &Table, delta: &Delta) -> String {
    let valid = plan.validate(target, delta).unwrap();
    let error = RowChange::from_plan(&valid, target, delta).unwrap_err();
    assert_eq!(error.kind(), LakeErrorKind::Unsupported);
    match error.hint() {
        Some(hint) => format!("{error}\nhint: {hint}"),
        None => error.to_string(),
    }
}

fn source(column: u32) -> Expression {
    Expression {
        nodes: vec![Node::Column {
            side: Side::Source,
            column,
        }],
        root: 0,
    }
}

#[test]
fn append() {
    insta::assert_snapshot!(lowered(append_plan(), &target(), &delta_like(&target())));
}

#[test]
fn upsert_under_a_collation_in_an_order() {
    let plan = MergePlan {
        among: None,
        deduplicate: vec![by(2, Direction::Descending)],
        ..upsert_plan(&[0, 1])
    };
    let delta = collated(delta_like(&target()), 1, "Latin1_General_CI_AS");
    insta::assert_snapshot!(lowered(plan, &target(), &delta));
}

#[test]
fn changes_with_deletes() {
    let mut plan = upsert_plan(&[0]);
    let mut delete = clause(Occasion::Matched, Action::Delete);
    delete.condition = Some(equals(3, Value::Integer(0)));
    plan.clauses.insert(0, delete);
    let mut skip = clause(Occasion::NotMatched, Action::Skip);
    skip.condition = Some(equals(3, Value::Integer(0)));
    plan.clauses.insert(1, skip);
    insta::assert_snapshot!(lowered(plan, &target(), &changes_delta(&target())));
}

#[test]
fn a_mirror() {
    let mut plan = upsert_plan(&[0]);
    plan.clauses
        .push(clause(Occasion::NotMatchedBySource, Action::Delete));
    insta::assert_snapshot!(lowered(plan, &target(), &complete(delta_like(&target()))));
}

#[test]
fn assigned_columns() {
    let all: Vec<Assignment> = [0u32, 1, 2]
        .into_iter()
        .map(|target| Assignment {
            target,
            value: match target {
                1 => Expression {
                    nodes: vec![
                        Node::Column {
                            side: Side::Source,
                            column: 1,
                        },
                        Node::Literal(Value::Text("?".to_owned())),
                        Node::Coalesce(vec![0, 1]),
                    ],
                    root: 2,
                },
                other => source(other),
            },
        })
        .collect();
    let plan = MergePlan {
        clauses: vec![
            clause(Occasion::Matched, Action::Write(all.clone())),
            clause(Occasion::NotMatched, Action::Write(all)),
        ],
        ..upsert_plan(&[0])
    };
    insta::assert_snapshot!(lowered(plan, &target(), &delta_like(&target())));
}

#[test]
fn inserted_columns_without_a_value_are_null() {
    let mut plan = append_plan();
    let id = Assignment {
        target: 0,
        value: source(0),
    };
    plan.clauses = vec![clause(Occasion::NotMatched, Action::Write(vec![id]))];
    insta::assert_snapshot!(lowered(plan, &target(), &delta_like(&target())));
}

#[test]
fn refusals() {
    let like = || delta_like(&target());
    let one = |target, column| {
        vec![Assignment {
            target,
            value: source(column),
        }]
    };
    let reads_target = || Expression {
        nodes: vec![
            Node::Column {
                side: Side::Target,
                column: 2,
            },
            Node::Column {
                side: Side::Source,
                column: 2,
            },
            Node::Compare {
                op: Comparison::Lt,
                left: 0,
                right: 1,
            },
        ],
        root: 2,
    };
    let with = |change: &dyn Fn(&mut MergePlan)| {
        let mut plan = upsert_plan(&[0]);
        change(&mut plan);
        plan
    };
    let mut extra = like();
    extra
        .columns
        .push(lake_column("email", LakeType::String, true));
    let mut shorter = like();
    shorter.columns.pop();
    let mut textual = like();
    textual.columns[2] = lake_column("price", LakeType::String, true);
    let mut finer = like();
    finer.columns[2] = lake_column(
        "price",
        LakeType::Decimal {
            precision: 10,
            scale: 3,
        },
        true,
    );
    let mut keyless = like();
    keyless.columns.remove(0);
    let cases: Vec<(&str, MergePlan, Delta)> = vec![
        (
            "copy-on-write",
            with(&|p| p.mode = WriteMode::CopyOnWrite),
            like(),
        ),
        (
            "append by key",
            MergePlan {
                keys: upsert_plan(&[0]).keys,
                ..append_plan()
            },
            like(),
        ),
        (
            "condition on the target",
            with(&|p| p.clauses[0].condition = Some(reads_target())),
            like(),
        ),
        (
            "condition on what is missing",
            with(&|p| {
                let mut gone = clause(Occasion::NotMatchedBySource, Action::Delete);
                gone.condition = Some(Expression {
                    nodes: vec![
                        Node::Column {
                            side: Side::Target,
                            column: 1,
                        },
                        Node::IsNull(0),
                    ],
                    root: 1,
                });
                p.clauses.push(gone);
            }),
            complete(like()),
        ),
        (
            "rewriting what is missing",
            with(&|p| {
                let value = Expression {
                    nodes: vec![Node::Literal(Value::Null)],
                    root: 0,
                };
                let write = Action::Write(vec![Assignment { target: 1, value }]);
                p.clauses.push(clause(Occasion::NotMatchedBySource, write));
            }),
            complete(like()),
        ),
        (
            "a partial update",
            with(&|p| p.clauses = vec![clause(Occasion::Matched, Action::Write(one(1, 1)))]),
            like(),
        ),
        ("a column the delta lacks", upsert_plan(&[0]), shorter),
        (
            "two images",
            with(&|p| p.clauses[1].action = Action::Write(one(0, 0))),
            like(),
        ),
        (
            "a value from the target",
            with(&|p| {
                let value = Expression {
                    nodes: vec![Node::Column {
                        side: Side::Target,
                        column: 2,
                    }],
                    root: 0,
                };
                p.clauses[0].action = Action::Write(vec![Assignment { target: 2, value }]);
            }),
            like(),
        ),
        ("a column the table lacks", upsert_plan(&[0]), extra),
        ("another type", upsert_plan(&[0]), textual),
        ("a finer decimal", upsert_plan(&[0]), finer),
        ("a required column without value", append_plan(), keyless),
        (
            "an order of text",
            with(&|p| {
                let condition = compare(Comparison::Gt, 1, Value::Text("m".to_owned()));
                p.clauses[0].condition = Some(condition);
            }),
            like(),
        ),
    ];
    let report: Vec<String> = cases
        .into_iter()
        .map(|(what, plan, delta)| format!("## {what}\n{}", refused(plan, &target(), &delta)))
        .collect();
    insta::assert_snapshot!(report.join("\n\n"));
}
