//! Expressions on small batches.
#![allow(clippy::unwrap_used)]

use super::*;
use arrow_array::{Decimal128Array, Time64MicrosecondArray, TimestampMicrosecondArray};
use icehost_plan::{ColumnType, LakeType, Side};

fn column(lake_type: LakeType) -> Column {
    Column::new("c", ColumnType::Lake(lake_type), true)
}

fn batch(values: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([("c", values, true)]).unwrap()
}

/// `c op value`, row by row.
fn compared(kind: LakeType, values: ArrayRef, op: Comparison, value: Value) -> Vec<bool> {
    let expression = Expression {
        nodes: vec![
            Node::Column {
                side: Side::Source,
                column: 0,
            },
            Node::Literal(value),
            Node::Compare {
                op,
                left: 0,
                right: 1,
            },
        ],
        root: 2,
    };
    let outcome = holds(&expression, &[column(kind)], &batch(values)).unwrap();
    outcome.values().iter().collect()
}

#[test]
fn integers_and_decimals_compare_exactly() {
    let decimal = LakeType::Decimal {
        precision: 38,
        scale: 20,
    };
    let one = 10i128.pow(20);
    let values = Decimal128Array::from(vec![Some(one), Some(one + 1), Some(one - 1), None]);
    let values: ArrayRef = Arc::new(values.with_precision_and_scale(38, 20).unwrap());
    let above = compared(decimal, values, Comparison::Gt, Value::Integer(1));
    assert_eq!(above, [false, true, false, false]);
    let long: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX, i64::MAX - 1]));
    let value = Value::Decimal {
        unscaled: i128::from(i64::MAX) * 10 - 1,
        scale: 1,
    };
    assert_eq!(
        compared(LakeType::Long, long, Comparison::Gt, value),
        [true, false]
    );
}

#[test]
fn times_compare_with_all_their_digits() {
    let values: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![5, 6]));
    let ticks = |ticks| Value::Timestamp(ticks);
    let after = compared(
        LakeType::Timestamp,
        Arc::clone(&values),
        Comparison::Gt,
        ticks(51),
    );
    assert_eq!(after, [false, true]);
    let equal = compared(LakeType::Timestamp, values, Comparison::Eq, ticks(50));
    assert_eq!(equal, [true, false]);
    let values: ArrayRef = Arc::new(Time64MicrosecondArray::from(vec![1]));
    assert_eq!(
        compared(LakeType::Time, values, Comparison::Lt, Value::Time(11)),
        [true]
    );
}

#[test]
fn negative_zero_is_zero() {
    let values: ArrayRef = Arc::new(Float64Array::from(vec![-0.0, 0.0, 0.1]));
    let zero = compared(LakeType::Double, values, Comparison::Eq, Value::Double(0.0));
    assert_eq!(zero, [true, true, false]);
}

#[test]
fn text_compares_as_its_collation_does() {
    let values: ArrayRef = Arc::new(StringArray::from(vec!["Yes ", "yes", "no"]));
    let expression = Expression {
        nodes: vec![
            Node::Column {
                side: Side::Source,
                column: 0,
            },
            Node::OneOf {
                item: 0,
                values: vec![Value::Text("YES".to_owned())],
            },
        ],
        root: 1,
    };
    let mut collated = column(LakeType::String);
    collated.collation = Some(Collation::from_name("Latin1_General_CI_AS"));
    let outcome = |column| {
        let found = holds(&expression, &[column], &batch(Arc::clone(&values))).unwrap();
        found.values().iter().collect::<Vec<bool>>()
    };
    assert_eq!(outcome(collated), [true, true, false]);
    assert_eq!(outcome(column(LakeType::String)), [false, false, false]);
}

#[test]
fn unknown_is_neither_true_nor_false() {
    let values: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let is_one = [
        Node::Column {
            side: Side::Source,
            column: 0,
        },
        Node::Literal(Value::Integer(1)),
        Node::Compare {
            op: Comparison::Eq,
            left: 0,
            right: 1,
        },
    ];
    let with = |more: Vec<Node>| {
        let mut nodes = is_one.to_vec();
        nodes.extend(more);
        let root = nodes.len() as u32 - 1;
        let expression = Expression { nodes, root };
        let found = holds(
            &expression,
            &[column(LakeType::Long)],
            &batch(Arc::clone(&values)),
        );
        found.unwrap().values().iter().collect::<Vec<bool>>()
    };
    assert_eq!(with(vec![]), [true, false]);
    assert_eq!(with(vec![Node::Negate(2)]), [false, false]);
    assert_eq!(
        with(vec![Node::IsNull(0), Node::AnyOf(vec![2, 3])]),
        [true, true]
    );
    assert_eq!(
        with(vec![Node::IsNull(0), Node::AllOf(vec![2, 3])]),
        [false, false]
    );
    let otherwise = vec![
        Node::Coalesce(vec![0, 1]),
        Node::Compare {
            op: Comparison::Eq,
            left: 3,
            right: 1,
        },
    ];
    assert_eq!(with(otherwise), [true, true]);
}

#[test]
fn a_cast_that_would_lose_fails() {
    let long: ArrayRef = Arc::new(Int64Array::from(vec![i64::from(i32::MAX) + 1]));
    assert!(exact_cast(&long, &DataType::Int32).is_err());
    assert!(exact_cast(&long, &DataType::Decimal128(5, 2)).is_err());
    let decimal = Decimal128Array::from(vec![12_345])
        .with_precision_and_scale(10, 2)
        .unwrap();
    let decimal: ArrayRef = Arc::new(decimal);
    assert!(exact_cast(&decimal, &DataType::Decimal128(4, 2)).is_err());
    assert!(exact_cast(&decimal, &DataType::Decimal128(5, 4)).is_err());
    let wider = exact_cast(&decimal, &DataType::Decimal128(20, 4)).unwrap();
    let wider = wider.as_primitive::<arrow_array::types::Decimal128Type>();
    assert_eq!(wider.value(0), 1_234_500);
}
