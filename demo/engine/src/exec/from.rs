//! Sources: tables by scan or seek, derived tables, generated rows.

use std::rc::Rc;

use super::{Flow, Tuple, join, run_query};
use crate::compare::Key;
use crate::context::Context;
use crate::error::SqlResult;
use crate::plan::{Environment, Expr, From, LookupTable, Seek, Source, TableSource};
use crate::session::SqlError;
use crate::storage::{Row, RowId};
use crate::types::{Datum, SqlType};

/// What receives the rows of a FROM clause.
pub(crate) type Consumer<'c> = dyn FnMut(&mut Tuple) -> SqlResult<Flow> + 'c;

/// Pushes every row of a FROM tree to `next`, which sees the tuple with the tree's slots filled.
pub(crate) fn scan(
    context: &Context,
    from: &From,
    tuple: &mut Tuple,
    outer: Option<&Environment<'_>>,
    next: &mut Consumer<'_>,
) -> SqlResult<Flow> {
    match from {
        From::Nothing => next(tuple),
        From::Source {
            index,
            source,
            filter,
        } => scan_source(context, *index, source, filter.as_ref(), tuple, outer, next),
        From::Join(join) => join::run(context, join, tuple, outer, next),
    }
}

/// Puts a row into its slot and passes it on if the filter lets it.
pub(super) fn offer(
    context: &Context,
    (index, id, row): (usize, RowId, Row),
    filter: Option<&Expr>,
    tuple: &mut Tuple,
    outer: Option<&Environment<'_>>,
    next: &mut Consumer<'_>,
) -> SqlResult<Flow> {
    tuple.rows[index] = row;
    tuple.ids[index] = id;
    if let Some(filter) = filter {
        let env = Environment {
            rows: &tuple.rows,
            outer,
        };
        if filter.test(context, &env)? != Some(true) {
            return Ok(Flow::Continue);
        }
    }
    next(tuple)
}

fn scan_source(
    context: &Context,
    index: usize,
    source: &Source,
    filter: Option<&Expr>,
    tuple: &mut Tuple,
    outer: Option<&Environment<'_>>,
    next: &mut Consumer<'_>,
) -> SqlResult<Flow> {
    match source {
        Source::Table(table) => scan_table(context, index, table, filter, tuple, outer, next),
        Source::Rows(rows) => {
            for (id, row) in rows.iter().enumerate() {
                context.check_cancel()?;
                if offer(
                    context,
                    (index, id as RowId, row.clone()),
                    filter,
                    tuple,
                    outer,
                    next,
                )? == Flow::Stop
                {
                    return Ok(Flow::Stop);
                }
            }
            Ok(Flow::Continue)
        }
        Source::Query { plan, rows } => {
            if plan.correlated || outer.is_none() {
                return run_query(context, plan, outer, &mut |row| {
                    offer(
                        context,
                        (index, 0, Row::from(row)),
                        filter,
                        tuple,
                        outer,
                        next,
                    )
                });
            }
            let rows = match rows.get() {
                Some(rows) => rows.clone(),
                None => {
                    let mut collected = Vec::new();
                    run_query(context, plan, outer, &mut |row| {
                        collected.push(Row::from(row));
                        Ok(Flow::Continue)
                    })?;
                    rows.get_or_init(|| Rc::new(collected)).clone()
                }
            };
            for row in rows.iter() {
                if offer(context, (index, 0, row.clone()), filter, tuple, outer, next)?
                    == Flow::Stop
                {
                    return Ok(Flow::Stop);
                }
            }
            Ok(Flow::Continue)
        }
        Source::Values(rows) => {
            for row in rows {
                let env = Environment { rows: &[], outer };
                let values: Vec<Datum> = row
                    .iter()
                    .map(|value| value.eval(context, &env))
                    .collect::<SqlResult<_>>()?;
                if offer(
                    context,
                    (index, 0, Row::from(values)),
                    filter,
                    tuple,
                    outer,
                    next,
                )? == Flow::Stop
                {
                    return Ok(Flow::Stop);
                }
            }
            Ok(Flow::Continue)
        }
        Source::Series {
            start,
            stop,
            step,
            sql_type,
        } => {
            let env = Environment { rows: &[], outer };
            let bound =
                |expr: &Expr| -> SqlResult<Option<i128>> { Ok(whole(&expr.eval(context, &env)?)) };
            let (Some(start), Some(stop), Some(step)) = (bound(start)?, bound(stop)?, bound(step)?)
            else {
                return Ok(Flow::Continue);
            };
            // The default step of 1 turns around where the series runs down.
            let step = if step == 1 && start > stop { -1 } else { step };
            if step == 0 {
                return Err(SqlError::new(
                    4199,
                    16,
                    1,
                    "Argument value 0 is invalid for argument 3 of generate_series function.",
                ));
            }
            let mut value = start;
            while (step > 0 && value <= stop) || (step < 0 && value >= stop) {
                context.check_cancel()?;
                let row = Row::from([integer(value, sql_type)]);
                if offer(context, (index, 0, row), filter, tuple, outer, next)? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
                value += step;
            }
            Ok(Flow::Continue)
        }
        Source::Split { text, separator } => {
            let env = Environment { rows: &[], outer };
            let (
                Datum::Text {
                    value: text,
                    national,
                },
                Datum::Text {
                    value: separator, ..
                },
            ) = (text.eval(context, &env)?, separator.eval(context, &env)?)
            else {
                return Ok(Flow::Continue);
            };
            for part in text.split(separator.as_ref()) {
                let row = Row::from([Datum::Text {
                    value: part.into(),
                    national,
                }]);
                if offer(context, (index, 0, row), filter, tuple, outer, next)? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
            }
            Ok(Flow::Continue)
        }
    }
}

fn whole(value: &Datum) -> Option<i128> {
    Some(match value {
        Datum::TinyInt(v) => i128::from(*v),
        Datum::SmallInt(v) => i128::from(*v),
        Datum::Int(v) => i128::from(*v),
        Datum::BigInt(v) => i128::from(*v),
        _ => return None,
    })
}

fn integer(value: i128, sql_type: &SqlType) -> Datum {
    match sql_type {
        SqlType::TinyInt => Datum::TinyInt(value as u8),
        SqlType::SmallInt => Datum::SmallInt(value as i16),
        SqlType::Int => Datum::Int(value as i32),
        _ => Datum::BigInt(value as i64),
    }
}

fn scan_table(
    context: &Context,
    index: usize,
    table: &TableSource,
    filter: Option<&Expr>,
    tuple: &mut Tuple,
    outer: Option<&Environment<'_>>,
    next: &mut Consumer<'_>,
) -> SqlResult<Flow> {
    let env = Environment { rows: &[], outer };
    match &table.seek {
        None => {
            for (id, row) in table.version.rows.iter() {
                context.check_cancel()?;
                if offer(
                    context,
                    (index, id, row.clone()),
                    filter,
                    tuple,
                    outer,
                    next,
                )? == Flow::Stop
                {
                    return Ok(Flow::Stop);
                }
            }
            Ok(Flow::Continue)
        }
        Some(Seek::Unique { handle, values }) => {
            let values: Vec<Datum> = values
                .iter()
                .map(|value| value.eval(context, &env))
                .collect::<SqlResult<_>>()?;
            let key: Vec<&Datum> = values.iter().collect();
            match table.version.seek(*handle, &key) {
                Some((id, row)) => offer(
                    context,
                    (index, id, row.clone()),
                    filter,
                    tuple,
                    outer,
                    next,
                ),
                None => Ok(Flow::Continue),
            }
        }
        Some(Seek::Lookup {
            ordinals,
            values,
            collations,
            built,
        }) => {
            let values: Vec<Datum> = values
                .iter()
                .map(|value| value.eval(context, &env))
                .collect::<SqlResult<_>>()?;
            if built.borrow().is_none() {
                let mut lookup = LookupTable::default();
                for (id, row) in table.version.rows.iter() {
                    context.check_cancel()?;
                    let values = ordinals
                        .iter()
                        .map(|ordinal| row[*ordinal].clone())
                        .collect();
                    lookup
                        .entry(Key {
                            values,
                            collations: collations.clone(),
                        })
                        .or_default()
                        .push((id, row.clone()));
                }
                *built.borrow_mut() = Some(lookup);
            }
            let found = built
                .borrow()
                .as_ref()
                .and_then(|lookup| {
                    lookup
                        .get(&Key {
                            values,
                            collations: collations.clone(),
                        })
                        .cloned()
                })
                .unwrap_or_default();
            for (id, row) in found {
                if offer(context, (index, id, row), filter, tuple, outer, next)? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
            }
            Ok(Flow::Continue)
        }
    }
}
