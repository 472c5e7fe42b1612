//! Values keep every digit through their text form and through JSON.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use icehost_plan::{Value, Watermark, value::TICKS_PER_DAY};
use proptest::prelude::*;

const DAYS_TO_YEAR_1: i64 = -719_162;
const DAYS_TO_YEAR_9999_END: i64 = 2_932_896;

fn decimal() -> impl Strategy<Value = Value> {
    (-(10i128.pow(38) - 1)..10i128.pow(38), 0u8..=38)
        .prop_map(|(unscaled, scale)| Value::Decimal { unscaled, scale })
}

fn moment() -> impl Strategy<Value = i64> {
    DAYS_TO_YEAR_1 * TICKS_PER_DAY..(DAYS_TO_YEAR_9999_END + 1) * TICKS_PER_DAY
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>()
            .prop_filter("finite", |v| v.is_finite())
            .prop_map(Value::Double),
        decimal(),
        any::<String>().prop_map(Value::Text),
        any::<Vec<u8>>().prop_map(Value::Binary),
        (DAYS_TO_YEAR_1 as i32..=DAYS_TO_YEAR_9999_END as i32).prop_map(Value::Date),
        (0..TICKS_PER_DAY as u64).prop_map(Value::Time),
        moment().prop_map(Value::Timestamp),
        // RFC 3339 has no year 0 or 10000, so the local time must stay inside as well.
        (
            (DAYS_TO_YEAR_1 + 1) * TICKS_PER_DAY..DAYS_TO_YEAR_9999_END * TICKS_PER_DAY,
            -840i16..=840
        )
            .prop_map(|(ticks, offset_minutes)| Value::TimestampTz {
                ticks,
                offset_minutes
            }),
        any::<[u8; 16]>().prop_map(Value::Uuid),
    ]
}

proptest! {
    #[test]
    fn text_loses_nothing(value in value()) {
        prop_assert_eq!(value.to_string().parse::<Value>().unwrap(), value);
    }

    #[test]
    fn json_loses_nothing(value in value()) {
        let watermark = Watermark { format: 3, marks: vec![("mark".to_owned(), value)] };
        let json = serde_json::to_string(&watermark).unwrap();
        prop_assert_eq!(serde_json::from_str::<Watermark>(&json).unwrap(), watermark);
    }

    #[test]
    fn any_text_is_a_value_or_an_error(text in "\\PC{0,40}") {
        let _ = text.parse::<Value>();
    }
}

#[test]
fn text_is_what_people_expect() {
    let text = |v: Value| v.to_string();
    assert_eq!(text(Value::Null), "null");
    assert_eq!(text(Value::Integer(-42)), "integer:-42");
    assert_eq!(
        text(Value::Decimal {
            unscaled: -5,
            scale: 4
        }),
        "decimal:-0.0005"
    );
    assert_eq!(
        text(Value::Timestamp(1)),
        "timestamp:1970-01-01T00:00:00.0000001"
    );
    assert_eq!(
        text(Value::TimestampTz {
            ticks: 0,
            offset_minutes: -90
        }),
        "timestamp-tz:1969-12-31T22:30:00.0000000-01:30"
    );
    assert_eq!(text(Value::Binary(vec![0, 0xAB])), "binary:0x00AB");
}

#[test]
fn impossible_values_are_refused() {
    for (value, reason) in [
        (Value::Double(f64::NAN), "not a number"),
        (Value::Time(TICKS_PER_DAY as u64), "below 24 hours"),
        (Value::Date(i32::MAX), "outside the years"),
        (Value::Timestamp(i64::MIN), "outside the years"),
        (
            Value::Decimal {
                unscaled: 10i128.pow(38),
                scale: 0,
            },
            "38 digits",
        ),
        (
            Value::Decimal {
                unscaled: 0,
                scale: 39,
            },
            "38 digits",
        ),
        (
            Value::TimestampTz {
                ticks: 0,
                offset_minutes: 900,
            },
            "14 hours",
        ),
    ] {
        let error = value.validate().unwrap_err().to_string();
        assert!(error.contains(reason), "{value:?}: {error}");
    }
}

#[test]
fn a_malformed_text_names_the_form() {
    let error = "42".parse::<Value>().unwrap_err().to_string();
    assert!(error.contains("kind:value"), "{error}");
    let error = "integer:4x".parse::<Value>().unwrap_err().to_string();
    assert_eq!(error, "'4x' is not a 64-bit integer");
}
