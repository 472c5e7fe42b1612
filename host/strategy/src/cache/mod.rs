//! Compiled components, kept between runs.
//!
//! What wasmtime compiles ahead of time is machine code that nothing can check, so an entry is loaded only if
//! it is provably this host's own: the directory and its files belong to the user, nobody else can write to
//! them, and each entry is authenticated with a key that is kept beside it. In any doubt the component is
//! compiled again.

mod ownership;
pub(crate) mod trusted;

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hmac::{Hmac, Mac};
use icehost_files::Kind;
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::Sha256;
use wasmtime::Engine;
use wasmtime::component::Component;

use ownership::User;

const KEY_FILE: &str = "key";
const KEY_BYTES: usize = 32;
const MAC_BYTES: usize = 32;
const EXTENSION: &str = "compiled";
/// Entries that are kept; the oldest go first.
const MAX_ENTRIES: usize = 64;
/// What they may take together, in bytes: some thirty with an interpreter in them.
const MAX_TOTAL_BYTES: u64 = 1 << 30;
/// Largest entry that is read.
const MAX_ENTRY_BYTES: u64 = 512 << 20;

/// A directory of compiled components.
#[derive(Debug)]
pub(crate) struct CompileCache {
    directory: PathBuf,
    user: User,
    key: [u8; KEY_BYTES],
    /// Tells apart engines whose machine code is not interchangeable.
    engine: u64,
}

impl CompileCache {
    /// Opens or makes the cache; `None`, with a warning in the log, where it cannot be trusted.
    pub(crate) fn open(directory: &Path, engine: &Engine) -> Option<CompileCache> {
        let open = || -> io::Result<CompileCache> {
            let user = ownership::prepare_directory(directory)?;
            let mut hasher = DefaultHasher::new();
            engine.precompile_compatibility_hash().hash(&mut hasher);
            Ok(CompileCache {
                directory: directory.to_owned(),
                key: key(directory, user)?,
                user,
                engine: hasher.finish(),
            })
        };
        open()
            .inspect_err(|error| {
                tracing::warn!(
                    directory = %directory.display(),
                    "components are compiled on each start: the cache is not used: {error}"
                );
            })
            .ok()
    }

    /// The compiled form of the component with this digest, if the cache has one that can be trusted.
    pub(crate) fn get(&self, engine: &Engine, digest: &[u8; 32]) -> Option<Component> {
        let name = self.entry_name(digest);
        let path = self.directory.join(&name);
        let bytes = match self.user.read_own(&path, MAX_ENTRY_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!("compiling again: {} is not used: {error}", path.display());
                return None;
            }
        };
        let entry = bytes
            .split_at_checked(MAC_BYTES)
            .and_then(|(mac, compiled)| {
                self.mac(&name, compiled)?.verify_slice(mac).ok()?;
                Some(trusted::Compiled(compiled))
            });
        let Some(entry) = entry else {
            tracing::warn!(
                "compiling again: {} was changed by something else",
                path.display()
            );
            return None;
        };
        trusted::deserialize(engine, entry)
            .inspect_err(|error| {
                tracing::warn!(
                    "compiling again: {} does not load: {error:#}",
                    path.display()
                );
            })
            .ok()
    }

    /// Keeps a component. A cache that cannot be written to only costs time, so failures are logged.
    pub(crate) fn put(&self, digest: &[u8; 32], compiled: &[u8]) {
        if let Err(error) = self.write(digest, compiled) {
            tracing::warn!(
                directory = %self.directory.display(),
                "a compiled component was not cached: {error}"
            );
        }
    }

    fn write(&self, digest: &[u8; 32], compiled: &[u8]) -> io::Result<()> {
        let name = self.entry_name(digest);
        let mac = self
            .mac(&name, compiled)
            .ok_or_else(|| io::Error::other("the key has the wrong length"))?;
        let entry = [&mac.finalize().into_bytes(), compiled].concat();
        icehost_files::replace(&self.directory.join(&name), &entry, Kind::Cache)?;
        self.forget_oldest()
    }

    fn forget_oldest(&self) -> io::Result<()> {
        let mut entries: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let path = entry.path();
            if path.extension().is_some_and(|e| e == EXTENSION) {
                let metadata = entry.metadata()?;
                entries.push((metadata.modified()?, metadata.len(), path));
            }
        }
        entries.sort();
        let mut bytes = 0;
        for (newer, (_, length, path)) in entries.into_iter().rev().enumerate() {
            bytes += length;
            if newer >= MAX_ENTRIES || bytes > MAX_TOTAL_BYTES {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn entry_name(&self, digest: &[u8; 32]) -> String {
        format!("{}-{:016x}.{EXTENSION}", hex(digest), self.engine)
    }

    /// Over the name too: a good entry under another component's name must not pass.
    fn mac(&self, name: &str, compiled: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(name.as_bytes());
        mac.update(&[0]);
        mac.update(compiled);
        Some(mac)
    }
}

/// The cache's own key, made on first use.
fn key(directory: &Path, user: User) -> io::Result<[u8; KEY_BYTES]> {
    let path = directory.join(KEY_FILE);
    match user.read_own(&path, KEY_BYTES as u64) {
        Ok(bytes) => bytes
            .try_into()
            .map_err(|_| io::Error::other(format!("{} is damaged; delete it", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut key = [0; KEY_BYTES];
            OsRng.try_fill_bytes(&mut key).map_err(io::Error::other)?;
            match icehost_files::create(&path, &key, Kind::Private)? {
                true => Ok(key),
                // Another process was first: its key counts.
                false => user
                    .read_own(&path, KEY_BYTES as u64)?
                    .try_into()
                    .map_err(|_| io::Error::other(format!("{} is damaged", path.display()))),
            }
        }
        Err(error) => Err(error),
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
