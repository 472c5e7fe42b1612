//! A loaded strategy.

use std::sync::Arc;
use std::time::Duration;

use icehost_plan::ColumnGrant;
use wasmtime::component::{ComponentNamedList, InstancePre, Lift, Lower};

use crate::call::{Guest, Sandbox};
use crate::contract::{Kind, Surface, Version};
use crate::description::Description;
use crate::functions::Function;
use crate::options_schema::OptionsSchema;
use crate::{
    BatchTransformer, ChangeDetector, Grants, LoadError, Merger, Operation, Options, StrategyError,
    Usage,
};

/// A strategy, checked and compiled. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Strategy {
    loaded: Arc<Loaded>,
    grants: Arc<Grants>,
}

pub(crate) struct Loaded {
    pub(crate) sandbox: Sandbox,
    pub(crate) linked: InstancePre<Guest>,
    pub(crate) surface: Surface,
    pub(crate) description: Description,
    pub(crate) digest: [u8; 32],
    pub(crate) size: usize,
    pub(crate) cached: bool,
    pub(crate) load_time: Duration,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded")
            .field("surface", &self.surface)
            .field("description", &self.description)
            .finish_non_exhaustive()
    }
}

impl Strategy {
    pub(crate) fn new(loaded: Loaded) -> Self {
        Strategy {
            loaded: Arc::new(loaded),
            grants: Arc::default(),
        }
    }

    /// The strategy with no more than this.
    ///
    /// # Errors
    /// It imports what it is not granted.
    pub fn granted(self, grants: Grants) -> Result<Strategy, StrategyError> {
        let refused: Vec<String> = self
            .imports()
            .iter()
            .filter(|import| !grants.admits(import))
            .cloned()
            .collect();
        match refused.is_empty() {
            true => Ok(Strategy {
                grants: Arc::new(grants),
                ..self
            }),
            false => Err(StrategyError::load(
                self.name(),
                LoadError::ImportWithheld { imports: refused },
            )),
        }
    }

    /// What it may see of tables.
    pub fn column_grant(&self) -> &ColumnGrant {
        &self.grants.columns
    }

    /// The strategy without columns that a rule changes, as [`ColumnGrant::without`].
    pub(crate) fn withholding<'a>(&self, ruled: impl IntoIterator<Item = &'a str>) -> Strategy {
        let grants = Grants {
            columns: self.grants.columns.without(ruled),
            ..(*self.grants).clone()
        };
        Strategy {
            grants: Arc::new(grants),
            ..self.clone()
        }
    }

    /// What people called it when it was loaded: the name of a shipped one, or a path.
    pub fn name(&self) -> &str {
        &self.loaded.sandbox.strategy
    }

    /// What it decides.
    pub fn kind(&self) -> Kind {
        self.loaded.surface.kind
    }

    /// What it says about itself.
    pub fn description(&self) -> &Description {
        &self.loaded.description
    }

    /// What options it takes.
    pub fn options_schema(&self) -> &OptionsSchema {
        &self.loaded.description.options
    }

    /// Its world, with the contract's version: `icehost:strategy/merger@0.3.0`.
    pub fn world(&self) -> String {
        self.version().interface(self.kind().world())
    }

    /// Which version of the contract it is made for.
    pub(crate) fn version(&self) -> Version {
        self.loaded.surface.version
    }

    /// The full names of what it imports.
    pub fn imports(&self) -> &[String] {
        &self.loaded.surface.imports
    }

    /// The full names of what it exports.
    pub fn exports(&self) -> &[String] {
        &self.loaded.surface.exports
    }

    /// The size of the component, in bytes.
    pub fn size(&self) -> usize {
        self.loaded.size
    }

    /// The SHA-256 of the component, in hexadecimal digits.
    pub fn digest(&self) -> String {
        crate::cache::hex(&self.loaded.digest)
    }

    pub(crate) fn digest_bytes(&self) -> &[u8; 32] {
        &self.loaded.digest
    }

    /// How long loading took, with compilation or without.
    pub fn load_time(&self) -> Duration {
        self.loaded.load_time
    }

    /// Whether the machine code came from the cache, or had been loaded before.
    pub fn from_cache(&self) -> bool {
        self.loaded.cached
    }

    /// What calls of all strategies of this one's runtime used since it was last asked. Fuel is counted where
    /// [`RuntimeOptions::count_fuel`](crate::RuntimeOptions::count_fuel) says so.
    pub fn take_usage(&self) -> Usage {
        self.loaded.sandbox.shared.counters.take()
    }

    /// The strategy as a change detector; an error if it is none.
    pub fn as_change_detector(&self) -> Result<ChangeDetector, StrategyError> {
        self.of_kind(Kind::ChangeDetector).map(ChangeDetector::new)
    }

    /// The strategy as a merger; an error if it is none.
    pub fn as_merger(&self) -> Result<Merger, StrategyError> {
        self.of_kind(Kind::Merger).map(Merger::new)
    }

    /// The strategy as a batch transformer; an error if it is none.
    pub fn as_batch_transformer(&self) -> Result<BatchTransformer, StrategyError> {
        self.of_kind(Kind::BatchTransformer)
            .map(BatchTransformer::new)
    }

    fn of_kind(&self, wanted: Kind) -> Result<Strategy, StrategyError> {
        match self.kind() == wanted {
            true => Ok(self.clone()),
            false => Err(StrategyError::WrongKind {
                strategy: self.name().to_owned(),
                is: self.kind(),
                wanted,
            }),
        }
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.loaded.sandbox
    }

    pub(crate) fn linked(&self) -> &InstancePre<Guest> {
        &self.loaded.linked
    }

    /// Makes an instance in a fresh sandbox and lets it go, as each call does beside the call itself.
    ///
    /// # Errors
    /// A component that breaks a limit as it starts.
    pub async fn instantiate(&self) -> Result<(), StrategyError> {
        let linked = self.linked().clone();
        self.sandbox()
            .call(Operation::Start, move |store| {
                Box::pin(async move { linked.instantiate_async(store).await.map(drop) })
            })
            .await
    }

    /// Calls a function in a fresh sandbox.
    pub(crate) async fn call<P, R>(
        &self,
        operation: Operation,
        function: Function,
        parameters: P,
    ) -> Result<R, StrategyError>
    where
        P: ComponentNamedList + Lower + Send + Sync + 'static,
        (R,): ComponentNamedList + Lift + Send + Sync + 'static,
        R: Send,
    {
        let linked = self.linked().clone();
        let version = self.version();
        self.sandbox()
            .call(operation, move |store| {
                Box::pin(async move {
                    let instance = linked.instantiate_async(&mut *store).await?;
                    let function = function.of::<P, R>(&instance, &mut *store, version)?;
                    Ok(function.call_async(store, parameters).await?.0)
                })
            })
            .await
    }

    /// The text of options that were checked for this strategy.
    pub(crate) fn options_text(&self, options: &Options) -> Result<String, StrategyError> {
        options
            .text_for(self)
            .map(str::to_owned)
            .ok_or_else(|| self.refused(vec!["they were checked for another strategy".to_owned()]))
    }

    pub(crate) fn refused(&self, problems: Vec<String>) -> StrategyError {
        StrategyError::Options {
            strategy: self.name().to_owned(),
            problems,
            available: self.options_schema().options().to_vec(),
        }
    }
}
