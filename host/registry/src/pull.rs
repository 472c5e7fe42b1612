//! From a reference to a component's bytes.

use crate::client::Client;
use crate::error::Result;
use crate::key::PublicKey;
use crate::lock::Locked;
use crate::manifest::{MAX_COMPONENT, Manifest};
use crate::{Digest, Reference, signature};

/// A component that has arrived: every digest fits, and the signature is the key's where one was wanted.
#[derive(Debug)]
pub struct Pulled {
    /// What a lock file says of it.
    pub locked: Locked,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What a reference names now.
///
/// # Errors
/// A registry that cannot be reached or does not have it.
pub async fn resolve(client: &Client, reference: &Reference) -> Result<Digest> {
    let (digest, _) = client.manifest(&reference.version()).await?;
    Ok(digest)
}

/// Fetches what a reference names. Its signature is checked before the component is fetched.
///
/// # Errors
/// A registry that cannot be reached or does not have it; what is no component; bytes that are not those
/// that were announced; a signature that is missing or not the key's.
pub async fn pull(
    client: &Client,
    reference: &Reference,
    key: Option<&PublicKey>,
) -> Result<Pulled> {
    let what = reference.to_string();
    let (digest, bytes) = client.manifest(&reference.version()).await?;
    let manifest = Manifest::parse(&what, &bytes)?;
    let layer = manifest.component(&what)?;
    if let Some(key) = key {
        signature::verify(client, &what, digest, key).await?;
    }
    let bytes = client.blob(layer, MAX_COMPONENT).await?;
    Ok(Pulled {
        locked: Locked {
            manifest: digest,
            sha256: layer.digest,
            size: layer.size,
            signed_by: key.map(PublicKey::fingerprint),
        },
        bytes,
    })
}

/// Fetches what was locked: by its digest, so that no tag counts. What its signature said is in the lock.
///
/// # Errors
/// As [`pull`]; a manifest with another component than was locked.
pub async fn pull_locked(
    client: &Client,
    reference: &Reference,
    locked: &Locked,
) -> Result<Vec<u8>> {
    let what = reference.to_string();
    let (_, bytes) = client.manifest(&locked.manifest.qualified()).await?;
    let manifest = Manifest::parse(&what, &bytes)?;
    let layer = manifest.component(&what)?;
    if layer.digest != locked.sha256 || layer.size != locked.size {
        return Err(crate::RegistryError::refused(
            &what,
            format!(
                "its manifest has the component {}, and {} was locked with it",
                layer.digest, locked.sha256
            ),
        )
        .with_hint(
            "the lock file was changed by hand; 'icehost plugin lock --update' writes it anew",
        ));
    }
    client.blob(layer, MAX_COMPONENT).await
}
