//! `icehost plugin lock`: which bytes stand behind the registry references of a configuration file.

use std::path::Path;

use icehost_config::{Component, Registered};
use icehost_registry::{Digest, Lock, Locked, pull};
use icehost_run::{ErrorKind, Registry, at_component, registered, tell_moved};
use icehost_strategy::{Limits, Runtime};

use crate::args::{CacheArguments, Output};
use crate::command::configuration;
use crate::failure::Failure;
use crate::render::line;

/// What became of an entry.
struct Entry {
    reference: String,
    locked: Locked,
    state: &'static str,
    /// What the tag names by now, where that is not what is locked.
    moved: Option<Digest>,
}

/// Locks what is not locked yet, and with `update` all anew; fetches what is not on this machine. Nothing is
/// written if anything fails.
///
/// # Errors
/// A file with mistakes, what the registries say, and what is no strategy.
pub(super) async fn run(
    cache: &CacheArguments,
    file: &Path,
    update: bool,
    output: Output,
) -> Result<(), Failure> {
    let config = configuration(file)?;
    let caches = cache.caches()?;
    let registry = Registry::of(&config, &caches, false);
    let old = registry.lock()?;
    let locking = Locking {
        registry: &registry,
        runtime: caches.runtime(Limits::default())?,
        old,
        update,
    };
    let mut lock = Lock::default();
    let mut entries: Vec<Entry> = Vec::new();
    for component in &config.registries().components {
        let Some(registered) = registered(component) else {
            continue;
        };
        let entry = locking.entry(component, registered).await?;
        lock.set(registered.reference.clone(), entry.locked.clone());
        if entries
            .iter()
            .all(|known| known.reference != entry.reference)
        {
            entries.push(entry);
        }
    }
    let dropped = old
        .references()
        .filter(|one| lock.get(one).is_none())
        .count();
    // Where nothing of the file is in a registry, there is nothing to write down.
    let is_new = !entries.is_empty() && !registry.path().exists();
    let written = lock != *old || is_new;
    if written {
        lock.write(registry.path())?;
    }
    print(&registry, &entries, dropped, written, output);
    Ok(())
}

struct Locking<'a> {
    registry: &'a Registry,
    runtime: Runtime,
    old: &'a Lock,
    update: bool,
}

impl Locking<'_> {
    async fn entry(
        &self,
        component: &Component,
        registered: &Registered,
    ) -> Result<Entry, Failure> {
        let reference = &registered.reference;
        let failed = |error| at_component(component, error);
        let key = registered.key()?;
        let before = self.old.get(reference);
        let usable = self
            .old
            .find(reference, key.as_ref(), self.registry.path())
            .is_ok();
        if let Some(locked) = before.filter(|_| usable && !self.update) {
            let moved = self.registry.moved(registered).await;
            if let Some(now) = moved {
                tell_moved(reference, locked, now);
            }
            let bytes = match self.registry.kept(locked) {
                Some(bytes) => bytes,
                None => self
                    .registry
                    .fetch(reference, locked)
                    .await
                    .map_err(failed)?,
            };
            component.verify(&bytes)?;
            return Ok(Entry {
                reference: reference.to_string(),
                locked: locked.clone(),
                state: "kept",
                moved,
            });
        }
        let client = self.registry.client(reference).await.map_err(failed)?;
        let pulled = pull(&client, reference, key.as_ref())
            .await
            .map_err(failed)?;
        // Without --update a new key is no reason to take other bytes.
        if let Some(locked) =
            before.filter(|locked| !self.update && locked.manifest != pulled.locked.manifest)
        {
            tell_moved(reference, locked, pulled.locked.manifest);
            return Err(Failure::new(
                ErrorKind::Strategy,
                format!("{reference} has to be locked anew, and it names something else by now"),
                "find out why it moved; 'icehost plugin lock --update' takes what it names now",
            ));
        }
        component.verify(&pulled.bytes)?;
        self.runtime
            .load(&reference.to_string(), &pulled.bytes)
            .await?;
        if let Some(store) = self.registry.store() {
            store.put(&pulled.bytes).map_err(failed)?;
        }
        let state = match before {
            None => "locked",
            Some(before) if *before == pulled.locked => "kept",
            Some(_) => "updated",
        };
        Ok(Entry {
            reference: reference.to_string(),
            locked: pulled.locked,
            state,
            moved: None,
        })
    }
}

fn print(registry: &Registry, entries: &[Entry], dropped: usize, written: bool, output: Output) {
    let path = registry.path();
    if output == Output::Json {
        let components: Vec<serde_json::Value> = entries.iter().map(object).collect();
        return line(serde_json::json!({
            "lock": path,
            "written": written,
            "dropped": dropped,
            "components": components,
        }));
    }
    for entry in entries {
        let Entry {
            reference,
            locked,
            state,
            ..
        } = entry;
        line(format!(
            "{state:<8} {reference}  {}",
            locked.manifest.qualified()
        ));
    }
    if dropped > 0 {
        line(format!(
            "dropped  {dropped} that the file does not name any more"
        ));
    }
    match written {
        true => line(format!("wrote {}", path.display())),
        false if entries.is_empty() => {
            line("nothing to lock: no strategy of the file is in a registry")
        }
        false => line(format!("{} is up to date", path.display())),
    }
}

fn object(entry: &Entry) -> serde_json::Value {
    let locked = &entry.locked;
    serde_json::json!({
        "reference": entry.reference,
        "manifest": locked.manifest.qualified(),
        "sha256": locked.sha256.to_string(),
        "size": locked.size,
        "signed_by": locked.signed_by.map(|key| key.qualified()),
        "state": entry.state,
        "moved_to": entry.moved.map(|digest| digest.qualified()),
    })
}
