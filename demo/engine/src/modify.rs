//! INSERT, UPDATE, DELETE, MERGE: changes are computed on the version that the statement began with, then
//! applied at once.

mod delete;
mod finish;
mod insert;
mod merge;
mod output;
mod row;
mod select_into;
mod trigger;
mod update;

use crate::storage::{Row, RowId};

pub(crate) use row::{RowBuilder, Verb};

/// What happened to one row.
#[derive(Debug, Clone)]
pub(crate) struct RowChange {
    pub(crate) id: RowId,
    pub(crate) old: Option<Row>,
    pub(crate) new: Option<Row>,
    /// The FROM row that led to it, kept where OUTPUT may read it.
    pub(crate) tuple: Vec<Row>,
}

impl RowChange {
    pub(crate) fn action(&self) -> &'static str {
        match (&self.old, &self.new) {
            (None, _) => "INSERT",
            (_, None) => "DELETE",
            _ => "UPDATE",
        }
    }
}
