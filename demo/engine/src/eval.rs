//! Evaluation of bound expressions, row by row.

mod arithmetic;
mod like;
mod subquery;

use std::cmp::Ordering;

use crate::ast::Comparison;
use crate::compare::compare;
use crate::context::Context;
use crate::convert::convert;
use crate::error::SqlResult;
use crate::plan::{Environment, Expr};
use crate::types::Datum;

pub(crate) use arithmetic::{add_integers, negate};
pub(crate) use like::{find_pattern, matches as like_matches};

/// What a comparison makes of an order.
pub(crate) fn holds(operator: Comparison, order: Ordering) -> bool {
    match operator {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

impl Expr {
    /// The value on a row.
    pub(crate) fn eval(&self, context: &Context, env: &Environment<'_>) -> SqlResult<Datum> {
        Ok(match self {
            Self::Const(value) => value.clone(),
            Self::Column {
                depth,
                source,
                column,
            } => env
                .column(*depth, *source, *column)
                .cloned()
                .unwrap_or(Datum::Null),
            Self::Variable(slot) => context
                .variables
                .borrow()
                .get(*slot)
                .map_or(Datum::Null, |(value, _)| value.clone()),
            Self::Arithmetic {
                operator,
                kind,
                result,
                left,
                right,
            } => {
                let left = left.eval(context, env)?;
                let right = right.eval(context, env)?;
                arithmetic::binary(*operator, *kind, result, &left, &right)?
            }
            Self::Negate(operand, result) => negate(&operand.eval(context, env)?, result)?,
            Self::BitNot(operand) => arithmetic::bit_not(&operand.eval(context, env)?),
            Self::Case {
                branches,
                otherwise,
            } => {
                for (condition, value) in branches {
                    if condition.test(context, env)? == Some(true) {
                        return value.eval(context, env);
                    }
                }
                otherwise.eval(context, env)?
            }
            Self::Coalesce(list) => {
                for item in list {
                    let value = item.eval(context, env)?;
                    if value != Datum::Null {
                        return Ok(value);
                    }
                }
                Datum::Null
            }
            Self::Convert {
                operand,
                target,
                style,
                lenient,
                excess,
            } => {
                let mut slot = Datum::Null;
                let value = operand.eval_ref(context, env, &mut slot)?;
                match convert(value, target, *style, *excess) {
                    Err(error) if *lenient && error.number != 529 && error.number < 50000 => {
                        Datum::Null
                    }
                    result => result?,
                }
            }
            Self::Call {
                evaluator,
                arguments,
            } => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(argument.eval(context, env)?);
                }
                evaluator(context, &values)?
            }
            Self::Scalar { query, known } => subquery::scalar(context, env, query, known)?,
            // A predicate as a value never reaches a client: the binder keeps the two apart.
            predicate => match predicate.test(context, env)? {
                Some(value) => Datum::Bit(value),
                None => Datum::Null,
            },
        })
    }

    /// The value without a copy where it already exists; `slot` holds it where it does not.
    pub(crate) fn eval_ref<'a>(
        &'a self,
        context: &Context,
        env: &Environment<'a>,
        slot: &'a mut Datum,
    ) -> SqlResult<&'a Datum> {
        match self {
            Self::Const(value) => Ok(value),
            Self::Column {
                depth,
                source,
                column,
            } => Ok(env.column(*depth, *source, *column).unwrap_or(&Datum::Null)),
            other => {
                *slot = other.eval(context, env)?;
                Ok(slot)
            }
        }
    }

    /// The truth of a predicate on a row; `None` is unknown.
    pub(crate) fn test(&self, context: &Context, env: &Environment<'_>) -> SqlResult<Option<bool>> {
        Ok(match self {
            Self::Compare {
                operator,
                left,
                right,
                collation,
            } => {
                let (mut first, mut second) = (Datum::Null, Datum::Null);
                let left = left.eval_ref(context, env, &mut first)?;
                if *left == Datum::Null {
                    return Ok(None);
                }
                let right = right.eval_ref(context, env, &mut second)?;
                if *right == Datum::Null {
                    return Ok(None);
                }
                Some(holds(*operator, compare(left, right, collation)))
            }
            Self::And(left, right) => match left.test(context, env)? {
                Some(false) => Some(false),
                known => match (known, right.test(context, env)?) {
                    (_, Some(false)) => Some(false),
                    (Some(true), other) => other,
                    _ => None,
                },
            },
            Self::Or(left, right) => match left.test(context, env)? {
                Some(true) => Some(true),
                known => match (known, right.test(context, env)?) {
                    (_, Some(true)) => Some(true),
                    (Some(false), other) => other,
                    _ => None,
                },
            },
            Self::Not(operand) => operand.test(context, env)?.map(|value| !value),
            Self::IsNull { operand, negated } => {
                let mut slot = Datum::Null;
                let null = *operand.eval_ref(context, env, &mut slot)? == Datum::Null;
                Some(null != *negated)
            }
            Self::IsDistinct {
                left,
                right,
                collation,
                negated,
            } => {
                let (left, right) = (left.eval(context, env)?, right.eval(context, env)?);
                Some(compare(&left, &right, collation).is_ne() != *negated)
            }
            Self::In {
                operand,
                list,
                collation,
            } => {
                let value = operand.eval(context, env)?;
                if value == Datum::Null {
                    return Ok(None);
                }
                let mut unknown = false;
                for item in list {
                    let mut slot = Datum::Null;
                    let item = item.eval_ref(context, env, &mut slot)?;
                    if *item == Datum::Null {
                        unknown = true;
                    } else if compare(&value, item, collation).is_eq() {
                        return Ok(Some(true));
                    }
                }
                if unknown { None } else { Some(false) }
            }
            Self::InQuery {
                operand,
                query,
                collation,
                set,
            } => subquery::in_query(context, env, operand, query, collation, set)?,
            Self::Quantified {
                operator,
                all,
                operand,
                query,
                collation,
            } => subquery::quantified(context, env, (*operator, *all), operand, query, collation)?,
            Self::Exists { query, known } => Some(subquery::exists(context, env, query, known)?),
            Self::Like {
                operand,
                pattern,
                escape,
                collation,
            } => {
                let (text, pattern) = (operand.eval(context, env)?, pattern.eval(context, env)?);
                let escape = match escape {
                    Some(escape) => Some(escape.eval(context, env)?),
                    None => None,
                };
                match (&text, &pattern) {
                    (Datum::Text { value: text, .. }, Datum::Text { value: pattern, .. }) => {
                        let escape = match &escape {
                            Some(Datum::Text { value, .. }) => value.chars().next(),
                            Some(_) => return Ok(None),
                            None => None,
                        };
                        Some(like_matches(text, pattern, escape, collation))
                    }
                    _ => None,
                }
            }
            other => match other.eval(context, env)? {
                Datum::Bit(value) => Some(value),
                _ => None,
            },
        })
    }
}
