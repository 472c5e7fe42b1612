//! What a run may take, and how it ends early: memory, deletions that nobody asked for, further attempts, a stop.
//!
//! Nothing here knows a source, a lake table or a target; it knows events and errors.

pub(crate) mod deletion_guard;
pub(crate) mod memory;
pub(crate) mod retry;
pub(crate) mod stop;
