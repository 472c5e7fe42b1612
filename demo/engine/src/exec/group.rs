//! GROUP BY.

use std::collections::HashMap;

use super::accumulate::Accumulator;
use super::{Flow, for_each_tuple};
use crate::compare::Key;
use crate::context::Context;
use crate::error::SqlResult;
use crate::plan::{Environment, Grouping, SelectPlan};
use crate::storage::Row;
use crate::types::Datum;

/// Forms the groups; each becomes a row of its keys and its aggregates, in order of first appearance.
pub(super) fn run(
    context: &Context,
    plan: &SelectPlan,
    grouping: &Grouping,
    outer: Option<&Environment<'_>>,
) -> SqlResult<Vec<Row>> {
    let fresh =
        || -> Vec<Accumulator> { grouping.aggregates.iter().map(Accumulator::new).collect() };
    let mut places: HashMap<Key, usize, rustc_hash::FxBuildHasher> = HashMap::default();
    let mut groups: Vec<(Vec<Datum>, Vec<Accumulator>)> = Vec::new();
    if grouping.scalar {
        groups.push((Vec::new(), fresh()));
    }
    for_each_tuple(context, plan, outer, &mut |tuple| {
        let env = Environment {
            rows: &tuple.rows,
            outer,
        };
        let place = if grouping.scalar {
            0
        } else {
            let values: Vec<Datum> = grouping
                .keys
                .iter()
                .map(|key| key.eval(context, &env))
                .collect::<SqlResult<_>>()?;
            let key = Key {
                values,
                collations: grouping.collations.clone(),
            };
            match places.get(&key) {
                Some(place) => *place,
                None => {
                    groups.push((key.values.clone(), fresh()));
                    places.insert(key, groups.len() - 1);
                    groups.len() - 1
                }
            }
        };
        for (accumulator, aggregate) in groups[place].1.iter_mut().zip(&grouping.aggregates) {
            accumulator.add(context, aggregate, &env)?;
        }
        Ok(Flow::Continue)
    })?;
    let mut rows = Vec::with_capacity(groups.len());
    for (mut values, accumulators) in groups {
        for (accumulator, aggregate) in accumulators.into_iter().zip(&grouping.aggregates) {
            values.push(accumulator.finish(aggregate)?);
        }
        rows.push(Row::from(values));
    }
    Ok(rows)
}
