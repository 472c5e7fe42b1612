//! The delivery from the lake to a target: where it starts, what it brings, how that lands, and what must not be lost
//! or doubled there.
//!
//! The room knows the lake table and the target. It knows no source but by what the lake says of it.

pub(crate) mod asked_keys;
pub(crate) mod collided;
pub(crate) mod delta;
pub(crate) mod expected;
pub(crate) mod hashed;
pub(crate) mod key_doubts;
pub(crate) mod landing;
pub(crate) mod landing_digest;
pub(crate) mod loading;
pub(crate) mod loss;
pub(crate) mod moved_rows;
pub(crate) mod newest;
pub(crate) mod origin;
pub(crate) mod own_key;
pub(crate) mod permissions;
pub(crate) mod position;
pub(crate) mod staging;
pub(crate) mod start;
pub(crate) mod table;
pub(crate) mod task;
pub(crate) mod terms;
pub(crate) mod wanted;
