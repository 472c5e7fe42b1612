//! Components on disk, each under its digest. Nothing there is trusted: what is read is hashed, and the bytes
//! that were hashed are the ones that are given.

use std::io;
use std::path::{Path, PathBuf};

use icehost_files::Kind;

use crate::Digest;
use crate::error::{ErrorKind, RegistryError, Result};
use crate::manifest::MAX_COMPONENT;

/// A directory of components.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
}

impl Store {
    /// The store in a directory, which is made when something is kept.
    pub fn new(directory: impl Into<PathBuf>) -> Store {
        Store {
            directory: directory.into(),
        }
    }

    /// The component with this digest; `None` where there is none, and where it has been damaged, which the
    /// log says.
    pub fn get(&self, digest: Digest) -> Option<Vec<u8>> {
        let path = self.path(digest);
        let bytes = match icehost_untrusted::read(&path, MAX_COMPONENT) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!("{} is not used: {error}", path.display());
                return None;
            }
        };
        let found = Digest::of(&bytes);
        if found != digest {
            tracing::warn!("{} is damaged: its SHA-256 is {found}", path.display());
            return None;
        }
        Some(bytes)
    }

    /// Whether a file is there for this digest, sound or not.
    pub fn has_file(&self, digest: Digest) -> bool {
        self.path(digest).exists()
    }

    /// Keeps a component: a reader sees all of it or nothing.
    ///
    /// # Errors
    /// A directory that cannot be written to.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::of(bytes);
        let path = self.path(digest);
        write(&self.directory, &path, bytes).map_err(|error| {
            RegistryError::new(
                ErrorKind::Usage,
                format!(
                    "cannot keep a component in {}: {error}",
                    self.directory.display()
                ),
            )
            .with_hint("choose another place with --cache-dir, or keep nothing with --no-cache")
        })?;
        Ok(digest)
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.directory.join(format!("{digest}.wasm"))
    }
}

fn write(directory: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    icehost_files::create_directories(directory)?;
    icehost_files::replace(path, bytes, Kind::Private)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_damaged_file_is_not_given_and_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path().join("a/b"));
        let digest = Digest::of(b"component");
        assert_eq!(store.get(digest), None);
        assert_eq!(store.put(b"component").unwrap(), digest);
        assert_eq!(store.get(digest).unwrap(), b"component");
        for damage in [&b"componenT"[..], b"", b"component and more"] {
            fs::write(store.path(digest), damage).unwrap();
            assert_eq!(store.get(digest), None);
            assert!(store.has_file(digest));
        }
        store.put(b"component").unwrap();
        assert_eq!(store.get(digest).unwrap(), b"component");
        fs::remove_file(store.path(digest)).unwrap();
        fs::create_dir(store.path(digest)).unwrap();
        assert_eq!(store.get(digest), None);
    }
}
