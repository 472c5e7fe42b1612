//! What every storage and every catalog must do.

mod answers;
mod catalog;
mod storage;

pub use catalog::catalog_contract;
pub use storage::storage_contract;
