//! Signatures in cosign's format: beside a manifest lies another one, under a tag that its digest gives,
//! whose layers are payloads that name the digest and whose annotations sign the payloads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::client::Client;
use crate::error::{ErrorKind, RegistryError, Result};
use crate::key::{PublicKey, SigningKey};
use crate::manifest::{Descriptor, MANIFEST, Manifest, json};

const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const ANNOTATION: &str = "dev.cosignproject.cosign/signature";
const TYPE: &str = "cosign container image signature";
/// Most bytes of a payload, and most of them that are read.
const MAX_PAYLOAD: u64 = 64 << 10;
const MAX_SIGNATURES: usize = 32;

/// Simple signing: what a signature says.
#[derive(Serialize, Deserialize)]
struct Payload {
    critical: Critical,
    #[serde(default)]
    optional: Option<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    r#type: String,
}

#[derive(Serialize, Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference")]
    docker_reference: String,
}

#[derive(Serialize, Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    manifest: Digest,
}

/// The tag under which the signatures of a manifest lie.
fn tag(manifest: Digest) -> String {
    format!("sha256-{manifest}.sig")
}

/// Checks that one of a manifest's signatures is the key's.
///
/// # Errors
/// No signature, or none that is the key's and for this manifest.
pub(crate) async fn verify(
    client: &Client,
    what: &str,
    manifest: Digest,
    key: &PublicKey,
) -> Result<()> {
    let fingerprint = key.fingerprint();
    let refused = |why: String| {
        RegistryError::refused(what, why).with_hint(format!(
            "the key that is wanted has the fingerprint {fingerprint}; find out whether the component is the \
             one that its author signed"
        ))
    };
    let signatures = match client.manifest(&tag(manifest)).await {
        Ok((_, bytes)) => Manifest::parse(&format!("the signature of {what}"), &bytes)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(RegistryError::refused(what, "it is not signed").with_hint(
                "its author signs it with 'icehost plugin push --sign-key' or 'cosign sign --key'; \
                 without public-key, unsigned components are taken",
            ));
        }
        Err(error) => return Err(error),
    };
    let mut why = "none of its signatures is there to be read".to_owned();
    for layer in signatures.layers.iter().take(MAX_SIGNATURES) {
        if layer.media_type != PAYLOAD {
            continue;
        }
        let payload = client.blob(layer, MAX_PAYLOAD).await?;
        match check(layer, &payload, manifest, key) {
            Ok(()) => return Ok(()),
            Err(wrong) => why = wrong.to_owned(),
        }
    }
    Err(refused(why))
}

/// Checks one signature, or says what is wrong with it.
fn check(
    layer: &Descriptor,
    payload: &[u8],
    manifest: Digest,
    key: &PublicKey,
) -> std::result::Result<(), &'static str> {
    let signature = layer.annotations.get(ANNOTATION);
    let signature = signature.and_then(|text| BASE64.decode(text).ok());
    let signature = signature.ok_or("its signature cannot be read")?;
    // What the payload says counts only once it is known who wrote it.
    if !key.verifies(payload, &signature) {
        return Err("its signature is not the wanted key's");
    }
    let payload: Payload =
        serde_json::from_slice(payload).map_err(|_| "what was signed is no signature's payload")?;
    if payload.critical.r#type != TYPE {
        return Err("what was signed is something else than a component");
    }
    if payload.critical.image.manifest != manifest {
        return Err("its signature is that of another manifest");
    }
    Ok(())
}

/// Signs a manifest, beside the signatures that it has. One of the same key is not repeated.
pub(crate) async fn sign(client: &Client, manifest: Digest, key: &SigningKey) -> Result<()> {
    let mut layers = match client.manifest(&tag(manifest)).await {
        Ok((_, bytes)) => Manifest::parse("the signature that is there", &bytes)?.layers,
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    for layer in layers.iter().take(MAX_SIGNATURES) {
        let payload = client.blob(layer, MAX_PAYLOAD).await?;
        if check(layer, &payload, manifest, key.public()).is_ok() {
            return Ok(());
        }
    }
    let payload = json(&Payload {
        critical: Critical {
            identity: Identity {
                docker_reference: client.name(),
            },
            image: Image { manifest },
            r#type: TYPE.to_owned(),
        },
        optional: None,
    })?;
    let mut layer = Descriptor::of(PAYLOAD, &payload);
    let signature = BASE64.encode(key.sign(&payload)?);
    layer.annotations.insert(ANNOTATION.to_owned(), signature);
    client.push_blob(&payload).await?;
    layers.push(layer);
    let digests: Vec<Digest> = layers.iter().map(|layer| layer.digest).collect();
    let config = json(&serde_json::json!({
        "architecture": "",
        "os": "",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": digests },
    }))?;
    client.push_blob(&config).await?;
    let signatures = json(&Manifest::new(Descriptor::of(CONFIG, &config), layers))?;
    client
        .push_manifest(&tag(manifest), MANIFEST, &signatures)
        .await?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::key::tests::private;

    /// A payload and its descriptor, signed.
    fn signed(key: &SigningKey, payload: &str) -> (Descriptor, Vec<u8>) {
        let mut layer = Descriptor::of(PAYLOAD, payload.as_bytes());
        let signature = BASE64.encode(key.sign(payload.as_bytes()).unwrap());
        layer.annotations.insert(ANNOTATION.to_owned(), signature);
        (layer, payload.as_bytes().to_vec())
    }

    /// What cosign itself signed: key, payload and signature of `verify_signature_success` in sigstore-rs.
    #[test]
    fn a_signature_of_cosign_s_own_is_accepted() {
        const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAENptdY/l3nB0yqkXLBWkZWQwo6+cu
OSWS1X9vPavpiQOoTTGC0xX57OojUadxF1cdQmrsiReWg2Wn4FneJfa8xw==
-----END PUBLIC KEY-----";
        const DIGEST: &str = "f3cfc9d0dbf931d3db4685ec659b7ac68e2a578219da4aae65427886e649b06b";
        const SIGNATURE: &str = "MEUCIQD6q/COgzOyW0YH1Dk+CCYSt4uAhm3FDHUwvPI55zwnlwIgE0ZK58ZOWpZw8YVmBapJhBqCfdPekIknimuO0xH8Jh8=";
        let payload = format!(
            r#"{{"critical":{{"identity":{{"docker-reference":"registry-testing.svc.lan/busybox"}},"image":{{"docker-manifest-digest":"sha256:{DIGEST}"}},"type":"cosign container image signature"}},"optional":null}}"#
        );
        let key = PublicKey::from_pem("cosign.pub", KEY.as_bytes()).unwrap();
        let mut layer = Descriptor::of(PAYLOAD, payload.as_bytes());
        layer
            .annotations
            .insert(ANNOTATION.to_owned(), SIGNATURE.to_owned());
        let manifest = Digest::parse(DIGEST).unwrap();
        assert_eq!(check(&layer, payload.as_bytes(), manifest, &key), Ok(()));
        let other = Digest::of(b"other");
        assert!(check(&layer, payload.as_bytes(), other, &key).is_err());
        let changed = payload.replace("busybox", "busyboy");
        assert!(check(&layer, changed.as_bytes(), manifest, &key).is_err());
    }

    #[test]
    fn a_signature_is_one_only_of_its_manifest() {
        let private = SigningKey::from_pem("k", private().as_bytes()).unwrap();
        let key = private.public().clone();
        let signed = |payload: &str| signed(&private, payload);
        let manifest = Digest::of(b"manifest");
        // As cosign writes it; the reference in it is ignored, as its specification says.
        let cosign = format!(
            r#"{{"critical":{{"identity":{{"docker-reference":""}},"image":{{"docker-manifest-digest":"{}"}},"type":"cosign container image signature"}},"optional":null}}"#,
            manifest.qualified()
        );
        let (layer, payload) = signed(&cosign);
        assert_eq!(check(&layer, &payload, manifest, &key), Ok(()));
        let other = Digest::of(b"other");
        assert!(
            check(&layer, &payload, other, &key)
                .unwrap_err()
                .contains("another manifest")
        );
        let (layer, payload) = signed(&cosign.replace("container image", "blob"));
        assert!(
            check(&layer, &payload, manifest, &key)
                .unwrap_err()
                .contains("something else")
        );
        let (layer, payload) = signed("{}");
        assert!(
            check(&layer, &payload, manifest, &key)
                .unwrap_err()
                .contains("no signature's payload")
        );
        let (mut layer, payload) = signed(&cosign);
        assert!(
            check(&layer, &payload[1..], manifest, &key)
                .unwrap_err()
                .contains("not the wanted key's")
        );
        layer
            .annotations
            .insert(ANNOTATION.to_owned(), "?".to_owned());
        assert!(
            check(&layer, &payload, manifest, &key)
                .unwrap_err()
                .contains("cannot be read")
        );
        layer.annotations.clear();
        assert!(
            check(&layer, &payload, manifest, &key)
                .unwrap_err()
                .contains("cannot be read")
        );
    }
}
