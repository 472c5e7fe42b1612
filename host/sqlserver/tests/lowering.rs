//! Plans into T-SQL: every node, probe and clause as a snapshot.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use icehost_plan::{
    Action, Aggregate, AggregateFunction, Assignment, ChangeSource, Clause, Collation, Column,
    ColumnType, Comparison, Contents, Coverage, Delta, Direction, Expression, ExtractionPlan,
    Extreme, Features, KeyPair, KeyRange, MergePlan, Node, Occasion, Probe, Side, SortKey, SqlType,
    Succession, Table, ValidMergePlan, Value, WriteMode,
};
use icehost_sqlserver::lower::{
    Spelling, base_columns, checksums, come_again, count_of, create_permissions, create_table,
    extraction, merge, one_key, probes, range_boundaries, repeated_key, row_estimate, row_filters,
    same_keys, schema_is_there, snapshot_isolation, spellings, synonym, table_permissions,
    table_traits, unmask_permissions, updateability,
};
use icehost_sqlserver::{
    Blanks, ErrorKind, NewColumn, Permission, SqlColumn, SqlTable, Statement, TableName, Traits,
};

const CI: &str = "SQL_Latin1_General_CP1_CI_AS";

/// A table from names, types and what is special about each column.
fn table(name: TableName, columns: &[(&str, &str, &str)]) -> SqlTable {
    let columns: Vec<SqlColumn> = columns
        .iter()
        .map(|(name, sql_type, traits)| {
            let sql_type: SqlType = sql_type.parse().unwrap();
            SqlColumn {
                id: 0,
                name: (*name).to_owned(),
                sql_type,
                nullable: traits.contains("null"),
                identity: traits.contains("identity"),
                computed: traits.contains("computed"),
                collation: match traits.split_once("collate ") {
                    Some((_, collation)) => Some(collation.to_owned()),
                    None => (sql_type.logical() == icehost_plan::LogicalType::Text)
                        .then(|| CI.to_owned()),
                },
                default: None,
                masked: false,
            }
        })
        .collect();
    let plan_columns = columns.iter().enumerate().map(|(i, column)| Column {
        name: column.name.clone(),
        column_type: ColumnType::Sql(column.sql_type),
        nullable: column.nullable,
        key_position: (i == 0).then_some(0),
        identity: column.identity,
        read_only: column.computed || column.sql_type == SqlType::RowVersion,
        collation: column.collation.as_deref().map(Collation::from_name),
    });
    SqlTable {
        table: Table {
            name: name.to_string(),
            columns: plan_columns.collect(),
            features: Features {
                rowversion: columns.iter().any(|c| c.sql_type == SqlType::RowVersion),
                ..Features::default()
            },
            row_estimate: None,
        },
        name,
        object_id: 1,
        created: None,
        database: "Sales".to_owned(),
        is_view: false,
        has_triggers: false,
        snapshot_isolation: false,
        unique_keys: vec![vec![columns[0].name.clone()]],
        clustered_key: vec![columns[0].name.clone()],
        columns,
        traits: Traits::default(),
        skipped: Vec::new(),
    }
}

fn customers() -> SqlTable {
    table(
        TableName::new("dbo", "Customers"),
        &[
            ("Id", "int", "identity"),
            ("Name", "nvarchar(100)", ""),
            ("Code", "varchar(10)", "null"),
            ("Changed", "datetime", ""),
            ("Balance", "money", "null"),
            ("Version", "rowversion", ""),
            ("Tag", "uniqueidentifier", "null"),
            ("Active", "bit", ""),
            ("Rate", "decimal(9,4)", "null"),
            ("Seen", "datetime2(7)", "null"),
            ("Total", "int", "computed null"),
            ("Alias", "varchar(20)", "null collate Polish_CI_AS"),
        ],
    )
}

fn source(column: u32) -> Node {
    Node::Column {
        side: Side::Source,
        column,
    }
}

fn target(column: u32) -> Node {
    Node::Column {
        side: Side::Target,
        column,
    }
}

fn literal(text: &str) -> Node {
    Node::Literal(text.parse().unwrap())
}

fn tree(nodes: Vec<Node>) -> Expression {
    Expression {
        root: nodes.len() as u32 - 1,
        nodes,
    }
}

fn compare(op: Comparison, left: Node, right: Node) -> Expression {
    tree(vec![
        left,
        right,
        Node::Compare {
            op,
            left: 0,
            right: 1,
        },
    ])
}

fn plan(columns: &[u32], filter: Option<Expression>) -> ExtractionPlan {
    ExtractionPlan {
        source: ChangeSource::Rows,
        coverage: Coverage::Incremental,
        columns: columns.to_vec(),
        filter,
        order_by: Vec::new(),
        split_on: None,
        observe: Vec::new(),
    }
}

/// The statement for a filter on [`customers`], without its SELECT.
fn filtered(filter: Expression) -> String {
    let table = customers();
    let plan = plan(&[0], Some(filter)).validate(&table.table).unwrap();
    let statement = extraction(&table, &plan).unwrap().to_string();
    statement.replace("SELECT [Id]\nFROM [dbo].[Customers]\n", "")
}

#[test]
fn an_extraction_selects_columns_in_the_plans_order_and_casts_what_the_wire_would_change() {
    let table = customers();
    let mut plan = plan(&(0..12).rev().collect::<Vec<u32>>(), None);
    plan.order_by = vec![
        SortKey {
            column: 3,
            direction: Direction::Descending,
        },
        SortKey {
            column: 0,
            direction: Direction::Ascending,
        },
    ];
    let plan = plan.validate(&table.table).unwrap();
    insta::assert_snapshot!(extraction(&table, &plan).unwrap());
}

#[test]
fn names_are_quoted() {
    let table = table(
        TableName::parse("[odd]]schema].[we]]ird, \"name\"]").unwrap(),
        &[
            ("a]b", "int", ""),
            ("select", "int", ""),
            ("x y", "int", ""),
        ],
    );
    let filter = compare(Comparison::Gt, source(0), source(2));
    let plan = plan(&[0, 1, 2], Some(filter))
        .validate(&table.table)
        .unwrap();
    insta::assert_snapshot!(extraction(&table, &plan).unwrap());
}

#[test]
fn a_cursor_is_compared_in_its_columns_own_type() {
    let window = |column: u32, after: &str, through: &str| {
        filtered(tree(vec![
            literal(after),
            source(column),
            Node::Compare {
                op: Comparison::Lt,
                left: 0,
                right: 1,
            },
            literal(through),
            Node::Compare {
                op: Comparison::Le,
                left: 1,
                right: 3,
            },
            Node::AllOf(vec![2, 4]),
        ]))
    };
    let windows = [
        window(0, "integer:7", "integer:5000000000"),
        window(
            3,
            "timestamp:2026-01-31T12:00:00.003",
            "timestamp:2026-01-31T12:00:00.005",
        ),
        window(
            9,
            "timestamp:2026-01-31T12:00:00.1234567",
            "timestamp:2026-01-31T12:00:00",
        ),
        window(4, "decimal:-1.0001", "decimal:922337203685477.5808"),
        window(8, "decimal:1.5", "decimal:1.00001"),
        window(5, "binary:0x00000000000007D1", "binary:0x00000000000007D2"),
        window(
            6,
            "uuid:6f9619ff-8b86-d011-b42d-00c04fc964ff",
            "uuid:00000000-0000-0000-0000-000000000001",
        ),
        window(1, "text:O'Neil", "text:日本"),
        window(2, "text:abc", "text:é€"),
        window(11, "text:abc", "text:łódź"),
    ];
    insta::assert_snapshot!(windows.join("\n\n"));
}

#[test]
fn every_node_has_its_sql() {
    let is_null = |column| vec![source(column), Node::IsNull(0)];
    let statements = [
        filtered(compare(Comparison::Ne, source(7), literal("boolean:true"))),
        filtered(tree(is_null(2))),
        filtered(tree([is_null(2), vec![Node::Negate(1)]].concat())),
        filtered(tree(vec![
            source(2),
            Node::OneOf {
                item: 0,
                values: vec!["text:a".parse().unwrap(), "text:é".parse().unwrap()],
            },
        ])),
        filtered(tree(vec![
            source(8),
            literal("decimal:0.5"),
            Node::Literal(Value::Null),
            Node::Coalesce(vec![2, 0, 1]),
            literal("decimal:2"),
            Node::Compare {
                op: Comparison::Ge,
                left: 3,
                right: 4,
            },
        ])),
        filtered(tree(vec![
            source(2),
            Node::IsNull(0),
            source(4),
            Node::IsNull(2),
            Node::AnyOf(vec![1, 3]),
            source(6),
            Node::IsNull(5),
            Node::AllOf(vec![4, 6]),
            Node::AnyOf(vec![7, 3]),
        ])),
        filtered(compare(Comparison::Lt, source(0), source(10))),
    ];
    insta::assert_snapshot!(statements.join("\n\n"));
}

#[test]
fn shared_nodes_do_not_unfold_without_end() {
    let mut nodes = vec![source(2), Node::IsNull(0)];
    for i in 1..40 {
        nodes.push(Node::AllOf(vec![i, i]));
    }
    let table = customers();
    let plan = plan(&[0], Some(tree(nodes)))
        .validate(&table.table)
        .unwrap();
    let error = extraction(&table, &plan).unwrap_err();
    assert_eq!(
        error.to_string(),
        "an expression unfolds to more than 10000 nodes"
    );
}

#[test]
fn what_is_asked_beside_the_probes() {
    let table = customers();
    let filter = compare(
        Comparison::Le,
        source(9),
        literal("timestamp:2026-01-31T12:00:00"),
    );
    let statements = [
        snapshot_isolation("O'Brien"),
        updateability(None),
        updateability(Some("Shop")),
        count_of(&table, &filter).unwrap(),
    ];
    let statements = statements.map(|statement| statement.to_string());
    insta::assert_snapshot!(statements.join("\n\n"));
}

#[test]
fn probes_are_read_in_one_statement() {
    let table = customers();
    let aggregate = |function, column| Probe::from(Aggregate { function, column });
    let all = [
        aggregate(AggregateFunction::Max, 3),
        aggregate(AggregateFunction::Min, 4),
        aggregate(AggregateFunction::Max, 5),
        aggregate(AggregateFunction::Min, 6),
        aggregate(AggregateFunction::Max, 11),
        aggregate(AggregateFunction::Count, 2),
        aggregate(AggregateFunction::CountNull, 2),
        aggregate(AggregateFunction::CountDistinct, 2),
        Probe::MinActiveRowversion,
        Probe::SourceTime,
    ];
    insta::assert_snapshot!(probes(&table, &all).unwrap());
    for probe in [
        Probe::ChangeTrackingCurrent,
        Probe::CaptureMaxLsn,
        Probe::CurrentSnapshot,
    ] {
        let error = probes(&table, &[probe]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unsupported), "{error}");
    }
}

/// `column op value`, and `any` of them or all.
fn filter(any: bool, parts: &[(u32, Comparison, &str)]) -> Option<Expression> {
    let mut nodes = Vec::new();
    let mut compared = Vec::new();
    for (column, op, value) in parts {
        let left = nodes.len() as u32;
        nodes.extend([source(*column), literal(value)]);
        nodes.push(Node::Compare {
            op: *op,
            left,
            right: left + 1,
        });
        compared.push(left + 2);
    }
    nodes.push(match any {
        true => Node::AnyOf(compared),
        false => Node::AllOf(compared),
    });
    Some(tree(nodes))
}

#[test]
fn probes_look_at_the_rows_that_they_are_given() {
    let table = customers();
    let aggregate = |function, column, filter| Probe::Aggregate {
        of: Aggregate { function, column },
        filter,
    };
    let one = |text| filter(false, &[(0, Comparison::Ge, text)]);
    let either = || {
        filter(
            true,
            &[
                (2, Comparison::Eq, "text:x"),
                (0, Comparison::Lt, "integer:9"),
            ],
        )
    };
    let both = || {
        filter(
            false,
            &[
                (2, Comparison::Eq, "text:x"),
                (0, Comparison::Lt, "integer:9"),
            ],
        )
    };
    let row = |columns: &[u32], filter| Extreme {
        columns: columns.to_vec(),
        filter,
    };
    let all = [
        aggregate(AggregateFunction::Max, 3, one("integer:7")),
        aggregate(AggregateFunction::Max, 5, either()),
        aggregate(AggregateFunction::CountNull, 2, either()),
        aggregate(AggregateFunction::CountDistinct, 2, both()),
        Probe::SourceTime,
        Probe::Greatest(row(&[3, 0], None)),
        Probe::Greatest(row(&[9, 4, 0], either())),
        Probe::Least(row(&[11], both())),
        aggregate(AggregateFunction::Count, 0, None),
    ];
    insta::assert_snapshot!(probes(&table, &all).unwrap());
}

#[test]
fn filters_of_all_probes_together_are_bounded() {
    let table = customers();
    let values: Vec<Value> = (0..900).map(Value::Integer).collect();
    let filter = tree(vec![source(0), Node::OneOf { item: 0, values }]);
    let probe = Probe::Aggregate {
        of: Aggregate {
            function: AggregateFunction::Max,
            column: 0,
        },
        filter: Some(filter),
    };
    assert!(probes(&table, &[probe.clone(), probe.clone()]).is_ok());
    let error = probes(&table, &[probe.clone(), probe.clone(), probe]).unwrap_err();
    assert_eq!(error.to_string(), "a statement takes at most 2000 literals");
}

#[test]
fn change_sources_other_than_rows_are_refused() {
    let mut table = customers();
    table.table.features.change_tracking = true;
    let mut plan = plan(&[0], None);
    plan.source = ChangeSource::ChangeTracking(icehost_plan::Window {
        after: None,
        through: None,
    });
    let plan = plan.validate(&table.table).unwrap();
    assert!(extraction(&table, &plan).is_err());
}

#[test]
fn a_table_is_created_with_its_key() {
    let columns: Vec<NewColumn> = customers()
        .columns
        .into_iter()
        .map(|column| NewColumn {
            name: column.name,
            sql_type: column.sql_type,
            nullable: column.nullable,
            collation: column.collation,
        })
        .collect();
    let name = TableName::new("dbo", "Copy");
    let key = ["Id".to_owned(), "Name".to_owned()];
    insta::assert_snapshot!(create_table(&name, &columns, &key).unwrap());
    assert!(create_table(&name, &columns, &["Nobody".to_owned()]).is_err());
    assert!(create_table(&name, &[], &[]).is_err());
}

fn delta_of(table: &SqlTable, contents: Contents) -> Delta {
    let mut columns = table.table.columns.clone();
    let mut operation = None;
    if contents == Contents::Changes {
        operation = Some(columns.len() as u32);
        columns.push(Delta::operation_column());
    }
    Delta {
        columns,
        contents,
        operation,
        rows: 1,
        run_time: 0,
    }
}

fn clause(occasion: Occasion, condition: Option<Expression>, action: Action) -> Clause {
    Clause {
        occasion,
        condition,
        action,
    }
}

fn merge_plan(
    table: &SqlTable,
    delta: &Delta,
    keys: &[u32],
    clauses: Vec<Clause>,
) -> ValidMergePlan {
    let plan = MergePlan {
        keys: keys
            .iter()
            .map(|&key| KeyPair {
                source: key,
                target: key,
            })
            .collect(),
        among: None,
        deduplicate: vec![SortKey {
            column: 3,
            direction: Direction::Descending,
        }],
        clauses,
        mode: if keys.is_empty() {
            WriteMode::Append
        } else {
            WriteMode::MergeOnRead
        },
    };
    plan.validate(&table.table, delta).unwrap()
}

fn both_ways(keys: &[u32], contents: Contents, clauses: Vec<Clause>) -> String {
    let table = customers();
    let delta = delta_of(&table, contents);
    let plan = merge_plan(&table, &delta, keys, clauses);
    let statements = merge(&table, &delta, &plan, true).unwrap();
    let without = merge(&table, &delta, &plan, false).unwrap();
    assert_eq!(statements.deduplicate, without.deduplicate);
    format!("{statements}\n\n{}", without.apply)
}

#[test]
fn an_upsert_leaves_out_what_cannot_be_written_and_never_updates_identity() {
    insta::assert_snapshot!(both_ways(
        &[0],
        Contents::Upserts,
        vec![
            clause(Occasion::Matched, None, Action::WriteAll),
            clause(Occasion::NotMatched, None, Action::WriteAll),
        ],
    ));
}

#[test]
fn changes_are_applied_by_their_operation() {
    let is_delete = || compare(Comparison::Eq, source(12), literal("integer:0"));
    insta::assert_snapshot!(both_ways(
        &[0],
        Contents::Changes,
        vec![
            clause(Occasion::Matched, Some(is_delete()), Action::Delete),
            clause(Occasion::Matched, None, Action::WriteAll),
            clause(Occasion::NotMatched, Some(is_delete()), Action::Skip),
            clause(Occasion::NotMatched, None, Action::WriteAll),
        ],
    ));
}

/// A statement, or that there is none.
fn said(statement: Option<&Statement>) -> String {
    statement.map_or_else(|| "none".to_owned(), ToString::to_string)
}

#[test]
fn what_a_complete_delivery_lacks_is_staged_as_deletions_and_counted() {
    let table = customers();
    let delta = delta_of(&table, Contents::Changes);
    let is_delete = || compare(Comparison::Eq, source(12), literal("integer:0"));
    let plan = merge_plan(
        &table,
        &delta,
        &[1, 2],
        vec![
            clause(Occasion::Matched, Some(is_delete()), Action::Delete),
            clause(Occasion::Matched, None, Action::WriteAll),
        ],
    );
    let statements = merge(&table, &delta, &plan, true).unwrap();
    let absent = statements.absent.unwrap();
    assert_eq!(statements.count_unmatched, None);
    insta::assert_snapshot!(format!("{}\n\n{}", absent.stage, absent.count));
}

#[test]
fn rows_without_a_counterpart_are_counted_before_they_go() {
    let table = customers();
    let delta = delta_of(&table, Contents::Snapshot);
    let active = || compare(Comparison::Eq, target(7), literal("boolean:true"));
    let plan = merge_plan(
        &table,
        &delta,
        &[0],
        vec![
            clause(Occasion::Matched, None, Action::WriteAll),
            clause(Occasion::NotMatchedBySource, Some(active()), Action::Skip),
            clause(Occasion::NotMatchedBySource, None, Action::Delete),
        ],
    );
    let statements = merge(&table, &delta, &plan, true).unwrap();
    assert_eq!(statements.absent, None);
    insta::assert_snapshot!(said(statements.count_unmatched.as_ref()));
}

#[test]
fn keys_and_identity_values_are_looked_at_before_the_merge() {
    let table = customers();
    let delta = delta_of(&table, Contents::Changes);
    let is_delete = || compare(Comparison::Eq, source(12), literal("integer:0"));
    let plan = merge_plan(
        &table,
        &delta,
        &[1, 2],
        vec![
            clause(Occasion::Matched, Some(is_delete()), Action::Delete),
            clause(Occasion::Matched, None, Action::WriteAll),
        ],
    );
    let checks = merge(&table, &delta, &plan, true).unwrap().checks;
    let identity = checks.other_identity.as_ref();
    insta::assert_snapshot!(format!(
        "{}\n\n{}\n\n{}\n\n{}",
        said(checks.repeated_key.as_ref()),
        said(checks.ambiguous_key.as_ref()),
        said(checks.take_out_repeated.as_ref()),
        said(identity.map(|check| &check.statement))
    ));
    // The table's own key: neither can be.
    let plan = merge_plan(
        &table,
        &delta,
        &[0],
        vec![clause(Occasion::Matched, None, Action::WriteAll)],
    );
    let checks = merge(&table, &delta, &plan, true).unwrap().checks;
    assert_eq!((checks.ambiguous_key, checks.other_identity), (None, None));
}

#[test]
fn rows_that_would_be_added_a_second_time_are_looked_for_by_what_is_copied() {
    let table = customers();
    let delta = delta_of(&table, Contents::Upserts);
    let looked_for = |action: Action| {
        let condition = compare(
            Comparison::Gt,
            source(3),
            literal("timestamp:2026-01-31T12:00:00"),
        );
        let clauses = vec![clause(Occasion::NotMatched, Some(condition), action)];
        let plan = merge_plan(&table, &delta, &[], clauses);
        merge(&table, &delta, &plan, true).unwrap().there_already
    };
    // The time of the run is another one each time.
    let now = assign(3, literal("timestamp:2026-01-31T12:00:00"));
    let copies = vec![assign(1, source(1)), now, assign(6, source(6))];
    insta::assert_snapshot!(format!(
        "{}\n\n{}",
        said(looked_for(Action::WriteAll).as_ref()),
        said(looked_for(Action::Write(copies)).as_ref())
    ));
    let now = assign(3, literal("timestamp:2026-01-31T12:00:00"));
    assert_eq!(looked_for(Action::Write(vec![now])), None);
}

#[test]
fn keys_that_are_two_for_the_lake_and_one_for_the_target_are_asked_for() {
    let table = customers();
    let compared = |sql_type: &str, collation: &str| {
        Some(Spelling::Compared {
            sql_type: sql_type.parse().unwrap(),
            collation: collation.to_owned(),
        })
    };
    let mut asked = Vec::new();
    for (contents, keys, of_keys, identifying) in [
        (
            Contents::Snapshot,
            &[1][..],
            vec![Some(Spelling::Exact)],
            &[][..],
        ),
        (
            Contents::Changes,
            &[0, 1, 2],
            vec![
                None,
                compared("nvarchar(50)", "Latin1_General_CS_AS"),
                compared("varchar(10)", "SQL_Latin1_General_CP1_CS_AS"),
            ],
            &[],
        ),
        // What cannot be a collation's name is none.
        (
            Contents::Changes,
            &[1],
            vec![compared("nvarchar(50)", "x; DROP TABLE y")],
            &[0],
        ),
    ] {
        let delta = delta_of(&table, contents);
        let write = clause(Occasion::NotMatched, None, Action::WriteAll);
        let plan = merge_plan(&table, &delta, keys, vec![write]);
        let statements = spellings(&table, &delta, &plan, &of_keys, identifying).unwrap();
        asked.push(format!(
            "{}\n\n{}",
            statements.collision, statements.respelled
        ));
    }
    insta::assert_snapshot!(asked.join("\n\n"));
}

#[test]
fn of_keys_that_are_one_for_the_lake_and_several_for_the_target_one_row_is_left() {
    let table = customers();
    let compared = |sql_type: &str, collation: &str| {
        Some(Spelling::Compared {
            sql_type: sql_type.parse().unwrap(),
            collation: collation.to_owned(),
        })
    };
    let mut asked = Vec::new();
    for (contents, keys, of_keys) in [
        (
            Contents::Snapshot,
            &[1][..],
            vec![compared("nvarchar(50)", "Latin1_General_CI_AI")],
        ),
        (
            Contents::Changes,
            &[0, 1, 2],
            vec![
                None,
                compared("varchar(50)", "SQL_Latin1_General_CP1_CI_AS"),
                compared("nvarchar(10)", "Latin1_General_CI_AS"),
            ],
        ),
    ] {
        let delta = delta_of(&table, contents);
        let write = clause(Occasion::NotMatched, None, Action::WriteAll);
        let plan = merge_plan(&table, &delta, keys, vec![write]);
        let statements = one_key(&table, &delta, &plan, &of_keys).unwrap();
        let stage = statements.stage.as_ref();
        asked.push(format!(
            "{}\n\n{}",
            statements.deduplicate,
            stage.map_or_else(|| "--".to_owned(), ToString::to_string)
        ));
    }
    insta::assert_snapshot!(asked.join("\n\n"));
}

#[test]
fn deletions_of_keys_that_come_are_taken_out() {
    let table = customers();
    let delta = delta_of(&table, Contents::Changes);
    let write = clause(Occasion::NotMatched, None, Action::WriteAll);
    let plan = merge_plan(&table, &delta, &[1, 2], vec![write.clone()]);
    let statement = come_again(&table, &delta, &plan).unwrap();
    insta::assert_snapshot!(statement.unwrap());
    let delta = delta_of(&table, Contents::Snapshot);
    let plan = merge_plan(&table, &delta, &[1, 2], vec![write]);
    assert_eq!(come_again(&table, &delta, &plan).unwrap(), None);
}

#[test]
fn of_many_clauses_the_first_that_applies_wins() {
    let newer = || compare(Comparison::Gt, source(3), target(3));
    let active = || compare(Comparison::Eq, target(7), literal("boolean:true"));
    let set = |column, value| {
        Action::Write(vec![Assignment {
            target: column,
            value: tree(vec![value]),
        }])
    };
    insta::assert_snapshot!(both_ways(
        &[1, 2],
        Contents::Snapshot,
        vec![
            clause(Occasion::Matched, Some(active()), Action::Skip),
            clause(Occasion::Matched, Some(newer()), set(8, source(8))),
            clause(
                Occasion::Matched,
                Some(compare(Comparison::Lt, source(3), target(3))),
                set(2, literal("text:old"))
            ),
            clause(Occasion::Matched, None, Action::Delete),
            clause(Occasion::NotMatched, None, set(1, source(1))),
            clause(
                Occasion::NotMatchedBySource,
                Some(active()),
                set(7, literal("boolean:false"))
            ),
            clause(Occasion::NotMatchedBySource, None, Action::Delete),
        ],
    ));
}

#[test]
fn a_plan_without_keys_inserts_in_the_order_of_arrival() {
    insta::assert_snapshot!(both_ways(
        &[],
        Contents::Upserts,
        vec![clause(Occasion::NotMatched, None, Action::WriteAll)],
    ));
}

#[test]
fn a_column_that_the_target_lacks_is_not_dropped_in_silence() {
    let table = customers();
    let mut delta = delta_of(&table, Contents::Upserts);
    delta
        .columns
        .push(Column::new("Extra", ColumnType::Sql(SqlType::Int), true));
    let plan = merge_plan(
        &table,
        &delta,
        &[0],
        vec![clause(Occasion::NotMatched, None, Action::WriteAll)],
    );
    let error = merge(&table, &delta, &plan, true).unwrap_err();
    assert_eq!(
        error.to_string(),
        "table dbo.Customers has no column 'Extra' to write the delta's to"
    );
}

#[test]
fn values_of_another_kind_are_refused_before_anything_is_staged() {
    let table = customers();
    let mut delta = delta_of(&table, Contents::Upserts);
    delta.columns[3].column_type = ColumnType::Sql(SqlType::Int);
    let plan = MergePlan {
        keys: vec![KeyPair {
            source: 0,
            target: 0,
        }],
        among: None,
        deduplicate: Vec::new(),
        clauses: vec![clause(Occasion::NotMatched, None, Action::WriteAll)],
        mode: WriteMode::MergeOnRead,
    };
    let plan = plan.validate(&table.table, &delta).unwrap();
    let error = merge(&table, &delta, &plan, true).unwrap_err();
    assert_eq!(
        error.to_string(),
        "table dbo.Customers, column 'Changed': int values cannot be loaded into datetime"
    );
}

#[test]
fn boundaries_between_ranges_are_the_servers_own() {
    let table = customers();
    let statement = range_boundaries(&table, &[0], 250_000).unwrap();
    insta::assert_snapshot!(statement);
    let wide = range_boundaries(&table, &[11, 4, 6], 100).unwrap();
    insta::assert_snapshot!(wide);
}

#[test]
fn keys_that_do_not_tell_rows_apart_are_found_by_the_server() {
    let table = customers();
    insta::assert_snapshot!(repeated_key(&table, &[0]).unwrap());
    insta::assert_snapshot!(repeated_key(&table, &[11, 4, 6]).unwrap());
    assert!(repeated_key(&table, &[99]).is_err());
    let mut keys = customers();
    for ordinals in [&[1][..], &[11, 4]] {
        keys.table.columns = ordinals
            .iter()
            .map(|&at: &usize| customers().table.columns[at].clone())
            .collect();
        insta::assert_snapshot!(same_keys(&keys).unwrap());
    }
}

/// The SQL for the customers in a range of a key.
fn in_range(key: &[u32], after: Option<&[&str]>, through: Option<&[&str]>) -> String {
    let table = customers();
    let values = |texts: Option<&[&str]>| {
        texts.map(|texts| texts.iter().map(|text| text.parse().unwrap()).collect())
    };
    let range = KeyRange {
        after: values(after),
        through: values(through),
    };
    // Changed <= …
    let filter = tree(vec![
        source(3),
        literal("timestamp:2026-01-31T00:00:00"),
        Node::Compare {
            op: Comparison::Le,
            left: 0,
            right: 1,
        },
    ]);
    let filter = range.within(Some(&filter), key, &table.table.columns);
    let plan = plan(&[0], filter.unwrap()).validate(&table.table).unwrap();
    extraction(&table, &plan).unwrap().to_string()
}

#[test]
fn a_range_of_a_key_of_one_column() {
    insta::assert_snapshot!(in_range(&[0], None, Some(&["integer:10"])));
    insta::assert_snapshot!(in_range(&[0], Some(&["integer:10"]), Some(&["integer:20"])));
    insta::assert_snapshot!(in_range(
        &[6],
        None,
        Some(&["uuid:6f9619ff-8b86-d011-b42d-00c04fc964ff"])
    ));
}

#[test]
fn a_range_of_a_key_of_several_columns_compares_row_by_row() {
    insta::assert_snapshot!(in_range(
        &[1, 2, 8],
        Some(&["text:a", "text:ł", "null"]),
        Some(&["text:b", "null", "decimal:1.5"])
    ));
}

/// Versions of a row by name: `Changed` says from when each counts, `Seen` until when; NULL for the current one.
fn history(clauses: Vec<Clause>, contents: Contents) -> String {
    let table = customers();
    let delta = delta_of(&table, contents);
    let mut plan = (*merge_plan(&table, &delta, &[1], clauses)).clone();
    let is_open = vec![
        target(9),
        Node::IsNull(0),
        target(9),
        literal("timestamp:9999-12-31T00:00:00"),
        Node::Compare {
            op: Comparison::Eq,
            left: 2,
            right: 3,
        },
        Node::AnyOf(vec![1, 4]),
    ];
    plan.among = Some(tree(is_open));
    let plan = plan.validate(&table.table, &delta).unwrap();
    let statements = merge(&table, &delta, &plan, true).unwrap();
    let without = merge(&table, &delta, &plan, false).unwrap();
    assert_eq!(statements.successions, without.successions);
    format!("{statements}\n\n{}", without.apply)
}

fn assign(target: u32, value: Node) -> Assignment {
    Assignment {
        target,
        value: tree(vec![value]),
    }
}

fn supersede(new: Vec<Assignment>) -> Action {
    Action::Supersede(Succession {
        old: vec![assign(9, source(3))],
        new,
    })
}

#[test]
fn a_row_that_is_superseded_is_changed_by_the_merge_and_another_is_added_after_it() {
    let changed = compare(Comparison::Ne, source(4), target(4));
    let whole = || {
        vec![
            assign(1, source(1)),
            assign(4, source(4)),
            assign(3, source(3)),
        ]
    };
    insta::assert_snapshot!(history(
        vec![
            clause(Occasion::Matched, Some(changed), supersede(whole())),
            clause(Occasion::NotMatched, None, Action::Write(whole())),
            clause(
                Occasion::NotMatchedBySource,
                None,
                Action::Write(vec![assign(9, literal("timestamp:2026-01-31T12:00:00"))])
            ),
        ],
        Contents::Snapshot
    ));
}

#[test]
fn each_clause_that_supersedes_adds_rows_of_its_own() {
    let is_delete = compare(Comparison::Eq, source(12), literal("integer:0"));
    let same = compare(Comparison::Eq, source(4), target(4));
    let newer = compare(Comparison::Gt, source(3), target(3));
    let close = Action::Write(vec![assign(9, source(3))]);
    insta::assert_snapshot!(history(
        vec![
            clause(Occasion::Matched, Some(is_delete), close),
            clause(Occasion::Matched, Some(same), Action::Skip),
            clause(
                Occasion::Matched,
                Some(newer),
                supersede(vec![assign(1, source(1))])
            ),
            clause(
                Occasion::Matched,
                None,
                supersede(vec![assign(0, source(0)), assign(1, source(1))])
            ),
        ],
        Contents::Changes
    ));
}

#[test]
fn checksums_are_of_every_type_in_a_form_that_nothing_can_be_mistaken_in() {
    let types = [
        "int",
        "bit",
        "decimal(9,2)",
        "money",
        "smallmoney",
        "real",
        "float",
        "char(5)",
        "varchar(20)",
        "nchar(5)",
        "nvarchar(max)",
        "binary(4)",
        "varbinary(max)",
        "rowversion",
        "date",
        "time(7)",
        "datetime",
        "smalldatetime",
        "datetime2(7)",
        "datetimeoffset(7)",
        "uniqueidentifier",
    ];
    let names: Vec<String> = types.iter().map(|name| format!("a {name}]")).collect();
    let columns: Vec<(&str, &str, &str)> = names
        .iter()
        .zip(types)
        .map(|(name, sql_type)| (name.as_str(), sql_type, "null"))
        .collect();
    let table = table(TableName::new("dbo", "T"), &columns);
    let all: Vec<u32> = (0..).take(types.len()).collect();
    let statement = checksums(&table, &all, &[0, 2], 1 << 15, Blanks::Cut).unwrap();
    insta::assert_snapshot!(statement.to_string().replace(" + CASE", "\n + CASE"));
    let padded = [7, 9];
    let statement = checksums(&table, &padded, &padded, 1 << 15, Blanks::Kept).unwrap();
    insta::assert_snapshot!(statement.to_string().replace(" + CASE", "\n + CASE"));
}

#[test]
fn what_a_table_is_beside_a_table_is_asked_in_a_way_that_every_version_answers() {
    let elsewhere = TableName::parse("Shop.dbo.T").unwrap();
    insta::assert_snapshot!(table_traits(&TableName::new("dbo", "T"), "@v1"));
    insta::assert_snapshot!(table_traits(&elsewhere, "@v1"));
    insta::assert_snapshot!(row_filters(&elsewhere, "@v1"));
    insta::assert_snapshot!(synonym(&elsewhere, "@v1"));
    insta::assert_snapshot!(base_columns("@v1"));
    insta::assert_snapshot!(row_estimate(&elsewhere, 7));
    insta::assert_snapshot!(schema_is_there(&elsewhere, "@v1"));
}

/// Names are parameters, whatever is in them.
#[test]
fn permissions_are_asked_for_with_names_as_parameters() {
    let table = TableName::new("dbo", "it's [here]");
    let wanted = [Permission::Select, Permission::Insert, Permission::Update];
    let statement = table_permissions(&table, &["Id", "o'clock"], &wanted);
    insta::assert_snapshot!(statement);
    insta::assert_snapshot!(table_permissions(&table, &[], &[Permission::Delete]));
    insta::assert_snapshot!(create_permissions("ops'"));
    let elsewhere = TableName::parse("[other's].dbo.T").unwrap();
    insta::assert_snapshot!(unmask_permissions(&elsewhere, &["a'b".to_owned()]));
}

/// Only what people are shown has values in its text; `statement.rs` writes it.
#[test]
fn no_statement_has_a_value_in_its_text() {
    fn escaping(directory: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                escaping(&path, found);
                continue;
            }
            // Doubling a quote is how a value gets into a statement.
            if std::fs::read_to_string(&path).unwrap().contains("\"''\"") {
                found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    escaping(&sources, &mut found);
    assert_eq!(found, ["statement.rs"]);
}
