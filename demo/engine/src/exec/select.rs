//! One SELECT: rows, groups, windows, projection, DISTINCT, order, TOP.

use std::collections::HashSet;

use super::sort::Sorter;
use super::{Bounds, Flow, Tuple, bounds, group, scan, window};
use crate::compare::Key;
use crate::context::Context;
use crate::error::SqlResult;
use crate::plan::{Environment, Expr, SelectPlan};
use crate::storage::Row;
use crate::types::Datum;

/// Pushes the rows of a FROM clause that pass the filter.
pub(crate) fn for_each_tuple(
    context: &Context,
    plan: &SelectPlan,
    outer: Option<&Environment<'_>>,
    next: &mut dyn FnMut(&mut Tuple) -> SqlResult<Flow>,
) -> SqlResult<Flow> {
    let mut tuple = Tuple::new(plan.width);
    scan(context, &plan.from, &mut tuple, outer, &mut |tuple| {
        if let Some(filter) = &plan.filter {
            let env = Environment {
                rows: &tuple.rows,
                outer,
            };
            if filter.test(context, &env)? != Some(true) {
                return Ok(Flow::Continue);
            }
        }
        next(tuple)
    })
}

/// Pushes the rows that the select list is evaluated on: with groups formed, HAVING applied and window
/// values attached.
fn for_each_input(
    context: &Context,
    plan: &SelectPlan,
    outer: Option<&Environment<'_>>,
    next: &mut dyn FnMut(&[Row]) -> SqlResult<Flow>,
) -> SqlResult<Flow> {
    let before_windows = |next: &mut dyn FnMut(&[Row]) -> SqlResult<Flow>| -> SqlResult<Flow> {
        match &plan.grouping {
            None => for_each_tuple(context, plan, outer, &mut |tuple| next(&tuple.rows)),
            Some(grouping) => {
                for row in group::run(context, plan, grouping, outer)? {
                    let rows = [row];
                    if let Some(having) = &plan.having
                        && having.test(context, &Environment { rows: &rows, outer })? != Some(true)
                    {
                        continue;
                    }
                    if next(&rows)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
                Ok(Flow::Continue)
            }
        }
    };
    if plan.windows.is_empty() {
        return before_windows(next);
    }
    let mut inputs: Vec<Vec<Row>> = Vec::new();
    before_windows(&mut |rows| {
        inputs.push(rows.to_vec());
        Ok(Flow::Continue)
    })?;
    window::attach(context, &plan.windows, &mut inputs, outer)?;
    for input in &inputs {
        if next(input)? == Flow::Stop {
            return Ok(Flow::Stop);
        }
    }
    Ok(Flow::Continue)
}

fn project(
    context: &Context,
    projection: &[Expr],
    env: &Environment<'_>,
    into: &mut Vec<Datum>,
) -> SqlResult<()> {
    into.clear();
    for expr in projection {
        into.push(expr.eval(context, env)?);
    }
    Ok(())
}

pub(super) fn run(
    context: &Context,
    plan: &SelectPlan,
    outer: Option<&Environment<'_>>,
    emit: &mut dyn FnMut(&[Datum]) -> SqlResult<Flow>,
) -> SqlResult<Flow> {
    let bounds = bounds(context, &plan.limit, outer)?;
    if bounds.count == Some(0) {
        return Ok(Flow::Continue);
    }
    let mut seen: HashSet<Key, rustc_hash::FxBuildHasher> = HashSet::default();
    let mut is_new = |row: &[Datum]| match &plan.distinct {
        None => true,
        Some(collations) => seen.insert(Key {
            values: row.to_vec(),
            collations: collations.clone(),
        }),
    };
    if plan.order.is_empty() {
        let mut limiter = Limiter::new(&bounds);
        let mut row = Vec::with_capacity(plan.projection.len());
        return for_each_input(context, plan, outer, &mut |rows| {
            project(
                context,
                &plan.projection,
                &Environment { rows, outer },
                &mut row,
            )?;
            if !plan.assignments.is_empty() {
                assign(context, plan, &row);
            }
            if !is_new(&row) {
                return Ok(Flow::Continue);
            }
            limiter.pass(&row, emit)
        });
    }
    if !plan.assignments.is_empty() {
        return assign_in_order(context, plan, outer, &bounds, emit);
    }
    let mut sorter = Sorter::new(&plan.order);
    for_each_input(context, plan, outer, &mut |rows| {
        let env = Environment { rows, outer };
        let mut row = Vec::with_capacity(plan.projection.len());
        project(context, &plan.projection, &env, &mut row)?;
        if !is_new(&row) {
            return Ok(Flow::Continue);
        }
        let mut keys = Vec::with_capacity(plan.order.len());
        for key in &plan.order {
            keys.push(if plan.distinct.is_some() {
                let Expr::Column { column, .. } = key.expr else {
                    continue;
                };
                row[column].clone()
            } else {
                key.expr.eval(context, &env)?
            });
        }
        sorter.push(keys, row);
        Ok(Flow::Continue)
    })?;
    sorter.emit(&bounds, emit)
}

/// `SELECT @v = .. ORDER BY ..`: an assignment may read what the one before it wrote, so the rows are put in
/// order before their expressions are evaluated.
fn assign_in_order(
    context: &Context,
    plan: &SelectPlan,
    outer: Option<&Environment<'_>>,
    bounds: &Bounds,
    emit: &mut dyn FnMut(&[Datum]) -> SqlResult<Flow>,
) -> SqlResult<Flow> {
    let mut inputs: Vec<Vec<Row>> = Vec::new();
    let mut sorter = Sorter::new(&plan.order);
    for_each_input(context, plan, outer, &mut |rows| {
        let env = Environment { rows, outer };
        let keys = plan
            .order
            .iter()
            .map(|key| key.expr.eval(context, &env))
            .collect::<SqlResult<_>>()?;
        sorter.push(keys, vec![Datum::BigInt(inputs.len() as i64)]);
        inputs.push(rows.to_vec());
        Ok(Flow::Continue)
    })?;
    let mut row = Vec::with_capacity(plan.projection.len());
    sorter.emit(bounds, &mut |place| {
        let rows = match place {
            [Datum::BigInt(place)] => usize::try_from(*place)
                .ok()
                .and_then(|place| inputs.get(place)),
            _ => None,
        };
        if let Some(rows) = rows {
            project(
                context,
                &plan.projection,
                &Environment { rows, outer },
                &mut row,
            )?;
            assign(context, plan, &row);
        }
        emit(&row)
    })
}

/// `SELECT @v = ..`: each row assigns, the last one stays.
fn assign(context: &Context, plan: &SelectPlan, row: &[Datum]) {
    let mut variables = context.variables.borrow_mut();
    for (slot, value) in plan.assignments.iter().zip(row) {
        if let Some((current, _)) = variables.get_mut(*slot) {
            *current = value.clone();
        }
    }
}

/// Applies OFFSET and TOP to rows as they come.
pub(super) struct Limiter {
    skip: u64,
    left: Option<u64>,
}

impl Limiter {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            skip: bounds.skip,
            left: bounds.count,
        }
    }

    pub(super) fn pass(
        &mut self,
        row: &[Datum],
        emit: &mut dyn FnMut(&[Datum]) -> SqlResult<Flow>,
    ) -> SqlResult<Flow> {
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(Flow::Continue);
        }
        if let Some(left) = &mut self.left {
            if *left == 0 {
                return Ok(Flow::Stop);
            }
            *left -= 1;
            let flow = emit(row)?;
            return Ok(if *left == 0 { Flow::Stop } else { flow });
        }
        emit(row)
    }
}
