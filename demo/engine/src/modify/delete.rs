//! DELETE.

use std::collections::HashSet;

use super::RowChange;
use crate::ast::Delete;
use crate::error::SqlResult;
use crate::exec::{Flow, NO_ROW, for_each_tuple};
use crate::interpreter::{Access, Batch, OpenTable, command};

impl Batch<'_> {
    pub(crate) fn delete(&mut self, delete: &Delete) -> SqlResult<()> {
        self.settled(|batch, access| batch.try_delete(delete, access))
    }

    fn try_delete(&mut self, delete: &Delete, access: Access) -> SqlResult<()> {
        let (mut target, known_as, inside) = self.open_from_target(
            &delete.target,
            &delete.from,
            &delete.with,
            access.at_first(),
        )?;
        self.refuse_if_filtered(&target.table)?;
        self.refuse_if_history(&target, "DELETE")?;
        let context = self.context();
        let bind = |batch: &mut Self, target: &OpenTable| {
            batch.bind_target_rows(
                &context,
                (target, known_as.as_ref(), inside),
                &delete.from,
                delete.filter.as_ref(),
                &delete.with,
                true,
            )
        };
        let mut rows = bind(self, &target)?;
        if self.reach_rows(&context, &mut target, &rows, access)? {
            rows = bind(self, &target)?;
        }
        crate::masking::refuse_in_change(&context, &rows.plan)?;
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
