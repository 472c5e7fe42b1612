//! The source as its server has it: opened, described and probed, with what its names and its clock are worth.
//!
//! The room knows the source's server and what watermarks say of it. Which rows changed, and what becomes of them, it
//! does not know.

pub(crate) mod ahead_of_clock;
pub(crate) mod created_again;
pub(crate) mod open;
pub(crate) mod same_table;
pub(crate) mod server_clock;
