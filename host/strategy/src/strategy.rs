//! A loaded strategy.

use std::sync::Arc;
use std::time::Duration;

use crate::bindings::{detector, merger};
use crate::call::{Guest, Sandbox};
use crate::contract::{CONTRACT_VERSION, Kind, Surface};
use crate::description::Description;
use crate::options_schema::OptionsSchema;
use crate::{ChangeDetector, Merger, StrategyError, Usage};

/// A strategy, checked and compiled. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Strategy {
    loaded: Arc<Loaded>,
}

pub(crate) struct Loaded {
    pub(crate) sandbox: Sandbox,
    pub(crate) world: World,
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

/// The contract's functions, ready to be instantiated.
pub(crate) enum World {
    ChangeDetector(detector::ChangeDetectorPre<Guest>),
    Merger(merger::MergerPre<Guest>),
}

impl Strategy {
    pub(crate) fn new(loaded: Loaded) -> Self {
        Strategy {
            loaded: Arc::new(loaded),
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

    /// Its world, with the contract's version: `icehost:strategy/merger@0.1.0`.
    pub fn world(&self) -> String {
        format!(
            "icehost:strategy/{}@{CONTRACT_VERSION}",
            self.kind().world()
        )
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

    /// Whether the machine code came from the cache.
    pub fn from_cache(&self) -> bool {
        self.loaded.cached
    }

    /// What calls of all strategies of this one's runtime used since it was last asked. Fuel is counted where
    /// [`RuntimeOptions::count_fuel`](crate::RuntimeOptions::count_fuel) says so.
    pub fn take_usage(&self) -> Usage {
        self.loaded.sandbox.shared.counters.take()
    }

    /// The strategy as a change detector; an error if it is a merger.
    pub fn as_change_detector(&self) -> Result<ChangeDetector, StrategyError> {
        ChangeDetector::new(self).ok_or_else(|| self.wrong_kind(Kind::ChangeDetector))
    }

    /// The strategy as a merger; an error if it is a change detector.
    pub fn as_merger(&self) -> Result<Merger, StrategyError> {
        Merger::new(self).ok_or_else(|| self.wrong_kind(Kind::Merger))
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.loaded.sandbox
    }

    pub(crate) fn loaded_world(&self) -> &World {
        &self.loaded.world
    }

    pub(crate) fn refused(&self, problems: Vec<String>) -> StrategyError {
        StrategyError::Options {
            strategy: self.name().to_owned(),
            problems,
            available: self.options_schema().options().to_vec(),
        }
    }

    fn wrong_kind(&self, wanted: Kind) -> StrategyError {
        StrategyError::WrongKind {
            strategy: self.name().to_owned(),
            is: self.kind(),
            wanted,
        }
    }
}
