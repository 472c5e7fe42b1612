//! The one place that loads machine code.

use wasmtime::Engine;
use wasmtime::component::Component;

/// Bytes that have been authenticated with the cache's key.
pub(super) struct Authenticated<'a>(pub(super) &'a [u8]);

/// Loads what this host compiled in an earlier run.
#[allow(unsafe_code)]
pub(super) fn deserialize(
    engine: &Engine,
    entry: Authenticated<'_>,
) -> wasmtime::Result<Component> {
    // SAFETY: `Component::deserialize` wants bytes that `Component::serialize` wrote. These carry a MAC
    // under a key that only this user can read and that only `CompileCache::write` applies, to the output
    // of `Component::serialize` and nothing else. wasmtime itself checks its version and settings.
    unsafe { Component::deserialize(engine, entry.0) }
}
