//! The lock: which bytes stand behind each reference. A run takes those and no others, whatever a tag
//! says meanwhile.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{ErrorKind, RegistryError, Result};
use crate::key::PublicKey;
use crate::{Digest, Reference};

/// What stands behind a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// The manifest's digest.
    pub manifest: Digest,
    /// The component's digest.
    pub sha256: Digest,
    /// The component's size in bytes.
    pub size: u64,
    /// The fingerprint of the key whose signature was checked, where one was.
    pub signed_by: Option<Digest>,
}

/// What a lock file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    pub(crate) entries: BTreeMap<Reference, Locked>,
}

impl Lock {
    /// What stands behind a reference, under the conditions of now.
    ///
    /// # Errors
    /// A reference that is not locked, or was locked without the signature that is wanted now.
    pub fn find(
        &self,
        reference: &Reference,
        key: Option<&PublicKey>,
        lock: &Path,
    ) -> Result<&Locked> {
        let run = "run 'icehost plugin lock --config FILE', and keep the lock file with the configuration";
        let not_locked = |why: &str| {
            RegistryError::new(
                ErrorKind::NotLocked,
                format!("{reference} {why} {}", lock.display()),
            )
            .with_hint(run)
        };
        let Some(locked) = self.entries.get(reference) else {
            return Err(not_locked("is not in"));
        };
        if reference
            .digest()
            .is_some_and(|digest| digest != locked.manifest)
        {
            return Err(not_locked("has another digest in"));
        }
        match (key.map(PublicKey::fingerprint), locked.signed_by) {
            (Some(_), None) => Err(not_locked(
                "is to be signed, and was locked without that in",
            )),
            (Some(wanted), Some(by)) if wanted != by => Err(not_locked(
                "is to be signed with another key than it was locked with in",
            )),
            _ => Ok(locked),
        }
    }

    /// What the lock has for a reference, under whatever conditions.
    pub fn get(&self, reference: &Reference) -> Option<&Locked> {
        self.entries.get(reference)
    }

    /// Sets what stands behind a reference.
    pub fn set(&mut self, reference: Reference, locked: Locked) {
        self.entries.insert(reference, locked);
    }

    /// The references, in order.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.entries.keys()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;
    use crate::key::SigningKey;
    use crate::key::tests::private;

    pub(crate) fn locked(seed: u8, signed: bool) -> Locked {
        Locked {
            manifest: Digest::of(&[seed]),
            sha256: Digest::of(&[seed, 1]),
            size: u64::from(seed),
            signed_by: signed.then(|| Digest::of(&[seed, 2])),
        }
    }

    #[test]
    fn another_key_than_the_one_it_was_locked_with_is_no_lock() {
        let pem = private();
        let key = SigningKey::from_pem("k", pem.as_bytes()).unwrap();
        let key = key.public();
        let reference = Reference::parse("a.b/c:1").unwrap();
        let path = Path::new("icehost.lock");
        let find = |signed_by, key: Option<&PublicKey>| {
            let mut lock = Lock::default();
            lock.set(
                reference.clone(),
                Locked {
                    signed_by,
                    ..locked(1, false)
                },
            );
            let found = lock.find(&reference, key, path).map(drop);
            found.map_err(|error| error.to_string())
        };
        assert_eq!(find(None, None), Ok(()));
        assert_eq!(find(Some(key.fingerprint()), Some(key)), Ok(()));
        assert_eq!(find(Some(key.fingerprint()), None), Ok(()));
        assert!(
            find(None, Some(key))
                .unwrap_err()
                .contains("locked without")
        );
        assert!(
            find(Some(Digest::of(b"")), Some(key))
                .unwrap_err()
                .contains("another key")
        );
        let error = Lock::default().find(&reference, None, path).unwrap_err();
        assert_eq!(error.to_string(), "a.b/c:1 is not in icehost.lock");
        assert_eq!(error.kind(), ErrorKind::NotLocked);
    }
}
