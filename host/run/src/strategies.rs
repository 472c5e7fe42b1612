//! Strategies by name or by file.

use std::collections::HashMap;
use std::time::Duration;

use icehost_config::{Component, GivenOptions, Origin, Use};
use icehost_plan::ColumnGrant;
use icehost_plugins::Kind;
use icehost_strategy::{
    BatchTransformer, ChangeDetector, Grants, Limits, Merger, Options, Runtime, Strategy,
};

use crate::{Caches, Registry, RunError};

/// What became of a component that was to be loaded.
type Loaded = (Component, Result<Strategy, RunError>);

/// The strategies of one run, each loaded once.
pub struct Strategies {
    caches: Caches,
    registry: Registry,
    /// The engine, once it is needed; each set of limits shares it.
    runtime: Option<Runtime>,
    /// By their names; one that cannot be loaded is not tried again.
    loaded: HashMap<String, Vec<Loaded>>,
}

impl Strategies {
    /// Those that flags name: shipped ones and files.
    pub fn new(caches: &Caches) -> Strategies {
        Strategies::with_registry(caches, &Registry::none())
    }

    /// Those of a configuration file, which may be in registries.
    pub fn with_registry(caches: &Caches, registry: &Registry) -> Strategies {
        Strategies {
            caches: caches.clone(),
            registry: registry.clone(),
            runtime: None,
            loaded: HashMap::new(),
        }
    }

    /// A component, checked against its pin and loaded from the very bytes that were checked.
    pub async fn load(&mut self, component: &Component) -> Result<Strategy, RunError> {
        let known = self.loaded.get(&component.name);
        let known = known.and_then(|of| of.iter().find(|(known, _)| known.is_same(component)));
        if let Some((_, strategy)) = known {
            return strategy.clone();
        }
        let strategy = self.load_anew(component).await;
        let of_name = self.loaded.entry(component.name.clone()).or_default();
        of_name.push((component.clone(), strategy.clone()));
        strategy
    }

    async fn load_anew(&mut self, component: &Component) -> Result<Strategy, RunError> {
        let runtime = self.runtime(component.timeout, component.memory)?;
        let strategy = match &component.origin {
            Origin::File(path) => {
                let of = component.clone();
                let bytes = away(move || Ok(of.read()?)).await?.unwrap_or_default();
                runtime.load(&path.display().to_string(), &bytes).await?
            }
            Origin::Shipped(name) => {
                let bytes = shipped(name)?;
                component.verify(bytes)?;
                runtime.load(name, bytes).await?
            }
            Origin::Registry(registered) => {
                let bytes = self.registry.bytes(component, registered).await?;
                let name = registered.reference.to_string();
                runtime.load(&name, &bytes).await?
            }
        };
        Ok(strategy.granted(grants(component))?)
    }

    /// A change detector, for `--strategy`.
    pub async fn detector(&mut self, component: &Component) -> Result<ChangeDetector, RunError> {
        check_name(component, Kind::ChangeDetector)?;
        Ok(self.load(component).await?.as_change_detector()?)
    }

    /// A merger, for `--merge`.
    pub async fn merger(&mut self, component: &Component) -> Result<Merger, RunError> {
        check_name(component, Kind::Merger)?;
        Ok(self.load(component).await?.as_merger()?)
    }

    /// A batch transformer, for `--transform`.
    pub async fn transformer(
        &mut self,
        component: &Component,
    ) -> Result<BatchTransformer, RunError> {
        check_name(component, Kind::BatchTransformer)?;
        Ok(self.load(component).await?.as_batch_transformer()?)
    }

    /// Time spent in components so far.
    pub fn time(&self) -> Duration {
        let runtime = self.runtime.as_ref();
        runtime.map_or(Duration::ZERO, Runtime::time_in_components)
    }

    fn runtime(&mut self, timeout: Duration, memory: u32) -> Result<Runtime, RunError> {
        let limits = limits(timeout, memory);
        if let Some(runtime) = &self.runtime {
            return Ok(runtime.with_limits(limits));
        }
        let runtime = self.caches.runtime(limits)?;
        self.runtime = Some(runtime.clone());
        Ok(runtime)
    }
}

/// Reads on a thread that may block: a file may be a pipe, or on a disk that is away.
async fn away<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, RunError> + Send + 'static,
) -> Result<T, RunError> {
    let read = tokio::task::spawn_blocking(read).await;
    read.unwrap_or_else(|error| {
        Err(RunError::internal(format!(
            "a background thread failed: {error}"
        )))
    })
}

fn grants(component: &Component) -> Grants {
    Grants {
        columns: match &component.columns {
            None => ColumnGrant::All,
            Some(names) => ColumnGrant::Only(names.clone()),
        },
        imports: component.imports.clone(),
    }
}

/// The options of a strategy, checked against its schema.
pub fn options(strategy: &Strategy, used: &Use) -> Result<Options, RunError> {
    let options = match &used.options {
        GivenOptions::Pairs(pairs) => Options::from_pairs(strategy, pairs),
        GivenOptions::Typed(values) => Options::from_json(strategy, values.clone()),
    };
    options.map_err(|error| {
        let failure = RunError::from(error);
        match meant(strategy, used) {
            Some(near) => failure.with_guess(near),
            None => failure,
        }
    })
}

/// The option that one is like that the strategy does not have.
fn meant<'s>(strategy: &'s Strategy, used: &Use) -> Option<&'s str> {
    let known = strategy.description().options.options().iter();
    let known: Vec<&str> = known.map(|option| option.name.as_str()).collect();
    let mut given: Box<dyn Iterator<Item = &str>> = match &used.options {
        GivenOptions::Pairs(pairs) => Box::new(pairs.iter().map(|(name, _)| name.as_str())),
        GivenOptions::Typed(values) => Box::new(values.keys().map(String::as_str)),
    };
    let unknown = given.find(|name| !known.contains(name))?;
    icehost_config::nearest(unknown, known)
}

/// Limits of time and of memory in MiB, and the default ones of everything else.
pub fn limits(timeout: Duration, memory: u32) -> Limits {
    Limits {
        deadline: timeout,
        memory_bytes: memory as usize * (1 << 20),
        ..Limits::default()
    }
}

/// A shipped strategy by its name, or any by its file, with the default limits.
pub async fn load(caches: &Caches, name: &str) -> Result<Strategy, RunError> {
    Strategies::new(caches).load(&named(name)).await
}

/// The bytes of a shipped strategy, or of a file, and what it is called.
pub fn strategy_bytes(name: &str) -> Result<(String, Vec<u8>), RunError> {
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
pub fn shipped_names() -> Vec<&'static str> {
    let shipped = icehost_plugins::shipped().iter();
    shipped.map(|shipped| shipped.name).collect()
}

fn shipped(name: &str) -> Result<&'static [u8], RunError> {
    let found = icehost_plugins::find(name).map(|shipped| shipped.component);
    found.ok_or_else(|| no_strategy(name, shipped_names()))
}

/// That a name is that of a shipped strategy, whatever it is: those of this kind are named where it is not.
fn check_name(component: &Component, kind: Kind) -> Result<(), RunError> {
    match &component.origin {
        Origin::Shipped(name) if icehost_plugins::find(name).is_none() => {
            let of_kind = icehost_plugins::shipped().iter();
            let of_kind = of_kind.filter(|shipped| shipped.kind == kind);
            Err(no_strategy(
                name,
                of_kind.map(|shipped| shipped.name).collect(),
            ))
        }
        _ => Ok(()),
    }
}

fn no_strategy(name: &str, known: Vec<&str>) -> RunError {
    RunError::config(
        format!(
            "there is no strategy {}",
            icehost_untrusted::given(name).replace("what was given", "as was given")
        ),
        match icehost_config::nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!(
                "shipped are {}; a component's file is named by a path, such as ./NAME.wasm",
                known.join(", ")
            ),
        },
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_read_of_a_file_is_what_is_loaded() {
        assert_eq!(
            icehost_registry::MAX_COMPONENT,
            icehost_strategy::Limits::default().component_bytes as u64
        );
    }
}
