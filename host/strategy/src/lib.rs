//! The WebAssembly host: a component in, a validated plan out.
//!
//! [`Runtime`] loads strategies and bounds what they may use; [`Grants`] what they may see. A [`Strategy`] is a
//! [`ChangeDetector`] or a [`Merger`], whose every call runs in a fresh sandbox and comes back as one of the
//! checked forms of [`icehost_plan`], or a [`BatchTransformer`], which keeps a sandbox for as long as nothing goes
//! wrong in it. A component is never trusted: it imports nothing but the log, and whatever it does wrong ends as a
//! [`StrategyError`] that says what it was.
//!
//! This crate knows nothing of SQL Server or Iceberg.

mod bindings;
mod cache;
mod call;
mod compile;
mod contract;
mod convert;
mod description;
mod detector;
mod error;
mod functions;
mod grants;
mod guest_log;
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

pub use compile::{Compiler, run_compiler};
pub use contract::{CONTRACT_VERSION, Kind, PREVIOUS_CONTRACT_VERSIONS};
pub use description::Description;
pub use detector::{ChangeDetector, Context};
pub use error::{FailureKind, Operation, StrategyError, Terms, TrapReason};
pub use grants::Grants;
pub use limits::Limits;
pub use load_error::LoadError;
pub use merger::Merger;
pub use options::Options;
pub use options_schema::{OptionDescription, OptionsSchema};
pub use runtime::{Runtime, RuntimeOptions};
pub use strategy::Strategy;
pub use transform::{BatchTransformer, Transform, Transformed};
pub use usage::Usage;

/// What reads a component's answers, for `tests/fuzz`.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    use arrow_array::RecordBatch;
    use arrow_schema::SchemaRef;

    /// A transformer's columns.
    pub fn batch_stream(
        bytes: Vec<u8>,
        schema: &SchemaRef,
        rows: usize,
    ) -> Result<RecordBatch, String> {
        crate::transform::decode(bytes, schema, rows)
    }

    /// What a component says of itself.
    pub fn description(name: &str, version: &str, summary: &str, schema: &str) {
        let _ = crate::Description::check(name, version, summary, schema);
    }
}
