//! Subqueries inside expressions. What does not depend on the row around is computed once.

use std::cell::OnceCell;
use std::rc::Rc;

use crate::ast::Comparison;
use crate::collation::Collation;
use crate::compare::{Key, compare};
use crate::context::Context;
use crate::error::SqlResult;
use crate::exec::{Flow, run_query};
use crate::plan::{Environment, Expr, QueryPlan, ValueSet};
use crate::session::SqlError;
use crate::types::Datum;

pub(super) fn scalar(
    context: &Context,
    env: &Environment<'_>,
    query: &QueryPlan,
    known: &OnceCell<Datum>,
) -> SqlResult<Datum> {
    if let Some(value) = known.get() {
        return Ok(value.clone());
    }
    let mut result: Option<Datum> = None;
    run_query(context, query, Some(env), &mut |row| {
        if result.is_some() {
            return Err(SqlError::new(
                512,
                16,
                1,
                "Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , >, >= or when the subquery is used as an expression.",
            ));
        }
        result = Some(row[0].clone());
        Ok(Flow::Continue)
    })?;
    let value = result.unwrap_or(Datum::Null);
    if !query.correlated {
        let _ = known.set(value.clone());
    }
    Ok(value)
}

pub(super) fn exists(
    context: &Context,
    env: &Environment<'_>,
    query: &QueryPlan,
    known: &OnceCell<bool>,
) -> SqlResult<bool> {
    if let Some(found) = known.get() {
        return Ok(*found);
    }
    let mut found = false;
    run_query(context, query, Some(env), &mut |_| {
        found = true;
        Ok(Flow::Stop)
    })?;
    if !query.correlated {
        let _ = known.set(found);
    }
    Ok(found)
}

pub(super) fn in_query(
    context: &Context,
    env: &Environment<'_>,
    operand: &Expr,
    query: &QueryPlan,
    collation: &Rc<Collation>,
    set: &OnceCell<Rc<ValueSet>>,
) -> SqlResult<Option<bool>> {
    let value = operand.eval(context, env)?;
    if query.correlated {
        return any(context, env, Comparison::Equal, &value, query, collation);
    }
    let values = match set.get() {
        Some(values) => values.clone(),
        None => {
            let mut values = ValueSet::default();
            let collations: Rc<[Collation]> = Rc::from([Collation::clone(collation)]);
            run_query(context, query, Some(env), &mut |row| {
                if row[0] == Datum::Null {
                    values.has_null = true;
                } else {
                    values.keys.insert(Key {
                        values: vec![row[0].clone()],
                        collations: collations.clone(),
                    });
                }
                Ok(Flow::Continue)
            })?;
            set.get_or_init(|| Rc::new(values)).clone()
        }
    };
    if values.keys.is_empty() && !values.has_null {
        return Ok(Some(false));
    }
    if value == Datum::Null {
        return Ok(None);
    }
    let collations: Rc<[Collation]> = Rc::from([Collation::clone(collation)]);
    if values.keys.contains(&Key {
        values: vec![value],
        collations,
    }) {
        return Ok(Some(true));
    }
    Ok(if values.has_null { None } else { Some(false) })
}

/// Whether the comparison holds for any of the query's values.
fn any(
    context: &Context,
    env: &Environment<'_>,
    operator: Comparison,
    value: &Datum,
    query: &QueryPlan,
    collation: &Collation,
) -> SqlResult<Option<bool>> {
    let mut outcome = Some(false);
    run_query(context, query, Some(env), &mut |row| {
        if row[0] == Datum::Null || *value == Datum::Null {
            outcome = None;
        } else if super::holds(operator, compare(value, &row[0], collation)) {
            outcome = Some(true);
            return Ok(Flow::Stop);
        }
        Ok(Flow::Continue)
    })?;
    Ok(outcome)
}

pub(super) fn quantified(
    context: &Context,
    env: &Environment<'_>,
    (operator, all): (Comparison, bool),
    operand: &Expr,
    query: &QueryPlan,
    collation: &Collation,
) -> SqlResult<Option<bool>> {
    let value = operand.eval(context, env)?;
    if !all {
        return any(context, env, operator, &value, query, collation);
    }
    // ALL is NOT ANY of the opposite.
    let opposite = match operator {
        Comparison::Equal => Comparison::NotEqual,
        Comparison::NotEqual => Comparison::Equal,
        Comparison::Less => Comparison::GreaterOrEqual,
        Comparison::LessOrEqual => Comparison::Greater,
        Comparison::Greater => Comparison::LessOrEqual,
        Comparison::GreaterOrEqual => Comparison::Less,
    };
    Ok(any(context, env, opposite, &value, query, collation)?.map(|found| !found))
}
