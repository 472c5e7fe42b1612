//! Strategies by name or by file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use icehost_strategy::{ChangeDetector, Limits, Merger, Runtime, RuntimeOptions, Strategy};

use crate::args::CacheArguments;
use crate::failure::Failure;

/// A runtime with the cache that the arguments choose, and these limits.
pub(crate) fn runtime(cache: &CacheArguments, limits: Limits) -> Result<Runtime, Failure> {
    let cache_dir = match (&cache.cache_dir, cache.no_cache) {
        (_, true) => None,
        (Some(directory), _) => Some(directory.clone()),
        (None, _) => default_cache_dir(),
    };
    Ok(Runtime::new(RuntimeOptions { cache_dir, limits })?)
}

/// The default limits but for CPU time and memory.
pub(crate) fn limits(deadline: Duration, memory_mib: u32) -> Limits {
    Limits {
        deadline,
        memory_bytes: memory_mib as usize * (1 << 20),
        ..Limits::default()
    }
}

/// `$XDG_CACHE_HOME/icehost`, else `~/.cache/icehost`; none where there is no home.
fn default_cache_dir() -> Option<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(directory) if Path::new(&directory).is_absolute() => PathBuf::from(directory),
        _ => std::env::home_dir()?.join(".cache"),
    };
    Some(base.join("icehost").join("components"))
}

/// A shipped strategy by its name, or any by its file: what has a path separator or ends in `.wasm`.
pub(crate) async fn load(runtime: &Runtime, name: &str) -> Result<Strategy, Failure> {
    let is_file = name.contains(['/', '\\']) || name.ends_with(".wasm");
    if is_file {
        return Ok(runtime.load_file(Path::new(name)).await?);
    }
    let shipped = icehost_plugins::shipped();
    match shipped.iter().find(|shipped| shipped.name == name) {
        Some(shipped) => Ok(runtime.load(shipped.name, shipped.component).await?),
        None => {
            let names: Vec<&str> = shipped.iter().map(|shipped| shipped.name).collect();
            Err(Failure::new(
                format!("there is no strategy '{name}'"),
                format!(
                    "shipped are {}; a component's file is named by a path, such as ./{name}.wasm",
                    names.join(", ")
                ),
            ))
        }
    }
}

/// A change detector, for `--strategy`.
pub(crate) async fn detector(runtime: &Runtime, name: &str) -> Result<ChangeDetector, Failure> {
    Ok(load(runtime, name).await?.as_change_detector()?)
}

/// A merger, for `--merge`.
pub(crate) async fn merger(runtime: &Runtime, name: &str) -> Result<Merger, Failure> {
    Ok(load(runtime, name).await?.as_merger()?)
}
