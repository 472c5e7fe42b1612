//! The WebAssembly host: a component in, a validated plan out.
//!
//! [`Runtime`] loads strategies and bounds what they may use. A [`Strategy`] is a [`ChangeDetector`] or a
//! [`Merger`], whose every call runs in a fresh sandbox and comes back as one of the checked forms of
//! [`icehost_plan`], or a [`BatchTransformer`], which keeps a sandbox for as long as nothing goes wrong in it. A component is never trusted: it imports nothing but the log, and
//! whatever it does wrong ends as a [`StrategyError`] that says what it was.
//!
//! This crate knows nothing of SQL Server or Iceberg.

mod bindings;
mod cache;
mod call;
mod contract;
mod convert;
mod description;
mod detector;
mod error;
mod functions;
mod guest_log;
mod guest_text;
mod limits;
mod load;
mod load_error;
mod merger;
mod options;
mod options_schema;
mod runtime;
mod strategy;
mod transform;
mod usage;

pub use contract::{CONTRACT_VERSION, Kind, PREVIOUS_CONTRACT_VERSION};
pub use description::Description;
pub use detector::{ChangeDetector, Context};
pub use error::{FailureKind, Operation, StrategyError, TrapReason};
pub use limits::Limits;
pub use load_error::LoadError;
pub use merger::Merger;
pub use options::Options;
pub use options_schema::{OptionDescription, OptionsSchema};
pub use runtime::{Runtime, RuntimeOptions};
pub use strategy::Strategy;
pub use transform::{BatchTransformer, Transform, Transformed};
pub use usage::Usage;
