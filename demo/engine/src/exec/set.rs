//! UNION, EXCEPT and INTERSECT.

use std::collections::HashSet;
use std::rc::Rc;

use super::select::Limiter;
use super::sort::Sorter;
use super::{Flow, bounds, run_query};
use crate::ast::SetOperator;
use crate::collation::Collation;
use crate::compare::Key;
use crate::context::Context;
use crate::error::SqlResult;
use crate::plan::{Body, Environment, Expr, QueryPlan};
use crate::storage::Row;
use crate::types::Datum;

/// Runs one side, its columns converted to the common types.
fn side(
    context: &Context,
    plan: &QueryPlan,
    conversions: &[Expr],
    outer: Option<&Environment<'_>>,
    emit: &mut dyn FnMut(Vec<Datum>) -> SqlResult<Flow>,
) -> SqlResult<Flow> {
    let plain = conversions
        .iter()
        .all(|conversion| matches!(conversion, Expr::Column { .. }));
    run_query(context, plan, outer, &mut |row| {
        if plain {
            return emit(row.to_vec());
        }
        let rows = [Row::from(row)];
        let env = Environment { rows: &rows, outer };
        emit(
            conversions
                .iter()
                .map(|conversion| conversion.eval(context, &env))
                .collect::<SqlResult<_>>()?,
        )
    })
}

pub(super) fn run(
    context: &Context,
    body: &Body,
    outer: Option<&Environment<'_>>,
    emit: &mut dyn FnMut(&[Datum]) -> SqlResult<Flow>,
) -> SqlResult<Flow> {
    let Body::Set {
        operator,
        left,
        right,
        left_conversions,
        right_conversions,
        collations,
        order,
        limit,
    } = body
    else {
        return Ok(Flow::Continue);
    };
    let bounds = bounds(context, limit, outer)?;
    let produce = |next: &mut dyn FnMut(Vec<Datum>) -> SqlResult<Flow>| -> SqlResult<Flow> {
        let sides = (
            (left.as_ref(), left_conversions.as_slice()),
            (right.as_ref(), right_conversions.as_slice()),
        );
        combine(context, *operator, sides, collations, outer, next)
    };
    if order.is_empty() {
        let mut limiter = Limiter::new(&bounds);
        return produce(&mut |row| limiter.pass(&row, emit));
    }
    let mut sorter = Sorter::new(order);
    produce(&mut |row| {
        let keys = order
            .iter()
            .filter_map(|key| {
                if let Expr::Column { column, .. } = key.expr {
                    Some(row[column].clone())
                } else {
                    None
                }
            })
            .collect();
        sorter.push(keys, row);
        Ok(Flow::Continue)
    })?;
    sorter.emit(&bounds, emit)
}

type Side<'a> = (&'a QueryPlan, &'a [Expr]);

fn combine(
    context: &Context,
    operator: SetOperator,
    (left, right): (Side<'_>, Side<'_>),
    collations: &Rc<[Collation]>,
    outer: Option<&Environment<'_>>,
    next: &mut dyn FnMut(Vec<Datum>) -> SqlResult<Flow>,
) -> SqlResult<Flow> {
    let key = |values: &[Datum]| Key {
        values: values.to_vec(),
        collations: collations.clone(),
    };
    let mut seen: HashSet<Key, rustc_hash::FxBuildHasher> = HashSet::default();
    match operator {
        SetOperator::UnionAll => {
            if side(context, left.0, left.1, outer, next)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
            side(context, right.0, right.1, outer, next)
        }
        SetOperator::Union => {
            let mut fresh = |row: Vec<Datum>| {
                if seen.insert(key(&row)) {
                    next(row)
                } else {
                    Ok(Flow::Continue)
                }
            };
            if side(context, left.0, left.1, outer, &mut fresh)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
            side(context, right.0, right.1, outer, &mut fresh)
        }
        SetOperator::Except | SetOperator::Intersect => {
            side(context, right.0, right.1, outer, &mut |row| {
                seen.insert(key(&row));
                Ok(Flow::Continue)
            })?;
            let mut given: HashSet<Key, rustc_hash::FxBuildHasher> = HashSet::default();
            let wanted = operator == SetOperator::Intersect;
            side(context, left.0, left.1, outer, &mut |row| {
                let key = key(&row);
                if seen.contains(&key) == wanted && given.insert(key) {
                    next(row)
                } else {
                    Ok(Flow::Continue)
                }
            })
        }
    }
}
