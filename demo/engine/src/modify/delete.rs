//! DELETE.

use std::collections::HashSet;

use super::RowChange;
use crate::ast::Delete;
use crate::error::SqlResult;
use crate::exec::{Flow, NO_ROW, for_each_tuple};
use crate::interpreter::{Batch, command};

impl Batch<'_> {
    pub(crate) fn delete(&mut self, delete: &Delete) -> SqlResult<()> {
        let (target, known_as, inside) =
            self.open_from_target(&delete.target, &delete.from, &delete.with)?;
        let context = self.context();
        let place = (&target, known_as.as_ref(), inside);
        let rows = self.bind_target_rows(
            &context,
            place,
            &delete.from,
            delete.filter.as_ref(),
            &delete.with,
            true,
        )?;
        let output = self.bind_output(&context, delete.output.as_ref(), &target, &rows.sources)?;
        let limit = self.top_limit(delete.top.as_ref())?;
        let mut changes: Vec<RowChange> = Vec::new();
        let mut seen: HashSet<u64, rustc_hash::FxBuildHasher> = HashSet::default();
        let keep_tuple = output.is_some();
        for_each_tuple(&context, &rows.plan, None, &mut |tuple| {
            if limit.is_some_and(|limit| changes.len() as u64 >= limit) {
                return Ok(Flow::Stop);
            }
            let id = tuple.ids[rows.slot];
            if id != NO_ROW && seen.insert(id) {
                let old = Some(tuple.rows[rows.slot].clone());
                let tuple = if keep_tuple {
                    tuple.rows.clone()
                } else {
                    Vec::new()
                };
                changes.push(RowChange {
                    id,
                    old,
                    new: None,
                    tuple,
                });
            }
            Ok(Flow::Continue)
        })?;
        self.finish_modification(
            &context,
            &target,
            changes,
            output.as_ref(),
            (command::DELETE, &[]),
        )
    }
}
