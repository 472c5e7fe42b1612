//! Window functions, over rows that are all there.

use std::collections::HashMap;
use std::rc::Rc;

use super::accumulate::Accumulator;
use super::{compare_keys, empty_row};
use crate::collation::Collation;
use crate::compare::Key;
use crate::context::Context;
use crate::error::SqlResult;
use crate::plan::{Environment, WindowFunction, WindowPlan};
use crate::storage::Row;
use crate::types::Datum;

/// Computes every window and appends its values to each input as one more row.
pub(super) fn attach(
    context: &Context,
    windows: &[WindowPlan],
    inputs: &mut [Vec<Row>],
    outer: Option<&Environment<'_>>,
) -> SqlResult<()> {
    let mut values: Vec<Vec<Datum>> = vec![Vec::with_capacity(windows.len()); inputs.len()];
    for input in inputs.iter_mut() {
        input.push(empty_row());
    }
    for window in windows {
        for (number, value) in compute(context, window, inputs, outer)?
            .into_iter()
            .enumerate()
        {
            values[number].push(value);
        }
    }
    for (input, values) in inputs.iter_mut().zip(values) {
        if let Some(last) = input.last_mut() {
            *last = Row::from(values);
        }
    }
    Ok(())
}

fn compute(
    context: &Context,
    window: &WindowPlan,
    inputs: &[Vec<Row>],
    outer: Option<&Environment<'_>>,
) -> SqlResult<Vec<Datum>> {
    let mut partitions: HashMap<Key, Vec<usize>> = HashMap::new();
    let mut sort_keys: Vec<Vec<Datum>> = Vec::with_capacity(inputs.len());
    for (number, rows) in inputs.iter().enumerate() {
        let env = Environment { rows, outer };
        let values = window
            .partition
            .iter()
            .map(|key| key.eval(context, &env))
            .collect::<SqlResult<_>>()?;
        partitions
            .entry(Key {
                values,
                collations: window.collations.clone(),
            })
            .or_default()
            .push(number);
        sort_keys.push(
            window
                .order
                .iter()
                .map(|key| key.expr.eval(context, &env))
                .collect::<SqlResult<_>>()?,
        );
    }
    let order: Vec<(bool, Rc<Collation>)> = window
        .order
        .iter()
        .map(|key| (key.descending, key.collation.clone()))
        .collect();
    let mut results = vec![Datum::Null; inputs.len()];
    for (_, mut members) in partitions {
        members.sort_by(|a, b| compare_keys(&sort_keys[*a], &sort_keys[*b], &order));
        let partition = Partition {
            context,
            inputs,
            outer,
            members: &members,
            sort_keys: &sort_keys,
            order: &order,
        };
        partition.compute(window, &mut results)?;
    }
    Ok(results)
}

struct Partition<'a> {
    context: &'a Context,
    inputs: &'a [Vec<Row>],
    outer: Option<&'a Environment<'a>>,
    members: &'a [usize],
    sort_keys: &'a [Vec<Datum>],
    order: &'a [(bool, Rc<Collation>)],
}

impl Partition<'_> {
    fn env(&self, place: usize) -> Environment<'_> {
        Environment {
            rows: &self.inputs[self.members[place]],
            outer: self.outer,
        }
    }

    /// The end of the run of peers that starts at `start`.
    fn peers_end(&self, start: usize) -> usize {
        let first = &self.sort_keys[self.members[start]];
        (start + 1..self.members.len())
            .find(|place| {
                compare_keys(first, &self.sort_keys[self.members[*place]], self.order).is_ne()
            })
            .unwrap_or(self.members.len())
    }

    fn compute(&self, window: &WindowPlan, results: &mut [Datum]) -> SqlResult<()> {
        match &window.function {
            WindowFunction::RowNumber => {
                for (place, member) in self.members.iter().enumerate() {
                    results[*member] = Datum::BigInt(place as i64 + 1);
                }
            }
            WindowFunction::Rank | WindowFunction::DenseRank => {
                let (mut start, mut dense) = (0, 0);
                while start < self.members.len() {
                    let end = self.peers_end(start);
                    dense += 1;
                    let rank = if matches!(window.function, WindowFunction::Rank) {
                        start as i64 + 1
                    } else {
                        dense
                    };
                    for member in &self.members[start..end] {
                        results[*member] = Datum::BigInt(rank);
                    }
                    start = end;
                }
            }
            WindowFunction::Ntile(tiles) => {
                let tiles = match tiles.eval(self.context, &self.env(0))? {
                    Datum::BigInt(tiles) if tiles > 0 => tiles as usize,
                    _ => {
                        return Err(crate::session::SqlError::new(
                            5221,
                            16,
                            1,
                            "The function 'ntile' takes only a positive int or bigint expression as its input.",
                        ));
                    }
                };
                let (size, larger) = (self.members.len() / tiles, self.members.len() % tiles);
                for (place, member) in self.members.iter().enumerate() {
                    let tile = if place < larger * (size + 1) {
                        place / (size + 1)
                    } else {
                        larger + (place - larger * (size + 1)) / size.max(1)
                    };
                    results[*member] = Datum::BigInt(tile as i64 + 1);
                }
            }
            WindowFunction::Shift {
                value,
                step,
                default,
                back,
            } => {
                for (place, member) in self.members.iter().enumerate() {
                    let step = match step.eval(self.context, &self.env(place))? {
                        Datum::BigInt(step) => step,
                        _ => 0,
                    };
                    let from = place as i64 + if *back { -step } else { step };
                    results[*member] = match usize::try_from(from)
                        .ok()
                        .filter(|from| *from < self.members.len())
                    {
                        Some(from) => value.eval(self.context, &self.env(from))?,
                        None => default.eval(self.context, &self.env(place))?,
                    };
                }
            }
            WindowFunction::First(value) => {
                let first = value.eval(self.context, &self.env(0))?;
                for member in self.members {
                    results[*member] = first.clone();
                }
            }
            WindowFunction::Aggregate(aggregate) => {
                let mut running = Accumulator::new(aggregate);
                let mut start = 0;
                while start < self.members.len() {
                    // Without an order the frame is the whole partition, with one it ends at the row's last peer.
                    let end = if window.order.is_empty() {
                        self.members.len()
                    } else if window.rows_frame {
                        start + 1
                    } else {
                        self.peers_end(start)
                    };
                    for place in start..end {
                        running.add(self.context, aggregate, &self.env(place))?;
                    }
                    let value = running.clone().finish(aggregate)?;
                    for member in &self.members[start..end] {
                        results[*member] = value.clone();
                    }
                    start = end;
                }
            }
        }
        Ok(())
    }
}
