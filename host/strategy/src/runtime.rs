//! The engine that all strategies share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{Config, Engine};

use crate::cache::CompileCache;
use crate::compile::{Compiler, Components};
use crate::guest_log::Told;
use crate::load_error::reason;
use crate::usage::Counters;
use crate::{Limits, LoadError, Strategy, StrategyError, load};

/// How often running components are looked at.
const TICK: Duration = Duration::from_millis(10);
/// Call stack of a component, in bytes.
const STACK: usize = 512 << 10;

/// How strategies are run.
#[derive(Debug, Clone, Default)]
pub struct RuntimeOptions {
    /// Where compiled components are kept; `None` keeps none. The directory is made if it is missing, and
    /// not used if anyone else can write to it.
    pub cache_dir: Option<PathBuf>,
    /// Where components are compiled.
    pub compiler: Compiler,
    /// What a strategy may use.
    pub limits: Limits,
    /// Whether instructions are counted, which makes them slower; see [`Strategy::take_usage`].
    pub count_fuel: bool,
}

/// Loads and runs strategies. Cheap to clone; the engine stops with the last clone and the last strategy.
#[derive(Debug, Clone)]
pub struct Runtime {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) limits: Limits,
    pub(crate) cache: Option<Arc<CompileCache>>,
    /// What has been compiled or read from the cache: a component that is loaded under several limits is there once.
    pub(crate) components: Arc<Components>,
    pub(crate) compiler: Compiler,
    pub(crate) count_fuel: bool,
    pub(crate) counters: Counters,
    pub(crate) told: Arc<Told>,
    nanoseconds_in_components: Arc<AtomicU64>,
    // Dropped last, so that deadlines hold for as long as anything runs.
    ticker: Arc<Ticker>,
}

impl Runtime {
    /// Starts the engine.
    pub fn new(options: RuntimeOptions) -> Result<Runtime, StrategyError> {
        let engine =
            engine(options.count_fuel).map_err(|reason| StrategyError::Engine { reason })?;
        let cache = options
            .cache_dir
            .and_then(|directory| CompileCache::open(&directory, &engine));
        let ticker = Ticker::start(&engine).map_err(|e| StrategyError::Engine {
            reason: format!("cannot start a thread: {e}"),
        })?;
        Ok(Runtime {
            shared: Arc::new(Shared {
                engine,
                limits: options.limits,
                cache: cache.map(Arc::new),
                components: Arc::default(),
                compiler: options.compiler,
                count_fuel: options.count_fuel,
                counters: Counters::default(),
                told: Arc::default(),
                nanoseconds_in_components: Arc::default(),
                ticker: Arc::new(ticker),
            }),
        })
    }

    /// A runtime with other limits that shares everything else with this one: engine, cache and what is compiled.
    #[must_use]
    pub fn with_limits(&self, limits: Limits) -> Runtime {
        let shared = &self.shared;
        Runtime {
            shared: Arc::new(Shared {
                engine: shared.engine.clone(),
                limits,
                cache: shared.cache.clone(),
                components: Arc::clone(&shared.components),
                compiler: shared.compiler.clone(),
                count_fuel: shared.count_fuel,
                counters: Counters::default(),
                told: Arc::clone(&shared.told),
                nanoseconds_in_components: Arc::clone(&shared.nanoseconds_in_components),
                ticker: Arc::clone(&shared.ticker),
            }),
        }
    }

    /// Loads a strategy from the bytes of a component, or of a core module with an embedded component type.
    /// `name` is what people call it: the name of a shipped one, or a path.
    pub async fn load(&self, name: &str, bytes: &[u8]) -> Result<Strategy, StrategyError> {
        load::load(&self.shared, name, bytes).await
    }

    /// Loads a strategy from a file.
    pub async fn load_file(&self, path: &Path) -> Result<Strategy, StrategyError> {
        let name = path.display().to_string();
        match load::read(path, &self.shared.limits) {
            Ok(bytes) => self.load(&name, &bytes).await,
            Err(error) => Err(StrategyError::Load {
                strategy: name,
                error,
            }),
        }
    }

    /// Time spent in components so far, by all strategies of this runtime and of those that share it: setting up sandboxes, running and reading results.
    pub fn time_in_components(&self) -> Duration {
        Duration::from_nanos(
            self.shared
                .nanoseconds_in_components
                .load(Ordering::Relaxed),
        )
    }
}

impl Shared {
    pub(crate) fn spent(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds_in_components
            .fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

/// The engine, or why there is none. What one compiles, each other one of the same program runs.
pub(crate) fn engine(count_fuel: bool) -> Result<Engine, String> {
    let mut config = config();
    config.consume_fuel(count_fuel);
    Engine::new(&config).map_err(|e| reason(&e))
}

/// Deterministic and small: what a strategy has no use for is off.
fn config() -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(STACK)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false);
    config
}

/// A thread that advances the engine's epoch.
#[derive(Debug)]
struct Ticker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(engine: &Engine) -> std::io::Result<Ticker> {
        let (stop, stopped) = channel::<()>();
        let engine = engine.weak();
        let thread = std::thread::Builder::new()
            .name("icehost-epoch".to_owned())
            .spawn(move || {
                while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(TICK) {
                    match engine.upgrade() {
                        Some(engine) => engine.increment_epoch(),
                        None => break,
                    }
                }
            })?;
        Ok(Ticker {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl StrategyError {
    pub(crate) fn load(strategy: &str, error: LoadError) -> Self {
        StrategyError::Load {
            strategy: strategy.to_owned(),
            error,
        }
    }
}
