//! Values.

use icehost_plan::{LogicalType, PlanError, Value};

use crate::bindings::types as wit;

pub(crate) fn value_to_guest(value: &Value) -> wit::Value {
    match value {
        Value::Null => wit::Value::Null,
        Value::Boolean(v) => wit::Value::Boolean(*v),
        Value::Integer(v) => wit::Value::Integer(*v),
        Value::Double(v) => wit::Value::Double(*v),
        Value::Decimal { unscaled, scale } => wit::Value::Decimal(wit::Decimal {
            high: (unscaled >> 64) as i64,
            low: *unscaled as u64,
            scale: *scale,
        }),
        Value::Text(v) => wit::Value::Text(v.clone()),
        Value::Binary(v) => wit::Value::Binary(v.clone()),
        Value::Date(v) => wit::Value::Date(*v),
        Value::Time(v) => wit::Value::Time(*v),
        Value::Timestamp(v) => wit::Value::Timestamp(*v),
        Value::TimestampTz {
            ticks,
            offset_minutes,
        } => wit::Value::TimestampTz(wit::Zoned {
            ticks: *ticks,
            offset_minutes: *offset_minutes,
        }),
        Value::Uuid(bytes) => {
            let number = u128::from_be_bytes(*bytes);
            wit::Value::Uuid(((number >> 64) as u64, number as u64))
        }
    }
}

/// A value from a component, which may still be out of its kind's range: callers validate.
pub(crate) fn value(value: wit::Value) -> Value {
    match value {
        wit::Value::Null => Value::Null,
        wit::Value::Boolean(v) => Value::Boolean(v),
        wit::Value::Integer(v) => Value::Integer(v),
        wit::Value::Double(v) => Value::Double(v),
        wit::Value::Decimal(v) => Value::Decimal {
            unscaled: (i128::from(v.high) << 64) | i128::from(v.low),
            scale: v.scale,
        },
        wit::Value::Text(v) => Value::Text(v),
        wit::Value::Binary(v) => Value::Binary(v),
        wit::Value::Date(v) => Value::Date(v),
        wit::Value::Time(v) => Value::Time(v),
        wit::Value::Timestamp(v) => Value::Timestamp(v),
        wit::Value::TimestampTz(v) => Value::TimestampTz {
            ticks: v.ticks,
            offset_minutes: v.offset_minutes,
        },
        wit::Value::Uuid((high, low)) => {
            Value::Uuid(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
        }
    }
}

pub(crate) fn kind_to_guest(kind: LogicalType) -> wit::LogicalType {
    match kind {
        LogicalType::Boolean => wit::LogicalType::Boolean,
        LogicalType::Integer => wit::LogicalType::Integer,
        LogicalType::Double => wit::LogicalType::Double,
        LogicalType::Decimal => wit::LogicalType::Decimal,
        LogicalType::Text => wit::LogicalType::Text,
        LogicalType::Binary => wit::LogicalType::Binary,
        LogicalType::Date => wit::LogicalType::Date,
        LogicalType::Time => wit::LogicalType::Time,
        LogicalType::Timestamp => wit::LogicalType::Timestamp,
        LogicalType::TimestampTz => wit::LogicalType::TimestampTz,
        LogicalType::Uuid => wit::LogicalType::Uuid,
    }
}

/// Bounds a list before it is converted, since what it becomes is larger than what came.
pub(crate) fn bounded<T>(what: &str, list: Vec<T>, most: usize) -> Result<Vec<T>, PlanError> {
    if list.len() > most {
        return Err(PlanError::new(format!(
            "{what}: at most {most} entries, not {}",
            list.len()
        )));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Boolean),
            any::<i64>().prop_map(Value::Integer),
            (-1e300..1e300f64).prop_map(Value::Double),
            (any::<i128>(), 0..=38u8)
                .prop_map(|(unscaled, scale)| Value::Decimal { unscaled, scale }),
            ".*".prop_map(Value::Text),
            proptest::collection::vec(any::<u8>(), 0..20).prop_map(Value::Binary),
            any::<i32>().prop_map(Value::Date),
            any::<u64>().prop_map(Value::Time),
            any::<i64>().prop_map(Value::Timestamp),
            (any::<i64>(), any::<i16>()).prop_map(|(ticks, offset_minutes)| {
                Value::TimestampTz {
                    ticks,
                    offset_minutes,
                }
            }),
            any::<[u8; 16]>().prop_map(Value::Uuid),
        ]
    }

    proptest! {
        #[test]
        fn a_value_comes_back_as_it_went(original in any_value()) {
            prop_assert_eq!(value(value_to_guest(&original)), original);
        }
    }

    #[test]
    fn the_halves_of_a_uuid_are_in_textual_order() {
        let uuid = Value::Uuid([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        let wit::Value::Uuid(halves) = value_to_guest(&uuid) else {
            unreachable!("a uuid stays one");
        };
        assert_eq!(halves, (0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f));
    }
}
