//! Strategies in registries: what the lock names, from the store or from the registry itself.

use std::path::PathBuf;
use std::sync::Arc;

use icehost_config::{Component, Config, Problem, Registered, Registries};
use icehost_registry::{
    Access, Client, Credentials, Digest, Lock, Locked, Reference, RegistryError, Store,
    pull_locked, resolve,
};

use crate::{Caches, RunError};

/// What a run knows of registries. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    shared: Arc<Shared>,
}

struct Shared {
    /// Read once, so that all pipelines of a run see the same; told only where it is needed.
    lock: Result<Lock, RegistryError>,
    path: PathBuf,
    plain_http: Vec<String>,
    credentials: Credentials,
    store: Option<Store>,
    offline: bool,
}

impl Registry {
    /// For a configuration file. Offline, no registry is asked.
    pub fn of(config: &Config, caches: &Caches, offline: bool) -> Registry {
        let Registries {
            lock,
            plain_http,
            components,
        } = config.registries();
        let registered = components.iter().filter_map(registered);
        Registry::new(Shared {
            lock: Lock::read(lock),
            path: lock.clone(),
            plain_http: plain_http.clone(),
            credentials: Credentials::for_hosts(registered.map(|one| one.reference.host())),
            store: caches.store(),
            offline,
        })
    }

    /// For a run without a configuration file, where nothing is locked.
    pub fn none() -> Registry {
        Registry::new(Shared {
            lock: Ok(Lock::default()),
            path: PathBuf::new(),
            plain_http: Vec::new(),
            credentials: Credentials::default(),
            store: None,
            offline: true,
        })
    }

    fn new(shared: Shared) -> Registry {
        Registry {
            shared: Arc::new(shared),
        }
    }

    /// What the lock file says.
    pub fn lock(&self) -> Result<&Lock, RunError> {
        Ok(self.shared.lock.as_ref().map_err(Clone::clone)?)
    }

    /// Where the lock file is.
    pub fn path(&self) -> &PathBuf {
        &self.shared.path
    }

    /// Where components are kept, if anywhere.
    pub fn store(&self) -> Option<&Store> {
        self.shared.store.as_ref()
    }

    /// A client for a reference.
    pub async fn client(&self, reference: &Reference) -> Result<Client, RegistryError> {
        let plain = &self.shared.plain_http;
        let plain = plain
            .iter()
            .any(|host| host.eq_ignore_ascii_case(reference.host()));
        let credentials = self.shared.credentials.clone();
        Client::open(reference, Access::Pull, credentials, plain).await
    }

    /// The bytes that are locked for a component. They are hashed each time; the network is asked only where
    /// the store does not have them, and then for their digest.
    pub async fn bytes(
        &self,
        component: &Component,
        registered: &Registered,
    ) -> Result<Vec<u8>, RunError> {
        let reference = &registered.reference;
        let failed = |error: RegistryError| at_component(component, error);
        let lock = self
            .shared
            .lock
            .as_ref()
            .map_err(|error| failed(error.clone()))?;
        let key = registered.key().map_err(|problem| at(component, problem))?;
        let locked = lock
            .find(reference, key.as_ref(), &self.shared.path)
            .map_err(failed)?;
        let bytes = match self.kept(locked) {
            Some(bytes) => bytes,
            None if self.shared.offline => {
                let problem = Problem::new(
                    component.place.clone(),
                    format!(
                        "strategy {}: {reference} is not on this machine",
                        component.name
                    ),
                );
                return Err(problem
                    .with_hint(
                        "'icehost plugin lock' fetches it, and so does a run that is not offline",
                    )
                    .into());
            }
            None => self.fetch(reference, locked).await.map_err(failed)?,
        };
        component.verify(&bytes)?;
        Ok(bytes)
    }

    /// What the store has of a locked component.
    pub fn kept(&self, locked: &Locked) -> Option<Vec<u8>> {
        self.store()?.get(locked.sha256)
    }

    /// Fetches what is locked, and keeps it.
    pub async fn fetch(
        &self,
        reference: &Reference,
        locked: &Locked,
    ) -> Result<Vec<u8>, RegistryError> {
        let client = self.client(reference).await?;
        let bytes = pull_locked(&client, reference, locked).await?;
        if let Some(store) = self.store() {
            // Without it the next run fetches again, which only takes time.
            if let Err(error) = store.put(&bytes) {
                tracing::warn!("{error}");
            }
        }
        Ok(bytes)
    }

    /// Where a reference is locked and its tag names something else by now: what. A registry that does not
    /// answer is told in the log: what is locked does not depend on it.
    pub async fn moved(&self, registered: &Registered) -> Option<Digest> {
        let reference = &registered.reference;
        // A digest names the same for ever.
        if reference.digest().is_some() {
            return None;
        }
        let locked = self.shared.lock.as_ref().ok()?.get(reference)?;
        let now = async { resolve(&self.client(reference).await?, reference).await };
        match now.await {
            Ok(now) => (now != locked.manifest).then_some(now),
            Err(error) => {
                tracing::warn!("cannot see whether {reference} has moved: {error}");
                None
            }
        }
    }
}

/// Says that a tag names something else than what is locked.
pub fn tell_moved(reference: &Reference, locked: &Locked, now: Digest) {
    tracing::warn!(
        "{reference} names {} now; {} is locked and stays in use until 'icehost plugin lock --update'",
        now.qualified(),
        locked.manifest.qualified()
    );
}

/// The place of a component in a registry.
pub fn registered(component: &Component) -> Option<&Registered> {
    match &component.origin {
        icehost_config::Origin::Registry(registered) => Some(registered),
        _ => None,
    }
}

/// A failure at the place of a component.
pub fn at_component(component: &Component, error: RegistryError) -> RunError {
    at(component, error)
}

fn at(component: &Component, error: impl Into<RunError>) -> RunError {
    let error = error.into();
    RunError {
        place: component.place.clone(),
        message: format!("strategy {}: {}", component.name, error.message),
        ..error
    }
}
