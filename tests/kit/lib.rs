//! The kit that the end-to-end cases share: a server, two databases, a warehouse, and the program under
//! test as a process of its own.
//!
//! Cases go through the front door: the command line, a TDS connection, files. The server is the
//! development SQL Server in this process, or the one that `ICEHOST_TEST_SQLSERVER` names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken bed fails the test

mod bed;
pub mod customers;
mod files;
mod judge;
pub mod maintenance;
mod program;
pub mod proxy;
mod readers;
pub mod registry;
mod sql;

pub use bed::{Bed, READER, WRITER};
pub use files::{assert_nowhere, below, blocks};
pub use program::{Command, Run, program, program_named};
pub use readers::{Dump, python_script, python_text};
pub use sql::Client;
