//! `icehost load`, from the lake to a target.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod belonging;
mod copies;
mod damage;
mod empty_lake;
mod foreign;
mod histories;
mod memory;
mod other_catalogs;
mod positions;
mod respelled;
mod rows;
mod shared;
mod spelling;
mod targets;
mod versions;
