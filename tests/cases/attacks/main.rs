//! What strangers send: it controls no terminal, shows no secret, and keeps no run waiting.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bombs;
mod configurations;
mod files;
mod originals;
mod secrets;
mod terminal;
