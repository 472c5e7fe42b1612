//! `icehost-devserver`, the development SQL Server as a program.
fn main() {}
