//! Expressions over the columns of a source and a target.

use crate::{Column, LogicalType, PlanError, Value};

/// Largest number of nodes in an expression.
pub const MAX_NODES: usize = 1024;
/// Deepest nesting; SQL Server itself gives up on much deeper ones (error 8631).
pub const MAX_DEPTH: u16 = 64;
/// Most literals in an expression: a statement takes 2,100 parameters (T-SQL reference, "Maximum capacity
/// specifications").
pub const MAX_LITERALS: usize = 1000;
/// Most bytes of text and binary literals in an expression.
pub const MAX_LITERAL_BYTES: usize = 64 * 1024;

/// Which row a column reference reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The extracted table, or the delta.
    Source,
    /// The table merged into.
    Target,
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // SQL's own six
pub enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Comparison {
    /// The same comparison with its sides exchanged.
    pub fn mirrored(self) -> Comparison {
        match self {
            Comparison::Lt => Comparison::Gt,
            Comparison::Le => Comparison::Ge,
            Comparison::Gt => Comparison::Lt,
            Comparison::Ge => Comparison::Le,
            same @ (Comparison::Eq | Comparison::Ne) => same,
        }
    }
}

/// A node of an [`Expression`]. Indices refer to nodes before it.
///
/// `Column`, `Literal` and `Coalesce` are scalars; the others are predicates with SQL's three-valued logic.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A column of the source or the target.
    Column {
        /// Whose column.
        side: Side,
        /// Its ordinal.
        column: u32,
    },
    /// A constant.
    Literal(Value),
    /// `left op right`.
    Compare {
        /// The operator.
        op: Comparison,
        /// A scalar.
        left: u32,
        /// A scalar.
        right: u32,
    },
    /// `item IN (values…)`.
    OneOf {
        /// A scalar.
        item: u32,
        /// Not empty, none NULL.
        values: Vec<Value>,
    },
    /// `node IS NULL`.
    IsNull(u32),
    /// `NOT node`.
    Negate(u32),
    /// Conjunction; not empty.
    AllOf(Vec<u32>),
    /// Disjunction; not empty.
    AnyOf(Vec<u32>),
    /// The first that is not NULL; not empty.
    Coalesce(Vec<u32>),
}

/// An arena of nodes in dependency order, and the index of its root.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    /// Nodes; each refers only to earlier ones, so there are no cycles.
    pub nodes: Vec<Node>,
    /// Index of the root.
    pub root: u32,
}

/// The columns that an expression may name.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The source's columns.
    pub source: &'a [Column],
    /// The target's columns, where there is a target.
    pub target: Option<&'a [Column]>,
}

/// What a node yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Yields {
    /// A value of this kind; `None` for a NULL literal.
    Scalar(Option<LogicalType>),
    Predicate,
}

impl Expression {
    /// Checks structure, ordinals, operand types and size, and that the whole is a predicate.
    pub fn validate_predicate(&self, scope: &Scope<'_>) -> Result<(), PlanError> {
        match self.check(scope)? {
            Yields::Predicate => Ok(()),
            Yields::Scalar(_) => Err(PlanError::new("a predicate is wanted, not a value")),
        }
    }

    /// Checks the same, and that the whole is a value; gives its kind, `None` for a NULL literal.
    pub fn validate_scalar(&self, scope: &Scope<'_>) -> Result<Option<LogicalType>, PlanError> {
        match self.check(scope)? {
            Yields::Scalar(kind) => Ok(kind),
            Yields::Predicate => Err(PlanError::new("a value is wanted, not a predicate")),
        }
    }

    /// The node at an index that validation has checked.
    pub fn node(&self, index: u32) -> Option<&Node> {
        self.nodes.get(index as usize)
    }

    fn check(&self, scope: &Scope<'_>) -> Result<Yields, PlanError> {
        if self.nodes.len() > MAX_NODES {
            return Err(PlanError::new(format!(
                "an expression has at most {MAX_NODES} nodes, not {}",
                self.nodes.len()
            )));
        }
        self.check_literals()?;
        let mut checker = Checker {
            scope,
            seen: Vec::with_capacity(self.nodes.len()),
        };
        for (i, node) in self.nodes.iter().enumerate() {
            let checked = checker
                .check(node)
                .map_err(|e| e.at(format!("nodes[{i}]")))?;
            checker.seen.push(checked);
        }
        match checker.seen.get(self.root as usize) {
            Some((yields, _)) => Ok(*yields),
            None => Err(PlanError::new(format!(
                "root {} is out of range: there are {} nodes",
                self.root,
                self.nodes.len()
            ))),
        }
    }

    fn check_literals(&self) -> Result<(), PlanError> {
        let (mut count, mut bytes) = (0usize, 0usize);
        for node in &self.nodes {
            let values = match node {
                Node::Literal(value) => std::slice::from_ref(value),
                Node::OneOf { values, .. } => values.as_slice(),
                _ => &[],
            };
            count += values.len();
            bytes += values.iter().map(Value::payload_bytes).sum::<usize>();
        }
        if count > MAX_LITERALS {
            return Err(PlanError::new(format!(
                "an expression has at most {MAX_LITERALS} literals, not {count}"
            )));
        }
        if bytes > MAX_LITERAL_BYTES {
            return Err(PlanError::new(format!(
                "the literals of an expression have at most {MAX_LITERAL_BYTES} bytes, not {bytes}"
            )));
        }
        Ok(())
    }
}

struct Checker<'a> {
    scope: &'a Scope<'a>,
    /// What each earlier node yields, and how deep it is.
    seen: Vec<(Yields, u16)>,
}

impl Checker<'_> {
    fn check(&self, node: &Node) -> Result<(Yields, u16), PlanError> {
        match node {
            Node::Column { side, column } => {
                let columns = match (side, self.scope.target) {
                    (Side::Source, _) => self.scope.source,
                    (Side::Target, Some(target)) => target,
                    (Side::Target, None) => {
                        return Err(PlanError::new("there is no target row to read here"));
                    }
                };
                let column = check_ordinal(*column, columns)?;
                Ok((Yields::Scalar(Some(column.column_type.logical())), 1))
            }
            Node::Literal(value) => {
                value.validate()?;
                Ok((Yields::Scalar(value.kind()), 1))
            }
            Node::Compare { op, left, right } => {
                let (left, left_depth) = self.scalar(*left)?;
                let (right, right_depth) = self.scalar(*right)?;
                let (Some(left), Some(right)) = (left, right) else {
                    return Err(PlanError::new(
                        "a comparison with NULL is never true: use is-null",
                    ));
                };
                if !left.comparable_with(right) {
                    return Err(PlanError::new(format!("{left} is compared with {right}")));
                }
                if !matches!(op, Comparison::Eq | Comparison::Ne) && left == LogicalType::Boolean {
                    return Err(PlanError::new("booleans have no order"));
                }
                self.predicate_over(left_depth.max(right_depth))
            }
            Node::OneOf { item, values } => {
                let (kind, depth) = self.scalar(*item)?;
                if values.is_empty() {
                    return Err(PlanError::new("one-of has no values"));
                }
                for value in values {
                    value.validate()?;
                    let fits = matches!(
                        (kind, value.kind()),
                        (Some(item), Some(value)) if item.comparable_with(value)
                    );
                    if !fits {
                        return Err(PlanError::new(format!(
                            "one-of: {value} does not fit the item"
                        )));
                    }
                }
                self.predicate_over(depth)
            }
            Node::IsNull(operand) => {
                let (_, depth) = self.scalar(*operand)?;
                self.predicate_over(depth)
            }
            Node::Negate(operand) => {
                let depth = self.predicate(*operand)?;
                self.predicate_over(depth)
            }
            Node::AllOf(operands) | Node::AnyOf(operands) => {
                if operands.is_empty() {
                    return Err(PlanError::new("a conjunction or disjunction of nothing"));
                }
                let mut deepest = 0;
                for &operand in operands {
                    deepest = deepest.max(self.predicate(operand)?);
                }
                self.predicate_over(deepest)
            }
            Node::Coalesce(operands) => {
                let (mut common, mut deepest) = (None, 0);
                for &operand in operands {
                    let (kind, depth) = self.scalar(operand)?;
                    deepest = deepest.max(depth);
                    match (common, kind) {
                        (None, kind) => common = kind,
                        (Some(a), Some(b)) if !a.comparable_with(b) => {
                            return Err(PlanError::new(format!("coalesce of {a} and {b}")));
                        }
                        _ => {}
                    }
                }
                if common.is_none() {
                    return Err(PlanError::new("coalesce of nothing but NULL"));
                }
                Ok((Yields::Scalar(common), deeper(deepest)?))
            }
        }
    }

    fn operand(&self, index: u32) -> Result<(Yields, u16), PlanError> {
        self.seen.get(index as usize).copied().ok_or_else(|| {
            PlanError::new(format!(
                "refers to node {index}, which does not come before it"
            ))
        })
    }

    fn scalar(&self, index: u32) -> Result<(Option<LogicalType>, u16), PlanError> {
        match self.operand(index)? {
            (Yields::Scalar(kind), depth) => Ok((kind, depth)),
            (Yields::Predicate, _) => Err(PlanError::new(format!(
                "node {index} is a predicate where a value is wanted"
            ))),
        }
    }

    fn predicate(&self, index: u32) -> Result<u16, PlanError> {
        match self.operand(index)? {
            (Yields::Predicate, depth) => Ok(depth),
            (Yields::Scalar(_), _) => Err(PlanError::new(format!(
                "node {index} is a value where a predicate is wanted"
            ))),
        }
    }

    fn predicate_over(&self, depth: u16) -> Result<(Yields, u16), PlanError> {
        Ok((Yields::Predicate, deeper(depth)?))
    }
}

fn deeper(depth: u16) -> Result<u16, PlanError> {
    if depth >= MAX_DEPTH {
        return Err(PlanError::new(format!(
            "an expression nests at most {MAX_DEPTH} deep"
        )));
    }
    Ok(depth + 1)
}

/// The column at an ordinal, or an error that says how many there are.
pub(crate) fn check_ordinal(ordinal: u32, columns: &[Column]) -> Result<&Column, PlanError> {
    columns.get(ordinal as usize).ok_or_else(|| {
        PlanError::new(format!(
            "column {ordinal} is out of range: there are {} columns",
            columns.len()
        ))
    })
}
