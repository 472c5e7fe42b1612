//! From where on a plan reads a column.

use std::cmp::Ordering;

use crate::{Comparison, Expression, ExtractionPlan, LogicalType, Node, Value};

/// What every row that a plan reads has in a column.
#[derive(Debug, Clone, PartialEq)]
pub struct LowerBound {
    /// Ordinal of the column.
    pub column: u32,
    /// At least this value.
    pub least: Value,
    /// This very value, too.
    pub inclusive: bool,
    /// Or nothing.
    pub or_null: bool,
}

impl ExtractionPlan {
    /// A column with a lower bound that no row which the plan reads lies below; `None` where the filter has none
    /// that can be told from its shape.
    pub fn lower_bound(&self) -> Option<LowerBound> {
        let filter = self.filter.as_ref()?;
        filter.nodes.iter().find_map(|node| {
            let Node::Column { column, .. } = node else {
                return None;
            };
            let bound = bound(filter, filter.root, *column)?;
            let (least, inclusive) = bound.least?;
            Some(LowerBound {
                column: *column,
                least,
                inclusive,
                or_null: bound.or_null,
            })
        })
    }

    /// The filter as it would be without this [`lower bound`](Self::lower_bound) of it: with the rows that lie below,
    /// and none above its upper bounds. `None` where there is no filter.
    pub fn filter_without(&self, bound: &LowerBound) -> Option<Expression> {
        let mut filter = self.filter.clone()?;
        let before = filter.nodes.clone();
        let node = |index: u32| before.get(index as usize);
        let is_column = |index: u32| matches!(node(index), Some(Node::Column { column, .. }) if *column == bound.column);
        let is_least =
            |index: u32| matches!(node(index), Some(Node::Literal(value)) if *value == bound.least);
        for changed in &mut filter.nodes {
            let Node::Compare { op, left, right } = changed else {
                continue;
            };
            let (op, column) = match (is_column(*left), is_column(*right)) {
                (true, false) if is_least(*right) => (*op, *left),
                (false, true) if is_least(*left) => (op.mirrored(), *right),
                _ => continue,
            };
            // It stays a comparison, which a row without a value does not pass: each value is its own equal.
            if matches!(op, Comparison::Ge | Comparison::Gt) {
                *changed = Node::Compare {
                    op: Comparison::Eq,
                    left: column,
                    right: column,
                };
            }
        }
        Some(filter)
    }
}

/// Rows that a node lets through.
struct Bound {
    /// Their least value, and whether it is one of them; `None` where they have no value at all.
    least: Option<(Value, bool)>,
    or_null: bool,
}

fn bound(expression: &Expression, index: u32, column: u32) -> Option<Bound> {
    let node = |index| expression.node(index);
    let is_column =
        |index: u32| matches!(node(index), Some(Node::Column { column: c, .. }) if *c == column);
    let literal = |index: u32| match node(index) {
        Some(Node::Literal(value)) => Some(value.clone()),
        _ => None,
    };
    match node(index)? {
        Node::Compare { op, left, right } => {
            let (op, value) = match (is_column(*left), is_column(*right)) {
                (true, false) => (*op, literal(*right)?),
                (false, true) => (op.mirrored(), literal(*left)?),
                _ => return None,
            };
            let inclusive = match op {
                Comparison::Ge | Comparison::Eq => true,
                Comparison::Gt => false,
                Comparison::Lt | Comparison::Le | Comparison::Ne => return None,
            };
            Some(Bound {
                least: Some((value, inclusive)),
                or_null: false,
            })
        }
        Node::IsNull(operand) => is_column(*operand).then_some(Bound {
            least: None,
            or_null: true,
        }),
        Node::AllOf(parts) => parts
            .iter()
            .find_map(|part| bound(expression, *part, column)),
        Node::AnyOf(parts) => {
            let mut all: Option<Bound> = None;
            for part in parts {
                let part = bound(expression, *part, column)?;
                all = Some(match all {
                    None => part,
                    Some(before) => either(before, part)?,
                });
            }
            all
        }
        _ => None,
    }
}

fn either(one: Bound, other: Bound) -> Option<Bound> {
    let least = match (one.least, other.least) {
        (Some((a, a_included)), Some((b, b_included))) => Some(match order(&a, &b)? {
            Ordering::Less => (a, a_included),
            Ordering::Greater => (b, b_included),
            Ordering::Equal => (a, a_included || b_included),
        }),
        (one, other) => one.or(other),
    };
    Some(Bound {
        least,
        or_null: one.or_null || other.or_null,
    })
}

/// The order of two values of one kind, where every server and every lake has the same.
fn order(a: &Value, b: &Value) -> Option<Ordering> {
    Some(match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (
            Value::Decimal { unscaled: a, scale },
            Value::Decimal {
                unscaled: b,
                scale: other,
            },
        ) if scale == other => a.cmp(b),
        (Value::Date(a), Value::Date(b)) => a.cmp(b),
        (Value::Time(a), Value::Time(b)) => a.cmp(b),
        (Value::Timestamp(a), Value::Timestamp(b)) => a.cmp(b),
        (Value::TimestampTz { ticks: a, .. }, Value::TimestampTz { ticks: b, .. }) => a.cmp(b),
        (Value::Binary(a), Value::Binary(b)) if a.len() == b.len() => a.cmp(b),
        _ => return None,
    })
}

impl LowerBound {
    /// Whether two values of the column that the lake holds as one, in microseconds, are both above the bound or
    /// both below.
    pub fn is_whole(&self) -> bool {
        match self.least {
            Value::Timestamp(ticks) | Value::TimestampTz { ticks, .. } => {
                let first = ticks + i64::from(!self.inclusive);
                first % 10 == 0
            }
            _ => true,
        }
    }

    /// Whether a value of the column certainly lies below, so that no row that has it is read.
    pub fn excludes(&self, value: &Value) -> bool {
        order(value, &self.least) == Some(Ordering::Less)
    }

    /// Whether values of this kind can be told to lie below by what a file says of its columns.
    pub fn is_ordered(&self) -> bool {
        matches!(
            self.least.kind(),
            Some(
                LogicalType::Integer
                    | LogicalType::Decimal
                    | LogicalType::Date
                    | LogicalType::Timestamp
                    | LogicalType::TimestampTz
                    | LogicalType::Binary
            )
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChangeSource, Coverage, Side};

    fn plan(nodes: Vec<Node>) -> ExtractionPlan {
        let root = nodes.len() as u32 - 1;
        ExtractionPlan {
            source: ChangeSource::Rows,
            coverage: Coverage::Incremental,
            columns: vec![0],
            filter: Some(Expression { nodes, root }),
            order_by: Vec::new(),
            split_on: None,
            observe: Vec::new(),
        }
    }

    fn column(column: u32) -> Node {
        Node::Column {
            side: Side::Source,
            column,
        }
    }

    fn compare(op: Comparison, left: u32, right: u32) -> Node {
        Node::Compare { op, left, right }
    }

    fn number(value: i64) -> Node {
        Node::Literal(Value::Integer(value))
    }

    #[test]
    fn a_window_has_its_lower_bound_and_one_with_more_the_lowest_of_all() {
        let window = vec![
            column(3),
            number(5),
            compare(Comparison::Ge, 0, 1),
            number(9),
            compare(Comparison::Le, 0, 3),
            Node::AllOf(vec![2, 4]),
        ];
        let wanted = LowerBound {
            column: 3,
            least: Value::Integer(5),
            inclusive: true,
            or_null: false,
        };
        assert_eq!(plan(window.clone()).lower_bound(), Some(wanted.clone()));
        let mut more = window;
        more.extend([
            number(100),
            // 100 < column
            compare(Comparison::Lt, 6, 0),
            Node::IsNull(0),
            Node::AnyOf(vec![7, 5, 8]),
        ]);
        let with_null = LowerBound {
            or_null: true,
            ..wanted
        };
        assert_eq!(plan(more).lower_bound(), Some(with_null));
    }

    #[test]
    fn what_may_let_through_anything_has_none() {
        let below = vec![column(0), number(5), compare(Comparison::Le, 0, 1)];
        assert_eq!(plan(below).lower_bound(), None);
        let or_another = vec![
            column(0),
            number(5),
            compare(Comparison::Ge, 0, 1),
            column(1),
            compare(Comparison::Eq, 3, 1),
            Node::AnyOf(vec![2, 4]),
        ];
        assert_eq!(plan(or_another).lower_bound(), None);
        let negated = vec![
            column(0),
            number(5),
            compare(Comparison::Ge, 0, 1),
            Node::Negate(2),
        ];
        assert_eq!(plan(negated).lower_bound(), None);
        let null = vec![column(0), Node::IsNull(0)];
        assert_eq!(plan(null).lower_bound(), None);
    }

    #[test]
    fn a_filter_without_its_lower_bound_keeps_all_else() {
        let nodes = |op, least| {
            vec![
                column(3),
                number(least),
                compare(op, 0, 1),
                number(9),
                compare(Comparison::Le, 0, 3),
                Node::AllOf(vec![2, 4]),
                Node::IsNull(0),
                number(20),
                compare(Comparison::Gt, 0, 7),
                Node::AnyOf(vec![5, 6, 8]),
            ]
        };
        // What it is to be is `column = column`, whose literal nobody looks at.
        let below = |op, least| {
            let plan = plan(nodes(op, least));
            let mut wanted = nodes(op, least);
            if let Some(node) = wanted.get_mut(2) {
                *node = compare(Comparison::Eq, 0, 0);
            }
            let bound = plan.lower_bound();
            let without = bound.and_then(|bound| plan.filter_without(&bound));
            assert_eq!(without.map(|filter| filter.nodes), Some(wanted));
        };
        below(Comparison::Ge, 5);
        below(Comparison::Gt, 5);
        below(Comparison::Ge, 9);
    }
}
