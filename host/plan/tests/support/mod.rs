//! What the tests of several files make alike.

use std::borrow::Borrow;

use icehost_plan::{Comparison, Node, Side, Value};

/// A filter in the making.
#[derive(Default)]
pub(crate) struct Filter(pub(crate) Vec<Node>);

impl Filter {
    pub(crate) fn add(&mut self, node: Node) -> u32 {
        self.0.push(node);
        self.0.len() as u32 - 1
    }

    pub(crate) fn column(&mut self, column: u32) -> u32 {
        self.add(Node::Column {
            side: Side::Source,
            column,
        })
    }

    pub(crate) fn compare(
        &mut self,
        column: u32,
        op: Comparison,
        value: impl Borrow<Value>,
    ) -> u32 {
        let left = self.column(column);
        let right = self.add(Node::Literal(value.borrow().clone()));
        self.add(Node::Compare { op, left, right })
    }

    pub(crate) fn is_null(&mut self, column: u32) -> u32 {
        let column = self.column(column);
        self.add(Node::IsNull(column))
    }
}
