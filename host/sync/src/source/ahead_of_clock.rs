//! Rows that are dated ahead of the server's clock.
//!
//! A cursor that had gone as far as 9999-12-31 would never move again, and every row that comes after it would be
//! missed. So the largest value that a detector is told is one that the clock may have reached, in whatever time
//! zone the column is kept. Rows ahead of that are none that a clock has dated.

use icehost_plan::value::{TICKS_PER_DAY, TICKS_PER_SECOND};
use icehost_plan::{
    Aggregate, AggregateFunction, Comparison, Expression, Extreme, LogicalType, Node, Probe, Side,
    Value,
};
use icehost_sqlserver::{Connection, SqlTable};

use crate::SyncError;
use crate::error::Doing;

/// Where a detector has asked for the largest moment of a column and for the server's time: puts the largest
/// moment that the clock may have reached in the place of one that lies ahead of it. Gives a warning for each. Of
/// several columns that are compared from the left, rows of which any moment lies ahead are left out.
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
    let mut rest = readings;
    for probe in probes {
        let Some((own, others)) = rest.split_at_mut_checked(probe.width()) else {
            break;
        };
        rest = others;
        let Some(ahead) = Ahead::of(probe, table, now, own) else {
            continue;
        };
        let doing = || format!("probing source table {}", table.name);
        let asked = ahead.probes(probe);
        let mut answers = connection.probe(table, &asked).await.doing(doing)?;
        let rows = answers.pop().unwrap_or(Value::Null);
        warnings.push(format!(
            "{}: {} lie{} ahead of the server's clock in '{}', as far as {}: the watermark stays behind them, and \
             they are read again in each run from the next one on",
            table.name,
            match &rows {
                Value::Integer(1) => "1 row".to_owned(),
                rows => format!("{} rows", rows.text()),
            },
            if rows == Value::Integer(1) { "s" } else { "" },
            ahead.name,
            ahead.most.text()
        ));
        own.clone_from_slice(&answers);
    }
    Ok(warnings)
}

/// The last moment of a column that may be one of the server's clock, where a detector has asked for its time.
pub(crate) fn last_reached(
    table: &SqlTable,
    probes: &[Probe],
    readings: &[Value],
    column: u32,
) -> Option<Value> {
    let column = table.table.columns.get(column as usize)?;
    let now = time(probes, readings)?;
    reach(column.column_type.logical(), now)
}

/// The server's time, where a detector has asked for it.
fn time(probes: &[Probe], readings: &[Value]) -> Option<i64> {
    Probe::with_readings(probes, readings).find_map(|answer| match answer {
        (Probe::SourceTime, [Value::Timestamp(ticks)]) => Some(*ticks),
        _ => None,
    })
}

/// A largest value, or one of several that are compared from the left, which lies ahead of the clock.
struct Ahead {
    /// The columns of moments, each with the last one that the clock may have reached.
    reached: Vec<(u32, Value)>,
    /// The first of them that lies ahead.
    name: String,
    /// Its value.
    most: Value,
}

impl Ahead {
    fn of(probe: &Probe, table: &SqlTable, now: i64, readings: &[Value]) -> Option<Ahead> {
        let columns = probe.largest_of();
        let kind = |column: u32| table.table.columns.get(column as usize);
        let reached: Vec<(u32, Value)> = columns
            .iter()
            .filter_map(|&column| Some((column, reach(kind(column)?.column_type.logical(), now)?)))
            .collect();
        let (column, most) = columns.iter().zip(readings).find(|(column, reading)| {
            let reached = reached.iter().find(|(of, _)| of == *column);
            reached.is_some_and(|(_, reached)| is_after(reading, reached))
        })?;
        Some(Ahead {
            name: kind(*column)?.name.clone(),
            most: most.clone(),
            reached,
        })
    }

    /// The same probe without the rows that lie ahead, and how many these are.
    fn probes(&self, probe: &Probe) -> [Probe; 2] {
        let filter = probe.filter();
        let others = Some(self.filter(filter, Comparison::Le, Node::AllOf));
        let behind = match probe.clone() {
            Probe::Greatest(extreme) => Probe::Greatest(Extreme {
                filter: others,
                ..extreme
            }),
            Probe::Aggregate { of, .. } => Probe::Aggregate { of, filter: others },
            other => other,
        };
        let of = Aggregate {
            function: AggregateFunction::Count,
            column: self.reached.first().map_or(0, |(column, _)| *column),
        };
        let filter = Some(self.filter(filter, Comparison::Gt, Node::AnyOf));
        [behind, Probe::Aggregate { of, filter }]
    }

    /// The filter, and that the moments compare so with those that were reached: all of them or any.
    fn filter(
        &self,
        filter: Option<&Expression>,
        op: Comparison,
        joined: fn(Vec<u32>) -> Node,
    ) -> Expression {
        let mut nodes = filter.map_or(Vec::new(), |filter| filter.nodes.clone());
        let mut add = |node| {
            nodes.push(node);
            nodes.len() as u32 - 1
        };
        let mut parts = Vec::new();
        for (column, reached) in &self.reached {
            let (side, column) = (Side::Source, *column);
            let left = add(Node::Column { side, column });
            let right = add(Node::Literal(reached.clone()));
            parts.push(add(Node::Compare { op, left, right }));
        }
        let moments = add(joined(parts));
        let root = match filter {
            None => moments,
            Some(filter) => add(Node::AllOf(vec![filter.root, moments])),
        };
        Expression { nodes, root }
    }
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
