//! Bound queries: names are slots, types are settled, conversions are explicit.

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::ast::{BinaryOperator, Comparison, JoinKind, SetOperator};
use crate::collation::Collation;
use crate::compare::Key;
use crate::context::Context;
use crate::convert::Excess;
use crate::decimal::Shape;
use crate::error::SqlResult;
use crate::storage::{Row, RowId, TableVersion};
use crate::types::{Datum, SqlType};

/// A function's evaluator: arguments in, value out.
pub(crate) type Evaluator = fn(&Context, &[Datum]) -> SqlResult<Datum>;

/// How an arithmetic operation computes; both operands are of that kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Integer,
    /// Operands of any scale, result in this shape.
    Decimal(Shape),
    Money,
    Float,
    Real,
    /// `datetime` plus or minus `datetime`.
    DateTime,
    Text,
    Binary,
}

#[derive(Debug, Clone)]
pub(crate) enum Expr {
    Const(Datum),
    /// `depth` 0 is the query's own row, 1 that of the query around it.
    Column {
        depth: usize,
        source: usize,
        column: usize,
    },
    Variable(usize),
    Arithmetic {
        operator: BinaryOperator,
        kind: Arithmetic,
        result: SqlType,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Negate(Box<Expr>, SqlType),
    BitNot(Box<Expr>),
    Compare {
        operator: Comparison,
        left: Box<Expr>,
        right: Box<Expr>,
        collation: Rc<Collation>,
    },
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    IsNull {
        operand: Box<Expr>,
        negated: bool,
    },
    IsDistinct {
        left: Box<Expr>,
        right: Box<Expr>,
        collation: Rc<Collation>,
        negated: bool,
    },
    In {
        operand: Box<Expr>,
        list: Vec<Expr>,
        collation: Rc<Collation>,
    },
    InQuery {
        operand: Box<Expr>,
        query: Box<QueryPlan>,
        collation: Rc<Collation>,
        set: OnceCell<Rc<ValueSet>>,
    },
    Quantified {
        operator: Comparison,
        all: bool,
        operand: Box<Expr>,
        query: Box<QueryPlan>,
        collation: Rc<Collation>,
    },
    Like {
        operand: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<Box<Expr>>,
        collation: Rc<Collation>,
    },
    Exists {
        query: Box<QueryPlan>,
        known: OnceCell<bool>,
    },
    Scalar {
        query: Box<QueryPlan>,
        known: OnceCell<Datum>,
    },
    Case {
        branches: Vec<(Expr, Expr)>,
        otherwise: Box<Expr>,
    },
    Coalesce(Vec<Expr>),
    Convert {
        operand: Box<Expr>,
        target: SqlType,
        style: i32,
        lenient: bool,
        excess: Excess,
    },
    Call {
        evaluator: Evaluator,
        arguments: Vec<Expr>,
    },
}

/// The values of an uncorrelated IN subquery.
#[derive(Debug, Default)]
pub(crate) struct ValueSet {
    pub(crate) keys: HashSet<Key, rustc_hash::FxBuildHasher>,
    pub(crate) has_null: bool,
}

/// A result column of a query.
#[derive(Debug, Clone)]
pub(crate) struct OutputColumn {
    pub(crate) name: String,
    pub(crate) sql_type: SqlType,
    pub(crate) nullable: bool,
    pub(crate) collation: Option<Collation>,
    pub(crate) identity: bool,
    pub(crate) read_only: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct QueryPlan {
    pub(crate) columns: Vec<OutputColumn>,
    pub(crate) body: Body,
    /// Whether it refers to a query around it.
    pub(crate) correlated: bool,
}

// A plan has a handful of them.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Select(Box<SelectPlan>),
    Set {
        operator: SetOperator,
        left: Box<QueryPlan>,
        right: Box<QueryPlan>,
        /// Conversions of each side's columns to the common types.
        left_conversions: Vec<Expr>,
        right_conversions: Vec<Expr>,
        collations: Rc<[Collation]>,
        order: Vec<OrderKey>,
        limit: Limit,
    },
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Limit {
    pub(crate) offset: Option<Expr>,
    pub(crate) count: Option<Expr>,
    pub(crate) with_ties: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct OrderKey {
    pub(crate) expr: Expr,
    pub(crate) descending: bool,
    pub(crate) collation: Rc<Collation>,
}

#[derive(Debug, Clone)]
pub(crate) struct SelectPlan {
    pub(crate) from: From,
    /// How many sources a row of the FROM clause has.
    pub(crate) width: usize,
    pub(crate) filter: Option<Expr>,
    pub(crate) grouping: Option<Grouping>,
    pub(crate) having: Option<Expr>,
    pub(crate) windows: Vec<WindowPlan>,
    pub(crate) projection: Vec<Expr>,
    /// `SELECT @v = ..`: the variable that each projected value goes to.
    pub(crate) assignments: Vec<usize>,
    pub(crate) distinct: Option<Rc<[Collation]>>,
    /// Over the FROM row; with DISTINCT over the projected row.
    pub(crate) order: Vec<OrderKey>,
    pub(crate) limit: Limit,
}

#[derive(Debug, Clone)]
pub(crate) struct Grouping {
    pub(crate) keys: Vec<Expr>,
    pub(crate) collations: Rc<[Collation]>,
    pub(crate) aggregates: Vec<Aggregate>,
    /// Without GROUP BY there is one group, even of no rows.
    pub(crate) scalar: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AggregateKind {
    CountRows,
    Count,
    Sum,
    Avg,
    Min,
    Max,
    StringAgg,
    ChecksumAgg,
    Deviation { population: bool, variance: bool },
}

#[derive(Debug, Clone)]
pub(crate) struct Aggregate {
    pub(crate) kind: AggregateKind,
    pub(crate) argument: Option<Expr>,
    pub(crate) distinct: bool,
    pub(crate) result: SqlType,
    pub(crate) collation: Rc<Collation>,
    /// STRING_AGG's separator and order.
    pub(crate) separator: Option<Expr>,
    pub(crate) order: Vec<OrderKey>,
}

#[derive(Debug, Clone)]
pub(crate) enum WindowFunction {
    RowNumber,
    Rank,
    DenseRank,
    /// Tiles.
    Ntile(Expr),
    /// LAG (negative step) and LEAD.
    Shift {
        value: Expr,
        step: Expr,
        default: Expr,
        back: bool,
    },
    First(Expr),
    Aggregate(Aggregate),
}

impl WindowFunction {
    /// The expression whose values it gives or counts.
    pub(crate) fn argument(&self) -> Option<&Expr> {
        match self {
            Self::RowNumber | Self::Rank | Self::DenseRank | Self::Ntile(_) => None,
            Self::Shift { value, .. } | Self::First(value) => Some(value),
            Self::Aggregate(aggregate) => aggregate.argument.as_ref(),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct WindowPlan {
    pub(crate) function: WindowFunction,
    pub(crate) partition: Vec<Expr>,
    pub(crate) collations: Rc<[Collation]>,
    pub(crate) order: Vec<OrderKey>,
    pub(crate) rows_frame: bool,
}

/// Where rows come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Table(TableSource),
    /// Rows that exist already: catalog views, `inserted` and `deleted`.
    Rows(Rc<Vec<Row>>),
    Query {
        plan: Box<QueryPlan>,
        rows: OnceCell<Rc<Vec<Row>>>,
    },
    Values(Vec<Vec<Expr>>),
    /// `GENERATE_SERIES(start, stop, step)` of the type.
    Series {
        start: Expr,
        stop: Expr,
        step: Expr,
        sql_type: SqlType,
    },
    /// `STRING_SPLIT(text, separator)`.
    Split {
        text: Expr,
        separator: Expr,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct TableSource {
    pub(crate) version: Arc<TableVersion>,
    pub(crate) seek: Option<Seek>,
}

/// Access by key instead of by scan.
#[derive(Debug, Clone)]
pub(crate) enum Seek {
    /// One row through a unique index.
    Unique { handle: usize, values: Vec<Expr> },
    /// Rows equal to values from the query around: through a hash table that is built once.
    Lookup {
        ordinals: Vec<usize>,
        values: Vec<Expr>,
        collations: Rc<[Collation]>,
        built: Rc<RefCell<Option<LookupTable>>>,
    },
}

pub(crate) type LookupTable = HashMap<Key, Vec<(RowId, Row)>, rustc_hash::FxBuildHasher>;

// A plan has a handful of them.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone)]
pub(crate) enum From {
    /// No FROM clause: one row of nothing.
    Nothing,
    Source {
        index: usize,
        source: Source,
        filter: Option<Expr>,
    },
    Join(Box<Join>),
}

#[derive(Debug, Clone)]
pub(crate) struct Join {
    pub(crate) kind: JoinKind,
    pub(crate) left: From,
    pub(crate) right: From,
    /// Which source slots the sides fill.
    pub(crate) left_slots: std::ops::Range<usize>,
    pub(crate) right_slots: std::ops::Range<usize>,
    pub(crate) keys: Vec<JoinKey>,
    pub(crate) condition: Option<Expr>,
}

#[derive(Debug, Clone)]
pub(crate) struct JoinKey {
    pub(crate) left: Expr,
    pub(crate) right: Expr,
    pub(crate) collation: Rc<Collation>,
}

/// The rows that an expression is evaluated on: its own query's and those around it.
#[derive(Clone, Copy)]
pub(crate) struct Environment<'a> {
    pub(crate) rows: &'a [Row],
    pub(crate) outer: Option<&'a Environment<'a>>,
}

impl<'a> Environment<'a> {
    pub(crate) const EMPTY: Environment<'static> = Environment {
        rows: &[],
        outer: None,
    };

    pub(crate) fn column(&self, depth: usize, source: usize, column: usize) -> Option<&'a Datum> {
        let mut environment = self;
        for _ in 0..depth {
            environment = environment.outer?;
        }
        environment.rows.get(source)?.get(column)
    }
}

impl Expr {
    pub(crate) fn null() -> Self {
        Self::Const(Datum::Null)
    }

    /// Calls `visit` on this expression and those below it, without entering subqueries; `false` from
    /// `visit` skips what is below.
    pub(crate) fn walk(&self, visit: &mut dyn FnMut(&Expr) -> bool) {
        if !visit(self) {
            return;
        }
        match self {
            Self::Const(_)
            | Self::Column { .. }
            | Self::Variable(_)
            | Self::Exists { .. }
            | Self::Scalar { .. } => {}
            Self::Arithmetic { left, right, .. }
            | Self::Compare { left, right, .. }
            | Self::IsDistinct { left, right, .. }
            | Self::And(left, right)
            | Self::Or(left, right) => {
                left.walk(visit);
                right.walk(visit);
            }
            Self::Negate(operand, _) | Self::BitNot(operand) | Self::Not(operand) => {
                operand.walk(visit)
            }
            Self::IsNull { operand, .. }
            | Self::Convert { operand, .. }
            | Self::InQuery { operand, .. }
            | Self::Quantified { operand, .. } => operand.walk(visit),
            Self::In { operand, list, .. } => {
                operand.walk(visit);
                for item in list {
                    item.walk(visit);
                }
            }
            Self::Like {
                operand,
                pattern,
                escape,
                ..
            } => {
                operand.walk(visit);
                pattern.walk(visit);
                if let Some(escape) = escape {
                    escape.walk(visit);
                }
            }
            Self::Case {
                branches,
                otherwise,
            } => {
                for (condition, value) in branches {
                    condition.walk(visit);
                    value.walk(visit);
                }
                otherwise.walk(visit);
            }
            Self::Coalesce(list)
            | Self::Call {
                arguments: list, ..
            } => {
                for item in list {
                    item.walk(visit);
                }
            }
        }
    }

    /// The sources of its own query that it reads; `None` where a subquery may read any.
    pub(crate) fn sources(&self) -> Option<Vec<usize>> {
        let mut sources = Vec::new();
        let mut opaque = false;
        self.walk(&mut |expr| {
            match expr {
                Self::Column {
                    depth: 0, source, ..
                } if !sources.contains(source) => sources.push(*source),
                Self::InQuery { query, .. }
                | Self::Quantified { query, .. }
                | Self::Exists { query, .. }
                | Self::Scalar { query, .. } => {
                    opaque |= query.correlated;
                }
                _ => {}
            }
            true
        });
        (!opaque).then_some(sources)
    }

    /// Splits at AND.
    pub(crate) fn conjuncts(self, into: &mut Vec<Expr>) {
        match self {
            Self::And(left, right) => {
                left.conjuncts(into);
                right.conjuncts(into);
            }
            other => into.push(other),
        }
    }

    /// Puts conjuncts together again.
    pub(crate) fn conjunction(list: Vec<Expr>) -> Option<Expr> {
        list.into_iter()
            .reduce(|left, right| Self::And(Box::new(left), Box::new(right)))
    }
}
