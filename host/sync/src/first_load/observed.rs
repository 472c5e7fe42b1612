//! Aggregates over ranges put together.

use std::cmp::Ordering;

use icehost_plan::{Aggregate, AggregateFunction, LogicalType, Table, Value};

/// Whether the aggregate of a whole follows from those of its parts. For texts and uuids the server alone
/// knows which is the greater, and different values may be the same in two parts.
pub(super) fn can_combine(aggregate: &Aggregate, table: &Table) -> bool {
    match aggregate.function {
        AggregateFunction::Count | AggregateFunction::CountNull => true,
        AggregateFunction::CountDistinct => false,
        AggregateFunction::Min | AggregateFunction::Max => table
            .columns
            .get(aggregate.column as usize)
            .is_some_and(|column| {
                !matches!(
                    column.column_type.logical(),
                    LogicalType::Text | LogicalType::Uuid | LogicalType::Boolean
                )
            }),
    }
}

/// The aggregates of two parts as those of both.
pub(super) fn combine(aggregates: &[Aggregate], whole: &mut Vec<Value>, part: &[Value]) {
    if whole.is_empty() {
        whole.extend_from_slice(part);
        return;
    }
    for ((aggregate, whole), part) in aggregates.iter().zip(whole).zip(part) {
        let wanted = match aggregate.function {
            AggregateFunction::Min => Ordering::Less,
            AggregateFunction::Max => Ordering::Greater,
            AggregateFunction::Count
            | AggregateFunction::CountNull
            | AggregateFunction::CountDistinct => {
                if let (Value::Integer(whole), Value::Integer(part)) = (&mut *whole, part) {
                    *whole += part;
                }
                continue;
            }
        };
        if *whole == Value::Null || compare(part, whole) == Some(wanted) {
            *whole = part.clone();
        }
    }
}

/// The order of two values of one column.
fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    Some(match (left, right) {
        (Value::Integer(l), Value::Integer(r)) => l.cmp(r),
        (Value::Double(l), Value::Double(r)) => l.partial_cmp(r)?,
        // Values of one column have one scale.
        (Value::Decimal { unscaled: l, .. }, Value::Decimal { unscaled: r, .. }) => l.cmp(r),
        (Value::Binary(l), Value::Binary(r)) => l.cmp(r),
        (Value::Date(l), Value::Date(r)) => l.cmp(r),
        (Value::Time(l), Value::Time(r)) => l.cmp(r),
        (Value::Timestamp(l), Value::Timestamp(r)) => l.cmp(r),
        (Value::TimestampTz { ticks: l, .. }, Value::TimestampTz { ticks: r, .. }) => l.cmp(r),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_extremes_compare() {
        let of = |function| Aggregate {
            function,
            column: 0,
        };
        let aggregates = [
            of(AggregateFunction::Count),
            of(AggregateFunction::Min),
            of(AggregateFunction::Max),
        ];
        let mut whole = Vec::new();
        for part in [[0, 7, 7], [2, 3, 9], [1, 5, 5]] {
            let mut part = part.map(Value::Integer);
            if part[0] == Value::Integer(0) {
                part = [Value::Integer(0), Value::Null, Value::Null];
            }
            combine(&aggregates, &mut whole, &part);
        }
        assert_eq!(whole, [3, 3, 9].map(Value::Integer));
    }
}
