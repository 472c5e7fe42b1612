//! Strategies in OCI registries: push, pull, lock, and runs of what is locked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bench;
mod debian;
mod documentation;
mod hostile;
mod lock;
mod login;
mod push_pull;
mod signatures;
mod tls;
