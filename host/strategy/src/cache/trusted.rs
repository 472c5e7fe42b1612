//! The one place that loads machine code.

use wasmtime::Engine;
use wasmtime::component::Component;

/// Bytes that this host compiled: just now, or in an earlier run, authenticated with the cache's key.
pub(crate) struct Compiled<'a>(pub(crate) &'a [u8]);

/// Loads what this host compiled.
#[allow(unsafe_code)]
pub(crate) fn deserialize(engine: &Engine, entry: Compiled<'_>) -> wasmtime::Result<Component> {
    // SAFETY: `Component::deserialize` wants bytes that `Engine::precompile_component` made. These come from it, in
    // this process or in one of the same program that this one started and that ended well; or they carry a MAC
    // under a key that only this user can read and that only `CompileCache::write` applies, to those bytes and
    // nothing else. wasmtime itself checks its version and settings.
    unsafe { Component::deserialize(engine, entry.0) }
}
