//! Strategies in OCI registries.
//!
//! [`push()`] uploads a component in the format of the WebAssembly ecosystem, [`pull()`] fetches one, with a
//! check of cosign's signature where a [`PublicKey`] is given. A [`Lock`] says which bytes stand behind each
//! [`Reference`], and a [`Store`] keeps them, so that runs take what was locked and need no network.
//!
//! Whatever comes from a registry is hostile until its digest fits: sizes, redirects and times are bounded,
//! credentials stay with the registry that they are for, and messages show no control characters. Nothing
//! here knows what a component does; the strategy host loads the bytes.

mod answer;
mod auth;
mod client;
mod credentials;
mod digest;
mod docker;
mod error;
mod helper;
mod key;
mod lock;
mod lock_file;
mod manifest;
mod pull;
mod push;
mod reference;
mod signature;
mod store;
mod text;
mod transport;

pub use client::{Access, Client};
pub use credentials::Credentials;
pub use digest::Digest;
pub use error::{ErrorKind, RegistryError, Result};
pub use key::{PublicKey, SigningKey};
pub use lock::{Lock, Locked};
pub use manifest::{Artifact, MAX_COMPONENT};
pub use pull::{Pulled, pull, pull_locked, resolve};
pub use push::{Pushed, push};
pub use reference::Reference;
pub use store::Store;
