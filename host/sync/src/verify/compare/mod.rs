//! Two sides compared: their rows read, counted and added up by buckets of their keys, and what differs judged.
//!
//! The room knows how the rows of a source, a lake table and a target are read, and rules by which differences are
//! judged. Where the rules come from it does not know.

pub(crate) mod apart;
pub(crate) mod class;
pub(crate) mod entry;
pub(crate) mod fold;
pub(crate) mod hash;
pub(crate) mod judge;
pub(crate) mod newest;
pub(crate) mod order;
pub(crate) mod overwrites;
pub(crate) mod rows;
pub(crate) mod shape;
pub(crate) mod states;
pub(crate) mod sums;
pub(crate) mod text;
pub(crate) mod two_sides;
pub(crate) mod wrong_keys;
