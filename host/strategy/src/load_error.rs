//! Why a file is not loaded as a strategy.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::{CONTRACT_VERSION, PREVIOUS_CONTRACT_VERSIONS};
use icehost_untrusted::{shown, shown_up_to};

/// Why bytes are not a strategy that this host runs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There are no bytes.
    #[error("the file is empty")]
    Empty,
    /// The file is larger than [`Limits::component_bytes`](crate::Limits::component_bytes).
    #[error("the file has {bytes} bytes; a strategy has at most {limit}")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: usize,
    },
    /// The bytes do not start like WebAssembly.
    #[error("the file is not WebAssembly")]
    NotWebAssembly,
    /// The bytes are machine code that some wasmtime wrote ahead of time, which nothing here can check.
    #[error(
        "the file is a precompiled wasmtime artefact, which cannot be checked and is never loaded"
    )]
    Precompiled,
    /// A core module that does not say what component it wants to be.
    #[error("the file is a WebAssembly module without an embedded component type")]
    NoComponentType,
    /// A core module that is not what its component type says.
    #[error("cannot make a component of the WebAssembly module: {reason}")]
    Componentize {
        /// What is wrong with it.
        reason: String,
    },
    /// The bytes do not validate or compile.
    #[error("the file is not a valid component: {reason}")]
    Invalid {
        /// What is wrong with it.
        reason: String,
    },
    /// A component, but no strategy.
    #[error(
        "the component is not a strategy: it exports {}; a strategy exports {} and one of {}, {} and {}",
        listed(.exports),
        wanted("metadata"),
        wanted("change-detection"),
        wanted("merge"),
        wanted("batch-transform")
    )]
    WrongWorld {
        /// What it exports.
        exports: Vec<String>,
    },
    /// A strategy for another version of the contract.
    #[error(
        "the component is made for icehost:strategy@{}; this host serves {CONTRACT_VERSION}, {}",
        shown_up_to(.targeted, 64),
        PREVIOUS_CONTRACT_VERSIONS.join(" and ")
    )]
    WrongVersion {
        /// The version that it is made for.
        targeted: String,
    },
    /// A strategy that wants more than is granted.
    #[error("the component imports what is not granted: {}", listed(.imports))]
    ImportNotGranted {
        /// The imports, by their full names.
        imports: Vec<String>,
    },
    /// The operator grants it less than it imports.
    #[error("the component imports {}, which it is not granted", listed(.imports))]
    ImportWithheld {
        /// The imports, by their full names.
        imports: Vec<String>,
    },
    /// The names are right and the types are not.
    #[error("the component does not have the contract's functions: {reason}")]
    Contract {
        /// What is wrong with it.
        reason: String,
    },
    /// What the component says about itself is unusable.
    #[error("the component's description is unusable: {reason}")]
    Description {
        /// What is wrong with it.
        reason: String,
    },
    /// It consists of more than a strategy has any use for.
    #[error("the component has {count} {what}; a strategy has at most {limit}")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much there is, as far as it was counted.
        count: u64,
        /// The limit.
        limit: u64,
    },
    /// Compiling took more memory than it may.
    #[error("the component did not compile within {} MiB of memory", .limit >> 20)]
    CompileMemory {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The process that compiles could not be started, or failed.
    #[error("the component was not compiled: the compiler did not run: {reason}")]
    Compiler {
        /// Why.
        reason: String,
    },
    /// Compiling took too long.
    #[error("the component did not compile within {limit:?}")]
    CompileTimeout {
        /// The limit.
        limit: Duration,
    },
    /// The task that compiles was cancelled.
    #[error("the component was not compiled: {reason}")]
    Interrupted {
        /// Why.
        reason: String,
    },
}

impl LoadError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            LoadError::Unreadable { .. } => {
                "name a shipped strategy, or give the path of a component".to_owned()
            }
            LoadError::Empty | LoadError::NotWebAssembly => {
                "give a component as 'icehost plugin build' makes it".to_owned()
            }
            LoadError::Precompiled => {
                "give the component that it was compiled from; icehost compiles and caches it".to_owned()
            }
            LoadError::TooLarge { .. } | LoadError::TooMuch { .. } => {
                "leave out what the strategy does not need: modules that it imports, data, debug information"
                    .to_owned()
            }
            LoadError::CompileMemory { .. } => {
                "make the component smaller, or cut its largest functions into several".to_owned()
            }
            LoadError::Compiler { .. } => {
                "see whether this user may start processes, and how much memory they may take (ulimit -a)"
                    .to_owned()
            }
            LoadError::CompileTimeout { .. } => {
                "make the component smaller, or load it where the machine has less to do".to_owned()
            }
            LoadError::NoComponentType => {
                "build the crate with 'icehost plugin build', and export a strategy with the SDK's macro"
                    .to_owned()
            }
            LoadError::WrongVersion { .. } => {
                format!("build it with an SDK for icehost:strategy@{CONTRACT_VERSION}")
            }
            LoadError::ImportNotGranted { imports } if imports.iter().any(|i| i.starts_with("wasi:")) => {
                "build it with 'icehost plugin build', which leaves WASI out: strategies get none"
                    .to_owned()
            }
            LoadError::ImportWithheld { .. } => {
                "add it to 'imports' in the strategy's section, or take a component that does without it"
                    .to_owned()
            }
            LoadError::ImportNotGranted { .. } => {
                format!("a strategy may import icehost:strategy/logging@{CONTRACT_VERSION} and nothing else")
            }
            _ => return None,
        })
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    const MOST: usize = 16;
    let mut shown: Vec<String> = names
        .iter()
        .take(MOST)
        .map(|n| shown_up_to(n, 128))
        .collect();
    if names.len() > MOST {
        shown.push(format!("and {} more", names.len() - MOST));
    }
    shown.join(", ")
}

fn wanted(interface: &str) -> String {
    format!("icehost:strategy/{interface}@{CONTRACT_VERSION}")
}

/// An engine's error on one line, fit to be shown.
pub(crate) fn reason(error: &dyn std::fmt::Display) -> String {
    shown(&format!("{error:#}"))
}
