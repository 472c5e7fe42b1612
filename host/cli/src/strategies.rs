//! Strategies by name or by file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use icehost_config::{Component, GivenOptions, Origin, Use};
use icehost_strategy::{
    BatchTransformer, ChangeDetector, Limits, Merger, Options, Runtime, RuntimeOptions, Strategy,
};

use crate::args::CacheArguments;
use crate::failure::Failure;

/// The strategies of one run, each loaded once.
pub(crate) struct Strategies {
    cache: CacheArguments,
    /// One for each set of limits.
    runtimes: Vec<((Duration, u32), Runtime)>,
    loaded: Vec<(Component, Strategy)>,
}

impl Strategies {
    pub(crate) fn new(cache: &CacheArguments) -> Strategies {
        Strategies {
            cache: cache.clone(),
            runtimes: Vec::new(),
            loaded: Vec::new(),
        }
    }

    /// A component, checked against its pin and loaded from the very bytes that were checked.
    pub(crate) async fn load(&mut self, component: &Component) -> Result<Strategy, Failure> {
        let known = self.loaded.iter().find(|(known, _)| known == component);
        if let Some((_, strategy)) = known {
            return Ok(strategy.clone());
        }
        let runtime = self.runtime(component.timeout, component.memory)?;
        let strategy = match &component.origin {
            Origin::File(path) => {
                let bytes = component.read()?.unwrap_or_default();
                runtime.load(&path.display().to_string(), &bytes).await?
            }
            Origin::Shipped(name) => {
                let bytes = shipped(name)?;
                component.verify(bytes)?;
                runtime.load(name, bytes).await?
            }
        };
        self.loaded.push((component.clone(), strategy.clone()));
        Ok(strategy)
    }

    /// A change detector, for `--strategy`.
    pub(crate) async fn detector(
        &mut self,
        component: &Component,
    ) -> Result<ChangeDetector, Failure> {
        Ok(self.load(component).await?.as_change_detector()?)
    }

    /// A merger, for `--merge`.
    pub(crate) async fn merger(&mut self, component: &Component) -> Result<Merger, Failure> {
        Ok(self.load(component).await?.as_merger()?)
    }

    /// A batch transformer, for `--transform`.
    pub(crate) async fn transformer(
        &mut self,
        component: &Component,
    ) -> Result<BatchTransformer, Failure> {
        Ok(self.load(component).await?.as_batch_transformer()?)
    }

    /// Time spent in components so far.
    pub(crate) fn time(&self) -> Duration {
        let times = self.runtimes.iter();
        times.map(|(_, runtime)| runtime.time_in_components()).sum()
    }

    fn runtime(&mut self, timeout: Duration, memory: u32) -> Result<Runtime, Failure> {
        let wanted = (timeout, memory);
        if let Some((_, runtime)) = self.runtimes.iter().find(|(limits, _)| *limits == wanted) {
            return Ok(runtime.clone());
        }
        let limits = Limits {
            deadline: timeout,
            memory_bytes: memory as usize * (1 << 20),
            ..Limits::default()
        };
        let runtime = runtime(&self.cache, limits)?;
        self.runtimes.push((wanted, runtime.clone()));
        Ok(runtime)
    }
}

/// The options of a strategy, checked against its schema.
pub(crate) fn options(strategy: &Strategy, used: &Use) -> Result<Options, Failure> {
    Ok(match &used.options {
        GivenOptions::Pairs(pairs) => Options::from_pairs(strategy, pairs)?,
        GivenOptions::Typed(values) => Options::from_json(strategy, values.clone())?,
    })
}

/// A runtime with the cache that the arguments choose, and these limits.
pub(crate) fn runtime(cache: &CacheArguments, limits: Limits) -> Result<Runtime, Failure> {
    let cache_dir = match (&cache.cache_dir, cache.no_cache) {
        (_, true) => None,
        (Some(directory), _) => Some(directory.clone()),
        (None, _) => default_cache_dir(),
    };
    Ok(Runtime::new(RuntimeOptions { cache_dir, limits })?)
}

/// `$XDG_CACHE_HOME/icehost`, else `~/.cache/icehost`; none where there is no home.
fn default_cache_dir() -> Option<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(directory) if Path::new(&directory).is_absolute() => PathBuf::from(directory),
        _ => std::env::home_dir()?.join(".cache"),
    };
    Some(base.join("icehost").join("components"))
}

/// A shipped strategy by its name, or any by its file, with the default limits.
pub(crate) async fn load(cache: &CacheArguments, name: &str) -> Result<Strategy, Failure> {
    Strategies::new(cache).load(&named(name)).await
}

/// The bytes of a shipped strategy, or of a file, and what it is called.
pub(crate) fn bytes(name: &str) -> Result<(String, Vec<u8>), Failure> {
    let bytes = match named(name).read()? {
        Some(bytes) => bytes,
        None => shipped(name)?.to_owned(),
    };
    Ok((name.to_owned(), bytes))
}

fn named(name: &str) -> Component {
    Component::named(
        name,
        icehost_config::DEFAULT_STRATEGY_TIMEOUT,
        icehost_config::DEFAULT_STRATEGY_MEMORY,
    )
}

/// The names of the shipped strategies.
pub(crate) fn shipped_names() -> Vec<&'static str> {
    let shipped = icehost_plugins::shipped().iter();
    shipped.map(|shipped| shipped.name).collect()
}

fn shipped(name: &str) -> Result<&'static [u8], Failure> {
    match icehost_plugins::find(name) {
        Some(shipped) => Ok(shipped.component),
        None => Err(Failure::new(
            format!("there is no strategy '{name}'"),
            format!(
                "shipped are {}; a component's file is named by a path, such as ./{name}.wasm",
                shipped_names().join(", ")
            ),
        )),
    }
}
