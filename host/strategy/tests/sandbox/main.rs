//! Strategies in the sandbox: what is refused at load, what hostile components get, what the shipped ones
//! plan, and what the compile cache trusts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod compile_cache;
mod fixtures;
mod grants;
mod hostile;
mod hostile_description;
mod log;
mod mutations;
mod outside;
mod refused;
mod shipped_detectors;
mod shipped_mergers;
mod transformers;
mod versions;
