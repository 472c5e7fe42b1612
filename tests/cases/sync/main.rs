//! `icehost sync`, from a source table to the lake and on to a target.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod allocations;
mod arguments;
mod clocks;
mod column_rules;
mod cursors;
mod databases;
mod deletions;
mod dry_run;
mod end_to_end;
mod extremes;
mod first_load;
mod history;
mod key_memory;
mod key_spelling;
mod key_spelling_random;
mod keys;
mod lake_maintenance;
mod lake_merge;
mod lost_columns;
mod noticed;
mod open_transactions;
mod read_again;
mod repetition;
mod same_table;
mod strategies;
mod table_kinds;
mod transforms;
mod types;
mod unseen;
mod unsound;
mod visibility;
mod volume;
mod watermarks;
