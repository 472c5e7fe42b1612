//! Execution of bound queries: rows are pushed from sources through joins to a consumer, and only what must
//! be collected (sorting, grouping, windows, the inner side of a join) is.

mod accumulate;
mod from;
mod group;
mod join;
mod select;
mod set;
mod sort;
mod window;

use std::cmp::Ordering;
use std::rc::Rc;

use crate::collation::Collation;
use crate::compare::compare;
use crate::context::Context;
use crate::error::SqlResult;
use crate::plan::{Body, Environment, Limit, QueryPlan};
use crate::session::SqlError;
use crate::storage::{Row, RowId};
use crate::types::Datum;

pub(crate) use from::scan;
pub(crate) use select::for_each_tuple;

/// Whether a consumer wants more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    Stop,
}

/// One row of a FROM clause: a row of each source, and where in its table it lies.
#[derive(Debug, Clone)]
pub(crate) struct Tuple {
    pub(crate) rows: Vec<Row>,
    pub(crate) ids: Vec<RowId>,
}

/// The id of a row that is not there: the NULL side of an outer join.
pub(crate) const NO_ROW: RowId = RowId::MAX;

impl Tuple {
    pub(crate) fn new(width: usize) -> Self {
        Self {
            rows: vec![empty_row(); width],
            ids: vec![NO_ROW; width],
        }
    }
}

/// A row whose every column is NULL.
pub(crate) fn empty_row() -> Row {
    Row::from([])
}

/// Runs a query and hands its rows to `emit`.
pub(crate) fn run_query(
    context: &Context,
    plan: &QueryPlan,
    outer: Option<&Environment<'_>>,
    emit: &mut dyn FnMut(&[Datum]) -> SqlResult<Flow>,
) -> SqlResult<Flow> {
    match &plan.body {
        Body::Select(select) => select::run(context, select, outer, emit),
        Body::Set { .. } => set::run(context, &plan.body, outer, emit),
    }
}

/// How many rows to skip and to give.
struct Bounds {
    skip: u64,
    count: Option<u64>,
    with_ties: bool,
}

fn bounds(context: &Context, limit: &Limit, outer: Option<&Environment<'_>>) -> SqlResult<Bounds> {
    let env = Environment { rows: &[], outer };
    let evaluate = |expr: &crate::plan::Expr| -> SqlResult<i64> {
        match expr.eval(context, &env)? {
            Datum::BigInt(value) => Ok(value),
            _ => Err(SqlError::new(
                1060,
                15,
                1,
                "The number of rows provided for a TOP or FETCH clauses row count parameter must be an integer.",
            )),
        }
    };
    let skip = match &limit.offset {
        Some(offset) => u64::try_from(evaluate(offset)?).map_err(|_| {
            SqlError::new(
                10742,
                15,
                1,
                "The offset specified in a OFFSET clause may not be negative.",
            )
        })?,
        None => 0,
    };
    let count = match &limit.count {
        Some(count) => Some(u64::try_from(evaluate(count)?).map_err(|_| {
            SqlError::new(
                127,
                15,
                1,
                "A TOP N or FETCH rowcount value may not be negative.",
            )
        })?),
        None => None,
    };
    Ok(Bounds {
        skip,
        count,
        with_ties: limit.with_ties,
    })
}

/// Orders two lists of sort keys.
fn compare_keys(a: &[Datum], b: &[Datum], order: &[(bool, Rc<Collation>)]) -> Ordering {
    for ((x, y), (descending, collation)) in a.iter().zip(b).zip(order) {
        let ordering = compare(x, y, collation);
        if ordering.is_ne() {
            return if *descending {
                ordering.reverse()
            } else {
                ordering
            };
        }
    }
    Ordering::Equal
}
