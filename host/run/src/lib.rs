//! Running pipelines: whatever starts them, a command line or a service.
//!
//! A [`Runner`] opens what an [`icehost_config::Pipeline`] names, connections, components and lakes, and runs it; a
//! [`schedule()`] runs many, so many at a time, and [`check()`] looks what would stand in their way. Everything that is done
//! side by side is done by one loop, [`bounded()`]. A failure is a [`RunError`]: what failed, why, what to do, and an
//! [`ErrorKind`] to go by.
//!
//! Components are compiled by a process of their own. A program that gives [`this_program`] to its [`Caches`] asks
//! [`compile_if_asked`] first.

mod bounded;
mod caches;
mod check;
mod compiler;
mod error;
mod job;
mod kind;
mod registry;
mod runner;
mod schedule;
mod strategies;

pub use bounded::{Bounded, Ended, NotDone, bounded};
pub use caches::Caches;
pub use check::{Found, check};
pub use compiler::{compile_if_asked, this_program};
pub use error::RunError;
pub use job::{ThisRun, watermark_store};
pub use kind::ErrorKind;
pub use registry::{Registry, at_component, registered, tell_moved};
pub use runner::{Delivery, Runner};
pub use schedule::{Done, PIPELINE, Schedule, schedule};
pub use strategies::{Strategies, limits, load, options, shipped_names, strategy_bytes};
