//! Whether a plan that says that it reads everything does.

use crate::{
    Aggregate, AggregateFunction, ColumnType, Comparison, Coverage, Expression, ExtractionPlan,
    Node, Probe, SqlType, Table, Value,
};

impl ExtractionPlan {
    /// Whether the plan reads every row that the table had when the probes were read, so that a row which it
    /// does not find is gone. A plan may say that it reads everything and yet have a filter: then it does only
    /// where the filter provably lets through whatever does not lie above a bound that a probe read.
    ///
    /// Rows above that bound came later, and are the next run's.
    pub fn is_complete(&self, table: &Table, probes: &[Probe], readings: &[Value]) -> bool {
        if self.coverage != Coverage::Full {
            return false;
        }
        let Some(filter) = &self.filter else {
            return true;
        };
        probes.iter().zip(readings).any(|(probe, reading)| {
            bounds(probe, reading, table).any(|bound| {
                let through = bound.lets_through(filter, filter.root);
                let nullable = table.columns.get(bound.column as usize);
                let nullable = nullable.is_none_or(|column| column.nullable);
                through.values && (through.nulls || !nullable)
            })
        })
    }
}

/// What a probe says of a column: every row that was there has such a value in it, or NULL.
struct Bound<'a> {
    column: u32,
    /// At most this, or below it; `None` where no row had a value.
    upper: Option<(&'a Value, Comparison)>,
}

fn bounds<'a>(probe: &Probe, reading: &'a Value, table: &Table) -> impl Iterator<Item = Bound<'a>> {
    let columns: Vec<u32> = match probe {
        Probe::Aggregate(Aggregate {
            function: AggregateFunction::Max,
            column,
        }) => vec![*column],
        // Every committed row lies below it (T-SQL reference, `MIN_ACTIVE_ROWVERSION`).
        Probe::MinActiveRowversion => (0..)
            .zip(&table.columns)
            .filter(|(_, column)| column.column_type == ColumnType::Sql(SqlType::RowVersion))
            .map(|(ordinal, _)| ordinal)
            .collect(),
        _ => Vec::new(),
    };
    let upper = match (probe, reading) {
        (_, Value::Null) => None,
        (Probe::MinActiveRowversion, reading) => Some((reading, Comparison::Lt)),
        (_, reading) => Some((reading, Comparison::Le)),
    };
    columns
        .into_iter()
        .map(move |column| Bound { column, upper })
}

/// Which rows within a bound a condition holds for.
#[derive(Clone, Copy)]
struct Through {
    /// All that have a value in the column.
    values: bool,
    /// All that have none.
    nulls: bool,
}

impl Bound<'_> {
    fn lets_through(&self, expression: &Expression, index: u32) -> Through {
        let node = |index| expression.node(index);
        let is_column = |index: u32| matches!(node(index), Some(Node::Column { column, .. }) if *column == self.column);
        let is_upper = |index: u32| matches!((node(index), self.upper), (Some(Node::Literal(value)), Some((upper, _))) if value == upper);
        let parts = |parts: &[u32]| -> Vec<Through> {
            let through = |part: &u32| self.lets_through(expression, *part);
            parts.iter().map(through).collect()
        };
        // Where no row had a value, nothing is left out of those that have one.
        let nothing = Through {
            values: self.upper.is_none(),
            nulls: false,
        };
        match node(index) {
            Some(Node::Compare { op, left, right }) => {
                let (op, column, bound) = match op {
                    Comparison::Ge => (Comparison::Le, *right, *left),
                    Comparison::Gt => (Comparison::Lt, *right, *left),
                    op => (*op, *left, *right),
                };
                let wide_enough = match self.upper {
                    Some((_, Comparison::Lt)) => {
                        matches!(op, Comparison::Lt | Comparison::Le)
                    }
                    _ => op == Comparison::Le,
                };
                Through {
                    values: nothing.values || (wide_enough && is_column(column) && is_upper(bound)),
                    ..nothing
                }
            }
            Some(Node::IsNull(operand)) => Through {
                nulls: is_column(*operand),
                ..nothing
            },
            Some(Node::AllOf(all)) => parts(all).into_iter().fold(
                Through {
                    values: true,
                    nulls: true,
                },
                |a, b| Through {
                    values: a.values && b.values,
                    nulls: a.nulls && b.nulls,
                },
            ),
            Some(Node::AnyOf(any)) => parts(any).into_iter().fold(nothing, |a, b| Through {
                values: a.values || b.values,
                nulls: a.nulls || b.nulls,
            }),
            _ => nothing,
        }
    }
}
