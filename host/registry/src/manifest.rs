//! Manifests: what a registry's version is made of. A component is a manifest with the configuration of
//! WebAssembly artifacts and one layer, as `oci-wasm` and `wkg` write and read it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::error::{RegistryError, Result};

/// The media type of an image manifest.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// That of a list of manifests, which is asked for only to say what it is.
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// That of a WebAssembly artifact's configuration.
pub(crate) const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// That of its layer.
pub(crate) const WASM_LAYER: &str = "application/wasm";

/// Most bytes of a manifest.
pub(crate) const MAX_MANIFEST: u64 = 1 << 20;
/// Most bytes of a component; the strategy host refuses larger ones.
pub const MAX_COMPONENT: u64 = 32 << 20;

/// What a manifest points to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// What points to these bytes.
    pub(crate) fn of(media_type: &str, bytes: &[u8]) -> Descriptor {
        Descriptor {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            annotations: BTreeMap::new(),
        }
    }
}

/// A manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// A manifest of these.
    pub(crate) fn new(config: Descriptor, layers: Vec<Descriptor>) -> Manifest {
        Manifest {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            config,
            layers,
            annotations: BTreeMap::new(),
        }
    }

    /// Reads a manifest that `what` names.
    pub(crate) fn parse(what: &str, bytes: &[u8]) -> Result<Manifest> {
        /// Enough of any manifest to say what it is.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Kind {
            media_type: Option<String>,
            manifests: Option<serde::de::IgnoredAny>,
        }
        let refused = |why: String| RegistryError::refused(what, why);
        let kind: Kind = serde_json::from_slice(bytes)
            .map_err(|error| refused(format!("its manifest is not JSON: {error}")))?;
        if kind.manifests.is_some() || kind.media_type.as_deref() == Some(INDEX) {
            return Err(
                refused("it is a list of images, not a component".to_owned())
                    .with_hint("name the one that is the component, by its digest"),
            );
        }
        let manifest: Manifest = serde_json::from_slice(bytes)
            .map_err(|error| refused(format!("its manifest is none: {error}")))?;
        if manifest.schema_version != 2 {
            let version = manifest.schema_version;
            return Err(refused(format!(
                "its manifest has schema version {version}, not 2"
            )));
        }
        Ok(manifest)
    }

    /// The layer with the component.
    pub(crate) fn component(&self, what: &str) -> Result<&Descriptor> {
        let refused = |why: String| {
            RegistryError::refused(what, why).with_hint(
                "a strategy is pushed with 'icehost plugin push', or with 'wkg oci push'",
            )
        };
        if self.config.media_type != WASM_CONFIG {
            return Err(refused(format!(
                "it is no WebAssembly component but {}",
                self.config.media_type
            )));
        }
        let [layer] = self.layers.as_slice() else {
            return Err(refused(format!(
                "it has {} layers, and a component is one",
                self.layers.len()
            )));
        };
        if layer.media_type != WASM_LAYER {
            return Err(refused(format!(
                "its layer is {}, not {WASM_LAYER}",
                layer.media_type
            )));
        }
        if layer.size > MAX_COMPONENT {
            return Err(refused(format!(
                "it has {} bytes; a strategy has at most {MAX_COMPONENT}",
                layer.size
            )));
        }
        Ok(layer)
    }
}

/// What is pushed: a component, and what it says about itself.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// The component.
    pub bytes: Vec<u8>,
    /// The full names of what it exports.
    pub exports: Vec<String>,
    /// The full names of what it imports.
    pub imports: Vec<String>,
    /// The world that it is made for.
    pub target: String,
    /// What it is called, its version and what it does, for those who list a registry.
    pub title: String,
    /// Its own version.
    pub version: String,
    /// What it does.
    pub description: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WasmConfig<'a> {
    created: String,
    architecture: &'static str,
    os: &'static str,
    layer_digests: [Digest; 1],
    component: WasmComponent<'a>,
}

#[derive(Serialize)]
struct WasmComponent<'a> {
    exports: &'a [String],
    imports: &'a [String],
    target: &'a str,
}

impl Artifact {
    /// Its configuration and its manifest, as bytes. `created` is a time of RFC 3339.
    pub(crate) fn encode(&self, created: String) -> Result<(Vec<u8>, Vec<u8>)> {
        let layer = Descriptor::of(WASM_LAYER, &self.bytes);
        let config = json(&WasmConfig {
            created: created.clone(),
            architecture: "wasm",
            os: "wasip2",
            layer_digests: [layer.digest],
            component: WasmComponent {
                exports: &self.exports,
                imports: &self.imports,
                target: &self.target,
            },
        })?;
        let mut manifest = Manifest::new(Descriptor::of(WASM_CONFIG, &config), vec![layer]);
        let annotations = [
            ("created", &created),
            ("title", &self.title),
            ("version", &self.version),
            ("description", &self.description),
        ];
        for (key, value) in annotations {
            let key = format!("org.opencontainers.image.{key}");
            manifest.annotations.insert(key, value.clone());
        }
        let manifest = json(&manifest)?;
        Ok((config, manifest))
    }
}

/// JSON of what this crate makes.
pub(crate) fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value)
        .map_err(|error| RegistryError::refused("what is pushed", error.to_string()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn artifact() -> Artifact {
        Artifact {
            bytes: b"\0asm".to_vec(),
            exports: vec!["a:b/c@1.0.0".to_owned()],
            imports: Vec::new(),
            target: "a:b/world@1.0.0".to_owned(),
            title: "mine".to_owned(),
            version: "1.2.3".to_owned(),
            description: "what it does".to_owned(),
        }
    }

    #[test]
    fn a_component_has_the_form_of_the_wasm_artifacts() {
        let (config, manifest) = artifact()
            .encode("2026-01-02T03:04:05Z".to_owned())
            .unwrap();
        let pretty = |bytes: &[u8]| {
            let value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            serde_json::to_string_pretty(&value).unwrap()
        };
        insta::assert_snapshot!("config", pretty(&config));
        insta::assert_snapshot!("manifest", pretty(&manifest));
        let read = Manifest::parse("x", &manifest).unwrap();
        assert_eq!(read.component("x").unwrap().digest, Digest::of(b"\0asm"));
    }

    #[test]
    fn what_is_no_component_is_refused_by_what_it_is() {
        let (_, bytes) = artifact()
            .encode("2026-01-02T03:04:05Z".to_owned())
            .unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        let with = |from: &str, to: &str| text.replacen(from, to, 1);
        for (manifest, why) in [
            ("{".to_owned(), "not JSON"),
            (deep, "not JSON"),
            ("{}".to_owned(), "missing field"),
            (
                r#"{"schemaVersion":2,"manifests":[]}"#.to_owned(),
                "list of images",
            ),
            (
                with("\"schemaVersion\":2", "\"schemaVersion\":1"),
                "schema version 1",
            ),
            (
                with(WASM_CONFIG, "application/vnd.oci.image.config.v1+json"),
                "no WebAssembly component",
            ),
            (
                with("application/wasm", "application/x-tar"),
                "not application/wasm",
            ),
            (with("\"size\":4", "\"size\":33554433"), "33554433 bytes"),
            (with("\"size\":4", "\"size\":-1"), "its manifest is none"),
            (with("sha256:", "sha512:"), "a digest is sha256:"),
        ] {
            let error = Manifest::parse("ghcr.io/x:1", manifest.as_bytes())
                .and_then(|manifest| manifest.component("ghcr.io/x:1").cloned())
                .unwrap_err()
                .to_string();
            assert!(error.starts_with("ghcr.io/x:1 is refused: "), "{error}");
            assert!(error.contains(why), "{error} should say {why}");
        }
    }
}
