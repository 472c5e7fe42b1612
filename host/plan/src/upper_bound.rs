//! Whether a plan leaves to the next run what changes while this one reads.

use crate::{
    Aggregate, AggregateFunction, Comparison, Expression, ExtractionPlan, Node, Probe, Value,
};

impl ExtractionPlan {
    /// The column whose largest value, as a probe read it beforehand, no row that the plan reads exceeds;
    /// rows without a value in it aside. `None` where the plan has no such bound.
    ///
    /// Whatever moves the column forward takes a row out of the plan, however often and whenever it is read.
    pub fn probed_upper_bound(&self, probes: &[Probe], readings: &[Value]) -> Option<u32> {
        let filter = self.filter.as_ref()?;
        probes.iter().zip(readings).find_map(|(probe, reading)| {
            let Probe::Aggregate(Aggregate {
                function: AggregateFunction::Max,
                column,
            }) = *probe
            else {
                return None;
            };
            let bounded = *reading != Value::Null && holds(filter, filter.root, column, reading);
            bounded.then_some(column)
        })
    }
}

/// Whether rows that the node lets through have at most `upper`, or nothing, in the column.
fn holds(expression: &Expression, index: u32, column: u32, upper: &Value) -> bool {
    let node = |index| expression.node(index);
    let is_column =
        |index: u32| matches!(node(index), Some(Node::Column { column: c, .. }) if *c == column);
    match node(index) {
        Some(Node::Compare {
            op: Comparison::Le | Comparison::Eq,
            left,
            right,
        }) => {
            is_column(*left) && matches!(node(*right), Some(Node::Literal(value)) if value == upper)
        }
        Some(Node::Compare {
            op: Comparison::Ge,
            left,
            right,
        }) => {
            is_column(*right) && matches!(node(*left), Some(Node::Literal(value)) if value == upper)
        }
        Some(Node::IsNull(operand)) => is_column(*operand),
        Some(Node::AllOf(parts)) => parts
            .iter()
            .any(|part| holds(expression, *part, column, upper)),
        Some(Node::AnyOf(parts)) => parts
            .iter()
            .all(|part| holds(expression, *part, column, upper)),
        _ => false,
    }
}
