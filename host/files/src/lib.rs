//! Files that are there whole or not at all, locks, and threads that may block.
//!
//! What every crate that keeps files needs alike, so that none has an `fsync` less than another: a file is
//! [replaced](replace) or [created](create) as a whole, [directories](create_directories) are made durable with
//! what is in them, a [`Lock`] is gone with the process that holds it, and [`blocking`] work runs where it may.
//! The places where tests make a run [fail](failpoint) are listed here, too, since all crates have some.

mod atomic;
pub mod blocking;
mod directory;
pub mod failpoint;
mod left_over;
mod lock;

pub use atomic::{Kind, create, replace, replace_all};
pub use blocking::{ThreadFailed, blocking};
pub use directory::{create_directories, sync_directory};
pub use failpoint::failpoint;
pub use left_over::remove_left_over;
pub use lock::Lock;
