//! Which columns a row must have a value in to be let through.

use crate::{Expression, Node};

impl Expression {
    /// Whether no row that has NULL in this column of the source is let through, as far as the shape tells.
    pub fn needs_value(&self, column: u32) -> bool {
        self.rejects_null(self.root, column, true)
    }

    /// Whether a node is not `wanted` where the column is NULL: unknown, or the other truth.
    fn rejects_null(&self, index: u32, column: u32, wanted: bool) -> bool {
        let is_column = |index: u32| {
            let node = self.node(index);
            matches!(node, Some(Node::Column { column: of, .. }) if *of == column)
        };
        let part = |part: &u32| self.rejects_null(*part, column, wanted);
        match self.node(index) {
            // Unknown either way
            Some(Node::Compare { left, right, .. }) => is_column(*left) || is_column(*right),
            Some(Node::OneOf { item, .. }) => is_column(*item),
            Some(Node::IsNull(operand)) => is_column(*operand) && !wanted,
            Some(Node::Negate(operand)) => self.rejects_null(*operand, column, !wanted),
            // All have to be true, or one false.
            Some(Node::AllOf(parts)) if wanted => parts.iter().any(part),
            Some(Node::AllOf(parts)) => parts.iter().all(part),
            Some(Node::AnyOf(parts)) if wanted => parts.iter().all(part),
            Some(Node::AnyOf(parts)) => parts.iter().any(part),
            _ => false,
        }
    }
}
