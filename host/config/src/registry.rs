//! Components in registries: `registry` in a strategy's section, and `[registry]` for all of them.

use std::path::{Path, PathBuf};

use icehost_registry::{PublicKey, Reference};

use crate::component::Origin;
use crate::problem::Findings;
use crate::section::{Layers, Section};
use crate::{Component, Problem, strategy};
use crate::{DEFAULT_STRATEGY_MEMORY, DEFAULT_STRATEGY_TIMEOUT};

/// Most bytes of a public key's file.
const MAX_KEY: u64 = 64 << 10;

/// A component in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Where it is.
    pub reference: Reference,
    /// The file with the key that it is to be signed with.
    pub public_key: Option<PathBuf>,
}

impl Registered {
    /// The key that it is to be signed with, read from its file.
    ///
    /// # Errors
    /// A file that cannot be read, or that holds no such key.
    pub fn key(&self) -> Result<Option<PublicKey>, Problem> {
        self.public_key.as_deref().map(read_key).transpose()
    }
}

/// Reads a public key.
///
/// # Errors
/// A file that cannot be read, or that holds no such key.
pub fn read_key(path: &Path) -> Result<PublicKey, Problem> {
    let pem = icehost_untrusted::read_file_or_pipe(path, MAX_KEY).map_err(|error| {
        let message = format!("cannot read the public key {}: {error}", path.display());
        Problem::new(None, message).with_hint("check the path")
    })?;
    PublicKey::from_pem(&path.display().to_string(), &pem).map_err(|error| Problem {
        place: None,
        message: error.to_string(),
        hint: error.hint().map(Into::into),
    })
}

/// What a file says of registries.
#[derive(Debug, Clone, Default)]
pub struct Registries {
    /// The lock file: beside the configuration file and with its name, ending in `.lock`.
    pub lock: PathBuf,
    /// Hosts that are reached without TLS.
    pub plain_http: Vec<String>,
    /// The strategies that are in registries, whether a pipeline uses them or not.
    pub components: Vec<Component>,
}

impl Registries {
    /// Reads `[registry]` and what the strategies say; [`strategy::check`] has told what is wrong with them.
    pub(crate) fn read<'s>(
        findings: &Findings<'_>,
        settings: &Section,
        strategies: impl Iterator<Item = &'s Section>,
        directory: &Path,
        lock: PathBuf,
    ) -> Registries {
        let registered = strategies.filter_map(|section| {
            let origin = strategy::origin(section, settings, directory)?;
            matches!(origin, Origin::Registry(_)).then(|| Component {
                name: section.name.clone(),
                origin,
                sha256: strategy::pin(&Layers(vec![section])),
                timeout: DEFAULT_STRATEGY_TIMEOUT,
                memory: DEFAULT_STRATEGY_MEMORY,
                columns: None,
                imports: None,
                place: Some(findings.place(section.at)),
            })
        });
        let settings = Layers(vec![settings]);
        let plain_http = settings.names("plain-http").and_then(|names| names.value);
        Registries {
            lock,
            plain_http: plain_http.map(<[String]>::to_vec).unwrap_or_default(),
            components: registered.collect(),
        }
    }
}
