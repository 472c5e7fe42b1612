//! Rows that are dated ahead of the server's clock.
//!
//! A cursor that had gone as far as 9999-12-31 would never move again, and every row that comes after it would be
//! missed. So the largest value that a detector is told is one that the clock may have reached, in whatever time
//! zone the column is kept. Rows ahead of that are none that a clock has dated.

use icehost_plan::value::{TICKS_PER_DAY, TICKS_PER_SECOND};
use icehost_plan::{Aggregate, AggregateFunction, LogicalType, Probe, Value};
use icehost_sqlserver::{Connection, SqlTable};

use crate::SyncError;
use crate::detection::Detected;
use crate::error::Doing;

/// Where a detector has asked for the largest moment of a column and for the server's time: puts the largest
/// moment that the clock may have reached in the place of one that lies ahead of it. Gives a warning for each.
pub(crate) async fn hold_back(
    connection: &mut Connection,
    table: &SqlTable,
    probes: &[Probe],
    readings: &mut [Value],
) -> Result<Vec<String>, SyncError> {
    let Some(now) = time(probes, readings) else {
        return Ok(Vec::new());
    };
    let mut warnings = Vec::new();
    for (probe, reading) in probes.iter().zip(readings) {
        let Probe::Aggregate(Aggregate {
            function: AggregateFunction::Max,
            column,
        }) = *probe
        else {
            continue;
        };
        let Some(described) = table.table.columns.get(column as usize) else {
            continue;
        };
        let Some(most) = reach(described.column_type.logical(), now) else {
            continue;
        };
        if !is_after(reading, &most) {
            continue;
        }
        let ahead = connection
            .ahead_of(table, column, &most)
            .await
            .doing(|| format!("probing source table {}", table.name))?;
        warnings.push(format!(
            "{}: {} rows lie ahead of the server's clock in '{}', as far as {}: the watermark stays behind them, and \
             they are read again in each run from the next one on",
            table.name,
            ahead.rows,
            described.name,
            reading.text()
        ));
        *reading = ahead.largest;
    }
    Ok(warnings)
}

/// The last moment of a column that may be one of the server's clock, where a detector has asked for both.
pub(crate) fn last_of_clock(table: &SqlTable, detected: &Detected, column: u32) -> Option<Value> {
    detected.aggregate(AggregateFunction::Max, column)?;
    let column = table.table.columns.get(column as usize)?;
    let now = time(&detected.probes, &detected.readings)?;
    reach(column.column_type.logical(), now)
}

/// The server's time, where a detector has asked for it.
fn time(probes: &[Probe], readings: &[Value]) -> Option<i64> {
    let mut answers = probes.iter().zip(readings);
    answers.find_map(|(probe, reading)| match (probe, reading) {
        (Probe::SourceTime, Value::Timestamp(ticks)) => Some(*ticks),
        _ => None,
    })
}

/// The last moment that the clock may have reached, as a value of a column: a day ahead of its time in UTC, for a
/// column in local time. A whole minute, which every type holds.
fn reach(kind: LogicalType, now: i64) -> Option<Value> {
    let ahead = now.checked_add(TICKS_PER_DAY)?;
    let ticks = ahead - ahead.rem_euclid(60 * TICKS_PER_SECOND);
    let value = match kind {
        LogicalType::Date => Value::Date(i32::try_from(ticks.div_euclid(TICKS_PER_DAY)).ok()?),
        LogicalType::Timestamp => Value::Timestamp(ticks),
        LogicalType::TimestampTz => Value::TimestampTz {
            ticks,
            offset_minutes: 0,
        },
        _ => return None,
    };
    value.validate().is_ok().then_some(value)
}

fn is_after(value: &Value, most: &Value) -> bool {
    match (value, most) {
        (Value::Date(value), Value::Date(most)) => value > most,
        (Value::Timestamp(value), Value::Timestamp(most)) => value > most,
        (Value::TimestampTz { ticks: value, .. }, Value::TimestampTz { ticks: most, .. }) => {
            value > most
        }
        _ => false,
    }
}
