//! `icehost.toml`: `icehost sync --config` and `icehost check`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arguments;
mod check;
mod discovery;
mod documentation;
mod file;
mod kinds;
mod lake_files;
mod lake_tables;
mod manual;
mod pipelines;
mod secrets;
mod size;
mod speech;
mod strangers;
mod strategies;
mod tenants;
mod usage;
mod variables;
mod warehouses;
mod wrong_inputs;
