//! How far a source has been read: what a watermark says, where it stands beside the rows that it speaks of, and who
//! keeps copies.
//!
//! The room knows lake tables, by their snapshots and properties, and of a source what it is called. It knows no strategy
//! and no job.

pub(crate) mod directory;
pub(crate) mod find;
pub(crate) mod place;
pub(crate) mod record;
pub(crate) mod row_shape;
pub(crate) mod stale_mark;
pub(crate) mod store;
pub(crate) mod ways_on;
pub(crate) mod write;
