//! Expressions and values from bytes.

use arbitrary::{Result, Unstructured};
use icehost_plan::{Comparison, Expression, Node, Side, Value};

/// Values of every kind, impossible ones too.
pub(crate) fn value(from: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match from.int_in_range(0..=12)? {
        0 => Value::Null,
        1 => Value::Boolean(from.arbitrary()?),
        2 => Value::Integer(from.arbitrary()?),
        3 => Value::Double(from.arbitrary()?),
        4 => Value::Text(from.arbitrary()?),
        5 => Value::Binary(from.arbitrary()?),
        6 => Value::Date(from.arbitrary()?),
        7 => Value::Timestamp(from.arbitrary()?),
        // Values as people write them reach the other kinds, and their reader.
        _ => {
            let kinds = ["decimal:", "time:", "timestamp-tz:", "uuid:", "timestamp:"];
            let kind = kinds[from.choose_index(kinds.len())?];
            let text: String = from.arbitrary()?;
            format!("{kind}{text}").parse().unwrap_or(Value::Null)
        }
    })
}

/// Nodes that mostly refer to earlier ones; some do not.
pub(crate) fn expression(from: &mut Unstructured<'_>, columns: usize) -> Result<Expression> {
    let count = from.int_in_range(1..=12usize)?;
    let mut nodes = Vec::with_capacity(count);
    for at in 0..count {
        let node = node(from, at, columns)?;
        nodes.push(node);
    }
    let last = nodes.len() as u32 - 1;
    let root = match from.ratio(1, 16)? {
        true => from.arbitrary()?,
        false => last,
    };
    Ok(Expression { nodes, root })
}

fn earlier(from: &mut Unstructured<'_>, at: usize) -> Result<u32> {
    match at == 0 || from.ratio(1, 32)? {
        true => from.arbitrary(),
        false => Ok(from.int_in_range(0..=at - 1)? as u32),
    }
}

fn node(from: &mut Unstructured<'_>, at: usize, columns: usize) -> Result<Node> {
    let some = |from: &mut Unstructured<'_>| -> Result<Vec<u32>> {
        let count = from.int_in_range(0..=3)?;
        (0..count).map(|_| earlier(from, at)).collect()
    };
    // Scalars first, so that there is something to compare.
    let kind = match at {
        0 | 1 => from.int_in_range(0..=1)?,
        _ => from.int_in_range(0..=8)?,
    };
    Ok(match kind {
        0 => Node::Column {
            side: match from.ratio(1, 4)? {
                true => Side::Target,
                false => Side::Source,
            },
            column: from.int_in_range(0..=columns)? as u32,
        },
        1 => Node::Literal(value(from)?),
        2 => Node::IsNull(earlier(from, at)?),
        3 => Node::Negate(earlier(from, at)?),
        4 => Node::AllOf(some(from)?),
        5 => Node::AnyOf(some(from)?),
        6 => Node::Coalesce(some(from)?),
        7 => {
            let item = earlier(from, at)?;
            let count = from.int_in_range(0..=4)?;
            let values = (0..count).map(|_| value(from)).collect::<Result<_>>()?;
            Node::OneOf { item, values }
        }
        _ => {
            let operators = [
                Comparison::Eq,
                Comparison::Ne,
                Comparison::Lt,
                Comparison::Le,
                Comparison::Gt,
                Comparison::Ge,
            ];
            Node::Compare {
                op: operators[from.choose_index(operators.len())?],
                left: earlier(from, at)?,
                right: earlier(from, at)?,
            }
        }
    })
}
