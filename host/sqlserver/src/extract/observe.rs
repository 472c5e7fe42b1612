//! Aggregates over what was extracted, at the server's precision.

use std::cmp::Ordering;

use icehost_plan::{Aggregate, AggregateFunction, ValidExtractionPlan, Value};

use super::value;
use crate::driver::{Block, Cell, Client, Field};
use crate::error::{Result, SqlServerError};
use crate::introspect::SqlTable;
use crate::lower;

/// How `uniqueidentifier` sorts: the positions of the textual bytes, most significant first. The last group
/// decides first, and the first three groups are stored in little-endian order.
const UNIQUEIDENTIFIER_ORDER: [usize; 16] = [10, 11, 12, 13, 14, 15, 8, 9, 7, 6, 5, 4, 3, 2, 1, 0];

/// Collects a plan's `observe`.
pub(super) struct Observer(Vec<Observed>);

enum Observed {
    /// Told by the server before the rows were read. Should more rows have come since, the watermark made of
    /// it stays behind them, and they are read again.
    Asked(Value),
    /// Gathered from the rows as they pass; `position` among the extracted columns.
    Gathered {
        function: AggregateFunction,
        position: usize,
        count: i64,
        extreme: Cell<'static>,
    },
}

impl Observer {
    /// Asks the server for what the rows themselves cannot tell.
    pub(super) async fn begin(
        client: &mut Client,
        table: &SqlTable,
        plan: &ValidExtractionPlan,
    ) -> Result<Observer> {
        let mut observed = Vec::with_capacity(plan.observe.len());
        let mut asked: Vec<(usize, Aggregate)> = Vec::new();
        for (at, aggregate) in plan.observe.iter().enumerate() {
            let column = table.column(aggregate.column)?;
            let position = plan
                .columns
                .iter()
                .position(|&column| column == aggregate.column)
                .ok_or_else(|| {
                    SqlServerError::plan(format!(
                        "column '{}' is observed but not read",
                        column.name
                    ))
                })?;
            if lower::computed_from_rows(aggregate.function, column.sql_type) {
                observed.push(Observed::Gathered {
                    function: aggregate.function,
                    position,
                    count: 0,
                    extreme: Cell::Null,
                });
            } else {
                asked.push((at, *aggregate));
                observed.push(Observed::Asked(Value::Null));
            }
        }
        let aggregates: Vec<Aggregate> = asked.iter().map(|(_, aggregate)| *aggregate).collect();
        if let Some(statement) = lower::asked_aggregates(table, plan, &aggregates)? {
            let row = client.run(&statement).await?.rows().into_iter().next();
            for ((at, _), cell) in asked.into_iter().zip(row.unwrap_or_default()) {
                if let Some(slot) = observed.get_mut(at) {
                    *slot = Observed::Asked(value(cell));
                }
            }
        }
        Ok(Observer(observed))
    }

    /// Takes rows into account.
    pub(super) fn see(&mut self, block: &Block<'_>) {
        for observed in &mut self.0 {
            let Observed::Gathered {
                function,
                position,
                count,
                extreme,
            } = observed
            else {
                continue;
            };
            let wanted = match function {
                AggregateFunction::Min => Ordering::Less,
                AggregateFunction::Max => Ordering::Greater,
                AggregateFunction::CountNull => {
                    *count += nulls(block, *position);
                    continue;
                }
                AggregateFunction::Count | AggregateFunction::CountDistinct => {
                    *count += block.rows as i64 - nulls(block, *position);
                    continue;
                }
            };
            let mut best = None;
            for row in 0..block.rows {
                let Some(cell) = block.cell(row, *position) else {
                    continue;
                };
                if cell == Cell::Null {
                    continue;
                }
                let known = best.as_ref().unwrap_or(&*extreme);
                if *known == Cell::Null || compare(&cell, known) == Some(wanted) {
                    best = Some(cell);
                }
            }
            if let Some(best) = best {
                *extreme = best.into_owned();
            }
        }
    }

    /// One value per aggregate, in order.
    pub(super) fn finish(self) -> Vec<Value> {
        let values = self.0.into_iter().map(|observed| match observed {
            Observed::Asked(value) => value,
            Observed::Gathered {
                function: AggregateFunction::Min | AggregateFunction::Max,
                extreme,
                ..
            } => value(extreme),
            Observed::Gathered { count, .. } => Value::Integer(count),
        });
        values.collect()
    }
}

fn nulls(block: &Block<'_>, position: usize) -> i64 {
    let fields = block.column(position);
    fields.filter(|field| matches!(field, Field::Null)).count() as i64
}

/// SQL Server's order of two values of one column; `None` where it has none.
fn compare(left: &Cell<'_>, right: &Cell<'_>) -> Option<Ordering> {
    Some(match (left, right) {
        (Cell::TinyInt(l), Cell::TinyInt(r)) => l.cmp(r),
        (Cell::SmallInt(l), Cell::SmallInt(r)) => l.cmp(r),
        (Cell::Int(l), Cell::Int(r)) => l.cmp(r),
        (Cell::BigInt(l), Cell::BigInt(r)) => l.cmp(r),
        (Cell::Real(l), Cell::Real(r)) => l.partial_cmp(r)?,
        (Cell::Float(l), Cell::Float(r)) => l.partial_cmp(r)?,
        // Values of one column have one scale.
        (Cell::Decimal { unscaled: l, .. }, Cell::Decimal { unscaled: r, .. }) => l.cmp(r),
        (Cell::Binary(l), Cell::Binary(r)) => l.cmp(r),
        (Cell::Uuid(l), Cell::Uuid(r)) => {
            let order = |bytes: &[u8; 16]| UNIQUEIDENTIFIER_ORDER.map(|at| bytes[at]);
            order(l).cmp(&order(r))
        }
        (Cell::Date(l), Cell::Date(r)) => l.cmp(r),
        (Cell::Time(l), Cell::Time(r)) => l.cmp(r),
        (Cell::DateTime { days: l, ticks: lt }, Cell::DateTime { days: r, ticks: rt }) => {
            (l, lt).cmp(&(r, rt))
        }
        (
            Cell::SmallDateTime {
                days: l,
                minutes: lm,
            },
            Cell::SmallDateTime {
                days: r,
                minutes: rm,
            },
        ) => (l, lm).cmp(&(r, rm)),
        (Cell::DateTime2 { days: l, ticks: lt }, Cell::DateTime2 { days: r, ticks: rt })
        | (
            Cell::DateTimeOffset {
                days: l, ticks: lt, ..
            },
            Cell::DateTimeOffset {
                days: r, ticks: rt, ..
            },
        ) => (l, lt).cmp(&(r, rt)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use icehost_plan::Value;

    use super::*;

    fn uuid(text: &str) -> Cell<'static> {
        match format!("uuid:{text}").parse().unwrap() {
            Value::Uuid(bytes) => Cell::Uuid(bytes),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn uniqueidentifiers_sort_by_their_last_group_first_and_the_first_groups_byte_by_byte_from_behind()
     {
        let ascending = [
            "01000000-0000-0000-0000-000000000000",
            "00000001-0000-0000-0000-000000000000",
            "00000000-0100-0000-0000-000000000000",
            "00000000-0001-0000-0000-000000000000",
            "00000000-0000-0100-0000-000000000000",
            "00000000-0000-0001-0000-000000000000",
            "00000000-0000-0000-0001-000000000000",
            "00000000-0000-0000-0100-000000000000",
            "00000000-0000-0000-0000-000000000001",
            "00000000-0000-0000-0000-010000000000",
        ];
        for pair in ascending.windows(2) {
            assert_eq!(
                compare(&uuid(pair[0]), &uuid(pair[1])),
                Some(Ordering::Less),
                "{pair:?}"
            );
        }
    }
}
