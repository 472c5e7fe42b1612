//! Ranges of a key hold every row once, NULLs and all.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::cmp::Ordering;

use icehost_plan::expression::Scope;
use icehost_plan::{Column, ColumnType, Comparison, Expression, KeyRange, Node, SqlType, Value};
use proptest::prelude::*;

type Row = Vec<Option<i64>>;

fn columns(nullable: &[bool]) -> Vec<Column> {
    let column = |(i, &nullable): (usize, &bool)| {
        Column::new(format!("K{i}"), ColumnType::Sql(SqlType::Int), nullable)
    };
    nullable.iter().enumerate().map(column).collect()
}

fn value(cell: Option<i64>) -> Value {
    cell.map_or(Value::Null, Value::Integer)
}

/// SQL's three-valued logic, over integers.
fn holds(expression: &Expression, index: u32, row: &Row) -> Option<bool> {
    let scalar = |index: u32| match expression.node(index).unwrap() {
        Node::Column { column, .. } => row[*column as usize],
        Node::Literal(Value::Integer(v)) => Some(*v),
        other => panic!("{other:?}"),
    };
    match expression.node(index).unwrap() {
        Node::Compare { op, left, right } => {
            let order = scalar(*left)?.cmp(&scalar(*right)?);
            Some(match op {
                Comparison::Eq => order == Ordering::Equal,
                Comparison::Ne => order != Ordering::Equal,
                Comparison::Lt => order == Ordering::Less,
                Comparison::Le => order != Ordering::Greater,
                Comparison::Gt => order == Ordering::Greater,
                Comparison::Ge => order != Ordering::Less,
            })
        }
        Node::IsNull(operand) => Some(scalar(*operand).is_none()),
        Node::Negate(operand) => holds(expression, *operand, row).map(|v| !v),
        Node::AllOf(parts) => {
            let parts: Vec<_> = parts.iter().map(|p| holds(expression, *p, row)).collect();
            match (parts.contains(&Some(false)), parts.contains(&None)) {
                (true, _) => Some(false),
                (false, true) => None,
                _ => Some(true),
            }
        }
        Node::AnyOf(parts) => {
            let parts: Vec<_> = parts.iter().map(|p| holds(expression, *p, row)).collect();
            match (parts.contains(&Some(true)), parts.contains(&None)) {
                (true, _) => Some(true),
                (false, true) => None,
                _ => Some(false),
            }
        }
        other => panic!("{other:?}"),
    }
}

/// A key of some columns, rows, and the step at which they are cut.
fn cases() -> impl Strategy<Value = (Vec<bool>, Vec<Row>, usize)> {
    prop::collection::vec(any::<bool>(), 1..4).prop_flat_map(|nullable| {
        let cells: Vec<_> = nullable
            .iter()
            .map(|&nullable| {
                let value = (-2i64..3).prop_map(Some);
                match nullable {
                    true => prop_oneof![1 => Just(None), 4 => value].boxed(),
                    false => value.boxed(),
                }
            })
            .collect();
        (
            Just(nullable),
            prop::collection::vec(cells, 0..60),
            1usize..12,
        )
    })
}

proptest! {
    #[test]
    fn every_row_is_in_one_range((nullable, rows, step) in cases()) {
        let columns = columns(&nullable);
        let key: Vec<u32> = (0..columns.len() as u32).collect();
        // `None` is below everything in Rust's order too, as NULL is in SQL Server's.
        let mut sorted = rows.clone();
        sorted.sort();
        let boundaries: Vec<Vec<Value>> = sorted
            .iter()
            .skip(step - 1)
            .step_by(step)
            .map(|row| row.iter().copied().map(value).collect())
            .collect();
        let ranges = KeyRange::between(boundaries);
        let scope = Scope { source: &columns, target: None };
        let filters: Vec<Option<Expression>> = ranges
            .iter()
            .map(|range| range.within(None, &key, &columns).unwrap())
            .collect();
        for filter in filters.iter().flatten() {
            filter.validate_predicate(&scope).unwrap();
        }
        for row in &rows {
            let found = filters
                .iter()
                .filter(|filter| {
                    filter.as_ref().is_none_or(|f| holds(f, f.root, row) == Some(true))
                })
                .count();
            prop_assert_eq!(found, 1, "{:?}", row);
        }
        // And so is any row that comes later.
        for row in rows.iter().flat_map(|row| [1, -1].map(|step| {
            row.iter().map(|cell| cell.map(|v| v + step)).collect::<Row>()
        })) {
            let found = filters
                .iter()
                .filter(|filter| {
                    filter.as_ref().is_none_or(|f| holds(f, f.root, &row) == Some(true))
                })
                .count();
            prop_assert_eq!(found, 1, "{:?}", row);
        }
    }

    #[test]
    fn a_range_survives_the_journal(values in prop::collection::vec(prop::option::of(any::<i64>()), 1..4)) {
        let range = KeyRange {
            after: None,
            through: Some(values.into_iter().map(value).collect()),
        };
        let text = serde_json::to_string(&range).unwrap();
        prop_assert_eq!(serde_json::from_str::<KeyRange>(&text).unwrap(), range);
    }
}

#[test]
fn a_boundary_has_a_value_for_each_key_column() {
    let range = KeyRange {
        after: Some(vec![Value::Integer(1)]),
        through: None,
    };
    assert!(
        range
            .within(None, &[0, 1], &columns(&[false, false]))
            .is_err()
    );
}
