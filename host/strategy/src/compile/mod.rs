//! From bytes to machine code, within bounds.
//!
//! A compiler is the largest thing here that reads what strangers wrote, and what it takes for a few bytes is for them
//! to say. So what a component consists of is counted first (`shape`), and the compiler runs as a process of its own
//! that the system bounds in memory and time (`process`, `worker`), where the program says how to start one.

mod process;
mod shape;
mod worker;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::cache::trusted::{self, Compiled};
use crate::load_error::reason;
use crate::runtime::Shared;
use crate::{Limits, LoadError};

pub use worker::run as run_compiler;

/// Longest that a component may take to compile, and how much longer for each MiB. A shipped one takes some
/// 50 ms, one with an interpreter in it some seconds; a busy machine may take ten times as long.
const TIME: Duration = Duration::from_secs(60);
const TIME_PER_MIB: Duration = Duration::from_secs(10);
/// The same in the processor's time, whatever else the machine does.
const PROCESSOR_TIME: Duration = Duration::from_secs(30);
const PROCESSOR_TIME_PER_MIB: Duration = Duration::from_secs(5);
/// Most address space for it, and how much more for each MiB. The program itself has some 300 MiB of it, Python's
/// interpreter takes 400 MiB more.
const MEMORY: usize = 768 << 20;
const MEMORY_PER_MIB: usize = 64 << 20;

/// Components from this size on take long enough to compile that people should be told.
const LARGE: usize = 4 << 20;

/// Where components are compiled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Compiler {
    /// In this process, within the bounds that can be counted beforehand: for tests, and programs that load what they
    /// trust.
    #[default]
    Here,
    /// In a process of its own, under limits of the system: this program, started with these arguments, calls
    /// [`run_compiler`] with those that follow.
    Process {
        /// The program.
        program: PathBuf,
        /// The arguments that make it a compiler.
        arguments: Vec<OsString>,
    },
}

/// What a compiler is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Job {
    /// A component of a core module.
    Encode,
    /// Machine code of a component.
    Compile,
}

/// What a compiler may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    /// Address space, in bytes.
    memory: usize,
    time: Duration,
    processor_time: Duration,
}

impl Bounds {
    fn of(bytes: &[u8]) -> Bounds {
        let mib = u32::try_from(bytes.len() >> 20).unwrap_or(u32::MAX);
        let within = |base: Duration, each: Duration| base.saturating_add(each.saturating_mul(mib));
        Bounds {
            memory: MEMORY.saturating_add(MEMORY_PER_MIB.saturating_mul(mib as usize)),
            time: within(TIME, TIME_PER_MIB),
            processor_time: within(PROCESSOR_TIME, PROCESSOR_TIME_PER_MIB),
        }
    }
}

/// Components that are ready, by the SHA-256 of their bytes.
#[derive(Default)]
pub(crate) struct Components(Mutex<HashMap<[u8; 32], Component>>);

impl fmt::Debug for Components {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Components").finish_non_exhaustive()
    }
}

impl Components {
    fn known(&self, digest: &[u8; 32]) -> Option<Component> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(digest).cloned()
    }

    fn keep(&self, digest: [u8; 32], component: &Component) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(digest, component.clone());
    }
}

/// A component, ready to be instantiated.
pub(crate) struct Ready {
    pub(crate) component: Component,
    /// The SHA-256 of its bytes.
    pub(crate) digest: [u8; 32],
    /// Its size in bytes.
    pub(crate) size: usize,
    /// Whether the machine code came from the cache.
    pub(crate) cached: bool,
}

/// Checks and compiles a component, or takes what the cache has.
pub(crate) async fn component(
    shared: &Arc<Shared>,
    name: &str,
    bytes: &[u8],
) -> Result<Ready, LoadError> {
    check_kind(bytes, &shared.limits)?;
    let (shared, name, bytes) = (Arc::clone(shared), name.to_owned(), bytes.to_vec());
    // The thread goes on where this is given up, but for the compiler.
    let given_up = GivenUp::default();
    let flag = Arc::clone(&given_up.0);
    let working = tokio::task::spawn_blocking(move || ready(&shared, &name, bytes, &flag));
    working.await.unwrap_or_else(|interrupted| {
        Err(LoadError::Interrupted {
            reason: interrupted.to_string(),
        })
    })
}

/// Says so when it is dropped.
#[derive(Debug, Default)]
struct GivenUp(Arc<AtomicBool>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn check_kind(bytes: &[u8], limits: &Limits) -> Result<(), LoadError> {
    if bytes.is_empty() {
        return Err(LoadError::Empty);
    }
    if bytes.len() > limits.component_bytes {
        return Err(LoadError::TooLarge {
            bytes: bytes.len() as u64,
            limit: limits.component_bytes,
        });
    }
    if Engine::detect_precompiled(bytes).is_some() {
        return Err(LoadError::Precompiled);
    }
    let known =
        icehost_componentize::is_component(bytes) || icehost_componentize::is_core_module(bytes);
    match known {
        true => Ok(()),
        false => Err(LoadError::NotWebAssembly),
    }
}

fn ready(
    shared: &Shared,
    name: &str,
    bytes: Vec<u8>,
    given_up: &AtomicBool,
) -> Result<Ready, LoadError> {
    let component = match icehost_componentize::is_component(&bytes) {
        true => bytes,
        false => {
            shape::check(&bytes)?;
            work(shared, Job::Encode, bytes, given_up)?
        }
    };
    let digest: [u8; 32] = Sha256::digest(&component).into();
    let size = component.len();
    let ready = |component, cached| Ready {
        component,
        digest,
        size,
        cached,
    };
    if let Some(component) = shared.components.known(&digest) {
        return Ok(ready(component, true));
    }
    let cache = shared.cache.as_ref();
    if let Some(component) = cache.and_then(|cache| cache.get(&shared.engine, &digest)) {
        shared.components.keep(digest, &component);
        return Ok(ready(component, true));
    }
    shape::check(&component)?;
    if size >= LARGE {
        tracing::info!(
            target: "icehost::compile",
            "compiling {name}, {} MiB; {}",
            size >> 20,
            match cache {
                Some(_) => "the next run takes it from the cache",
                None => "without a cache, in every run",
            }
        );
    }
    let compiled = work(shared, Job::Compile, component, given_up)?;
    if let Some(cache) = cache {
        cache.put(&digest, &compiled);
    }
    let component = trusted::deserialize(&shared.engine, Compiled(&compiled))
        .map_err(|e| LoadError::Invalid { reason: reason(&e) })?;
    shared.components.keep(digest, &component);
    Ok(ready(component, false))
}

/// What a compiler makes of the bytes.
fn work(
    shared: &Shared,
    job: Job,
    bytes: Vec<u8>,
    given_up: &AtomicBool,
) -> Result<Vec<u8>, LoadError> {
    match &shared.compiler {
        Compiler::Here => job.run(&shared.engine, &bytes),
        Compiler::Process { program, arguments } => {
            let bounds = Bounds::of(&bytes);
            let request = process::Request {
                program,
                arguments,
                job,
                count_fuel: shared.count_fuel,
                bounds,
            };
            request.run(&bytes, given_up)
        }
    }
}

impl Job {
    fn run(self, engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, LoadError> {
        match self {
            Job::Encode => icehost_componentize::encode(bytes).map_err(|error| match error {
                icehost_componentize::Error::NoComponentType => LoadError::NoComponentType,
                other => LoadError::Componentize {
                    reason: reason(&other),
                },
            }),
            Job::Compile => engine
                .precompile_component(bytes)
                .map_err(|e| LoadError::Invalid { reason: reason(&e) }),
        }
    }
}
