//! The development SQL Server's engine: a T-SQL subset on typed in-memory tables.
//!
//! It is not SQL Server. It exists so that tests and demonstrations run anywhere, and it must never
//! flatter what runs on it: what it models it models with SQL Server's own types, rules and error numbers,
//! and what it does not model it refuses with an error of class 16 whose number is 501xx (see [`error`]).
//!
//! [`Server`] holds databases, [`Session`] executes batches and hands what they produce to a
//! [`session::ResultSink`]. Nothing here does I/O; a session is synchronous and may block on locks.
//!
//! A statement goes from text to tokens (`lexer`), to syntax (`parser`, `ast`), to a plan with settled
//! names, types and conversions (`bind`, `plan`), and is then run (`exec` for queries, `modify` for changes,
//! `interpreter` for everything else). Tables are immutable versions (`storage`), which is how rollback and
//! SNAPSHOT isolation work.
//!
//! # Where it differs from SQL Server on purpose
//!
//! - Writers lock rows and keys; ranges of keys and rows that were only read are locked by the table, which
//!   blocks more than SQL Server does. Who scans waits for the transactions that hold rows of the table when the
//!   scan begins, whatever index SQL Server would have used; a reader under READ COMMITTED sees one version of a
//!   table for the whole statement, and under READ_COMMITTED_SNAPSHOT each table as it is when the statement
//!   comes to it. See `locks`.
//! - Whether two texts are equal is answered exactly or refused (50107), their order is exact for letters of one
//!   script and for digits. `collation` says which collations and characters are known; `varchar` is code page
//!   1252.
//! - Rows come back in the order of their insertion where no ORDER BY says otherwise.
//! - Computed columns are computed when their row is written, PERSISTED or not.
//! - The clock's time zone is an offset without rules, UTC unless set (`clock`).
#![allow(missing_docs)] // field names are SQL Server's own terms; each type says what it is

mod ast;
mod bind;
pub mod bulk;
mod catalog;
mod clock;
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
mod masking;
mod modify;
mod money;
mod parser;
mod plan;
mod result_identity;
pub mod server;
pub mod session;
mod storage;
mod transaction;
mod type_rules;
pub mod types;

pub use bulk::BulkTarget;
pub use clock::Clock;
pub use interpreter::Session;
pub use result_identity::ResultIdentity;
pub use server::Server;
