//! Expressions into T-SQL.

use icehost_plan::{Comparison, Expression, Node, Side, SqlType, Value};

use super::literal::bind_type;
use crate::error::{Result, SqlServerError};
use crate::statement::Parameters;

/// Nodes may be shared, so a small arena can unfold into an endless text; no statement needs more than this.
const MAX_UNFOLDED_NODES: usize = 10_000;
/// `sp_executesql` takes 2,100 parameters, two of which are the statement and the declarations.
const MAX_PARAMETERS: usize = 2_000;

/// A column as an expression sees it.
#[derive(Debug, Clone)]
pub(crate) struct Operand {
    /// How the statement writes it.
    pub(crate) sql: String,
    /// Its type.
    pub(crate) sql_type: SqlType,
    /// The collation of its text.
    pub(crate) collation: Option<String>,
}

/// Turns expressions of one statement into text, collecting their literals as parameters.
pub(crate) struct Lowering<'a> {
    /// The columns of [`Side::Source`], by ordinal.
    pub(crate) source: &'a [Operand],
    /// The columns of [`Side::Target`], by ordinal.
    pub(crate) target: &'a [Operand],
    /// The statement's parameters.
    pub(crate) parameters: &'a mut Parameters,
    unfolded: usize,
    bound: usize,
}

impl<'a> Lowering<'a> {
    pub(crate) fn new(
        source: &'a [Operand],
        target: &'a [Operand],
        parameters: &'a mut Parameters,
    ) -> Self {
        Lowering {
            source,
            target,
            parameters,
            unfolded: 0,
            bound: 0,
        }
    }

    /// The predicate as a search condition.
    pub(crate) fn predicate(&mut self, expression: &Expression) -> Result<String> {
        self.node(expression, expression.root, None)
    }

    /// The predicate in a form that others can stand beside, joined by AND.
    pub(crate) fn conjunct(&mut self, expression: &Expression) -> Result<String> {
        let text = self.predicate(expression)?;
        Ok(match expression.node(expression.root) {
            Some(Node::AnyOf(parts)) if parts.len() > 1 => format!("({text})"),
            _ => text,
        })
    }

    /// The value, bound for a column like `near` where it is a literal.
    pub(crate) fn scalar(&mut self, expression: &Expression, near: &Operand) -> Result<String> {
        self.node(expression, expression.root, Some(near))
    }

    fn node(
        &mut self,
        expression: &Expression,
        index: u32,
        near: Option<&Operand>,
    ) -> Result<String> {
        self.unfolded += 1;
        if self.unfolded > MAX_UNFOLDED_NODES {
            return Err(SqlServerError::plan(format!(
                "an expression unfolds to more than {MAX_UNFOLDED_NODES} nodes"
            ))
            .with_hint("the strategy shares nodes of its expression too often"));
        }
        let node = at(expression, index)?;
        Ok(match node {
            Node::Column { side, column } => self.operand(*side, *column)?.sql.clone(),
            Node::Literal(value) => self.literal(value, near)?,
            Node::Compare { op, left, right } => {
                let (left_near, right_near) = (
                    self.column_in(expression, *right),
                    self.column_in(expression, *left),
                );
                let left = self.node(expression, *left, left_near.as_ref())?;
                let right = self.node(expression, *right, right_near.as_ref())?;
                format!("{left} {} {right}", operator(*op))
            }
            Node::OneOf { item, values } => {
                let near = self.column_in(expression, *item);
                let item = self.node(expression, *item, None)?;
                let mut bound = Vec::with_capacity(values.len());
                for value in values {
                    bound.push(self.literal(value, near.as_ref())?);
                }
                format!("{item} IN ({})", bound.join(", "))
            }
            Node::IsNull(operand) => {
                format!("{} IS NULL", self.node(expression, *operand, near)?)
            }
            Node::Negate(operand) => {
                format!("NOT ({})", self.node(expression, *operand, None)?)
            }
            Node::AllOf(operands) => self.joined(expression, operands, " AND ")?,
            Node::AnyOf(operands) => self.joined(expression, operands, " OR ")?,
            Node::Coalesce(operands) => {
                let own = operands
                    .iter()
                    .find_map(|operand| self.column_in(expression, *operand));
                let near = own.as_ref().or(near);
                let mut texts = Vec::with_capacity(operands.len());
                for operand in operands {
                    texts.push(self.node(expression, *operand, near)?);
                }
                match texts.as_slice() {
                    // COALESCE wants two (T-SQL reference, "COALESCE")
                    [only] => only.clone(),
                    _ => format!("COALESCE({})", texts.join(", ")),
                }
            }
        })
    }

    fn joined(&mut self, expression: &Expression, operands: &[u32], word: &str) -> Result<String> {
        let mut texts = Vec::with_capacity(operands.len());
        for operand in operands {
            let text = self.node(expression, *operand, None)?;
            let compound = matches!(
                at(expression, *operand)?,
                Node::AllOf(parts) | Node::AnyOf(parts) if parts.len() > 1
            );
            texts.push(if compound { format!("({text})") } else { text });
        }
        Ok(texts.join(word))
    }

    fn literal(&mut self, value: &Value, near: Option<&Operand>) -> Result<String> {
        if *value == Value::Null {
            return Ok("NULL".to_owned());
        }
        self.bound += 1;
        if self.bound > MAX_PARAMETERS {
            return Err(SqlServerError::plan(format!(
                "a statement takes at most {MAX_PARAMETERS} literals"
            )));
        }
        let sql_type = bind_type(value, near.map(|near| near.sql_type));
        let Value::Text(text) = value else {
            return Ok(self.parameters.add(sql_type, value.clone()));
        };
        // Text of a code page is compared as such: against nvarchar the server would convert the column
        // and could not use its index.
        let (Some(SqlType::Char(_) | SqlType::VarChar(_)), SqlType::NVarChar(length)) =
            (near.map(|near| near.sql_type), sql_type)
        else {
            return Ok(self.parameters.add(sql_type, value.clone()));
        };
        let narrow = match length {
            icehost_plan::Length::Limited(_) => {
                SqlType::VarChar(icehost_plan::Length::Limited(8000))
            }
            icehost_plan::Length::Max => SqlType::VarChar(icehost_plan::Length::Max),
        };
        if text.is_ascii() {
            return Ok(self.parameters.add(narrow, value.clone()));
        }
        // The column's code page, not the database's
        let parameter = self.parameters.add(sql_type, value.clone());
        Ok(match near.and_then(|near| near.collation.as_deref()) {
            Some(collation) => format!("CAST({parameter} COLLATE {collation} AS {narrow})"),
            None => format!("CAST({parameter} AS {narrow})"),
        })
    }

    fn operand(&self, side: Side, column: u32) -> Result<&'a Operand> {
        let columns = match side {
            Side::Source => self.source,
            Side::Target => self.target,
        };
        columns.get(column as usize).ok_or_else(|| {
            SqlServerError::plan(format!("column {column} of the plan is not in the table"))
        })
    }

    /// The column that gives a literal next to this node its type.
    fn column_in(&self, expression: &Expression, index: u32) -> Option<Operand> {
        match expression.node(index)? {
            Node::Column { side, column } => self.operand(*side, *column).ok().cloned(),
            Node::Coalesce(operands) => operands
                .iter()
                .find_map(|operand| self.column_in(expression, *operand)),
            _ => None,
        }
    }
}

fn at(expression: &Expression, index: u32) -> Result<&Node> {
    expression
        .node(index)
        .ok_or_else(|| SqlServerError::plan(format!("the expression has no node {index}")))
}

fn operator(op: Comparison) -> &'static str {
    match op {
        Comparison::Eq => "=",
        Comparison::Ne => "<>",
        Comparison::Lt => "<",
        Comparison::Le => "<=",
        Comparison::Gt => ">",
        Comparison::Ge => ">=",
    }
}
