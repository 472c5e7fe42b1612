//! Judges of others: Microsoft's T-SQL parser on what we send, and this repository on what it promises.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fuzz_lock;
mod guarantees;
mod house;
mod security;
mod setup;
// .NET and the parser come for x86-64.
#[cfg(target_arch = "x86_64")]
mod tsql;
