//! Tables in memory.
//!
//! A table's contents are an immutable [`TableVersion`] behind an `Arc`: readers keep the version that they
//! began with, writers copy the chunks that they touch. So a snapshot costs one reference count, a rolled
//! back statement or transaction is a version that nobody publishes, and readers never see half a change.

mod database;
mod definition;
mod index;
mod rows;
mod table;
mod version;

pub(crate) use database::{Database, Recovery, SnapshotState, Writing};
pub(crate) use definition::{
    Check, Column, Computed, Default, IndexDefinition, IndexKind, TableDefinition, Trigger,
};
pub(crate) use rows::{Row, RowId, Rows};
pub(crate) use table::{Table, TableKind};
pub(crate) use version::{Change, TableVersion};
