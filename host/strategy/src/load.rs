//! From a file to a strategy.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

use crate::bindings::previous::{first, second};
use crate::bindings::{logging, metadata, types};
use crate::call::{Guest, Sandbox};
use crate::compile::{self, Ready};
use crate::contract::{self, Surface, Version};
use crate::description::Description;
use crate::functions::{self, DESCRIBE};
use crate::guest_log::GuestLog;
use crate::load_error::reason;
use crate::runtime::Shared;
use crate::strategy::Loaded;
use crate::{Limits, LoadError, Operation, Strategy, StrategyError};

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
    let Ready {
        component,
        digest,
        size,
        cached,
    } = compile::component(shared, name, bytes)
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
        // Of both `types` is types only, which is no capability.
        Version::Second => {
            linker.instance(&version.interface("types"))?;
            second::logging::add_to_linker::<_, HasSelf<_>>(&mut linker, log)?;
        }
        Version::First => {
            linker.instance(&version.interface("types"))?;
            first::logging::add_to_linker::<_, HasSelf<_>>(&mut linker, log)?;
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
