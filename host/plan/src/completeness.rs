//! Whether a plan that says that it reads everything does.

use std::cmp::Ordering;

use crate::{
    ColumnType, Comparison, Coverage, Expression, ExtractionPlan, Node, Probe, SqlType, Table,
    Value,
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
        Probe::with_readings(probes, readings)
            .flat_map(|(probe, readings)| bounds(probe, readings, table))
            .any(|bound| bound.let_through_by(filter, table))
    }
}

/// What a probe says of columns, compared from the left: every row that was there lies at or below these values in
/// them, or below, or has no value in one of them.
struct Bound<'a> {
    columns: Vec<u32>,
    /// `None` where no row had a value in each.
    upper: Option<&'a [Value]>,
    /// No row lies at the values themselves.
    exclusive: bool,
}

/// The bounds that a probe gives. One that looks at some rows only says nothing of the others.
fn bounds<'a>(probe: &Probe, readings: &'a [Value], table: &Table) -> Vec<Bound<'a>> {
    if probe.filter().is_some() {
        return Vec::new();
    }
    let upper = (!readings.contains(&Value::Null)).then_some(readings);
    let bound = |columns, exclusive| Bound {
        columns,
        upper,
        exclusive,
    };
    match probe {
        // Every committed row lies below it (T-SQL reference, `MIN_ACTIVE_ROWVERSION`).
        Probe::MinActiveRowversion => (0..)
            .zip(&table.columns)
            .filter(|(_, column)| column.column_type == ColumnType::Sql(SqlType::RowVersion))
            .map(|(ordinal, _)| bound(vec![ordinal], true))
            .collect(),
        probe => match probe.largest_of() {
            [] => Vec::new(),
            columns => vec![bound(columns.to_vec(), false)],
        },
    }
}

/// Rows that a bound does not tell from each other. All rows that lie within it are of one of these.
#[derive(Clone, Copy)]
enum Rows {
    /// Without a value in this one of the columns.
    Null(usize),
    /// At the bound in the columns before this one, and below it in this one; at the bound in all where there is no
    /// such column.
    Below(usize),
}

impl Bound<'_> {
    /// Whether a filter lets every row through that lies within the bound.
    fn let_through_by(&self, filter: &Expression, table: &Table) -> bool {
        let nullable = |column: u32| {
            let column = table.columns.get(column as usize);
            column.is_none_or(|column| column.nullable)
        };
        let nulls = (0..self.columns.len())
            .filter(|at| self.columns.get(*at).is_none_or(|column| nullable(*column)))
            .map(Rows::Null);
        let last = match (self.upper, self.exclusive) {
            // No row has values.
            (None, _) => 0,
            (Some(_), true) => self.columns.len(),
            (Some(_), false) => self.columns.len() + 1,
        };
        let mut all = nulls.chain((0..last).map(Rows::Below));
        all.all(|rows| self.holds(filter, filter.root, rows))
    }

    /// Whether a condition certainly holds for all of some rows.
    fn holds(&self, filter: &Expression, index: u32, rows: Rows) -> bool {
        match filter.node(index) {
            Some(Node::Compare { op, left, right }) => {
                let (of_left, of_right) = (self.column(filter, *left), self.column(filter, *right));
                match (of_left, of_right) {
                    (Some(at), None) => self.compares(filter, *op, at, *right, rows),
                    (None, Some(at)) => self.compares(filter, op.mirrored(), at, *left, rows),
                    _ => false,
                }
            }
            Some(Node::IsNull(operand)) => {
                matches!(rows, Rows::Null(at) if self.column(filter, *operand) == Some(at))
            }
            Some(Node::Negate(operand)) => match filter.node(*operand) {
                Some(Node::IsNull(operand)) => {
                    matches!(rows, Rows::Below(_)) && self.column(filter, *operand).is_some()
                }
                _ => false,
            },
            Some(Node::AllOf(parts)) => parts.iter().all(|part| self.holds(filter, *part, rows)),
            Some(Node::AnyOf(parts)) => parts.iter().any(|part| self.holds(filter, *part, rows)),
            _ => false,
        }
    }

    /// Whether a column of some rows compares so with a literal, which tells something only where it is the bound's.
    fn compares(
        &self,
        filter: &Expression,
        op: Comparison,
        at: usize,
        with: u32,
        rows: Rows,
    ) -> bool {
        let bound = self.upper.and_then(|upper| upper.get(at));
        let is_bound = matches!((filter.node(with), bound), (Some(Node::Literal(value)), Some(bound)) if value == bound);
        let Rows::Below(below) = rows else {
            return false;
        };
        let holds = match at.cmp(&below) {
            Ordering::Less => matches!(op, Comparison::Eq | Comparison::Le | Comparison::Ge),
            Ordering::Equal => matches!(op, Comparison::Lt | Comparison::Le | Comparison::Ne),
            Ordering::Greater => false,
        };
        is_bound && holds
    }

    /// Which of the columns a node is.
    fn column(&self, filter: &Expression, index: u32) -> Option<usize> {
        let Some(Node::Column { column, .. }) = filter.node(index) else {
            return None;
        };
        self.columns.iter().position(|known| known == column)
    }
}
