//! Components: where they come from, and which bytes they must have.

use std::path::PathBuf;
use std::time::Duration;

use icehost_registry::MAX_COMPONENT;

use crate::{Digest, Place, Problem, Registered};

/// Where a component comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// One that icehost ships, by its name.
    Shipped(String),
    /// A file.
    File(PathBuf),
    /// A registry, whose bytes the lock file names.
    Registry(Registered),
}

/// A component that a pipeline uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// What it is called: its name in the file, the name of a shipped one, or a path.
    pub name: String,
    /// Where it comes from.
    pub origin: Origin,
    /// The digest that its bytes must have.
    pub sha256: Option<Digest>,
    /// CPU time that one call may take.
    pub timeout: Duration,
    /// Memory that it may take, in MiB.
    pub memory: u32,
    /// The only columns that it is shown, of whatever table; `None` for all.
    pub columns: Option<Vec<String>>,
    /// The only interfaces of the contract that it may import; `None` for all.
    pub imports: Option<Vec<String>>,
    /// Where the file names it.
    pub place: Option<Place>,
}

impl Component {
    /// What `--strategy` and `--merge` name: a file by its path, else a shipped one; nothing is pinned.
    pub fn named(name: &str, timeout: Duration, memory: u32) -> Component {
        Component {
            name: name.to_owned(),
            origin: match is_path(name) {
                true => Origin::File(PathBuf::from(name)),
                false => Origin::Shipped(name.to_owned()),
            },
            sha256: None,
            timeout,
            memory,
            columns: None,
            imports: None,
            place: None,
        }
    }

    /// Whether two are the same component under the same limits and grants, wherever the file names them.
    pub fn is_same(&self, other: &Component) -> bool {
        let Component {
            name,
            origin,
            sha256,
            timeout,
            memory,
            columns,
            imports,
            place: _,
        } = self;
        *name == other.name
            && *origin == other.origin
            && *sha256 == other.sha256
            && *timeout == other.timeout
            && *memory == other.memory
            && *columns == other.columns
            && *imports == other.imports
    }

    /// The file's bytes, `None` for one that is no file. What a pin is for is what is returned: the file is read
    /// once, and whoever replaces it afterwards changes nothing.
    ///
    /// # Errors
    /// A file that cannot be read, or whose bytes are not those that `sha256` names.
    pub fn read(&self) -> Result<Option<Vec<u8>>, Problem> {
        let Origin::File(path) = &self.origin else {
            return Ok(None);
        };
        if self.name.starts_with("oci://") {
            let message = format!(
                "strategy {} is in a registry, which is not asked here",
                self.name
            );
            return Err(Problem::new(self.place.clone(), message).with_hint(
                "fetch it with 'icehost plugin pull' and name its file, or lock it: registry = \"…\" in a \
                 section [strategies.NAME] of a configuration file",
            ));
        }
        let bytes = icehost_untrusted::read(path, MAX_COMPONENT).map_err(|error| {
            let message = format!("cannot read {}: {error}", path.display());
            let message = format!("strategy {}: {message}", self.name);
            Problem::new(self.place.clone(), message).with_hint(match self.place {
                Some(_) => "check the path; it starts at the directory of the configuration file",
                None => "name a shipped strategy, or give the path of a component",
            })
        })?;
        self.verify(&bytes)?;
        Ok(Some(bytes))
    }

    /// Checks bytes against the pin, where there is one.
    ///
    /// # Errors
    /// Bytes of another digest.
    pub fn verify(&self, bytes: &[u8]) -> Result<(), Problem> {
        let Some(wanted) = self.sha256 else {
            return Ok(());
        };
        let found = Digest::of(bytes);
        if found == wanted {
            return Ok(());
        }
        Err(Problem::new(
            self.place.clone(),
            format!(
                "strategy {} is not the one that was pinned: its SHA-256 is {found}, not {wanted}",
                self.name
            ),
        )
        .with_hint(
            "find out who changed it; if the change is wanted, set sha256 to the new digest",
        ))
    }
}

/// Whether a strategy's name is a path: it has a separator, or ends in `.wasm`.
pub fn is_path(name: &str) -> bool {
    name.contains(['/', '\\']) || name.ends_with(".wasm")
}
