//! Temporary tables: `#t`, each belonging to the batch level that made it.

use std::sync::Arc;

use super::Session;
use crate::storage::Table;

#[derive(Debug, Clone)]
pub(crate) struct TemporaryTable {
    /// The nesting level of the batch that made it; it goes when that batch ends.
    pub(crate) level: i32,
    pub(crate) table: Arc<Table>,
}

impl Session {
    /// The temporary table of that name, innermost first.
    pub(crate) fn temporary_table(&self, name: &str) -> Option<Arc<Table>> {
        let folded = name.to_lowercase();
        self.temporary
            .iter()
            .rev()
            .find(|temporary| temporary.table.name.to_lowercase() == folded)
            .map(|temporary| temporary.table.clone())
    }

    /// Drops what was made since the list had `mark` entries.
    pub(crate) fn drop_temporary_from(&mut self, mark: usize) {
        for gone in self.temporary.split_off(mark.min(self.temporary.len())) {
            if let Some(transaction) = &mut self.transaction {
                transaction.written.remove(&gone.table.id);
            }
        }
    }
}
