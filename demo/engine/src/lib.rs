//! the development SQL Server's engine: a T-SQL subset on typed in-memory tables
#![allow(missing_docs)] // field names are SQL Server's own terms; each type says what it is

pub mod bulk;
pub mod error;
pub mod interpreter;
pub mod server;
pub mod session;
pub mod types;

pub use bulk::BulkTarget;
pub use interpreter::Session;
pub use server::Server;
