//! Ranges of a table's rows by their key: a first load is cut into them.

use serde::{Deserialize, Serialize};

use crate::{Column, Comparison, Expression, Node, PlanError, Side, Value};

/// The rows whose key lies above one boundary and not above another.
///
/// Keys compare column by column, NULL below everything, as SQL Server orders them; which of two texts is the
/// greater the server alone knows. A range without lower boundary therefore holds the NULLs too. Ranges that
/// follow each other, the first open below and the last open above, hold every row once.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct KeyRange {
    /// Exclusive; one value per key column. `None`: from the first row.
    pub after: Option<Vec<Value>>,
    /// Inclusive. `None`: to the last row.
    pub through: Option<Vec<Value>>,
}

impl KeyRange {
    /// The ranges between ascending boundaries: one more than there are boundaries.
    pub fn between(boundaries: Vec<Vec<Value>>) -> Vec<KeyRange> {
        let mut ranges = Vec::with_capacity(boundaries.len() + 1);
        let mut after = None;
        for boundary in boundaries {
            ranges.push(KeyRange {
                after: after.replace(boundary.clone()),
                through: Some(boundary),
            });
        }
        ranges.push(KeyRange {
            after,
            through: None,
        });
        ranges
    }

    /// `filter` and this range, as one predicate; `None` where both let everything through. `key` are the
    /// ordinals of the key's columns in `columns`.
    ///
    /// # Errors
    /// A boundary that has not as many values as the key has columns.
    pub fn within(
        &self,
        filter: Option<&Expression>,
        key: &[u32],
        columns: &[Column],
    ) -> Result<Option<Expression>, PlanError> {
        let mut arena = Arena {
            nodes: filter.map_or_else(Vec::new, |filter| filter.nodes.clone()),
            columns,
        };
        let mut all: Vec<u32> = filter.iter().map(|filter| filter.root).collect();
        for (boundary, side) in [(&self.after, Above), (&self.through, NotAbove)] {
            if let Some(boundary) = boundary {
                arena.bound(key, boundary, side, &mut all)?;
            }
        }
        let root = match all.as_slice() {
            [] => return Ok(None),
            [only] => *only,
            _ => arena.add(Node::AllOf(all)),
        };
        Ok(Some(Expression {
            nodes: arena.nodes,
            root,
        }))
    }
}

use Bound::{Above, NotAbove};

/// On which side of a boundary rows are wanted.
#[derive(Clone, Copy, PartialEq)]
enum Bound {
    Above,
    NotAbove,
}

/// An expression while it is built.
struct Arena<'a> {
    nodes: Vec<Node>,
    columns: &'a [Column],
}

impl Arena<'_> {
    fn add(&mut self, node: Node) -> u32 {
        self.nodes.push(node);
        (self.nodes.len() - 1) as u32
    }

    /// Adds the conditions of one boundary to `all`.
    fn bound(
        &mut self,
        key: &[u32],
        boundary: &[Value],
        side: Bound,
        all: &mut Vec<u32>,
    ) -> Result<(), PlanError> {
        if key.is_empty() || key.len() != boundary.len() {
            return Err(PlanError::new(format!(
                "a boundary of {} values for a key of {} columns",
                boundary.len(),
                key.len()
            )));
        }
        let parts: Vec<(u32, &Value)> = key.iter().copied().zip(boundary).collect();
        // What follows from the rest, but lets a server seek in an index by its leading column.
        if let [(column, value), _, ..] = parts.as_slice() {
            all.extend(self.leading(*column, value, side));
        }
        // From the last column to the first: beyond in this column, or level with it and beyond in the rest.
        let mut rest: Option<u32> = None;
        for (at, (column, value)) in parts.iter().enumerate().rev() {
            let last = at + 1 == parts.len();
            let beyond = match (side, last) {
                (NotAbove, true) => Some(self.not_above(*column, value)),
                (NotAbove, false) => self.below(*column, value),
                (Above, _) => Some(self.above(*column, value)),
            };
            let level = rest.map(|rest| {
                let equal = self.equal(*column, value);
                self.add(Node::AllOf(vec![equal, rest]))
            });
            rest = match (beyond, level) {
                (Some(beyond), Some(level)) => Some(self.add(Node::AnyOf(vec![beyond, level]))),
                (one, other) => one.or(other),
            };
        }
        all.extend(rest);
        Ok(())
    }

    fn leading(&mut self, column: u32, value: &Value, side: Bound) -> Option<u32> {
        match (side, value) {
            (Above, Value::Null) => None,
            (Above, value) => Some(self.compare(Comparison::Ge, column, value)),
            (NotAbove, value) => Some(self.not_above(column, value)),
        }
    }

    fn above(&mut self, column: u32, value: &Value) -> u32 {
        match value {
            Value::Null => {
                let null = self.is_null(column);
                self.add(Node::Negate(null))
            }
            value => self.compare(Comparison::Gt, column, value),
        }
    }

    fn equal(&mut self, column: u32, value: &Value) -> u32 {
        match value {
            Value::Null => self.is_null(column),
            value => self.compare(Comparison::Eq, column, value),
        }
    }

    fn not_above(&mut self, column: u32, value: &Value) -> u32 {
        match value {
            Value::Null => self.is_null(column),
            value => {
                let compared = self.compare(Comparison::Le, column, value);
                self.or_null(column, compared)
            }
        }
    }

    /// Nothing is below NULL.
    fn below(&mut self, column: u32, value: &Value) -> Option<u32> {
        match value {
            Value::Null => None,
            value => {
                let compared = self.compare(Comparison::Lt, column, value);
                Some(self.or_null(column, compared))
            }
        }
    }

    fn or_null(&mut self, column: u32, condition: u32) -> u32 {
        let nullable = self
            .columns
            .get(column as usize)
            .is_none_or(|column| column.nullable);
        if !nullable {
            return condition;
        }
        let null = self.is_null(column);
        self.add(Node::AnyOf(vec![condition, null]))
    }

    fn is_null(&mut self, column: u32) -> u32 {
        let column = self.column(column);
        self.add(Node::IsNull(column))
    }

    fn compare(&mut self, op: Comparison, column: u32, value: &Value) -> u32 {
        let left = self.column(column);
        let right = self.add(Node::Literal(value.clone()));
        self.add(Node::Compare { op, left, right })
    }

    fn column(&mut self, column: u32) -> u32 {
        self.add(Node::Column {
            side: Side::Source,
            column,
        })
    }
}
