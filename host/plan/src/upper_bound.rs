//! Whether a plan leaves to the next run what changes while this one reads.

use crate::{Comparison, Expression, ExtractionPlan, Node, Probe, Value};

impl ExtractionPlan {
    /// The column whose largest value, as a probe read it beforehand, no row that the plan reads exceeds; rows
    /// without a value in it aside. Or the one in which all of them lie below the rowversion that was the lowest of
    /// any transaction under way. `None` where the plan has no such bound.
    ///
    /// Whatever moves the column forward takes a row out of the plan, however often and whenever it is read. So it is
    /// no matter which rows the probe looked at. Of several columns that are compared from the left it is the first.
    pub fn probed_upper_bound(&self, probes: &[Probe], readings: &[Value]) -> Option<u32> {
        let filter = self.filter.as_ref()?;
        Probe::with_readings(probes, readings).find_map(|(probe, readings)| {
            let reading = readings.first().filter(|first| **first != Value::Null)?;
            match (probe, probe.largest_of()) {
                // Whatever changes from now on gets a number that is no lower.
                (Probe::MinActiveRowversion, _) => {
                    filter.nodes.iter().find_map(|node| match node {
                        Node::Column { column, .. } => {
                            holds(filter, filter.root, *column, reading, true).then_some(*column)
                        }
                        _ => None,
                    })
                }
                (_, [column, ..]) => {
                    holds(filter, filter.root, *column, reading, false).then_some(*column)
                }
                (_, []) => None,
            }
        })
    }

    /// The filter without the bounds that [`probed_upper_bound`](Self::probed_upper_bound) looks for: what this run
    /// reads, and what it leaves to later ones because it lies above what was probed. `None` for every row.
    pub fn reach(&self, probes: &[Probe], readings: &[Value]) -> Option<Expression> {
        let filter = self.filter.as_ref()?;
        let mut opened = filter.clone();
        opened.root = open(&mut opened, filter.root, probes, readings)?;
        // Nodes that nothing refers to any more stay where they are: indices go on to hold.
        Some(opened)
    }
}

/// The node without its upper bounds; `None` where it then lets every row through.
fn open(
    expression: &mut Expression,
    index: u32,
    probes: &[Probe],
    readings: &[Value],
) -> Option<u32> {
    let operands = match expression.node(index)? {
        Node::Compare { .. } => {
            let mut pairs = Probe::with_readings(probes, readings);
            let bounds = pairs.any(|(probe, readings)| {
                let first = readings.first().filter(|first| **first != Value::Null);
                first.is_some_and(|reading| is_bound(expression, index, probe, reading))
            });
            return (!bounds).then_some(index);
        }
        Node::AllOf(parts) | Node::AnyOf(parts) => parts.clone(),
        _ => return Some(index),
    };
    let kept: Vec<Option<u32>> = operands
        .iter()
        .map(|part| open(expression, *part, probes, readings))
        .collect();
    // A node that lets every row through is left as it is: it is valid, and nothing refers to it any more.
    let kept: Vec<u32> = match expression.node(index)? {
        Node::AllOf(_) => kept.into_iter().flatten().collect(),
        _ => kept.into_iter().collect::<Option<Vec<u32>>>()?,
    };
    if kept.is_empty() {
        return None;
    }
    if let Node::AllOf(parts) | Node::AnyOf(parts) = expression.nodes.get_mut(index as usize)? {
        *parts = kept;
    }
    Some(index)
}

/// Whether a comparison is the bound that a probe has read.
fn is_bound(expression: &Expression, index: u32, probe: &Probe, reading: &Value) -> bool {
    let Some(Node::Compare { left, right, .. }) = expression.node(index) else {
        return false;
    };
    let exclusive = match (probe, probe.largest_of()) {
        (Probe::MinActiveRowversion, _) => true,
        (_, [_, ..]) => false,
        (_, []) => return false,
    };
    let columns = [left, right].into_iter().filter_map(|operand| {
        let Some(Node::Column { column, .. }) = expression.node(*operand) else {
            return None;
        };
        Some(*column)
    });
    let of_probe = |column: &u32| match probe.largest_of() {
        [first, ..] => first == column,
        [] => true,
    };
    let equals = matches!(
        expression.node(index),
        Some(Node::Compare {
            op: Comparison::Eq,
            ..
        })
    );
    !equals
        && columns
            .filter(of_probe)
            .any(|column| holds(expression, index, column, reading, exclusive))
}

/// Whether rows that the node lets through have at most `upper`, or nothing, in the column; where it is `exclusive`,
/// less than that.
fn holds(expression: &Expression, index: u32, column: u32, upper: &Value, exclusive: bool) -> bool {
    let node = |index| expression.node(index);
    let is_column =
        |index: u32| matches!(node(index), Some(Node::Column { column: c, .. }) if *c == column);
    match node(index) {
        Some(Node::Compare { op, left, right }) if is_within(*op, exclusive) => {
            is_column(*left) && matches!(node(*right), Some(Node::Literal(value)) if value == upper)
        }
        Some(Node::Compare { op, left, right })
            if *op
                == match exclusive {
                    true => Comparison::Gt,
                    false => Comparison::Ge,
                } =>
        {
            is_column(*right) && matches!(node(*left), Some(Node::Literal(value)) if value == upper)
        }
        Some(Node::IsNull(operand)) => is_column(*operand),
        Some(Node::AllOf(parts)) => parts
            .iter()
            .any(|part| holds(expression, *part, column, upper, exclusive)),
        Some(Node::AnyOf(parts)) => parts
            .iter()
            .all(|part| holds(expression, *part, column, upper, exclusive)),
        _ => false,
    }
}

fn is_within(op: Comparison, exclusive: bool) -> bool {
    match exclusive {
        true => op == Comparison::Lt,
        false => matches!(op, Comparison::Lt | Comparison::Le | Comparison::Eq),
    }
}
