//! Tables in memory.
//!
//! A table's contents are an immutable [`TableVersion`] behind an `Arc`: readers keep the version that they
//! began with, writers copy the chunks that they touch. So a snapshot costs one reference count, a rolled
//! back statement or transaction is a version that nobody publishes, and readers never see half a change. Where
//! several transactions write to one table, each keeps a [`ChangeLog`] of the rows that it holds, and puts it on
//! whatever the others have published when it commits.

mod change_log;
mod database;
mod definition;
mod index;
mod rows;
mod security;
mod table;
mod version;

pub(crate) use change_log::{ChangeLog, Changed};
pub(crate) use database::{Database, Recovery, SnapshotState, Synonym, Writing};
pub(crate) use definition::{
    Check, Column, Computed, Default, Generated, IndexDefinition, IndexKind, Special,
    TableDefinition, Trigger, ViewDefinition,
};
pub(crate) use rows::{Row, RowId, Rows};
pub(crate) use security::{Filter, FilterFunction, Policy, Security};
pub(crate) use table::{IdentityCounter, Pending, Table, TableKind};
pub(crate) use version::{Change, TableVersion};
