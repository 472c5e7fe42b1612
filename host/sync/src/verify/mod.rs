//! Whether source, lake and target agree, found out without writing anything; and, where that is asked for, what is
//! wrong delivered again.
//!
//! The source is read as a run would read it, through column rules and transformers, in one consistent read where the
//! database allows that, and compared with the lake's snapshot. The lake is compared with the target at the snapshot
//! that the target has reached. What differs is told by what becomes of it: the next run takes it away, nobody sees
//! it, or it is wrong.

pub(crate) mod ahead;
pub(crate) mod collisions;
pub(crate) mod compare;
pub(crate) mod options;
pub(crate) mod plans;
pub(crate) mod report;
pub(crate) mod source_half;
pub(crate) mod stops;
pub(crate) mod target_half;
pub(crate) mod verification;

pub use options::VerifyOptions;
pub use report::{Comparison, Difference, Differences, LeftOut, Repaired, Verification};
pub use stops::Stop;
pub use verification::{verify, verify_load};
