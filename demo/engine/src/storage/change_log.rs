//! What an open transaction has changed of a table, statement by statement.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Row, RowId};

/// Rows by place; `None` is a deleted one.
pub(crate) type Changed = Vec<(RowId, Option<Row>)>;

#[derive(Debug)]
struct Entry {
    before: ChangeLog,
    changes: Changed,
}

/// A list that grows at its end. A copy costs nothing, so each statement and savepoint keeps one to go back to.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChangeLog(Option<Arc<Entry>>);

impl ChangeLog {
    pub(crate) fn push(&mut self, changes: Changed) {
        let before = self.clone();
        self.0 = Some(Arc::new(Entry { before, changes }));
    }

    /// What has become of each row that was changed, by place.
    pub(crate) fn net(&self) -> BTreeMap<RowId, Option<Row>> {
        let mut net = BTreeMap::new();
        let mut entry = &self.0;
        while let Some(current) = entry {
            for (id, row) in current.changes.iter().rev() {
                net.entry(*id).or_insert_with(|| row.clone());
            }
            entry = &current.before.0;
        }
        net
    }
}

impl Drop for ChangeLog {
    /// One entry after the other: a chain of many would overflow the stack.
    fn drop(&mut self) {
        let mut entry = self.0.take();
        while let Some(mut last) = entry.and_then(Arc::into_inner) {
            entry = last.before.0.take();
        }
    }
}
