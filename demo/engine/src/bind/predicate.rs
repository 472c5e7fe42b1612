//! Conditions.

use std::cell::OnceCell;

use super::Binder;
use super::typed::{Typed, align, unify};
use crate::ast::{Comparison, Expr as Ast};
use crate::error::SqlResult;
use crate::plan::{Expr, QueryPlan};
use crate::session::SqlError;
use crate::types::SqlType;

impl Binder<'_> {
    /// Binds a condition.
    pub(crate) fn bind_predicate(&mut self, ast: &Ast) -> SqlResult<Expr> {
        Ok(match ast {
            Ast::And(left, right) => Expr::And(
                Box::new(self.bind_predicate(left)?),
                Box::new(self.bind_predicate(right)?),
            ),
            Ast::Or(left, right) => Expr::Or(
                Box::new(self.bind_predicate(left)?),
                Box::new(self.bind_predicate(right)?),
            ),
            Ast::Not(operand) => Expr::Not(Box::new(self.bind_predicate(operand)?)),
            Ast::Compare {
                operator,
                left,
                right,
            } => {
                let (left, right) = (self.bind_scalar(left)?, self.bind_scalar(right)?);
                comparison(*operator, left, right)?
            }
            Ast::IsNull { operand, negated } => Expr::IsNull {
                operand: Box::new(self.bind_scalar(operand)?.expr),
                negated: *negated,
            },
            Ast::IsDistinct {
                left,
                right,
                negated,
            } => {
                let (left, right) = (self.bind_scalar(left)?, self.bind_scalar(right)?);
                let (left, right, collation) = align(left, right)?;
                // IS NOT DISTINCT FROM is negated once by the words, once by the node.
                Expr::IsDistinct {
                    left: Box::new(left.expr),
                    right: Box::new(right.expr),
                    collation,
                    negated: *negated,
                }
            }
            Ast::Between {
                operand,
                low,
                high,
                negated,
            } => {
                let operand_low = self.bind_scalar(operand)?;
                let operand_high = operand_low.clone();
                let (low, high) = (self.bind_scalar(low)?, self.bind_scalar(high)?);
                let inside = Expr::And(
                    Box::new(comparison(Comparison::GreaterOrEqual, operand_low, low)?),
                    Box::new(comparison(Comparison::LessOrEqual, operand_high, high)?),
                );
                negate_if(inside, *negated)
            }
            Ast::InList {
                operand,
                list,
                negated,
            } => negate_if(self.in_list(operand, list)?, *negated),
            Ast::InQuery {
                operand,
                query,
                negated,
            } => {
                let operand = self.bind_scalar(operand)?;
                let plan = self.bind_query(query)?;
                let (operand, plan, collation) = self.align_query(operand, plan)?;
                let bound = Expr::InQuery {
                    operand: Box::new(operand.expr),
                    query: Box::new(plan),
                    collation,
                    set: OnceCell::new(),
                };
                negate_if(bound, *negated)
            }
            Ast::Quantified {
                operator,
                all,
                operand,
                query,
            } => {
                let operand = self.bind_scalar(operand)?;
                let plan = self.bind_query(query)?;
                let (operand, plan, collation) = self.align_query(operand, plan)?;
                Expr::Quantified {
                    operator: *operator,
                    all: *all,
                    operand: Box::new(operand.expr),
                    query: Box::new(plan),
                    collation,
                }
            }
            Ast::Exists(query) => {
                let plan = self.bind_query(query)?;
                Expr::Exists {
                    query: Box::new(plan),
                    known: OnceCell::new(),
                }
            }
            Ast::Like {
                operand,
                pattern,
                escape,
                negated,
            } => negate_if(self.like(operand, pattern, escape.as_deref())?, *negated),
            Ast::Call(call) if call.name.is("UPDATE") => self.bind_update_predicate(call)?,
            _ => {
                return Err(SqlError::new(
                    4145,
                    15,
                    1,
                    "An expression of non-boolean type specified in a context where a condition is expected.",
                )
                .ending_batch());
            }
        })
    }

    fn in_list(&mut self, operand: &Ast, list: &[Ast]) -> SqlResult<Expr> {
        let operand = self.bind_scalar(operand)?;
        let mut items = Vec::new();
        for item in list {
            items.push(self.bind_scalar(item)?);
        }
        let mut collation = operand.collation.clone();
        for item in &items {
            collation = collation.combine(&item.collation)?;
        }
        let collation = std::rc::Rc::new(collation.resolved());
        let Some(target) = unify(items.iter().chain([&operand]))? else {
            return Ok(Expr::IsNull {
                operand: Box::new(operand.expr),
                negated: true,
            });
        };
        let target = without_cut(target);
        let operand = Box::new(operand.convert_to(&target)?.expr);
        let list = items
            .into_iter()
            .map(|item| Ok(item.convert_to(&target)?.expr))
            .collect::<SqlResult<_>>()?;
        Ok(Expr::In {
            operand,
            list,
            collation,
        })
    }

    fn like(&mut self, operand: &Ast, pattern: &Ast, escape: Option<&Ast>) -> SqlResult<Expr> {
        let operand = self.bind_scalar(operand)?;
        let pattern = self.bind_scalar(pattern)?;
        let collation = operand.collation.for_comparison(&pattern.collation)?;
        let text = SqlType::NVarChar { length: None };
        let as_text = |typed: Typed| {
            if typed.sql_type.is_text() {
                Ok(typed)
            } else {
                typed.converted(&text, crate::convert::Excess::Cut, true)
            }
        };
        let escape = match escape {
            Some(escape) => Some(Box::new(as_text(self.bind_scalar(escape)?)?.expr)),
            None => None,
        };
        Ok(Expr::Like {
            operand: Box::new(as_text(operand)?.expr),
            pattern: Box::new(as_text(pattern)?.expr),
            escape,
            collation,
        })
    }

    /// Brings an operand and a subquery's only column to one type.
    fn align_query(
        &mut self,
        operand: Typed,
        mut plan: QueryPlan,
    ) -> SqlResult<(Typed, QueryPlan, std::rc::Rc<crate::collation::Collation>)> {
        if plan.columns.len() != 1 {
            return Err(SqlError::new(
                116,
                16,
                1,
                "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.",
            )
            .ending_batch());
        }
        let column = &plan.columns[0];
        let mut other = Typed::new(Expr::null(), column.sql_type.clone(), true);
        // A stand-in that is no constant, so that its conversion shows what the column needs.
        other.expr = Expr::Column {
            depth: 0,
            source: 0,
            column: 0,
        };
        if let Some(collation) = &column.collation {
            other.collation = super::TextCollation::Implicit(collation.clone());
        }
        let (operand, other, collation) = align(operand, other)?;
        if other.sql_type != plan.columns[0].sql_type {
            plan.convert_column(0, &other.sql_type);
        }
        Ok((operand, plan, collation))
    }
}

/// Text alternatives must not be cut to a shorter one of their kind.
fn without_cut(target: SqlType) -> SqlType {
    match target {
        SqlType::Char { .. } => SqlType::VarChar { length: None },
        SqlType::NChar { .. } => SqlType::NVarChar { length: None },
        other => other,
    }
}

fn negate_if(expr: Expr, negated: bool) -> Expr {
    if negated {
        Expr::Not(Box::new(expr))
    } else {
        expr
    }
}

/// A comparison of two values, brought to one type.
pub(crate) fn comparison(operator: Comparison, left: Typed, right: Typed) -> SqlResult<Expr> {
    let (left, right, collation) = align(left, right)?;
    Ok(Expr::Compare {
        operator,
        left: Box::new(left.expr),
        right: Box::new(right.expr),
        collation,
    })
}
