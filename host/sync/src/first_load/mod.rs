//! The first load of a table, in ranges of its key: several connections at once, and resumable.
//!
//! All ranges are read under the upper bound that the change detector probed before: a row that changes
//! afterwards moves above it and belongs to the next run, wherever the load is by then. So connections need
//! not share one view of the table, and a range that was read yesterday fits one that is read today.
//!
//! A range that has been read stays in its files and in the [journal](journal) until all are in.
//!
//! The room knows everything that reading in one piece knows, and what to do with a delta that is too large for that.

pub(crate) mod begin;
pub(crate) mod journal;
pub(crate) mod load;
pub(crate) mod observed;
pub(crate) mod range;
pub(crate) mod resume;
pub(crate) mod route;
pub(crate) mod scheduler;
pub(crate) mod snapshots;
