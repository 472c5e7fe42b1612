//! Plans into T-SQL. Nothing here talks to a server, and nothing but this module writes statements from
//! plans: values are always parameters, names always quoted.

mod catalog;
mod checksum;
pub(crate) mod ddl;
mod expression;
mod extraction;
pub(crate) mod keys;
pub(crate) mod literal;
pub(crate) mod merge;
mod permissions;
mod probe;
mod ranges;
pub(crate) mod staging;

pub use catalog::{
    base_columns, row_estimate, row_filters, schema_is_there, synonym, table_traits,
};
pub use checksum::checksums;
pub use ddl::{NewColumn, create_table};
pub(crate) use expression::{Lowering, Operand};
pub use extraction::extraction;
pub(crate) use extraction::{asked_aggregates, computed_from_rows, rows};
pub use keys::{repeated_key, same_keys};
pub use merge::{
    AbsentStatements, IdentityCheck, MergeChecks, MergeStatements, OneKeyStatements, Spelling,
    SpellingStatements, check_inserts, come_again, merge, one_key, spellings,
};
pub use permissions::{create_permissions, table_permissions, unmask_permissions};
pub use probe::{count_of, probes, snapshot_isolation, updateability};
pub use ranges::range_boundaries;
pub use staging::check_kinds;
