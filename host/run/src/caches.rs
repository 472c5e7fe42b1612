//! Where components are kept, and who compiles them.

use std::path::{Path, PathBuf};

use icehost_registry::Store;
use icehost_strategy::{Compiler, Limits, Runtime, RuntimeOptions};

use crate::RunError;

/// Where compiled components and those from registries are kept, if anywhere, and who compiles.
#[derive(Debug, Clone)]
pub struct Caches {
    compiled: Option<PathBuf>,
    registry: Option<PathBuf>,
    compiler: Compiler,
}

impl Caches {
    /// All in this directory.
    pub fn in_directory(directory: &Path, compiler: Compiler) -> Caches {
        Caches {
            compiled: Some(directory.to_owned()),
            registry: Some(directory.join("registry")),
            compiler,
        }
    }

    /// In `$XDG_CACHE_HOME/icehost` or `~/.cache/icehost`; nothing is kept where there is no home.
    pub fn of_user(compiler: Compiler) -> Caches {
        let base = match std::env::var_os("XDG_CACHE_HOME") {
            Some(directory) if Path::new(&directory).is_absolute() => {
                Some(PathBuf::from(directory))
            }
            _ => std::env::home_dir().map(|home| home.join(".cache")),
        };
        let of = |name: &str| Some(base.as_ref()?.join("icehost").join(name));
        Caches {
            compiled: of("components"),
            registry: of("registry"),
            compiler,
        }
    }

    /// Nothing is kept.
    pub fn none(compiler: Compiler) -> Caches {
        Caches {
            compiled: None,
            registry: None,
            compiler,
        }
    }

    /// How a runtime with these caches is made.
    pub fn options(&self, limits: Limits) -> RuntimeOptions {
        RuntimeOptions {
            cache_dir: self.compiled.clone(),
            compiler: self.compiler.clone(),
            limits,
            ..RuntimeOptions::default()
        }
    }

    /// A runtime with these caches.
    ///
    /// # Errors
    /// The engine does not start.
    pub fn runtime(&self, limits: Limits) -> Result<Runtime, RunError> {
        Ok(Runtime::new(self.options(limits))?)
    }

    /// Where components from registries are kept.
    pub(crate) fn store(&self) -> Option<Store> {
        self.registry.as_deref().map(Store::new)
    }
}
