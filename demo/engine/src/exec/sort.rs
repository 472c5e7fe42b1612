//! ORDER BY.

use std::rc::Rc;

use super::{Bounds, Flow, compare_keys};
use crate::collation::Collation;
use crate::error::SqlResult;
use crate::plan::OrderKey;
use crate::types::Datum;

/// Collects rows with their sort keys.
pub(super) struct Sorter {
    order: Vec<(bool, Rc<Collation>)>,
    rows: Vec<(Vec<Datum>, Vec<Datum>)>,
}

impl Sorter {
    pub(super) fn new(order: &[OrderKey]) -> Self {
        Self {
            order: order
                .iter()
                .map(|key| (key.descending, key.collation.clone()))
                .collect(),
            rows: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, keys: Vec<Datum>, row: Vec<Datum>) {
        self.rows.push((keys, row));
    }

    /// Sorts, and emits the rows within the bounds.
    pub(super) fn emit(
        mut self,
        bounds: &Bounds,
        emit: &mut dyn FnMut(&[Datum]) -> SqlResult<Flow>,
    ) -> SqlResult<Flow> {
        let order = &self.order;
        self.rows.sort_by(|a, b| compare_keys(&a.0, &b.0, order));
        let start = usize::try_from(bounds.skip)
            .unwrap_or(usize::MAX)
            .min(self.rows.len());
        let mut end = match bounds.count {
            Some(count) => start
                .saturating_add(usize::try_from(count).unwrap_or(usize::MAX))
                .min(self.rows.len()),
            None => self.rows.len(),
        };
        if bounds.with_ties && end > start {
            let last = self.rows[end - 1].0.clone();
            while end < self.rows.len() && compare_keys(&last, &self.rows[end].0, order).is_eq() {
                end += 1;
            }
        }
        for (_, row) in &self.rows[start..end] {
            if emit(row)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }
}
