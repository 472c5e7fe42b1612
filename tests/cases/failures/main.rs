//! Runs that fail, crash or are stopped: nothing advances without its data, and the next run finishes the
//! job.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod anywhere;
mod away;
mod cancellation;
mod failpoints;
mod faults;
mod files;
mod first_load;
mod first_runs;
mod floods;
mod left_over;
mod no_sql_server;
mod resumed;
mod shortage;
mod stalls;
mod stands;
mod taken_names;
