//! Expressions and sort keys.

use icehost_plan::expression::{MAX_LITERALS, MAX_NODES};
use icehost_plan::{Comparison, Direction, Expression, Node, PlanError, Side, SortKey};

use super::value::{bounded, value};
use crate::bindings::types as wit;

pub(crate) fn expression(expression: wit::Expression) -> Result<Expression, PlanError> {
    let nodes = bounded("nodes", expression.nodes, MAX_NODES)?;
    Ok(Expression {
        nodes: nodes.into_iter().map(node).collect::<Result<_, _>>()?,
        root: expression.root,
    })
}

fn node(node: wit::Node) -> Result<Node, PlanError> {
    Ok(match node {
        wit::Node::Column(reference) => Node::Column {
            side: match reference.side {
                wit::Side::Source => Side::Source,
                wit::Side::Target => Side::Target,
            },
            column: reference.column,
        },
        wit::Node::Literal(literal) => Node::Literal(value(literal)),
        wit::Node::Compare(compare) => Node::Compare {
            op: comparison(compare.op),
            left: compare.left,
            right: compare.right,
        },
        wit::Node::OneOf(membership) => Node::OneOf {
            item: membership.item,
            values: bounded("one-of", membership.values, MAX_LITERALS)?
                .into_iter()
                .map(value)
                .collect(),
        },
        wit::Node::IsNull(operand) => Node::IsNull(operand),
        wit::Node::Negate(operand) => Node::Negate(operand),
        wit::Node::AllOf(operands) => Node::AllOf(bounded("all-of", operands, MAX_NODES)?),
        wit::Node::AnyOf(operands) => Node::AnyOf(bounded("any-of", operands, MAX_NODES)?),
        wit::Node::Coalesce(operands) => Node::Coalesce(bounded("coalesce", operands, MAX_NODES)?),
    })
}

fn comparison(op: wit::Comparison) -> Comparison {
    match op {
        wit::Comparison::Eq => Comparison::Eq,
        wit::Comparison::Ne => Comparison::Ne,
        wit::Comparison::Lt => Comparison::Lt,
        wit::Comparison::Le => Comparison::Le,
        wit::Comparison::Gt => Comparison::Gt,
        wit::Comparison::Ge => Comparison::Ge,
    }
}

pub(crate) fn sort_key(key: wit::SortKey) -> SortKey {
    SortKey {
        column: key.column,
        direction: match key.direction {
            wit::Direction::Ascending => Direction::Ascending,
            wit::Direction::Descending => Direction::Descending,
        },
    }
}
