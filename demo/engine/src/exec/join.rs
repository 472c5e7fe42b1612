//! Joins: by a unique index of the inner table where the keys allow it, by hash where there are equalities,
//! by nested loops otherwise.

use std::collections::HashMap;

use super::from::{Consumer, offer};
use super::{Flow, NO_ROW, Tuple, empty_row, run_query, scan};
use crate::ast::JoinKind;
use crate::compare::{compare, hash};
use crate::context::Context;
use crate::error::SqlResult;
use crate::plan::{Environment, Expr, From, Join, JoinKey, Source, TableSource};
use crate::storage::{Row, RowId};
use crate::types::Datum;

pub(super) fn run(
    context: &Context,
    join: &Join,
    tuple: &mut Tuple,
    outer: Option<&Environment<'_>>,
    next: &mut Consumer<'_>,
) -> SqlResult<Flow> {
    match join.kind {
        JoinKind::CrossApply | JoinKind::OuterApply => apply(context, join, tuple, outer, next),
        JoinKind::Inner | JoinKind::Left => match index_access(join) {
            Some(access) => by_index(context, join, &access, tuple, outer, next),
            None => by_table(context, join, tuple, outer, next),
        },
        _ => by_table(context, join, tuple, outer, next),
    }
}

fn clear(tuple: &mut Tuple, slots: std::ops::Range<usize>) {
    for slot in slots {
        tuple.rows[slot] = empty_row();
        tuple.ids[slot] = NO_ROW;
    }
}

fn condition_holds(
    context: &Context,
    join: &Join,
    tuple: &Tuple,
    outer: Option<&Environment<'_>>,
) -> SqlResult<bool> {
    match &join.condition {
        Some(condition) => Ok(condition.test(
            context,
            &Environment {
                rows: &tuple.rows,
                outer,
            },
        )? == Some(true)),
        None => Ok(true),
    }
}

/// The right side as a table that the join's keys reach through a unique index.
struct IndexAccess<'a> {
    slot: usize,
    table: &'a TableSource,
    filter: Option<&'a Expr>,
    handle: usize,
    /// The left expressions in the index's column order.
    values: Vec<&'a Expr>,
    /// The keys that the index does not cover.
    rest: Vec<&'a JoinKey>,
}

fn index_access(join: &Join) -> Option<IndexAccess<'_>> {
    let From::Source {
        index,
        source: Source::Table(table),
        filter,
    } = &join.right
    else {
        return None;
    };
    let column_of = |key: &JoinKey| match &key.right {
        Expr::Column {
            depth: 0,
            source,
            column,
        } if source == index => Some(*column),
        _ => None,
    };
    for (handle, ordinals, collations) in table.version.unique_keys() {
        let places: Vec<usize> = ordinals
            .iter()
            .zip(collations)
            .filter_map(|(ordinal, collation)| {
                join.keys.iter().position(|key| {
                    column_of(key) == Some(*ordinal) && *key.collation == *collation
                })
            })
            .collect();
        if places.len() == ordinals.len() {
            return Some(IndexAccess {
                slot: *index,
                table,
                filter: filter.as_ref(),
                handle,
                values: places.iter().map(|place| &join.keys[*place].left).collect(),
                rest: join
                    .keys
                    .iter()
                    .enumerate()
                    .filter(|(place, _)| !places.contains(place))
                    .map(|(_, key)| key)
                    .collect(),
            });
        }
    }
    None
}

fn by_index(
    context: &Context,
    join: &Join,
    access: &IndexAccess<'_>,
    tuple: &mut Tuple,
    outer: Option<&Environment<'_>>,
    next: &mut Consumer<'_>,
) -> SqlResult<Flow> {
    scan(context, &join.left, tuple, outer, &mut |tuple| {
        context.check_cancel()?;
        let env = Environment {
            rows: &tuple.rows,
            outer,
        };
        let values: Vec<Datum> = access
            .values
            .iter()
            .map(|value| value.eval(context, &env))
            .collect::<SqlResult<_>>()?;
        let mut matched = false;
        let mut flow = Flow::Continue;
        if !values.contains(&Datum::Null) {
            let key: Vec<&Datum> = values.iter().collect();
            if let Some((id, row)) = access.table.version.seek(access.handle, &key) {
                flow = offer(
                    context,
                    (access.slot, id, row.clone()),
                    access.filter,
                    tuple,
                    outer,
                    &mut |tuple| {
                        if !keys_agree(context, &access.rest, tuple, outer)?
                            || !condition_holds(context, join, tuple, outer)?
                        {
                            return Ok(Flow::Continue);
                        }
                        matched = true;
                        next(tuple)
                    },
                )?;
            }
        }
        if !matched && join.kind == JoinKind::Left {
            clear(tuple, join.right_slots.clone());
            return next(tuple);
        }
        Ok(flow)
    })
}

fn keys_agree(
    context: &Context,
    keys: &[&JoinKey],
    tuple: &Tuple,
    outer: Option<&Environment<'_>>,
) -> SqlResult<bool> {
    let env = Environment {
        rows: &tuple.rows,
        outer,
    };
    for key in keys {
        let (left, right) = (
            key.left.eval(context, &env)?,
            key.right.eval(context, &env)?,
        );
        if left == Datum::Null
            || right == Datum::Null
            || compare(&left, &right, &key.collation).is_ne()
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The inner side, collected: rows of its slots one after another, chained by the hash of their keys.
#[derive(Default)]
struct Inner {
    width: usize,
    rows: Vec<Row>,
    ids: Vec<RowId>,
    keys: Vec<Datum>,
    heads: HashMap<u64, u32, rustc_hash::FxBuildHasher>,
    chain: Vec<u32>,
    matched: Vec<bool>,
}

const END: u32 = u32::MAX;

impl Inner {
    fn len(&self) -> usize {
        self.chain.len()
    }

    fn place(&self, number: usize, first_slot: usize, tuple: &mut Tuple) {
        for offset in 0..self.width {
            tuple.rows[first_slot + offset] = self.rows[number * self.width + offset].clone();
            tuple.ids[first_slot + offset] = self.ids[number * self.width + offset];
        }
    }
}

fn hash_values(values: &[Datum], keys: &[JoinKey]) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    for (value, key) in values.iter().zip(keys) {
        hash(value, &key.collation, &mut hasher);
    }
    std::hash::Hasher::finish(&hasher)
}

fn collect_inner(
    context: &Context,
    join: &Join,
    tuple: &mut Tuple,
    outer: Option<&Environment<'_>>,
) -> SqlResult<Inner> {
    let mut inner = Inner {
        width: join.right_slots.len(),
        ..Inner::default()
    };
    scan(context, &join.right, tuple, outer, &mut |tuple| {
        let number = inner.len();
        for slot in join.right_slots.clone() {
            inner.rows.push(tuple.rows[slot].clone());
            inner.ids.push(tuple.ids[slot]);
        }
        let env = Environment {
            rows: &tuple.rows,
            outer,
        };
        let first = inner.keys.len();
        for key in &join.keys {
            let value = key.right.eval(context, &env)?;
            inner.keys.push(value);
        }
        inner.matched.push(false);
        if join.keys.is_empty() || inner.keys[first..].contains(&Datum::Null) {
            inner.chain.push(END);
            return Ok(Flow::Continue);
        }
        let head = inner
            .heads
            .entry(hash_values(&inner.keys[first..], &join.keys))
            .or_insert(END);
        inner.chain.push(*head);
        *head = number as u32;
        Ok(Flow::Continue)
    })?;
    Ok(inner)
}

fn by_table(
    context: &Context,
    join: &Join,
    tuple: &mut Tuple,
    outer: Option<&Environment<'_>>,
    next: &mut Consumer<'_>,
) -> SqlResult<Flow> {
    let mut inner = collect_inner(context, join, tuple, outer)?;
    clear(tuple, join.right_slots.clone());
    let keeps_left = matches!(join.kind, JoinKind::Left | JoinKind::Full);
    let keeps_right = matches!(join.kind, JoinKind::Right | JoinKind::Full);
    let first_slot = join.right_slots.start;
    let key_count = join.keys.len();
    let mut values: Vec<Datum> = Vec::with_capacity(key_count);
    let flow = scan(context, &join.left, tuple, outer, &mut |tuple| {
        context.check_cancel()?;
        let mut found = false;
        if key_count == 0 {
            for number in 0..inner.len() {
                context.check_cancel()?;
                inner.place(number, first_slot, tuple);
                if condition_holds(context, join, tuple, outer)? {
                    found = true;
                    inner.matched[number] = true;
                    if next(tuple)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
            }
        } else {
            values.clear();
            let env = Environment {
                rows: &tuple.rows,
                outer,
            };
            for key in &join.keys {
                values.push(key.left.eval(context, &env)?);
            }
            let mut number = if values.contains(&Datum::Null) {
                END
            } else {
                inner
                    .heads
                    .get(&hash_values(&values, &join.keys))
                    .copied()
                    .unwrap_or(END)
            };
            while number != END {
                let at = number as usize;
                let keys = &inner.keys[at * key_count..(at + 1) * key_count];
                let equal = keys
                    .iter()
                    .zip(&values)
                    .zip(&join.keys)
                    .all(|((a, b), key)| compare(a, b, &key.collation).is_eq());
                if equal {
                    inner.place(at, first_slot, tuple);
                    if condition_holds(context, join, tuple, outer)? {
                        found = true;
                        inner.matched[at] = true;
                        if next(tuple)? == Flow::Stop {
                            return Ok(Flow::Stop);
                        }
                    }
                }
                number = inner.chain[at];
            }
        }
        if !found && keeps_left {
            clear(tuple, join.right_slots.clone());
            return next(tuple);
        }
        Ok(Flow::Continue)
    })?;
    if flow == Flow::Stop || !keeps_right {
        return Ok(flow);
    }
    clear(tuple, join.left_slots.clone());
    for number in 0..inner.len() {
        if !inner.matched[number] {
            inner.place(number, first_slot, tuple);
            if next(tuple)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
    }
    Ok(Flow::Continue)
}

/// CROSS APPLY and OUTER APPLY: the right side runs once for each left row.
fn apply(
    context: &Context,
    join: &Join,
    tuple: &mut Tuple,
    outer: Option<&Environment<'_>>,
    next: &mut Consumer<'_>,
) -> SqlResult<Flow> {
    let From::Source {
        index,
        source: Source::Query { plan, .. },
        filter,
    } = &join.right
    else {
        return Err(crate::error::unsupported_clause(
            "APPLY of anything but a derived table",
        ));
    };
    scan(context, &join.left, tuple, outer, &mut |tuple| {
        context.check_cancel()?;
        let rows = tuple.rows.clone();
        let left = Environment { rows: &rows, outer };
        let mut found = false;
        let flow = run_query(context, plan, Some(&left), &mut |row| {
            offer(
                context,
                (*index, 0, Row::from(row)),
                filter.as_ref(),
                tuple,
                outer,
                &mut |tuple| {
                    found = true;
                    next(tuple)
                },
            )
        })?;
        if !found && join.kind == JoinKind::OuterApply {
            clear(tuple, join.right_slots.clone());
            return next(tuple);
        }
        Ok(flow)
    })
}
