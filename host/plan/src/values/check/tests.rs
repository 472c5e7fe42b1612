#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use arrow_array::{
    BinaryArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array, StringArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use proptest::prelude::*;

use super::*;
use crate::{ColumnType, LakeType};

fn column(sql_type: &str, nullable: bool) -> Column {
    let sql_type = ColumnType::Sql(sql_type.parse().unwrap());
    Column::new("c", sql_type, nullable)
}

/// The reason why a value is refused; empty where it is not. It stands behind a NULL and a value that is fine.
fn refused(sql_type: &str, array: ArrayRef) -> String {
    let misfit = column(sql_type, true).misfit(&array, None);
    misfit.map(|misfit| misfit.reason).unwrap_or_default()
}

fn integer(value: i32) -> ArrayRef {
    Arc::new(Int32Array::from(vec![None, Some(1), Some(value)]))
}

fn decimal(value: i128, precision: u8, scale: i8) -> ArrayRef {
    let array = Decimal128Array::from(vec![None, Some(0), Some(value)]);
    let kind = DataType::Decimal128(precision, scale);
    Arc::new(array.with_data_type(kind))
}

fn moment(text: &str) -> ArrayRef {
    let value: crate::Value = format!("timestamp:{text}").parse().unwrap();
    let microseconds = match value {
        crate::Value::Timestamp(ticks) => ticks / 10,
        _ => 0,
    };
    Arc::new(TimestampMicrosecondArray::from(vec![
        None,
        Some(0),
        Some(microseconds),
    ]))
}

fn text(value: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![None, Some(""), Some(value)]))
}

#[test]
fn what_a_type_has_is_taken() {
    for (sql_type, array) in [
        ("tinyint", integer(255)),
        ("smallint", integer(-32_768)),
        ("int", integer(i32::MIN)),
        ("decimal(5,2)", decimal(-99_999, 5, 2)),
        ("decimal(38,0)", decimal(10i128.pow(38) - 1, 38, 0)),
        ("money", decimal(i64::MIN.into(), 19, 4)),
        ("smallmoney", decimal(i32::MAX.into(), 10, 4)),
        ("datetime2(3)", moment("9999-12-31T23:59:59.999")),
        ("datetime2(7)", moment("0001-01-01T00:00:00.000001")),
        ("datetime", moment("9999-12-31T23:59:59.997")),
        ("smalldatetime", moment("2079-06-06T23:59:00")),
        ("nvarchar(2)", text("😀")),
        ("nchar(2)", text("ß")),
        ("varchar(3)", text("äöü")),
        (
            "binary(2)",
            Arc::new(BinaryArray::from(vec![None, Some(&[1u8, 2][..])])),
        ),
        (
            "varbinary(2)",
            Arc::new(BinaryArray::from(vec![None, Some(&[][..])])),
        ),
        (
            "float",
            Arc::new(Float64Array::from(vec![None, Some(f64::MAX)])),
        ),
        ("real", Arc::new(Float32Array::from(vec![Some(-0.0)]))),
        (
            "date",
            Arc::new(Date32Array::from(vec![-719_162, 2_932_896])),
        ),
        (
            "time(0)",
            Arc::new(Time64MicrosecondArray::from(vec![0, 86_399_000_000])),
        ),
    ] {
        assert_eq!(refused(sql_type, array), "", "{sql_type}");
    }
}

#[test]
fn what_a_type_does_not_have_is_named() {
    let seconds =
        |value| -> ArrayRef { Arc::new(Time64MicrosecondArray::from(vec![None, Some(value)])) };
    let days = |value| -> ArrayRef { Arc::new(Date32Array::from(vec![None, Some(value)])) };
    let bytes = |value: &[u8]| -> ArrayRef { Arc::new(BinaryArray::from(vec![None, Some(value)])) };
    for (sql_type, array, says) in [
        ("tinyint", integer(-70_000), "-70000"),
        ("tinyint", integer(256), "256"),
        ("smallint", integer(32_768), "32768"),
        (
            "decimal(5,2)",
            decimal(i128::MAX, 5, 2),
            "1701411834604692317316873037158841057.27",
        ),
        ("decimal(5,2)", decimal(i128::MIN, 5, 2), "-17014118346"),
        ("decimal(5,2)", decimal(100_000, 5, 2), "1000.00"),
        (
            "money",
            decimal(i128::from(i64::MAX) + 1, 19, 4),
            "922337203685477.5808",
        ),
        ("smallmoney", decimal(-2_147_483_649, 10, 4), "-214748.3649"),
        ("date", days(2_932_897), "day 2932897 from 1970-01-01"),
        ("date", days(i32::MIN), "day -2147483648"),
        ("time(6)", seconds(-1), "-1 µs"),
        ("time(6)", seconds(86_400_000_000), "24:00:00"),
        ("time(6)", seconds(i64::MAX), "µs"),
        ("time(3)", seconds(1), "00:00:00.0000010"),
        (
            "datetime2(3)",
            moment("2026-01-31T12:00:00.0001"),
            "12:00:00.0001000",
        ),
        (
            "datetime2(6)",
            Arc::new(TimestampMicrosecondArray::from(vec![i64::MAX])),
            "second ",
        ),
        (
            "datetimeoffset(6)",
            Arc::new(TimestampMicrosecondArray::from(vec![i64::MIN])),
            "second ",
        ),
        ("datetime", moment("1752-12-31T23:59:59"), "1752-12-31"),
        ("datetime", moment("2026-01-31T12:00:00.005"), ".0050000"),
        ("smalldatetime", moment("2079-06-07T00:00:00"), "2079-06-07"),
        ("smalldatetime", moment("2026-01-31T12:00:01"), "12:00:01"),
        ("nvarchar(2)", text("abc"), "'abc'"),
        ("nvarchar(3)", text("😀😀"), "'😀😀'"),
        ("nvarchar(2)", text("a\u{1b}[2J"), "'a\\u001b[2J'"),
        ("varchar(2)", text("abc"), "'abc'"),
        ("char(2)", text("abc"), "'abc'"),
        ("binary(2)", bytes(&[1]), "0x01"),
        ("binary(2)", bytes(&[1, 2, 3]), "0x010203"),
        ("varbinary(2)", bytes(&[1, 2, 3]), "0x010203"),
        ("float", Arc::new(Float64Array::from(vec![f64::NAN])), "NaN"),
        (
            "float",
            Arc::new(Float64Array::from(vec![f64::NEG_INFINITY])),
            "-inf",
        ),
        (
            "real",
            Arc::new(Float32Array::from(vec![f32::INFINITY])),
            "inf",
        ),
    ] {
        let reason = refused(sql_type, array);
        assert!(reason.contains(says), "{sql_type}: {reason}");
        let named = reason.contains(&format!("is no value of {sql_type}"));
        assert!(named, "{sql_type}: {reason}");
    }
}

#[test]
fn a_long_value_is_cut() {
    let reason = refused("nvarchar(100)", text(&"x".repeat(5000)));
    assert_eq!(
        reason,
        format!("'{}'… is no value of nvarchar(100)", "x".repeat(64))
    );
}

#[test]
fn null_stands_only_where_it_may() {
    let column = column("int", false);
    let misfit = column.misfit(&integer(1), None).unwrap();
    assert_eq!(
        (misfit.row, &*misfit.reason),
        (0, "NULL stands in a column that is NOT NULL")
    );
    let kept = BooleanArray::from(vec![false, true, true]);
    assert_eq!(column.misfit(&integer(1), Some(&kept)), None);
}

#[test]
fn what_stands_behind_a_null_or_in_a_row_that_is_dropped_does_not_count() {
    let values = Int32Array::new(vec![999, 1].into(), Some(vec![false, true].into()));
    assert_eq!(refused("tinyint", Arc::new(values)), "");
    let kept = BooleanArray::from(vec![true, true, false]);
    assert_eq!(
        column("tinyint", true).misfit(&integer(999), Some(&kept)),
        None
    );
}

#[test]
fn the_lake_s_own_types_have_bounds_too() {
    let kind = LakeType::Decimal {
        precision: 5,
        scale: 2,
    };
    let column = Column::new("c", ColumnType::Lake(kind), true);
    assert!(column.misfit(&decimal(100_000, 5, 2), None).is_some());
    assert!(column.misfit(&decimal(99_999, 5, 2), None).is_none());
}

proptest! {
    /// The fast look and the slow one see the same.
    #[test]
    fn a_value_is_refused_where_it_alone_is(values in proptest::collection::vec(-70_000i32..70_000, 1..50)) {
        for sql_type in ["tinyint", "smallint"] {
            let domain = Domain::of(column(sql_type, true).column_type);
            let array: ArrayRef = Arc::new(Int32Array::from(values.clone()));
            let first = (0..values.len()).find(|&row| !domain.has(&array, row));
            let misfit = column(sql_type, true).misfit(&array, None);
            prop_assert_eq!(misfit.map(|misfit| misfit.row), first);
        }
    }
}
