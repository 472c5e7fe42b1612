//! The configuration file, `icehost.toml`: connections, pipelines, strategies and tenants.
//!
//! [`Config::read`] reads a file and gives every [`Pipeline`] in it, references resolved and settings
//! checked, or every [`Problem`] that it found, each with its line and column. The same [`Pipeline`] is what
//! the flags of `icehost sync` describe. Nothing here connects or loads: secrets and components are named in
//! the file, and are read when they are asked for ([`Connection::endpoint`], [`Component::read`]).
//!
//! No error holds a secret: values of connection settings are never quoted, nor are lines of the file.

mod component;
mod config;
mod connection;
mod first_load;
mod lake_place;
mod limits;
mod near;
mod pipeline;
mod problem;
mod registry;
mod repeated;
mod resolve;
mod schema;
mod section;
mod setting;
mod strategy;
mod tenant;
mod written;

pub use component::{Component, Origin, is_path};
pub use config::{Config, LEAST};
pub use connection::Connection;
pub use first_load::FirstLoad;
pub use icehost_registry::Digest;
pub use limits::{DEFAULT_RETRIES, Limits, Waits};
pub use near::nearest;
pub use pipeline::{
    DEFAULT_STRATEGY_MEMORY, DEFAULT_STRATEGY_TIMEOUT, GivenOptions, KeyPlace, Lake, Pipeline,
    Places, Shaping, Source, Target, Use, default_lake_table,
};
pub use problem::{Place, Problem};
pub use registry::{Registered, Registries, read_key};
pub use schema::pipeline_keys;
pub use setting::{parse_percent, parse_seconds, parse_size, parse_wait};
pub use written::as_setting;
