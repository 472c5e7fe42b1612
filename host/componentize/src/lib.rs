//! Builds strategies into WebAssembly components.
//!
//! [`build`] tells the language of a directory by its manifest and runs the tools of that language: cargo for
//! `wasm32-unknown-unknown`, ComponentizeJS, componentize-py or clang. What comes out has no WASI import at
//! all, so the list of its imports is the whole of what it can reach. [`encode`] makes a component of a core
//! module.

mod bindings;
mod build;
mod c;
mod encode;
mod environment;
mod error;
mod fresh;
mod javascript;
mod project;
mod python;
mod rust;
mod tool;
mod toolchain;

pub use bindings::sdk_bindings;
pub use build::{BuildOptions, Built, ToolOutput, build};
pub use encode::{encode, is_component, is_core_module};
pub use error::Error;
pub use project::Language;
pub(crate) use project::Project;
pub use toolchain::{TARGET, Toolchain};
