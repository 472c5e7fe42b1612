//! What becomes of rows between a source and the lake's files: column rules, then transformers; and how a source's
//! columns lie in the lake.
//!
//! The room knows batches, columns and strategies that change rows. Where rows come from, which of them changed and
//! who commits them it does not know.

pub(crate) mod column_rules;
pub(crate) mod fingerprint;
pub(crate) mod layout;
pub(crate) mod operations;
pub(crate) mod run_time;
pub(crate) mod source_columns;
pub(crate) mod transforms;
pub(crate) mod withdrawals;
