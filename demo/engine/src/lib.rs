//! the development SQL Server's engine: a T-SQL subset on typed in-memory tables
#![allow(missing_docs)] // field names are SQL Server's own terms; each type says what it is

mod ast;
mod bind;
pub mod bulk;
mod catalog;
mod collation;
mod compare;
mod context;
mod convert;
mod datetime;
mod decimal;
pub mod error;
mod eval;
mod exec;
mod frame;
mod functions;
pub mod interpreter;
mod lexer;
mod locks;
mod modify;
mod money;
mod parser;
mod plan;
pub mod server;
pub mod session;
mod storage;
mod transaction;
mod type_rules;
pub mod types;

pub use bulk::BulkTarget;
pub use interpreter::Session;
pub use server::Server;
