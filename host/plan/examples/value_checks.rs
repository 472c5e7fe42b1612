//! What it costs to check each value of a batch against its column's type, type by type: the best of some passes over
//! a million values in batches of 8,192.
//!
//! `cargo run --release -p icehost-plan --example value_checks`
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, StringArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use icehost_plan::{Column, ColumnType, SqlType};

const ROWS: usize = 1_000_000;
const BATCH: usize = 8_192;
const ROUNDS: u32 = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let numbers = || 0..BATCH as i64;
    let text = |length: usize| -> ArrayRef {
        let value = "x".repeat(length);
        Arc::new(StringArray::from_iter_values(numbers().map(|_| &value)))
    };
    let decimals = |precision: u8| -> Result<ArrayRef, Box<dyn Error>> {
        let values = Decimal128Array::from_iter_values(numbers().map(i128::from));
        Ok(Arc::new(values.with_precision_and_scale(precision, 2)?))
    };
    let cases: [(&str, ArrayRef); 11] = [
        (
            "tinyint",
            Arc::new(Int32Array::from_iter_values(
                (0..BATCH as i32).map(|i| i % 256),
            )),
        ),
        (
            "int",
            Arc::new(Int32Array::from_iter_values(0..BATCH as i32)),
        ),
        ("bigint", Arc::new(Int64Array::from_iter_values(numbers()))),
        ("decimal(9,2)", decimals(9)?),
        ("decimal(38,2)", decimals(38)?),
        (
            "float",
            Arc::new(Float64Array::from_iter_values(numbers().map(|i| i as f64))),
        ),
        (
            "date",
            Arc::new(Date32Array::from_iter_values(0..BATCH as i32)),
        ),
        (
            "time(3)",
            Arc::new(Time64MicrosecondArray::from_iter_values(
                numbers().map(|i| i * 1_000),
            )),
        ),
        (
            "datetime2(3)",
            Arc::new(TimestampMicrosecondArray::from_iter_values(
                numbers().map(|i| i * 1_000),
            )),
        ),
        (
            "datetime2(6)",
            Arc::new(TimestampMicrosecondArray::from_iter_values(numbers())),
        ),
        ("nvarchar(40)", text(20)),
    ];
    let batches = ROWS.div_ceil(BATCH);
    let mut all = 0.0;
    for (name, array) in &cases {
        let sql_type: SqlType = name.parse()?;
        let column = Column::new(*name, ColumnType::Sql(sql_type), true);
        let mut seconds = f64::MAX;
        for _ in 0..ROUNDS {
            let start = Instant::now();
            for _ in 0..batches {
                if let Some(misfit) = std::hint::black_box(&column).misfit(array, None) {
                    return Err(misfit.reason.into());
                }
            }
            seconds = seconds.min(start.elapsed().as_secs_f64());
        }
        all += seconds;
        println!(
            "{name:>14}: {:6.2} ns a value, {:6.2} ms a million",
            seconds * 1e9 / (batches * BATCH) as f64,
            seconds * 1e3 * ROWS as f64 / (batches * BATCH) as f64
        );
    }
    println!("all eleven columns of a million rows: {:.1} ms", all * 1e3);
    Ok(())
}
