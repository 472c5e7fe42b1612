//! The lock as a file: TOML, a section for each reference.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use icehost_files::Kind;
use serde::Deserialize;

use crate::error::{ErrorKind, RegistryError, Result};
use crate::lock::{Lock, Locked};
use crate::manifest::MAX_COMPONENT;
use crate::{Digest, Reference};

const VERSION: u32 = 1;
const MAX_FILE: u64 = 4 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LockFile {
    version: u32,
    #[serde(default)]
    components: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    manifest: Digest,
    sha256: Digest,
    size: u64,
    signed_by: Option<Digest>,
}

impl Lock {
    /// Reads a lock file; one that is not there says nothing.
    ///
    /// # Errors
    /// A file that cannot be read, or that is no lock file.
    pub fn read(path: &Path) -> Result<Lock> {
        let unusable = |why: String| {
            RegistryError::new(
                ErrorKind::NotLocked,
                format!("cannot read {}: {why}", path.display()),
            )
            .with_hint("'icehost plugin lock' writes it anew where it is removed")
        };
        let bytes = match icehost_untrusted::read(path, MAX_FILE) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Lock::default()),
            Err(error) => return Err(unusable(error.to_string())),
        };
        let text =
            String::from_utf8(bytes).map_err(|_| unusable("it is not text in UTF-8".to_owned()))?;
        Lock::parse(&text).map_err(unusable)
    }

    fn parse(text: &str) -> std::result::Result<Lock, String> {
        let file: LockFile = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        if file.version != VERSION {
            return Err(format!(
                "it has version {}, and this icehost reads {VERSION}",
                file.version
            ));
        }
        let mut entries = BTreeMap::new();
        for (name, entry) in file.components {
            let reference = Reference::parse(&name).map_err(|error| error.to_string())?;
            if entry.size > MAX_COMPONENT {
                return Err(format!("'{reference}' has more than {MAX_COMPONENT} bytes"));
            }
            let locked = Locked {
                manifest: entry.manifest,
                sha256: entry.sha256,
                size: entry.size,
                signed_by: entry.signed_by,
            };
            entries.insert(reference, locked);
        }
        Ok(Lock { entries })
    }

    /// Writes the file, all of it or nothing.
    ///
    /// # Errors
    /// A directory that cannot be written to.
    pub fn write(&self, path: &Path) -> Result<()> {
        // Shared, so that others can read it: it holds no secret.
        icehost_files::replace(path, self.to_string().as_bytes(), Kind::Shared).map_err(|error| {
            RegistryError::new(
                ErrorKind::Usage,
                format!("cannot write {}: {error}", path.display()),
            )
            .with_hint("the lock file lies beside the configuration file")
        })
    }
}

/// The file's text: the same for the same contents, so that it can be kept under version control.
impl std::fmt::Display for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = format!(
            "# Written by 'icehost plugin lock'. Keep it with the configuration file.\nversion = {VERSION}\n"
        );
        for (reference, locked) in &self.entries {
            // Neither references nor digests have letters that TOML escapes.
            write!(
                text,
                "\n[components.\"{reference}\"]\nmanifest = \"{}\"\nsha256 = \"{}\"\nsize = {}\n",
                locked.manifest.qualified(),
                locked.sha256.qualified(),
                locked.size
            )?;
            if let Some(key) = locked.signed_by {
                writeln!(text, "signed-by = \"{}\"", key.qualified())?;
            }
        }
        f.write_str(&text)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lock::tests::locked;

    #[test]
    fn the_file_is_the_same_for_the_same_contents() {
        let mut lock = Lock::default();
        for (i, name) in ["ghcr.io/b/y:1", "ghcr.io/a/x:2", "ghcr.io/a/x:1"]
            .iter()
            .enumerate()
        {
            lock.set(Reference::parse(name).unwrap(), locked(i as u8, i == 0));
        }
        insta::assert_snapshot!(lock.to_string());
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("icehost.lock");
        assert_eq!(Lock::read(&path).unwrap(), Lock::default());
        lock.write(&path).unwrap();
        assert_eq!(Lock::read(&path).unwrap(), lock);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_lock_file_is_refused() {
        for (text, why) in [
            ("", "missing field `version`"),
            ("version = 2", "it has version 2"),
            (
                "version = 1\n[components.'x']\nmanifest = 'sha256:1'\nsha256 = ''\nsize = 1",
                "a digest is",
            ),
            ("version = 1\nmore = 1", "unknown field"),
        ] {
            let error = Lock::parse(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let entry = Lock {
            entries: BTreeMap::from([(Reference::parse("a.b/c:1").unwrap(), locked(9, false))]),
        };
        let text = entry.to_string();
        assert!(Lock::parse(&text.replace("a.b/c:1", "nothing")).is_err());
        assert!(Lock::parse(&text.replace("size = 9", "size = 99999999999")).is_err());
    }

    proptest! {
        #[test]
        fn locks_are_read_as_they_are_written(
            entries in proptest::collection::btree_map("[a-z]{1,5}(/[a-z]{1,3})?:[A-Za-z0-9_.]{1,5}", (any::<u8>(), any::<bool>()), 0..6),
        ) {
            let mut lock = Lock::default();
            for (name, (seed, signed)) in entries {
                // A tag must not begin with a dot.
                if let Ok(reference) = Reference::parse(&format!("ghcr.io/{name}")) {
                    lock.set(reference, locked(seed, signed));
                }
            }
            prop_assert_eq!(Lock::parse(&lock.to_string()).unwrap(), lock);
        }

        #[test]
        fn any_text_is_a_lock_or_an_error(text in "\\PC{0,60}") {
            let _ = Lock::parse(&text);
        }
    }
}
