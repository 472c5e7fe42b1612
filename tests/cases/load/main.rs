//! `icehost load`, from the lake to a target.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod belonging;
mod bombs;
mod copies;
mod created_types;
mod damage;
mod empty_lake;
mod foreign;
mod histories;
mod memory;
mod other_catalogs;
mod own_rows;
mod positions;
mod respelled;
mod rows;
mod set_back;
mod shared;
mod shared_keys;
mod spelled_in_place;
mod spelling;
mod target_columns;
mod targets;
mod versions;
