//! Builders for expressions.
//!
//! Scalars and predicates are different types, so that a predicate cannot stand where a value is wanted.

use crate::{ColumnId, Comparison, Expression, Node, Side, Value};

/// A column, a literal, or a coalesce of them.
#[derive(Debug, Clone)]
pub struct Scalar(Tree);

/// A condition with SQL's three-valued logic: a row counts where it is true.
#[derive(Debug, Clone)]
pub struct Predicate(Tree);

#[derive(Debug, Clone)]
enum Tree {
    Column(Side, ColumnId),
    Literal(Value),
    Coalesce(Vec<Tree>),
    Compare(Comparison, Box<(Tree, Tree)>),
    OneOf(Box<Tree>, Vec<Value>),
    IsNull(Box<Tree>),
    Not(Box<Tree>),
    All(Vec<Tree>),
    Any(Vec<Tree>),
}

/// A column of the source: the table that is read, or the delta of a merge.
pub fn col(column: ColumnId) -> Scalar {
    Scalar(Tree::Column(Side::Source, column))
}

/// A column of a merge's target.
pub fn target_col(column: ColumnId) -> Scalar {
    Scalar(Tree::Column(Side::Target, column))
}

/// A constant; the host binds it as a parameter.
pub fn lit(value: impl Into<Value>) -> Scalar {
    Scalar(Tree::Literal(value.into()))
}

/// The first of the scalars that is not NULL.
pub fn coalesce(scalars: impl IntoIterator<Item = Scalar>) -> Scalar {
    Scalar(Tree::Coalesce(scalars.into_iter().map(|s| s.0).collect()))
}

impl Scalar {
    fn compare(self, op: Comparison, other: Scalar) -> Predicate {
        Predicate(Tree::Compare(op, Box::new((self.0, other.0))))
    }

    /// `self = other`
    pub fn eq(self, other: Scalar) -> Predicate {
        self.compare(Comparison::Eq, other)
    }

    /// `self <> other`
    pub fn ne(self, other: Scalar) -> Predicate {
        self.compare(Comparison::Ne, other)
    }

    /// `self < other`
    pub fn lt(self, other: Scalar) -> Predicate {
        self.compare(Comparison::Lt, other)
    }

    /// `self <= other`
    pub fn le(self, other: Scalar) -> Predicate {
        self.compare(Comparison::Le, other)
    }

    /// `self > other`
    pub fn gt(self, other: Scalar) -> Predicate {
        self.compare(Comparison::Gt, other)
    }

    /// `self >= other`
    pub fn ge(self, other: Scalar) -> Predicate {
        self.compare(Comparison::Ge, other)
    }

    /// `self IN (values…)`; the host refuses an empty list and NULL in it.
    pub fn one_of<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> Predicate {
        let values = values.into_iter().map(Into::into).collect();
        Predicate(Tree::OneOf(Box::new(self.0), values))
    }

    /// `self IS NULL`
    pub fn is_null(self) -> Predicate {
        Predicate(Tree::IsNull(Box::new(self.0)))
    }

    /// `self IS NOT NULL`
    pub fn is_not_null(self) -> Predicate {
        !self.is_null()
    }

    /// `self IS NOT DISTINCT FROM other`: equal, or both NULL. Unknown, and so not true, where one is NULL.
    pub fn same_as(self, other: Scalar) -> Predicate {
        let both_null = self.clone().is_null().and(other.clone().is_null());
        self.eq(other).or(both_null)
    }

    /// `self IS DISTINCT FROM other`: not equal, or one of them is NULL.
    pub fn differs_from(self, other: Scalar) -> Predicate {
        let (a, b) = (self.clone(), other.clone());
        let lost = a.clone().is_null().and(b.clone().is_not_null());
        let gained = a.is_not_null().and(b.is_null());
        self.ne(other).or(lost).or(gained)
    }
}

impl Predicate {
    /// Both hold.
    pub fn and(self, other: Predicate) -> Predicate {
        Predicate(Tree::All(match self.0 {
            Tree::All(mut operands) => {
                operands.push(other.0);
                operands
            }
            tree => vec![tree, other.0],
        }))
    }

    /// At least one holds.
    pub fn or(self, other: Predicate) -> Predicate {
        Predicate(Tree::Any(match self.0 {
            Tree::Any(mut operands) => {
                operands.push(other.0);
                operands
            }
            tree => vec![tree, other.0],
        }))
    }
}

impl std::ops::Not for Predicate {
    type Output = Predicate;

    fn not(self) -> Predicate {
        Predicate(Tree::Not(Box::new(self.0)))
    }
}

impl From<Scalar> for Expression {
    fn from(scalar: Scalar) -> Expression {
        arena(scalar.0)
    }
}

impl From<Predicate> for Expression {
    fn from(predicate: Predicate) -> Expression {
        arena(predicate.0)
    }
}

fn arena(tree: Tree) -> Expression {
    let mut nodes = Vec::new();
    let root = append(&mut nodes, tree);
    Expression { nodes, root }
}

/// Operands come before the node that refers to them, as the contract wants.
fn append(nodes: &mut Vec<Node>, tree: Tree) -> u32 {
    use crate::{ColumnRef, Compare, Membership};
    let all = |nodes: &mut Vec<Node>, trees: Vec<Tree>| {
        trees.into_iter().map(|tree| append(nodes, tree)).collect()
    };
    let node = match tree {
        // A column that is named often stands once: the host bounds the number of nodes.
        Tree::Column(side, column) => {
            let node = Node::Column(ColumnRef { side, column });
            if let Some(known) = nodes.iter().position(|other| *other == node) {
                return known as u32;
            }
            node
        }
        Tree::Literal(value) => Node::Literal(value),
        Tree::Coalesce(operands) => Node::Coalesce(all(nodes, operands)),
        Tree::Compare(op, operands) => {
            let (left, right) = *operands;
            let left = append(nodes, left);
            let right = append(nodes, right);
            Node::Compare(Compare { op, left, right })
        }
        Tree::OneOf(item, values) => {
            let item = append(nodes, *item);
            Node::OneOf(Membership { item, values })
        }
        Tree::IsNull(operand) => Node::IsNull(append(nodes, *operand)),
        Tree::Not(operand) => Node::Negate(append(nodes, *operand)),
        Tree::All(operands) => Node::AllOf(all(nodes, operands)),
        Tree::Any(operands) => Node::AnyOf(all(nodes, operands)),
    };
    nodes.push(node);
    (nodes.len() - 1) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ColumnRef, Compare};

    #[test]
    fn operands_come_before_their_node() {
        let expression: Expression = col(2).gt(lit(7)).and(!col(1).is_null()).into();
        let column = |column| {
            Node::Column(ColumnRef {
                side: Side::Source,
                column,
            })
        };
        assert_eq!(
            expression.nodes,
            [
                column(2),
                Node::Literal(Value::Integer(7)),
                Node::Compare(Compare {
                    op: Comparison::Gt,
                    left: 0,
                    right: 1
                }),
                column(1),
                Node::IsNull(3),
                Node::Negate(4),
                Node::AllOf(vec![2, 5]),
            ]
        );
        assert_eq!(expression.root, 6);
    }

    #[test]
    fn a_column_stands_once_however_often_it_is_named() {
        let same: Expression = col(1).same_as(target_col(2)).into();
        assert_eq!(same.nodes.len(), 7);
        let differs: Expression = col(1).differs_from(target_col(2)).into();
        assert_eq!(differs.nodes.len(), 12);
        let once: Expression = col(1).eq(col(1)).into();
        assert_eq!(
            once.nodes[1],
            Node::Compare(Compare {
                op: Comparison::Eq,
                left: 0,
                right: 0
            })
        );
    }

    #[test]
    fn chains_of_and_stay_flat() {
        let expression: Expression = (0..50)
            .map(|c| col(c).is_null())
            .reduce(Predicate::and)
            .map_or_else(|| lit(0).into(), Into::into);
        assert_eq!(expression.nodes.len(), 101);
        assert!(
            matches!(expression.nodes.last(), Some(Node::AllOf(operands)) if operands.len() == 50)
        );
    }
}
