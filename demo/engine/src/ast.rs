//! The syntax tree of the T-SQL subset.

mod ddl;
mod statement;

pub(crate) use ddl::*;
pub(crate) use statement::*;

use crate::types::{Datum, SqlType};

/// An identifier; compared without regard to case.
#[derive(Debug, Clone, Eq)]
pub(crate) struct Name(pub(crate) String);

impl Name {
    /// The form that names are looked up by.
    pub(crate) fn folded(&self) -> String {
        self.0.to_lowercase()
    }

    pub(crate) fn is(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other) || self.0.to_lowercase() == other.to_lowercase()
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.0)
    }
}

/// A name of one to three parts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ObjectName {
    pub(crate) database: Option<Name>,
    pub(crate) schema: Option<Name>,
    pub(crate) name: Name,
}

impl std::fmt::Display for ObjectName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(database) = &self.database {
            write!(f, "{}.", database.0)?;
        }
        match &self.schema {
            Some(schema) => write!(f, "{}.", schema.0)?,
            None if self.database.is_some() => f.write_str(".")?,
            None => {}
        }
        f.write_str(&self.name.0)
    }
}

/// A type as written, before user names such as `sysname` are resolved.
pub(crate) type TypeName = SqlType;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BinaryOperator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    BitAnd,
    BitOr,
    BitXor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnaryOperator {
    Minus,
    Plus,
    BitNot,
}

/// An expression or a predicate; the binder tells which may stand where.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Literal {
        value: Datum,
        sql_type: SqlType,
    },
    Column {
        qualifier: Vec<Name>,
        name: Name,
    },
    /// `@name`.
    Variable(String),
    /// `@@NAME`, without the signs.
    Global(String),
    Unary {
        operator: UnaryOperator,
        operand: Box<Expr>,
    },
    Binary {
        operator: BinaryOperator,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Compare {
        operator: Comparison,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Quantified {
        operator: Comparison,
        all: bool,
        operand: Box<Expr>,
        query: Box<Query>,
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
        negated: bool,
    },
    Between {
        operand: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        negated: bool,
    },
    InList {
        operand: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
    },
    InQuery {
        operand: Box<Expr>,
        query: Box<Query>,
        negated: bool,
    },
    Like {
        operand: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<Box<Expr>>,
        negated: bool,
    },
    Exists(Box<Query>),
    Subquery(Box<Query>),
    Case {
        operand: Option<Box<Expr>>,
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    /// CAST, CONVERT and their TRY_ forms.
    Convert {
        operand: Box<Expr>,
        target: TypeName,
        style: Option<Box<Expr>>,
        lenient: bool,
    },
    Collate {
        operand: Box<Expr>,
        collation: Name,
    },
    Call(Box<Call>),
    /// `DEFAULT` as a value to insert or set.
    Default,
}

/// A function call, plain, aggregate or windowed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: Name,
    pub(crate) arguments: Vec<Expr>,
    /// `COUNT(*)`.
    pub(crate) star: bool,
    pub(crate) distinct: bool,
    /// `WITHIN GROUP (ORDER BY ..)`.
    pub(crate) within_group: Vec<OrderItem>,
    pub(crate) over: Option<Window>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    pub(crate) partition_by: Vec<Expr>,
    pub(crate) order_by: Vec<OrderItem>,
    /// `ROWS UNBOUNDED PRECEDING`: row by row rather than peer group by peer group.
    pub(crate) rows_frame: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OrderItem {
    pub(crate) expr: Expr,
    pub(crate) descending: bool,
}

/// A query with its CTEs and its final order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    pub(crate) with: Vec<CommonTable>,
    pub(crate) body: QueryBody,
    pub(crate) order_by: Vec<OrderItem>,
    pub(crate) offset: Option<Expr>,
    pub(crate) fetch: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CommonTable {
    pub(crate) name: Name,
    pub(crate) columns: Vec<Name>,
    pub(crate) query: Query,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetOperator {
    Union,
    UnionAll,
    Except,
    Intersect,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum QueryBody {
    Select(Box<Select>),
    Set {
        operator: SetOperator,
        left: Box<QueryBody>,
        right: Box<QueryBody>,
    },
    /// `(SELECT ... )` with its own order, inside a set operation.
    Nested(Box<Query>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Select {
    pub(crate) distinct: bool,
    pub(crate) top: Option<Top>,
    pub(crate) items: Vec<SelectItem>,
    pub(crate) into: Option<ObjectName>,
    pub(crate) from: Vec<TableRef>,
    pub(crate) filter: Option<Expr>,
    pub(crate) group_by: Vec<Expr>,
    pub(crate) having: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Top {
    pub(crate) count: Expr,
    pub(crate) with_ties: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SelectItem {
    /// `*` or `t.*`.
    Star(Vec<Name>),
    Expr {
        expr: Expr,
        alias: Option<Name>,
    },
    /// `@v = expr`.
    Assign {
        variable: String,
        expr: Expr,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    Cross,
    CrossApply,
    OuterApply,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TableRef {
    Table {
        name: ObjectName,
        alias: Option<Name>,
        hints: Vec<String>,
    },
    Variable {
        name: String,
        alias: Option<Name>,
    },
    Derived {
        query: Box<Query>,
        alias: Name,
        columns: Vec<Name>,
    },
    Values {
        rows: Vec<Vec<Expr>>,
        alias: Name,
        columns: Vec<Name>,
    },
    Function {
        name: Name,
        arguments: Vec<Expr>,
        alias: Option<Name>,
        columns: Vec<Name>,
    },
    Join {
        kind: JoinKind,
        left: Box<TableRef>,
        right: Box<TableRef>,
        on: Option<Expr>,
    },
}
