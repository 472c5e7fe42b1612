//! Lake and target: how far the target has followed, what is compared of them, by which rules, and what a repair writes.

pub(crate) mod both;
pub(crate) mod came;
pub(crate) mod compare;
pub(crate) mod identity;
pub(crate) mod permitted;
pub(crate) mod planned;
pub(crate) mod position;
pub(crate) mod rehearsal;
pub(crate) mod repair;
pub(crate) mod rules;
pub(crate) mod undelivered;
pub(crate) mod versions;
pub(crate) mod written;
