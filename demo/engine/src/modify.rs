//! INSERT, UPDATE, DELETE, MERGE: changes are computed on the version that the statement began with, then
//! applied at once.

mod delete;
mod finish;
mod insert;
mod merge;
mod output;
mod row;
mod select_into;
mod settle;
mod trigger;
mod update;

use crate::storage::{Row, RowId};

pub(crate) use row::{RowBuilder, Verb, fit_page};
pub(crate) use settle::Sought;
pub(crate) use update::target_in_from;

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
    /// A new row; its place is given when the statement settles.
    pub(crate) fn inserted(row: Row) -> Self {
        Self {
            id: 0,
            old: None,
            new: Some(row),
            tuple: Vec::new(),
        }
    }

    pub(crate) fn action(&self) -> &'static str {
        match (&self.old, &self.new) {
            (None, _) => "INSERT",
            (_, None) => "DELETE",
            _ => "UPDATE",
        }
    }
}
