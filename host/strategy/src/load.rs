//! From a file to a strategy.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

use crate::bindings::{logging, metadata, previous, types};
use crate::call::{Guest, Sandbox};
use crate::contract::{self, Surface, Version};
use crate::description::Description;
use crate::functions::{self, DESCRIBE};
use crate::guest_log::GuestLog;
use crate::load_error::reason;
use crate::runtime::Shared;
use crate::strategy::Loaded;
use crate::{Limits, LoadError, Operation, Strategy, StrategyError};

/// Longest that a component may take to compile, and how much longer for each MiB. A shipped one takes some
/// 50 ms, one with an interpreter in it some seconds; a busy machine may take ten times as long.
const COMPILE_LIMIT: Duration = Duration::from_secs(60);
const COMPILE_LIMIT_PER_MIB: Duration = Duration::from_secs(10);

/// Components from this size on take long enough to compile that people should be told.
const LARGE: usize = 4 << 20;

/// Reads a file, but not one that is too large.
pub(crate) fn read(path: &Path, limits: &Limits) -> Result<Vec<u8>, LoadError> {
    let unreadable = |source| LoadError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = icehost_untrusted::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    let most = limits.component_bytes as u64 + 1;
    file.take(most)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

/// Checks, compiles and describes a component.
pub(crate) async fn load(
    shared: &Arc<Shared>,
    name: &str,
    bytes: &[u8],
) -> Result<Strategy, StrategyError> {
    let started = Instant::now();
    let refused = |error| StrategyError::load(name, error);
    let component_bytes = component_bytes(bytes, &shared.limits).map_err(refused)?;
    let digest: [u8; 32] = Sha256::digest(&component_bytes).into();
    let size = component_bytes.len();
    let (component, cached) = compile(shared, name, component_bytes, digest)
        .await
        .map_err(refused)?;
    let surface = contract::check(&component, &shared.engine).map_err(refused)?;
    let linked = link(&shared.engine, &component, surface.version)
        .map_err(|e| refused(LoadError::Contract { reason: reason(&e) }))?;
    let sandbox = Sandbox::new(Arc::clone(shared), name);
    let description = describe(&sandbox, &linked, &surface)
        .await?
        .map_err(|e| refused(LoadError::Contract { reason: reason(&e) }))?;
    let description = Description::check(
        &description.name,
        &description.version,
        &description.summary,
        &description.options_schema,
    )
    .map_err(|reason| refused(LoadError::Description { reason }))?;
    Ok(Strategy::new(Loaded {
        sandbox,
        linked,
        surface,
        description,
        digest,
        size,
        cached,
        load_time: started.elapsed(),
    }))
}

fn component_bytes(bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, LoadError> {
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
    if icehost_componentize::is_component(bytes) {
        return Ok(bytes.to_vec());
    }
    if !icehost_componentize::is_core_module(bytes) {
        return Err(LoadError::NotWebAssembly);
    }
    icehost_componentize::encode(bytes).map_err(|error| match error {
        icehost_componentize::Error::NoComponentType => LoadError::NoComponentType,
        other => LoadError::Componentize {
            reason: reason(&other),
        },
    })
}

/// Compiles on a thread of its own, or takes what the cache has.
async fn compile(
    shared: &Arc<Shared>,
    name: &str,
    bytes: Vec<u8>,
    digest: [u8; 32],
) -> Result<(Component, bool), LoadError> {
    let shared = Arc::clone(shared);
    let name = name.to_owned();
    let mib = u32::try_from(bytes.len() >> 20).unwrap_or(u32::MAX);
    let limit = COMPILE_LIMIT.saturating_add(COMPILE_LIMIT_PER_MIB.saturating_mul(mib));
    let compiling = tokio::task::spawn_blocking(move || {
        let cache = shared.cache.as_ref();
        if let Some(component) = cache.and_then(|cache| cache.get(&shared.engine, &digest)) {
            return Ok((component, true));
        }
        if bytes.len() >= LARGE {
            tracing::info!(
                target: "icehost::compile",
                "compiling {name}, {mib} MiB; {}",
                match cache {
                    Some(_) => "the next run takes it from the cache",
                    None => "without a cache, in every run",
                }
            );
        }
        let component = Component::from_binary(&shared.engine, &bytes)
            .map_err(|e| LoadError::Invalid { reason: reason(&e) })?;
        if let Some(cache) = cache {
            cache.put(&digest, &component);
        }
        Ok((component, false))
    });
    match tokio::time::timeout(limit, compiling).await {
        Ok(Ok(compiled)) => compiled,
        Ok(Err(interrupted)) => Err(LoadError::Interrupted {
            reason: interrupted.to_string(),
        }),
        Err(_) => Err(LoadError::CompileTimeout { limit }),
    }
}

/// Links what is granted, under the names of the version that the component is made for.
fn link(
    engine: &Engine,
    component: &Component,
    version: Version,
) -> wasmtime::Result<InstancePre<Guest>> {
    let mut linker: Linker<Guest> = Linker::new(engine);
    fn log(guest: &mut Guest) -> &mut GuestLog {
        &mut guest.log
    }
    match version {
        Version::Present => {
            types::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest| guest)?;
            logging::add_to_linker::<_, HasSelf<_>>(&mut linker, log)?;
        }
        Version::Previous => {
            // Types only, which is no capability
            linker.instance(&version.interface("types"))?;
            previous::logging::add_to_linker::<_, HasSelf<_>>(&mut linker, log)?;
        }
    }
    linker.instantiate_pre(component)
}

/// What `describe` returned; or why the functions are not the contract's.
type Described = Result<metadata::Description, wasmtime::Error>;

async fn describe(
    sandbox: &Sandbox,
    linked: &InstancePre<Guest>,
    surface: &Surface,
) -> Result<Described, StrategyError> {
    let (linked, kind, version) = (linked.clone(), surface.kind, surface.version);
    sandbox
        .call(Operation::Describe, move |store| {
            Box::pin(async move {
                let instance = linked.instantiate_async(&mut *store).await?;
                if let Err(mismatch) = functions::check(&instance, store, kind, version) {
                    return Ok(Err(mismatch));
                }
                let describe = DESCRIBE.of::<(), _>(&instance, &mut *store, version)?;
                Ok(Ok(describe.call_async(store, ()).await?.0))
            })
        })
        .await
}
