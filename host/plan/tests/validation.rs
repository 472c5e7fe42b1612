//! What a strategy may not say, and how it is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use icehost_plan::expression::{MAX_DEPTH, MAX_LITERALS, MAX_NODES, Scope};
use icehost_plan::*;

fn column(name: &str, sql: SqlType) -> Column {
    Column::new(name, ColumnType::Sql(sql), true)
}

fn table() -> Table {
    Table {
        name: "dbo.t".to_owned(),
        columns: vec![
            Column {
                key_position: Some(0),
                nullable: false,
                ..column("id", SqlType::Int)
            },
            column("name", SqlType::NVarChar(Length::Limited(50))),
            column("changed", SqlType::DateTime2(7)),
            column("flag", SqlType::Bit),
            Column {
                read_only: true,
                ..column("version", SqlType::RowVersion)
            },
            column("ratio", SqlType::Float),
        ],
        features: Features::default(),
        row_estimate: None,
    }
}

fn source(column: u32) -> Node {
    Node::Column {
        side: Side::Source,
        column,
    }
}

fn compare(left: u32, right: u32) -> Node {
    Node::Compare {
        op: Comparison::Gt,
        left,
        right,
    }
}

fn expression(nodes: Vec<Node>) -> Expression {
    let root = nodes.len().saturating_sub(1) as u32;
    Expression { nodes, root }
}

fn filter_error(nodes: Vec<Node>) -> String {
    let columns = table().columns;
    expression(nodes)
        .validate_predicate(&Scope {
            source: &columns,
            target: None,
        })
        .unwrap_err()
        .to_string()
}

#[test]
fn expressions_that_are_refused() {
    let integer = |n| Node::Literal(Value::Integer(n));
    let cases = vec![
        (
            "ordinal out of range",
            vec![source(6), integer(1), compare(0, 1)],
        ),
        ("cycle", vec![Node::Negate(0)]),
        (
            "forward reference",
            vec![compare(1, 2), source(0), integer(1)],
        ),
        (
            "type confusion",
            vec![
                source(0),
                Node::Literal(Value::Text("1 OR 1=1".into())),
                compare(0, 1),
            ],
        ),
        (
            "target without target",
            vec![Node::Column {
                side: Side::Target,
                column: 0,
            }],
        ),
        (
            "comparison with null",
            vec![source(0), Node::Literal(Value::Null), compare(0, 1)],
        ),
        ("value where a predicate is wanted", vec![source(3)]),
        (
            "predicate where a value is wanted",
            vec![source(0), Node::IsNull(0), Node::IsNull(1)],
        ),
        ("negated value", vec![source(3), Node::Negate(0)]),
        ("empty conjunction", vec![Node::AllOf(vec![])]),
        (
            "empty one-of",
            vec![
                source(0),
                Node::OneOf {
                    item: 0,
                    values: vec![],
                },
            ],
        ),
        (
            "null in one-of",
            vec![
                source(0),
                Node::OneOf {
                    item: 0,
                    values: vec![Value::Null],
                },
            ],
        ),
        (
            "ordered booleans",
            vec![
                source(3),
                Node::Literal(Value::Boolean(true)),
                compare(0, 1),
            ],
        ),
        ("nothing at all", vec![]),
        (
            "coalesce of kinds",
            vec![source(0), source(1), Node::Coalesce(vec![0, 1])],
        ),
        (
            "impossible literal",
            vec![
                source(5),
                Node::Literal(Value::Double(f64::NAN)),
                compare(0, 1),
            ],
        ),
    ];
    let listing: String = cases
        .into_iter()
        .map(|(name, nodes)| format!("{name}: {}\n", filter_error(nodes)))
        .collect();
    insta::assert_snapshot!(listing);
}

#[test]
fn expressions_have_a_bounded_size() {
    let mut deep = vec![source(0), Node::IsNull(0)];
    for i in 0..u32::from(MAX_DEPTH) {
        deep.push(Node::Negate(i + 1));
    }
    assert!(filter_error(deep).contains("64 deep"));

    assert!(filter_error(vec![source(0); MAX_NODES + 1]).contains("1024 nodes"));

    let many = Node::OneOf {
        item: 0,
        values: vec![Value::Integer(1); MAX_LITERALS + 1],
    };
    assert!(filter_error(vec![source(0), many]).contains("1000 literals"));

    let long = Node::Literal(Value::Text("x".repeat(65 * 1024)));
    assert!(filter_error(vec![source(1), long, compare(0, 1)]).contains("65536 bytes"));
}

fn plan() -> ExtractionPlan {
    ExtractionPlan {
        source: ChangeSource::Rows,
        coverage: Coverage::Incremental,
        columns: vec![0, 1],
        filter: None,
        order_by: vec![],
        split_on: None,
        observe: vec![],
    }
}

#[test]
fn extraction_plans_that_are_refused() {
    let window = Window {
        after: None,
        through: None,
    };
    let max = |column| Aggregate {
        function: AggregateFunction::Max,
        column,
    };
    let key = SortKey {
        column: 9,
        direction: Direction::Ascending,
    };
    let cases = vec![
        ExtractionPlan {
            columns: vec![],
            ..plan()
        },
        ExtractionPlan {
            columns: vec![1, 1],
            ..plan()
        },
        ExtractionPlan {
            columns: vec![0, 6],
            ..plan()
        },
        ExtractionPlan {
            order_by: vec![key],
            ..plan()
        },
        ExtractionPlan {
            source: ChangeSource::ChangeTracking(window.clone()),
            ..plan()
        },
        ExtractionPlan {
            source: ChangeSource::CaptureNet(window.clone()),
            ..plan()
        },
        ExtractionPlan {
            source: ChangeSource::SystemVersioned(window.clone()),
            ..plan()
        },
        ExtractionPlan {
            source: ChangeSource::Snapshots(window),
            ..plan()
        },
        ExtractionPlan {
            observe: vec![max(2)],
            ..plan()
        },
        ExtractionPlan {
            columns: vec![3],
            observe: vec![max(3)],
            ..plan()
        },
        ExtractionPlan {
            split_on: Some((0, vec![Value::Integer(1); 300])),
            ..plan()
        },
    ];
    let listing: String = cases
        .into_iter()
        .map(|plan| format!("{}\n", plan.validate(&table()).unwrap_err()))
        .collect();
    insta::assert_snapshot!(listing);
    assert!(plan().validate(&table()).is_ok());
}

#[test]
fn bounds_of_another_kind_are_refused() {
    let mut table = table();
    table.features = Features {
        rowversion: true,
        change_tracking: true,
        capture: true,
        system_versioned: true,
        snapshots: true,
    };
    let window = |after| Window {
        after: Some(after),
        through: None,
    };
    let text = || Value::Text("1; DROP TABLE x".to_owned());
    let refused = |plan: ExtractionPlan, error: &str| {
        assert_eq!(plan.validate(&table).unwrap_err().to_string(), error);
    };
    let mut split = plan();
    split.split_on = Some((0, vec![text()]));
    refused(
        split,
        "split-on: a bound of kind integer is wanted, not text:1; DROP TABLE x",
    );
    for (source, error) in [
        (
            ChangeSource::ChangeTracking(window(text())),
            "source: a bound of kind integer is wanted, not text:1; DROP TABLE x",
        ),
        (
            ChangeSource::CaptureAll(window(Value::Integer(1))),
            "source: a bound of kind binary is wanted, not integer:1",
        ),
        (
            ChangeSource::SystemVersioned(window(Value::Date(0))),
            "source: a bound of kind timestamp is wanted, not date:1970-01-01",
        ),
        (
            ChangeSource::Snapshots(window(Value::Null)),
            "source: a bound of kind integer is wanted, not null",
        ),
    ] {
        refused(ExtractionPlan { source, ..plan() }, error);
    }
    let whole = ChangeSource::Snapshots(window(Value::Integer(7)));
    let plan = ExtractionPlan {
        source: whole,
        ..plan()
    };
    assert!(plan.validate(&table).is_ok());
}

fn delta() -> Delta {
    let mut columns = table().columns;
    columns.push(Delta::operation_column());
    Delta {
        operation: Some(columns.len() as u32 - 1),
        columns,
        contents: Contents::Changes,
        rows: 1,
        run_time: 0,
    }
}

/// Every row there is.
fn snapshot() -> Delta {
    Delta {
        contents: Contents::Snapshot,
        operation: None,
        ..delta()
    }
}

fn upsert() -> MergePlan {
    let clause = |occasion, action| Clause {
        occasion,
        condition: None,
        action,
    };
    MergePlan {
        keys: vec![KeyPair {
            source: 0,
            target: 0,
        }],
        among: None,
        deduplicate: vec![],
        clauses: vec![
            clause(Occasion::Matched, Action::WriteAll),
            clause(Occasion::NotMatched, Action::WriteAll),
        ],
        mode: WriteMode::MergeOnRead,
    }
}

#[test]
fn merge_plans_that_are_refused() {
    let clause = |occasion, action| Clause {
        occasion,
        condition: None,
        action,
    };
    let write = |target, node| {
        Action::Write(vec![Assignment {
            target,
            value: expression(vec![node]),
        }])
    };
    let one = Node::Literal(Value::Integer(1));
    let target_read = Clause {
        condition: Some(expression(vec![
            Node::Column {
                side: Side::Target,
                column: 0,
            },
            Node::IsNull(0),
        ])),
        ..clause(Occasion::NotMatched, Action::WriteAll)
    };
    let cases = vec![
        MergePlan {
            keys: vec![KeyPair {
                source: 0,
                target: 1,
            }],
            ..upsert()
        },
        MergePlan {
            keys: vec![KeyPair {
                source: 5,
                target: 5,
            }],
            ..upsert()
        },
        MergePlan {
            keys: vec![KeyPair {
                source: 0,
                target: 99,
            }],
            ..upsert()
        },
        MergePlan {
            keys: vec![],
            ..upsert()
        },
        MergePlan {
            mode: WriteMode::Append,
            ..upsert()
        },
        MergePlan {
            clauses: vec![],
            ..upsert()
        },
        MergePlan {
            clauses: vec![clause(Occasion::NotMatched, Action::Delete)],
            ..upsert()
        },
        MergePlan {
            clauses: vec![clause(Occasion::NotMatchedBySource, Action::WriteAll)],
            ..upsert()
        },
        MergePlan {
            clauses: vec![clause(Occasion::NotMatchedBySource, write(1, source(1)))],
            ..upsert()
        },
        MergePlan {
            clauses: vec![clause(Occasion::Matched, write(4, one.clone()))],
            ..upsert()
        },
        MergePlan {
            clauses: vec![clause(Occasion::Matched, write(1, one))],
            ..upsert()
        },
        MergePlan {
            clauses: vec![clause(Occasion::Matched, Action::Write(vec![]))],
            ..upsert()
        },
        MergePlan {
            clauses: vec![target_read],
            ..upsert()
        },
    ];
    let listing: String = cases
        .into_iter()
        .map(|plan| format!("{}\n", plan.validate(&table(), &snapshot()).unwrap_err()))
        .collect();
    insta::assert_snapshot!(listing);
    assert!(upsert().validate(&table(), &snapshot()).is_ok());
}

#[test]
fn only_a_complete_delta_says_what_is_missing() {
    let nothing_written = Action::Write(vec![Assignment {
        target: 2,
        value: expression(vec![Node::Literal(Value::Null)]),
    }]);
    for action in [Action::Delete, Action::Skip, nothing_written] {
        let mut plan = upsert();
        plan.clauses.push(Clause {
            occasion: Occasion::NotMatchedBySource,
            condition: None,
            action,
        });
        assert!(plan.clone().validate(&table(), &snapshot()).is_ok());
        for contents in [Contents::Upserts, Contents::Changes] {
            let partial = Delta {
                contents,
                ..delta()
            };
            let refused = plan.clone().validate(&table(), &partial).unwrap_err();
            let message = refused.to_string();
            assert!(
                message.starts_with("clauses[2]: the delta does not hold every row"),
                "{message}"
            );
        }
    }
}

#[test]
fn watermarks_have_a_bounded_size() {
    let mark = |name: &str, value| (name.to_owned(), value);
    let watermark = |marks| Watermark { format: 1, marks };
    for (marks, reason) in [
        (
            vec![mark("a", Value::Null), mark("a", Value::Null)],
            "stands twice",
        ),
        (vec![mark("", Value::Null)], "empty name"),
        (vec![mark("a\nb", Value::Null)], "control characters"),
        (
            vec![mark("a", Value::Text("x".repeat(MAX_WATERMARK_BYTES)))],
            "at most 16384 bytes",
        ),
        (vec![mark("a", Value::Double(f64::INFINITY))], "mark 'a'"),
    ] {
        let error = watermark(marks).validate().unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}
