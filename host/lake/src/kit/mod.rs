//! For tests: a storage and a catalog in memory, either of them with faults, and the suites that every
//! implementation must pass. Behind the feature `test-kit`.
//!
//! Another crate's storage or catalog is held to the same by
//! [`storage_contract`](contract::storage_contract) and [`catalog_contract`](contract::catalog_contract), which
//! panic where something is not as it must be.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc
)]

pub mod contract;
mod faults;
mod memory_catalog;
mod memory_storage;
mod rows;

pub use contract::{catalog_contract, storage_contract};
pub use faults::{CommitFault, FaultyCatalog, FaultyStorage, Operation, StorageFault};
pub use memory_catalog::MemoryCatalog;
pub use memory_storage::MemoryStorage;
pub use rows::{append_ids, ids_of, numbers};
