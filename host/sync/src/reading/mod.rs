//! The rows that changed, read in one piece into files that no snapshot refers to yet; with those that must be read
//! again, or by their keys, so that none is missed, and what the counts on both sides tell.
//!
//! The room knows what was detected. It commits nothing.

pub(crate) mod by_key;
pub(crate) mod counts;
pub(crate) mod delta;
pub(crate) mod filled_in;
pub(crate) mod moved_back;
pub(crate) mod options;
pub(crate) mod preparation;
pub(crate) mod read_again;
pub(crate) mod transfer;
pub(crate) mod warnings;
