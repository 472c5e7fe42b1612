//! Builds strategy crates into WebAssembly components.
//!
//! [`build`] runs cargo for `wasm32-unknown-unknown` and [`encode`]s the core module that comes out. Such a
//! component has no WASI import at all, so the list of its imports is the whole of what it can reach.

mod build;
mod encode;
mod environment;
mod error;
mod toolchain;

pub use build::{BuildOptions, Built, CargoOutput, build};
pub use encode::{encode, is_component, is_core_module};
pub use error::Error;
pub use toolchain::{TARGET, Toolchain};
