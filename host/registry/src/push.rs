//! From a component to a version in a registry.

use crate::client::Client;
use crate::error::{ErrorKind, RegistryError, Result};
use crate::key::SigningKey;
use crate::manifest::{Artifact, MANIFEST, MAX_COMPONENT, Manifest};
use crate::{Digest, Reference, signature};

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The manifest's digest.
    pub manifest: Digest,
    /// The component's digest.
    pub sha256: Digest,
    /// Whether the version was there with these bytes, so that it was left as it is.
    pub unchanged: bool,
}

/// Uploads a component under a tag, and signs it where there is a key. A version that is there with the same
/// bytes is left as it is, so that its digest stays; one with others is replaced only with `overwrite`.
///
/// # Errors
/// A reference without a tag or with a digest, a version that is there with other bytes, a registry that
/// cannot be reached or refuses.
pub async fn push(
    client: &Client,
    reference: &Reference,
    artifact: &Artifact,
    key: Option<&SigningKey>,
    overwrite: bool,
) -> Result<Pushed> {
    let (Some(tag), None) = (reference.tag(), reference.digest()) else {
        let message =
            format!("cannot push to {reference}: what is pushed has a tag, and gets its digest");
        return Err(RegistryError::new(ErrorKind::Usage, message)
            .with_hint("write HOST/REPOSITORY:VERSION"));
    };
    let sha256 = Digest::of(&artifact.bytes);
    if artifact.bytes.len() as u64 > MAX_COMPONENT {
        let why = format!("it has more than {MAX_COMPONENT} bytes");
        return Err(RegistryError::refused(&reference.to_string(), why));
    }
    let there = match client.manifest(tag).await {
        Ok((digest, bytes)) => Some((digest, component_of(&bytes))),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let (manifest, unchanged) = match there {
        Some((digest, Some(component))) if component == sha256 => (digest, true),
        Some((digest, _)) if !overwrite => {
            let message = format!("{reference} is there already, as {}", digest.qualified());
            return Err(RegistryError::new(ErrorKind::Usage, message).with_hint(
                "push under a new version; --overwrite moves the tag, and those who locked the old one keep it",
            ));
        }
        _ => (upload(client, tag, artifact).await?, false),
    };
    if let Some(key) = key {
        signature::sign(client, manifest, key).await?;
    }
    Ok(Pushed {
        manifest,
        sha256,
        unchanged,
    })
}

async fn upload(client: &Client, tag: &str, artifact: &Artifact) -> Result<Digest> {
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let (config, manifest) = artifact.encode(now)?;
    client.push_blob(&artifact.bytes).await?;
    client.push_blob(&config).await?;
    client.push_manifest(tag, MANIFEST, &manifest).await
}

/// The component of a manifest, if it is one of a component.
fn component_of(manifest: &[u8]) -> Option<Digest> {
    let manifest = Manifest::parse("what is there", manifest).ok()?;
    Some(manifest.component("what is there").ok()?.digest)
}
